"""Which input positions interpolation reads: torch's own arithmetic, with its roundings.

Source: aten/src/ATen/native/UpSample.h (area_pixel_compute_scale, area_pixel_compute_source_index) and
cpu/UpSampleKernel.cpp. A tap of weight 0 is still read: NaN passes through it. In double precision a source that falls
exactly on an input position may be rounded to either side, depending on the processor.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.taps import Taps

Floats = npt.NDArray[np.floating[Any]]


@lru_cache(maxsize=1024)
def nearest(n: int, out: int, factor: float | None, exact: bool) -> Taps:
    """`nearest` and, with `exact`, `nearest-exact`; `factor` is the scale factor that the caller gave, if any."""
    half = 0.5 if exact else 0.0
    source = np.floor((np.arange(out, dtype=np.float32) + np.float32(half)) * _ratio(n, out, factor, False, np.float32))
    if out in (n, 2 * n) and not exact:
        source = np.arange(out) * n // out
    index = np.minimum(source.astype(np.int64), n - 1)[:, None]
    period = np.arange(out // gcd(n, out))[:, None]
    pattern = (2 * period + 1) * n // (2 * out) if exact else period * n // out
    return _with_pattern(index, pattern, n, out, factor)


@lru_cache(maxsize=1024)
def linear(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Taps:
    """Linear interpolation: the position at or below the source position, and the next."""
    if n == out:
        return Taps(np.arange(n)[:, None], np.array([[0]]), 1)
    source = _source(n, out, factor, align_corners, double).clip(min=0)
    below = np.minimum(source.astype(np.int64), n - 1)
    index = np.stack((below, np.minimum(below + 1, n - 1)), 1)
    if align_corners:
        return Taps(index)
    return _with_pattern(index, _floors(n, out) + np.arange(2), n, out, factor)


@lru_cache(maxsize=1024)
def cubic(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Taps:
    """Cubic interpolation: two positions on either side of the source position, clamped to the input."""
    below = np.floor(_source(n, out, factor, align_corners, double)).astype(np.int64)
    index = (below[:, None] + np.arange(-1, 3)).clip(0, n - 1)
    if align_corners:
        return Taps(index)
    return _with_pattern(index, _floors(n, out) + np.arange(-1, 3), n, out, factor)


@lru_cache(maxsize=1024)
def antialiased(n: int, out: int, factor: float | None, align_corners: bool, double: bool, width: int) -> Taps:
    """Interpolation with a filter `width` wide that widens with the scale when the output is smaller."""
    if n == out:
        return Taps(np.arange(n)[:, None], np.array([[0]]), 1)
    real = np.float64 if double else np.float32
    scale = _ratio(n, out, factor, align_corners, real)
    support = real(width / 2) * max(scale, real(1))
    centre = scale * (np.arange(out, dtype=real) + real(0.5))
    first = (centre - support + real(0.5)).astype(np.int64).clip(min=0)
    last = (centre + support + real(0.5)).astype(np.int64).clip(max=n)
    index = first[:, None] + np.arange(max(int((last - first).max()), 1))
    return Taps(np.where(index < last[:, None], index, MISSING))


def _ratio(n: int, out: int, factor: float | None, align_corners: bool, real: type[np.floating[Any]]) -> Any:
    """Input positions per output position."""
    if align_corners:
        return real(n - 1) / real(out - 1) if out > 1 else real(0)
    return real(1.0 / factor) if factor else real(n) / real(out)


def _source(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Floats:
    """The position in the input, as a real number, that each output stands at.

    In single precision the multiplication and subtraction are one fused operation with one rounding.
    """
    real = np.float64 if double else np.float32
    scale = _ratio(n, out, factor, align_corners, real)
    if align_corners:
        return np.asarray(scale * np.arange(out, dtype=real))
    return np.asarray(np.float64(scale) * (np.arange(out) + 0.5) - 0.5).astype(real)


def _floors(n: int, out: int) -> Indices:
    """floor((i + 1/2) n / out - 1/2) in integers, for the outputs of one period."""
    position = np.arange(out // gcd(n, out))[:, None]
    return ((2 * position + 1) * n - out) // (2 * out)


def _with_pattern(index: Indices, pattern: Indices, n: int, out: int, factor: float | None) -> Taps:
    """Taps that repeat, unless the given factor is not the ratio of the sizes."""
    if factor and n * factor != out:
        return Taps(index)
    return Taps(index, pattern, n // gcd(n, out))
