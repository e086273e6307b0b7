"""New tensors: constants, ranges, windows and random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import same
from cnninspect.ops.base import Work, broadcast_tensors, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def of_size(size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`."""
    return (tuple(size),)


def of_last_argument(*arguments: Any, **_: Any) -> tuple[Shape, ...]:
    """The size, which comes after the bounds."""
    return (tuple(arguments[-1]),)


def new(self: TensorRef, size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`; the tensor gives only dtype and device."""
    return (tuple(size),)


def arange(*bounds: float, **_: Any) -> tuple[Shape, ...]:
    """ceil((end - start) / step) numbers. Source: torch.arange."""
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    return ((ceil((end - start) / step),),)


def inclusive_range(start: float, end: float, step: float = 1, **_: Any) -> tuple[Shape, ...]:
    """floor((end - start) / step) + 1 numbers. Source: torch.range."""
    return ((floor((end - start) / step) + 1,),)


def spaced(start: Any, end: Any, steps: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`steps` numbers."""
    return ((steps,),)


def eye(n: int, m: int | None = None, **_: Any) -> tuple[Shape, ...]:
    """n rows and as many columns, or m."""
    return ((n, n if m is None else m),)


def vector(length: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`length` numbers."""
    return ((length,),)


def _at_or_below(row: int, col: int, offset: int) -> int:
    """Places of a matrix on or below a diagonal."""
    return sum(min(max(line + offset + 1, 0), col) for line in range(row))


def lower_indices(row: int, col: int, offset: int = 0, **_: Any) -> tuple[Shape, ...]:
    """Row and column of each place on or below the diagonal. Source: torch.tril_indices."""
    return ((2, _at_or_below(row, col, offset)),)


def upper_indices(row: int, col: int, offset: int = 0, **_: Any) -> tuple[Shape, ...]:
    """Row and column of each place on or above the diagonal. Source: torch.triu_indices."""
    return ((2, row * col - _at_or_below(row, col, offset - 1)),)


def normal(*arguments: Any, **options: Any) -> tuple[Shape, ...]:
    """The broadcast of mean and deviation, or the size where both are numbers."""
    return (tuple(arguments[2]),) if len(arguments) > 2 else broadcast_tensors(*arguments, **options)


def drawn(self: TensorRef, num_samples: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`num_samples` indices per row of probabilities. Source: torch.multinomial."""
    return ((*self.shape[:-1], num_samples),)


_LIKE = "empty_like zeros_like ones_like full_like rand_like randn_like randint_like"
_NEW = "new_zeros new_ones new_full new_empty new_empty_strided"
_WINDOWS = "hann_window hamming_window blackman_window kaiser_window bartlett_window"
_REFILLS = "normal_ uniform_ exponential_ random_ cauchy_ log_normal_ geometric_"

register_op(*packets("empty empty_strided empty_permuted"), output=of_size, work=Work.CREATION)
register_op(*packets("zeros ones full rand randn"), output=of_size, work=Work.CREATION)
register_op("aten.randint", output=of_last_argument, work=Work.CREATION)
register_op(*packets(_LIKE), output=same, work=Work.CREATION)
register_op(*packets(_NEW), output=new, work=Work.CREATION)
register_op(*packets("fill(_) zero(_)"), output=same, work=Work.CREATION)
register_op("aten.scalar_tensor", output=lambda s, **_: ((),), work=Work.CREATION)
register_op("aten.arange", output=arange, work=Work.CREATION)
register_op("aten.range", output=inclusive_range, work=Work.CREATION)
register_op(*packets("linspace logspace"), output=spaced, work=Work.CREATION)
register_op("aten.eye", output=eye, work=Work.CREATION)
register_op(*packets(_WINDOWS), output=vector, work=Work.CREATION)
register_op(*packets("randperm fft_fftfreq"), output=vector, work=Work.CREATION)
register_op("aten.fft_rfftfreq", output=lambda n, *_, **__: ((n // 2 + 1,),), work=Work.CREATION)
register_op("aten.tril_indices", output=lower_indices, work=Work.CREATION)
register_op("aten.triu_indices", output=upper_indices, work=Work.CREATION)
register_op(*packets(_REFILLS), output=same, work=Work.CREATION)
register_op(*packets("bernoulli(_) poisson"), output=same, work=Work.CREATION)
register_op("aten.normal", output=normal, work=Work.CREATION)
register_op("aten.binomial", output=broadcast_tensors, work=Work.CREATION)
register_op("aten.multinomial", output=drawn, work=Work.CREATION)
