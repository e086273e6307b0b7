"""The same elements under another shape: view, permute, expand, squeeze; Flatten and Unflatten."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, NoFormula, Use, aten, register, register_op
from cnninspect.ops.rules import Dims, axes, axis, divided, elementwise, numel, same, shape_of, stepped, unchanged
from cnninspect.receptive import taps
from cnninspect.receptive.digits import FEATURE, Indices
from cnninspect.receptive.knowledge import NoRule
from cnninspect.receptive.reach import Reach, written
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- layers -------------------------------------------------------------------------------------------------------


def flatten_output(use: Use) -> tuple[Shape, ...]:
    """The dimensions from `start_dim` to `end_dim`, both included, as one. Source: torch.nn.Flatten, "Shape"."""
    shape = use.input or (1,)
    start, end = use["start_dim"] % len(shape), use["end_dim"] % len(shape)
    return ((*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]),)


def unflatten_output(use: Use) -> tuple[Shape, ...]:
    """Dimension `dim` split into `unflattened_size`, where -1 is what is left. Source: torch.nn.Unflatten, "Shape"."""
    dim, sizes = use["dim"] % len(use.input), tuple(use["unflattened_size"])
    left = divided(use.input[dim], prod(size for size in sizes if size != -1)) if -1 in sizes else 1
    split = tuple(left if size == -1 else size for size in sizes)
    return ((*use.input[:dim], *split, *use.input[dim + 1 :]),)


def _flatten_call(input: TensorRef, start_dim: int = 0, end_dim: int = -1) -> Use:
    return Use((input.shape,), {"start_dim": start_dim, "end_dim": end_dim})


def _unflatten_call(input: TensorRef, dim: int, sizes: Any) -> Use:
    return Use((input.shape,), {"dim": dim, "unflattened_size": sizes})


register(
    Formula(
        name="flatten",
        source='torch.nn.Flatten, "Shape"',
        modules=("Flatten",),
        hyperparameters=("start_dim", "end_dim"),
        functions={"torch.flatten": _flatten_call, "Tensor.flatten": _flatten_call},
        output=flatten_output,
        computes=False,
    )
)

register(
    Formula(
        name="unflatten",
        source='torch.nn.Unflatten, "Shape"',
        modules=("Unflatten",),
        hyperparameters=("dim", "unflattened_size"),
        functions={"torch.unflatten": _unflatten_call, "Tensor.unflatten": _unflatten_call},
        output=unflatten_output,
        computes=False,
    )
)


# --- output shapes ------------------------------------------------------------------------------------------------


def _viewed(self: TensorRef, size: Sequence[int] | str, *_: Any) -> tuple[Shape, ...]:
    """`size`, where -1 is what is left of the elements. Source: torch.Tensor.view."""
    if isinstance(size, str):
        raise NoFormula("a view as another dtype depends on the size of its elements")
    left = numel(self.shape) // numel(tuple(part for part in size if part != -1)) if -1 in size else 0
    return (tuple(left if part == -1 else part for part in size),)


def _expanded(self: TensorRef, size: Sequence[int], **_: Any) -> tuple[Shape, ...]:
    """`size`, where -1 keeps the size that a dimension has. Source: torch.Tensor.expand."""
    own = (*(0,) * (len(size) - len(self.shape)), *self.shape)
    return (tuple(have if want == -1 else want for have, want in zip(own, size, strict=True)),)


def _strided(self: TensorRef, size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`, whatever the strides."""
    return (tuple(size),)


def _permuted(self: TensorRef, dims: Sequence[int]) -> tuple[Shape, ...]:
    """The sizes in the order of `dims`."""
    return (tuple(self.shape[dim] for dim in dims),)


def _transposed(self: TensorRef, dim0: int, dim1: int) -> tuple[Shape, ...]:
    """Two sizes swapped."""
    sizes = list(self.shape)
    if sizes:
        sizes[dim0], sizes[dim1] = sizes[dim1], sizes[dim0]
    return (tuple(sizes),)


def _unsqueezed(self: TensorRef, dim: int) -> tuple[Shape, ...]:
    """A new dimension of size 1 at `dim` of the result."""
    position = dim % (len(self.shape) + 1)
    return ((*self.shape[:position], 1, *self.shape[position:]),)


def _squeezed(self: TensorRef, dim: Dims = None) -> tuple[Shape, ...]:
    """Without the dimensions of size 1, or without those among `dim`."""
    candidates = set() if dim == [] or dim == () else axes(dim, len(self.shape))
    return (tuple(size for place, size in enumerate(self.shape) if size != 1 or place not in candidates),)


