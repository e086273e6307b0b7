"""New tensors: constants, ranges, windows and random numbers; `torch.tensor([1, 2])`."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, NoFormula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import broadcast_tensors, elementwise, same, written_in
from cnninspect.receptive.knowledge import Zeros, depends_on_nothing, reads_by_data
from cnninspect.receptive.reach import Reach, nothing, zeros
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def nested_shape(data: Any) -> Shape:
    """The lengths of lists in lists, from the outermost on, and the shape of a tensor in them; a number has none.

    Raises NoFormula for anything else, such as an array. Source: torch.tensor.
    """
    if isinstance(data, TensorRef):
        return data.shape
    if isinstance(data, (list, tuple)):
        return (len(data), *(nested_shape(data[0]) if data else ()))
    if isinstance(data, (bool, int, float, complex)):
        return ()
    raise NoFormula(f"{data} is no number and no list")


def _constant_call(data: Any, *_: Any, **__: Any) -> Use:
    return Use((nested_shape(data),))


def _method_call(self: TensorRef, data: Any, *_: Any, **__: Any) -> Use:
    return _constant_call(data)


register(
    Formula(
        name="constant",
        source="torch.tensor: a tensor of the numbers in nested lists",
        functions={
            "torch.tensor": _constant_call,
            "torch.as_tensor": _constant_call,
            "Tensor.new_tensor": _method_call,
        },
        output=same_shape,
        computes=False,
        layer_like=False,
    )
)


# --- the ops: output shapes ---------------------------------------------------------------------------------------


def _of_size(size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`."""
    return (tuple(size),)


def _tangent(self: TensorRef, other: TensorRef, self_num_batch_dims: int = 0) -> tuple[Shape, ...]:
    """The batch dimensions of the tangent, then the size of its tensor."""
    return ((*self.shape[:self_num_batch_dims], *other.shape),)


def _of_last_argument(*arguments: Any, **_: Any) -> tuple[Shape, ...]:
    """The size, which comes after the bounds."""
    return (tuple(arguments[-1]),)


