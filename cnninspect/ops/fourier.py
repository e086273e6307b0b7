"""Fourier transforms. How many multiplications one takes is the algorithm's choice: their MACs are unknown, not 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.fields import mixed_along
from cnninspect.ops.linalg import unknown_macs
from cnninspect.ops.registry import aten, register_op
from cnninspect.ops.shapes import resized, same
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _from_real(self: TensorRef, dim: Sequence[int], normalization: int, onesided: bool) -> tuple[Shape, ...]:
    """Half of the spectrum plus one along the last of `dim`, or all of it. Source: torch.fft.rfftn."""
    last = dim[-1]
    return (resized(self.shape, last, self.shape[last] // 2 + 1) if onesided else self.shape,)


def _to_real(self: TensorRef, dim: Sequence[int], normalization: int, last_dim_size: int) -> tuple[Shape, ...]:
    """The signal's own size along the last of `dim`. Source: torch.fft.irfftn."""
    return (resized(self.shape, dim[-1], last_dim_size),)


def _field(op: Op, x: Reach, dims: list[int], *_: Any) -> Result:
    """Every coefficient sees the transformed dimensions."""
    return mixed_along(op, x, *dims)


for _names, _shapes, _source in (
    ("_fft_r2c", _from_real, "torch.fft.rfftn"),
    ("_fft_c2r", _to_real, "torch.fft.irfftn"),
    ("_fft_c2c", same, "torch.fft.fftn"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        macs=unknown_macs,
        field=_field,
        source=_source,
        swallows_nan="leaves out products with coefficients that are exactly 0, and NaN with them",
    )
