"""Fourier transforms. How many multiplications one takes is the algorithm's choice: their MACs are unknown, not 0."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.ops.aten.linalg import unknown_macs
from cnninspect.ops.aten.shapes import resized, same
from cnninspect.ops.base import register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def from_real(self: TensorRef, dim: Sequence[int], normalization: int, onesided: bool) -> tuple[Shape, ...]:
    """Half of the spectrum plus one along the last of `dim`, or all of it. Source: torch.fft.rfftn."""
    last = dim[-1]
    return (resized(self.shape, last, self.shape[last] // 2 + 1) if onesided else self.shape,)


def to_real(self: TensorRef, dim: Sequence[int], normalization: int, last_dim_size: int) -> tuple[Shape, ...]:
    """The signal's own size along the last of `dim`. Source: torch.fft.irfftn."""
    return (resized(self.shape, dim[-1], last_dim_size),)


register_op("aten._fft_r2c", output=from_real, macs=unknown_macs, source="torch.fft.rfftn")
register_op("aten._fft_c2r", output=to_real, macs=unknown_macs, source="torch.fft.irfftn")
register_op("aten._fft_c2c", output=same, macs=unknown_macs, source="torch.fft.fftn")