def _new(self: TensorRef, size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`; the tensor gives only dtype and device."""
    return (tuple(size),)


def _arange(*bounds: float, **_: Any) -> tuple[Shape, ...]:
    """ceil((end - start) / step) numbers. Source: torch.arange."""
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    return ((ceil((end - start) / step),),)


def _inclusive_range(start: float, end: float, step: float = 1, **_: Any) -> tuple[Shape, ...]:
    """floor((end - start) / step) + 1 numbers. Source: torch.range."""
    return ((floor((end - start) / step) + 1,),)


def _spaced(start: Any, end: Any, steps: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`steps` numbers."""
    return ((steps,),)


def _eye(n: int, m: int | None = None, **_: Any) -> tuple[Shape, ...]:
    """n rows and as many columns, or m."""
    return ((n, n if m is None else m),)


def _vector(length: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`length` numbers."""
    return ((length,),)


def _at_or_below(row: int, col: int, offset: int) -> int:
    """Places of a matrix on or below a diagonal."""
    return sum(min(max(line + offset + 1, 0), col) for line in range(row))


def _lower_indices(row: int, col: int, offset: int = 0, **_: Any) -> tuple[Shape, ...]:
    """Row and column of each place on or below the diagonal. Source: torch.tril_indices."""
    return ((2, _at_or_below(row, col, offset)),)


def _upper_indices(row: int, col: int, offset: int = 0, **_: Any) -> tuple[Shape, ...]:
    """Row and column of each place on or above the diagonal. Source: torch.triu_indices."""
    return ((2, row * col - _at_or_below(row, col, offset - 1)),)


def _normal(*arguments: Any, **options: Any) -> tuple[Shape, ...]:
    """The broadcast of mean and deviation, or the size where both are numbers."""
    return (tuple(arguments[2]),) if len(arguments) > 2 else broadcast_tensors(*arguments, **options)


def _drawn(self: TensorRef, num_samples: int, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`num_samples` indices per row of probabilities. Source: torch.multinomial."""
    return ((*self.shape[:-1], num_samples),)


def _fill_field(op: Op, old: Reach, value: Any) -> Reach:
    """One value everywhere."""
    if isinstance(value, Reach):
        return written_in(value).expanded(old.shape)
    return zeros(old.shape) if value == 0 else nothing(old.shape).dense()


def _zeros_made(op: Op) -> Zeros | None:
    """Zeros everywhere, by the op's name or by the value that it is given."""
    filled = "full" in op.name or "fill" in op.name
    return Zeros.EVERYWHERE if "zero" in op.name or (filled and _filling(op) == 0) else None


def _filling(op: Op) -> Any:
    return op.kwargs.get("fill_value", op.args[-1] if op.args else None)


# --- the ops ------------------------------------------------------------------------------------------------------


for _names, _shapes, _source in (
    (
        "empty empty_strided empty_permuted zeros ones full rand randn",
        _of_size,
        "torch, Creation Ops: a tensor of the given size",
    ),
    ("randint", _of_last_argument, "torch.randint: integers drawn from [low, high)"),
    (
        "empty_like zeros_like ones_like full_like rand_like randn_like randint_like",
        same,
        "torch, Creation Ops: new values of the same size",
    ),
    (
        "new_zeros new_ones new_full new_empty new_empty_strided",
        _new,
        "torch.Tensor.new_zeros and its like: a new tensor of the given size",
    ),
    ("_efficientzerotensor", _of_size, "torch.autograd.forward_ad: the tangent of a tensor that has none, all zeros"),
    (
        "_new_zeros_with_same_feature_meta",
        _tangent,
        "torch.autograd.forward_ad: zeros of the size of a tangent, with the batch dimensions of a transform",
    ),
    ("zero(_)", same, "torch.Tensor.zero_: 0 everywhere"),
    ("scalar_tensor", lambda s, **_: ((),), "torch.scalar_tensor: one number without dimensions"),
    ("range", _inclusive_range, "torch.range: start, start + step, ... up to end, end included"),
    ("linspace logspace", _spaced, "torch.linspace, torch.logspace: numbers evenly spaced from start to end"),
    ("eye", _eye, "torch.eye: 1 on the diagonal, 0 beside it"),
    (
        "hann_window hamming_window blackman_window kaiser_window bartlett_window",
        _vector,
        "torch.signal.windows: the weights of a window of the given length",
    ),
    ("randperm fft_fftfreq", _vector, "torch.randperm: 0 to n - 1 in random order; torch.fft.fftfreq: n frequencies"),
    ("fft_rfftfreq", lambda n, *_, **__: ((n // 2 + 1,),), "torch.fft.rfftfreq: the frequencies that are not negative"),
    ("tril_indices", _lower_indices, "torch.tril_indices: rows and columns on and below a diagonal"),
    ("triu_indices", _upper_indices, "torch.triu_indices: rows and columns on and above a diagonal"),
    (
        "normal_ uniform_ exponential_ random_ cauchy_ log_normal_ geometric_",
        same,
        "torch, In-place random sampling: new random values",
    ),
    ("bernoulli_", same, "torch.Tensor.bernoulli_: 0 or 1 at random"),
):
    _zeros = Zeros.SOMEWHERE if _names == "eye" else _zeros_made
    register_op(
        *aten(_names), output=_shapes, field=depends_on_nothing, source=_source, work=Work.CREATION, zeros=_zeros
    )
register_op(
    "aten.arange",
    output=_arange,
    field=depends_on_nothing,
    source="torch.arange: start, start + step, ... below end",
    work=Work.CREATION,
    content=lambda op, parts: np.arange(*op.args),
)
register_op(
    *aten("fill(_)"),
    output=same,
    field=_fill_field,
    source="torch.Tensor.fill_: one value everywhere",
    work=Work.CREATION,
    zeros=_zeros_made,
    hides=True,
)


# --- random numbers whose distribution depends on an argument -----------------------------------------------------


register_op(
    "aten.bernoulli",
    output=same,
    field=elementwise,
    source="torch.bernoulli: 1 with the probability that the element is",
    work=Work.CREATION,
    swallows_nan=True,
)
register_op(
    "aten.poisson",
    output=same,
    field=elementwise,
    source="torch.poisson: a number drawn with the element as rate",
    work=Work.CREATION,
)
register_op(
    "aten.normal",
    output=_normal,
    field=elementwise,
    source="torch.normal: a number drawn with the elements as mean and deviation",
    work=Work.CREATION,
)
register_op(
    "aten.binomial",
    output=broadcast_tensors,
    field=elementwise,
    source="torch.binomial: a number drawn with the elements as trials and probability",
    work=Work.CREATION,
)
register_op(
    "aten.multinomial",
    output=_drawn,
    field=reads_by_data,
    source="torch.multinomial: the probabilities say which index is drawn",
    work=Work.CREATION,
)
