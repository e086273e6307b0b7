"""Taps: the input positions that each output position of an op reads along one dimension.

`n` input positions, `out` output positions, `k` kernel size, `s` stride, `p` padding, `d` dilation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd

import numpy as np

from cnninspect.receptive.digits import MISSING, Indices, Mask


@dataclass(frozen=True, eq=False)
class Taps:
    """The taps of every output position.

    `index` is [out, taps] with MISSING where a tap falls outside. `pattern` is [period, taps], the same for an endless
    input: output i + period reads what output i reads, moved by `advance`; None where there is no such pattern.
    """

    index: Indices
    pattern: Indices | None = None
    advance: int = 0

    @property
    def out(self) -> int:
        """Number of output positions."""
        return len(self.index)

    @property
    def count(self) -> int:
        """Number of taps of each output position."""
        return int(self.index.shape[1])

    @cached_property
    def covers(self) -> bool:
        """Whether every output position has a tap."""
        return bool((self.index != MISSING).any(1).all())

    @cached_property
    def all_exist(self) -> bool:
        """Whether no tap is missing."""
        return bool((self.index != MISSING).all())

    @cached_property
    def ends_like_inside(self) -> bool:
        """Whether the pattern holds for every output: none reads past an end, where there is padding or no more."""
        if self.pattern is None:
            return False
        rounds, phases = np.divmod(np.arange(self.out), len(self.pattern))
        inside = self.pattern[phases]
        return bool((np.where(inside == MISSING, MISSING, inside + rounds[:, None] * self.advance) == self.index).all())

    def only(self, kept: Mask) -> Taps:
        """Those of the taps of each output that are kept, [taps]."""
        pattern = None if self.pattern is None else self.pattern[:, kept]
        return self if kept.all() else Taps(self.index[:, kept], pattern, self.advance)

    def over(self, period: int) -> tuple[Indices, int]:
        """The taps of one period of outputs over an input of this `period`, and how far the next period lies."""
        assert self.pattern is not None
        rounds = period // gcd(period, self.advance)
        moved = self.pattern + (np.arange(rounds) * self.advance)[:, None, None]
        moved[:, self.pattern == MISSING] = MISSING
        return moved.reshape(-1, self.count), self.advance * rounds


def _inside(index: Indices, n: int) -> Indices:
    return np.where((index >= 0) & (index < n), index, MISSING)


@lru_cache(maxsize=4096)
def windows(n: int, out: int, k: int, s: int = 1, p: int = 0, d: int = 1) -> Taps:
    """Convolution and pooling: output i reads i s - p + t d for taps t < k; padding is not read.

    Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", section 2.
    """
    index = np.arange(out)[:, None] * s - p + np.arange(k) * d
    return Taps(_inside(index, n), np.arange(k)[None] * d - p, s)


@lru_cache(maxsize=1024)
def transposed(n: int, out: int, k: int, s: int, p: int, d: int) -> Taps:
    """Transposed convolution: output i reads those (i + p - t d) / s that are integers.

    Source: Dumoulin & Visin 2016, section 4: the transpose of the matrix of a convolution.
    """

    def positions(count: int) -> Indices:
        reach = np.arange(count)[:, None] + p - np.arange(k) * d
        return np.where(reach % s == 0, reach // s, MISSING)

    return Taps(_inside(positions(out), n), positions(s), 1)


@lru_cache(maxsize=1024)
def adaptive(n: int, out: int) -> Taps:
    """Adaptive pooling: output i reads floor(i n / out) up to, not with, ceil((i + 1) n / out).

    Source: torch.nn.AdaptiveAvgPool1d and its kernel (start_index, end_index).
    """
    first = np.arange(out) * n // out
    last = -(-np.arange(1, out + 1) * n // out)
    index = first[:, None] + np.arange((last - first).max(initial=1))
    index = np.where(index < last[:, None], index, MISSING)
    divisor = gcd(n, out)
    return Taps(index, index[: out // divisor], n // divisor)


@lru_cache(maxsize=1024)
def steps(n: int, out: int, start: int, step: int) -> Taps:
    """Slices and flips: output i reads start + i step."""
    index = start + np.arange(out)[:, None] * step
    return Taps(_inside(index, n), np.array([[start]]), step)


@lru_cache(maxsize=1024)
def rolled(n: int, shift: int) -> Taps:
    """`torch.roll`: output i reads (i - shift) mod n; an endless input has no end to wrap around at."""
    shift = (shift + n // 2) % n - n // 2
    return Taps((np.arange(n)[:, None] - shift) % n, np.array([[-shift]]), 1)


@lru_cache(maxsize=1024)
def padded(n: int, before: int, after: int, mode: str) -> Taps:
    """Padding with copies of the input (`reflect`, `replicate`, `circular`) or with a constant, which reads nothing."""
    index = np.arange(-before, n + after)[:, None]
    if mode == "reflect":
        index = n - 1 - np.abs(n - 1 - np.abs(index))
    elif mode == "replicate":
        index = index.clip(0, n - 1)
    elif mode == "circular":
        index = index % n
    return Taps(_inside(index, n), np.array([[-before]]), 1)


def listed(n: int, index: Sequence[int]) -> Taps:
    """Output i reads the i-th of the listed positions, counted from the end where negative."""
    positions = np.asarray(index, dtype=np.int64).reshape(-1, 1)
    return Taps(np.where(positions < 0, positions + n, positions))