def _as_real(self: TensorRef) -> tuple[Shape, ...]:
    """Real and imaginary part in a last dimension."""
    return ((*self.shape, 2),)


def _as_complex(self: TensorRef) -> tuple[Shape, ...]:
    """The last dimension held real and imaginary part."""
    return (self.shape[:-1],)


# --- what an output sees ------------------------------------------------------------------------------------------


def _view_field(op: Op, x: Reach, *_: Any) -> Reach:
    """The same elements in row-major order; a view as another dtype of the same size changes nothing."""
    if prod(x.shape) != prod(shape_of(op)):
        raise NoRule("a view as another dtype cuts elements apart")
    return x.reshaped(shape_of(op))


def _permute_field(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions in the given order."""
    return x.permuted([axis(dim, len(x.shape)) for dim in dims])


def _transpose_field(op: Op, x: Reach, first: int, second: int) -> Reach:
    """Two dimensions swapped."""
    return x.permuted(_swapped(len(x.shape), first, second))


def _swapped(rank: int, first: int, second: int) -> list[int]:
    """All dimensions in order but for two; a tensor without dimensions has none to swap."""
    order = list(range(rank))
    if order:
        order[first], order[second] = order[second], order[first]
    return order


def _t_field(op: Op, x: Reach) -> Reach:
    """All dimensions in reverse."""
    return x.permuted(range(len(x.shape))[::-1])


def _expand_field(op: Op, x: Reach, *_: Any, **__: Any) -> Reach:
    """Dimensions of size 1 stretched."""
    return x.expanded(shape_of(op))


def _squeeze_field(op: Op, x: Reach, dims: Any = None) -> Reach:
    """Without the given dimensions where their size is 1."""
    gone = set(axes(dims, len(x.shape))) if x.shape else ()
    return x.without(dim for dim in gone if x.shape[dim] == 1)


def _unsqueeze_field(op: Op, x: Reach, dim: int) -> Reach:
    """With a dimension of size 1."""
    return x.inserted(axis(dim, len(x.shape) + 1))


def _as_strided_field(
    op: Op, x: Reach, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Reach:
    """The elements at the given places in memory: windows along dimensions where the strides allow, else a list."""
    shape = shape_of(op)
    if op.layout is None or 0 in shape:
        raise NoRule("where its elements stand in memory is not known")
    strides, offset = op.layout
    start = 0 if storage_offset is None else storage_offset - offset
    if start == 0 and prod(shape) == prod(x.shape) and _is_dense(x.shape, strides) and _is_dense(shape, stride):
        return x.reshaped(shape)
    windows = _windows_of(x.shape, strides, shape, stride, start)
    return _listed_places(x, strides, shape, stride, start) if windows is None else _windowed(x, shape, windows)


def _as_strided_back(
    op: Op, position: int, whole: Reach, part: Reach, size: Sequence[int], stride: Sequence[int],
    storage_offset: int | None = None,
) -> Reach:  # fmt: skip
    """`whole` with `part` at the given places in memory; NoRule where two elements of it stand at one place."""
    if op.layout is None:
        raise NoRule("where its elements stand in memory is not known")
    strides, offset = op.layout
    start = 0 if storage_offset is None else storage_offset - offset
    cut = _cut_of(whole.shape, part.shape, _windows_of(whole.shape, strides, part.shape, stride, start))
    if cut is not None:
        return written(whole, *cut, part)
    found = _order_in_memory(whole.shape, strides, _places(part.shape, stride, start).ravel())
    if len(np.unique(found)) < len(found):
        raise NoRule("it writes several elements to one place in memory")
    flat = written(whole.reshaped((numel(whole.shape),)), 0, found, part.reshaped((numel(part.shape),)))
    return flat.reshaped(whole.shape)


def _cut_of(whole: Shape, part: Shape, windows: dict[int, _Along] | None) -> tuple[int, Indices] | None:
    """(dimension, indices) of a part that is all of a tensor but along one dimension; None for any other."""
    cuts = []
    for dim, (begin, steps) in (windows or {}).items():
        if len(part) != len(whole) or [place for place, _ in steps] not in ([dim], []):
            return None
        indices = begin + np.arange(part[dim]) * (steps[0][1] if steps else 1)
        if len(indices) < whole[dim] or begin:
            cuts.append((dim, indices))
    return cuts[0] if len(cuts) == 1 else None


def _resize_field(op: Op, x: Reach, size: Sequence[int], **_: Any) -> Reach:
    """The elements in the order of memory under another size; NoRule where there are more of them than before."""
    return _as_strided_field(op, x, size, _dense_strides(shape_of(op)))


def _dense_strides(shape: Sequence[int]) -> list[int]:
    """The strides of a tensor in row-major order."""
    return [prod(shape[dim + 1 :]) for dim in range(len(shape))]


def _is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether elements stand in memory in row-major order without gaps."""
    like = zip(shape, strides, _dense_strides(shape), strict=True)
    return all(size == 1 or stride == dense for size, stride, dense in like)


def _places(shape: Sequence[int], strides: Sequence[int], start: int = 0) -> Indices:
    """The place in memory of every element."""
    found = np.full((1,) * len(shape), start, dtype=np.int64)
    for dim, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        found = found + (np.arange(size) * stride).reshape(-1, *(1,) * (len(shape) - dim - 1))
    return found


def _listed_places(x: Reach, strides: Sequence[int], shape: Shape, stride: Sequence[int], start: int) -> Reach:
    """The elements of `x` at each place that is read; NoRule where another tensor stands there."""
    found = _order_in_memory(x.shape, strides, _places(shape, stride, start).ravel())
    return x.reshaped((numel(x.shape),)).slid(0, taps.listed(numel(x.shape), found.tolist())).reshaped(shape)


def _order_in_memory(shape: Shape, strides: Sequence[int], wanted: Indices) -> Indices:
    """For each place in memory the element, in row-major order, that stands there; NoRule if none does."""
    own = _places(shape, strides).ravel()
    order = np.argsort(own, kind="stable")
    found: Indices = order[np.searchsorted(own[order], wanted).clip(0, len(own) - 1)]
    if (own[found] != wanted).any():
        raise NoRule("it reads memory outside of the tensor")
    return found


_Along = tuple[int, list[tuple[int, int]]]
"""What is read along a dimension: from where, and (dimension of the result, step), the greatest step first."""


def _windows_of(
    shape: Shape, strides: Sequence[int], wanted: Shape, stride: Sequence[int], start: int
) -> dict[int, _Along] | None:
    """What is read along each dimension, None where an element's place in memory is no place along each dimension."""
    dims = sorted((dim for dim, size in enumerate(shape) if size > 1), key=lambda dim: -strides[dim])
    if any(strides[b] * shape[b] > strides[a] for a, b in pairwise(dims)) or any(strides[dim] <= 0 for dim in dims):
        return None
    found: dict[int, _Along] = {}
    for dim in dims:
        begin, start = divmod(start, strides[dim])
        found[dim] = (begin, [])
    for position in (place for place, size in enumerate(wanted) if size > 1 and stride[place]):
        of = next((dim for dim in dims if strides[dim] <= stride[position]), None)
        if of is None or stride[position] % strides[of]:
            return None
        found[of][1].append((position, stride[position] // strides[of]))
    for dim, (begin, steps) in found.items():
        last = begin + sum((wanted[position] - 1) * step for position, step in steps)
        steps.sort(key=lambda step: -step[1])
        if begin < 0 or last >= shape[dim] or len(steps) > 2:
            return None
    return found if start == 0 else None


def _windowed(x: Reach, shape: Shape, windows: dict[int, _Along]) -> Reach:
    """The dimensions of `x` read as `windows` says, as a tensor of `shape`."""
    labels: list[int | None] = []
    for dim in reversed(range(len(x.shape))):
        begin, steps = windows.get(dim, (0, []))
        n, own = x.shape[dim], [position for position, _ in steps]
        if len(steps) == 2:
            (outer, s), (inner, d) = steps
            x = x.taken(dim, taps.windows(n, shape[outer], shape[inner], s, -begin, d))
        else:
            x = stepped(x, dim, begin, shape[own[0]] if own else 1, steps[0][1] if own else 1)
        labels = [*own, *labels] if own else [None, *labels]
    x = x.without(place for place, label in enumerate(labels) if label is None)
    kept = [label for label in labels if label is not None]
    x = x.permuted(np.argsort(kept).tolist())
    for position in range(len(shape)):
        x = x if position in kept else x.inserted(position)
    return x.expanded(shape)


def _as_complex_field(op: Op, x: Reach) -> Reach:
    """The last dimension holds the two parts of a number."""
    last = len(x.shape) - 1
    return x.reduced([last], op.index).without([last])


def _as_real_field(op: Op, x: Reach) -> Reach:
    """Both parts of a number, in a new last dimension."""
    return x.moved(shape_of(op), lambda part: part.inserted(len(x.shape)).expanded(shape_of(op), FEATURE))


# --- how what was written into a view stands in the tensor it was taken from --------------------------------------


def _reshaped_back(op: Op, position: int, whole: Reach, part: Reach, *_: Any) -> Reach:
    return part.reshaped(whole.shape)


def _permuted_back(op: Op, position: int, whole: Reach, part: Reach, dims: list[int]) -> Reach:
    return part.permuted(np.argsort([axis(dim, len(dims)) for dim in dims]).tolist())


def _transposed_back(op: Op, position: int, whole: Reach, part: Reach, first: int = 0, second: int = -1) -> Reach:
    return part.permuted(_swapped(len(whole.shape), first, second))


def _as_real_back(op: Op, position: int, whole: Reach, part: Reach) -> Reach:
    return part.reduced([len(whole.shape)], op.index).without([len(whole.shape)])


def _as_complex_back(op: Op, position: int, whole: Reach, part: Reach) -> Reach:
    return part.moved(whole.shape, lambda each: each.inserted(len(part.shape)).expanded(whole.shape, FEATURE))


# --- the ops ------------------------------------------------------------------------------------------------------


for _names, _shapes, _rule, _back, _source in (
    (
        "view _unsafe_view _reshape_alias",
        _viewed,
        _view_field,
        _reshaped_back,
        "torch.Tensor.view: the elements in row-major order under another shape",
    ),
    ("expand", _expanded, _expand_field, None, "torch.Tensor.expand: a dimension of size 1 repeated without a copy"),
    (
        "as_strided(_)",
        _strided,
        _as_strided_field,
        _as_strided_back,
        "torch.as_strided: y[i, j] = memory[offset + i s_1 + j s_2]",
    ),
    ("resize_", _strided, _resize_field, None, "torch.Tensor.resize_: the elements in memory under another size"),
    ("permute", _permuted, _permute_field, _permuted_back, "torch.permute: the dimensions in another order"),
    ("transpose", _transposed, _transpose_field, _transposed_back, "torch.transpose: two dimensions swapped"),
    ("transpose_", _transposed, _transpose_field, None, "torch.transpose: two dimensions swapped"),
    ("t", lambda self: (self.shape[::-1],), _t_field, _transposed_back, "torch.t: y_ij = x_ji"),
    ("t_", lambda self: (self.shape[::-1],), _t_field, None, "torch.t: y_ij = x_ji"),
    ("unsqueeze", _unsqueezed, _unsqueeze_field, _reshaped_back, "torch.unsqueeze: a new dimension of size 1"),
    ("unsqueeze_", _unsqueezed, _unsqueeze_field, None, "torch.unsqueeze: a new dimension of size 1"),
    ("squeeze", _squeezed, _squeeze_field, _reshaped_back, "torch.squeeze: dimensions of size 1 taken away"),
    ("squeeze_", _squeezed, _squeeze_field, None, "torch.squeeze: dimensions of size 1 taken away"),
    (
        "view_as_real",
        _as_real,
        _as_real_field,
        _as_real_back,
        "torch.view_as_real: the parts of a + ib in a last dimension",
    ),
    (
        "view_as_complex",
        _as_complex,
        _as_complex_field,
        _as_complex_back,
        "torch.view_as_complex: (a, b) in a last dimension as a + ib",
    ),
    ("alias", same, unchanged, _reshaped_back, "torch.Tensor.view_as: the same elements under the same shape"),
    ("lift", same, unchanged, None, "torch.tensor, under a function transform: the same elements"),
    ("_conj _neg_view", same, elementwise, _reshaped_back, "torch.conj, torch.Tensor.imag: a - ib, -a of each element"),
):
    register_op(*aten(_names), output=_shapes, field=_rule, source=_source, put_back=_back, hides="view" in _names)
for _name, _back in (("detach", _reshaped_back), ("detach_", None)):
    register_op(
        f"aten.{_name}",
        output=same,
        field=unchanged,
        source="torch.Tensor.detach: the same elements, outside autograd's graph",
        put_back=_back,
        stops_gradient=True,
    )
register_op(
    *aten("lift_fresh lift_fresh_copy"),
    output=same,
    field=elementwise,
    source="torch.tensor: the numbers that Python code gave",
    content=lambda op, parts: parts[0].content,
)
