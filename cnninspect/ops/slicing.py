"""Parts of a tensor (slices, single indices, splits, diagonals), and tensors joined: cat and stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, Use, aten, register, register_op
from cnninspect.ops.rules import axes, axis, reduced, resized, same, shape_of, stepped
from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.knowledge import NoField, PutBack, Result, Rule, Zeros
from cnninspect.receptive.reach import Reach, concatenated, written
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- tensors joined: cat and stack --------------------------------------------------------------------------------


def joined_output(use: Use) -> tuple[Shape, ...]:
    """The sizes along `dim` added up; an empty one-dimensional tensor joins with anything.

    Source: torch.cat.
    """
    shapes = [shape for shape in use.inputs if shape != (0,)] or [(0,)]
    dim = use["dim"] % len(shapes[0])
    return ((*shapes[0][:dim], sum(shape[dim] for shape in shapes), *shapes[0][dim + 1 :]),)


def stacked_output(use: Use) -> tuple[Shape, ...]:
    """A new dimension at `dim`, one place per tensor. Source: torch.stack."""
    dim = use["dim"] % (len(use.input) + 1)
    return ((*use.input[:dim], len(use.inputs), *use.input[dim:]),)


def _joined_call(tensors: Sequence[TensorRef], dim: int = 0, *, axis: int | None = None, **_: Any) -> Use:
    return Use(tuple(ref.shape for ref in tensors), {"dim": dim if axis is None else axis})


def _horizontal_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _joined_call(tensors)
    return Use(tuple(shape or (1,) for shape in use.inputs), {"dim": min(1, max(len(use.input), 1) - 1)})


def _vertical_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _joined_call(tensors)
    return Use(tuple((*(1,) * (2 - len(shape)), *shape) for shape in use.inputs), use.hyper)


register(
    Formula(
        name="concatenation",
        source="torch.cat: the sizes along dim add up; torch.hstack, torch.vstack",
        functions={
            **{f"torch.{name}": _joined_call for name in ("cat", "concat", "concatenate")},
            "torch.hstack": _horizontal_call,
            "torch.vstack": _vertical_call,
        },
        output=joined_output,
        computes=False,
    )
)

register(
    Formula(
        name="stacking",
        source="torch.stack: a new dimension of one place per tensor",
        functions={"torch.stack": _joined_call},
        output=stacked_output,
        computes=False,
    )
)


def _cat_field(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other."""
    shape = shape_of(op)
    return concatenated(tensors, axis(dim, len(shape)), shape)


def _stack_field(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other along a new dimension, which may be one of positions (the steps of a recurrence)."""
    shape = shape_of(op)
    dim = axis(dim, len(shape))
    return concatenated([x.inserted(dim) for x in tensors], dim, shape).placed(shape, lambda part: part.placed(dim))


register_op(
    "aten.cat",
    output=lambda *args: joined_output(_joined_call(*args)),
    field=_cat_field,
    hides=True,
    source="torch.cat: tensors one after the other along a dimension",
)
register_op(
    *aten("stack _stack"),
    output=lambda *args: stacked_output(_joined_call(*args)),
    field=_stack_field,
    hides=True,
    source="torch.stack: tensors one after the other along a new dimension",
)


# --- parts: output shapes -----------------------------------------------------------------------------------------


def _sliced(
    self: TensorRef, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> tuple[Shape, ...]:
    """The places from `start` to `end`, as in Python."""
    length = len(range(*slice(start, end, step).indices(self.shape[dim])))
    return (resized(self.shape, dim, length),)


def _selected(self: TensorRef, dim: int, index: Any) -> tuple[Shape, ...]:
    """One place of a dimension, which is gone."""
    return (reduced(self.shape, dim),)


def _split(self: TensorRef, split_size: int, dim: int = 0) -> tuple[Shape, ...]:
    """Parts of `split_size`, the last one smaller. Source: torch.split."""
    length = self.shape[dim]
    starts = range(0, length, split_size) if length else (0,)
    return tuple(resized(self.shape, dim, min(split_size, length - start)) for start in starts)


def _split_with_sizes(self: TensorRef, split_sizes: Sequence[int], dim: int = 0) -> tuple[Shape, ...]:
    """One part per size."""
    return tuple(resized(self.shape, dim, size) for size in split_sizes)


def _unbound(self: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """One result per place of `dim`, which is gone."""
    return (reduced(self.shape, dim),) * self.shape[dim]


def _diagonal(self: TensorRef, offset: int = 0, dim1: int = 0, dim2: int = 1) -> tuple[Shape, ...]:
    """Both dimensions gone, their common diagonal last. Source: torch.diagonal."""
    rows, columns = self.shape[dim1] + min(offset, 0), self.shape[dim2] - max(offset, 0)
    return ((*reduced(self.shape, (dim1, dim2)), max(min(rows, columns), 0)),)


def _diagonal_embedded(self: TensorRef, offset: int = 0, dim1: int = -2, dim2: int = -1) -> tuple[Shape, ...]:
    """The last dimension as a diagonal of two of size n + |offset|. Source: torch.diag_embed."""
    rank, side = len(self.shape) + 1, self.shape[-1] + abs(offset)
    rest = iter(self.shape[:-1])
    return (tuple(side if place in (axis(dim1, rank), axis(dim2, rank)) else next(rest) for place in range(rank)),)


# --- what an output sees ------------------------------------------------------------------------------------------


def _select_field(op: Op, x: Reach, dim: int, index: int) -> Reach:
    """What stands at one index of a dimension."""
    return _picked(x, axis(dim, len(x.shape)), index)


def _slice_field(
    op: Op, x: Reach, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Reach:
    """Every `step`-th index of a dimension."""
    dim = axis(dim, len(x.shape))
    return stepped(x, dim, slice(start, end, step).indices(x.shape[dim])[0], shape_of(op)[dim], step)


def _split_field(op: Op, x: Reach, sizes: Any, dim: int = 0) -> Result:
    """Consecutive parts of a dimension."""
    dim, start, parts = axis(dim, len(x.shape)), 0, []
    for output in op.outputs:
        parts.append(stepped(x, dim, start, output.shape[dim], 1))
        start += output.shape[dim]
    return tuple(parts)


def _unbind_field(op: Op, x: Reach, dim: int = 0) -> Result:
    """What stands at each index of a dimension."""
    dim = axis(dim, len(x.shape))
    return tuple(_picked(x, dim, index) for index in range(len(op.outputs)))


def _diagonal_field(op: Op, x: Reach, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Reach:
    """Equal indices of two dimensions, as the last dimension."""
    first, second = axes((dim1, dim2), len(x.shape))
    shape, others = shape_of(op), [dim for dim in range(len(x.shape)) if dim not in (first, second)]
    height, width = x.shape[first], x.shape[second]
    plane = x.permuted((*others, first, second)).reshaped((*shape[:-1], height * width))
    start = max(-offset, 0) * width + max(offset, 0)
    return stepped(plane, len(shape) - 1, start, shape[-1], width + 1)


def _diagonal_embedded_field(op: Op, x: Reach, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Reach:
    """The last dimension on a diagonal; what stands beside it depends on nothing."""
    shape, side = shape_of(op), x.shape[-1] + abs(offset)
    rank = len(shape)
    index = np.full((side * side, 1), MISSING)
    index[_on_diagonal(side, x.shape[-1], offset), 0] = np.arange(x.shape[-1])
    plane = x.beside_zeros(len(x.shape) - 1, Taps(index)).reshaped((*x.shape[:-1], side, side))
    first, second = axes((dim1, dim2), rank)
    order = [dim for dim in range(rank) if dim not in (first, second)]
    return plane.permuted(np.argsort([*order, first, second]).tolist())


def _on_diagonal(width: int, count: int, offset: int) -> Indices:
    """The places of a diagonal in the rows of a matrix of this width, one row after the other."""
    return max(-offset, 0) * width + max(offset, 0) + np.arange(count) * (width + 1)


def _picked(x: Reach, dim: int, index: int) -> Reach:
    shape = (*x.shape[:dim], *x.shape[dim + 1 :])
    return x.placed(shape, lambda part: part.picked(dim, index % x.shape[dim]))


# --- how what was written into a part stands in the tensor it was taken from --------------------------------------


def _selected_back(op: Op, position: int, whole: Reach, part: Reach, dim: int, index: int) -> Reach:
    dim = axis(dim, len(whole.shape))
    single = part.reshaped((*part.shape[:dim], 1, *part.shape[dim:]))
    return written(whole, dim, np.array([index % whole.shape[dim]]), single)


def _sliced_back(
    op: Op, position: int, whole: Reach, part: Reach, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Reach:
    dim = axis(dim, len(whole.shape))
    positions = np.arange(whole.shape[dim])[start:end:step]
    return part if len(positions) == whole.shape[dim] else written(whole, dim, positions, part)


def _split_back(op: Op, position: int, whole: Reach, part: Reach, sizes: Any, dim: int = 0) -> Reach:
    dim = axis(dim, len(whole.shape))
    start = sum(output.shape[dim] for output in op.outputs[:position])
    return written(whole, dim, np.arange(start, start + shape_of(op, position)[dim]), part)


def _unbound_back(op: Op, position: int, whole: Reach, part: Reach, dim: int = 0) -> Reach:
    return _selected_back(op, position, whole, part, dim, position)


def _diagonal_back(
    op: Op, position: int, whole: Reach, part: Reach, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Reach:
    first, second = axes((dim1, dim2), len(whole.shape))
    order = [*(dim for dim in range(len(whole.shape)) if dim not in (first, second)), first, second]
    turned = whole.permuted(order)
    plane = turned.reshaped((*turned.shape[:-2], turned.shape[-2] * turned.shape[-1]))
    places = _on_diagonal(turned.shape[-1], part.shape[-1], offset)
    done = written(plane, len(plane.shape) - 1, places, part)
    return done.reshaped(turned.shape).permuted(np.argsort(order).tolist())


# --- the ops ------------------------------------------------------------------------------------------------------


_shapes: Callable[..., tuple[Shape, ...]]
_rule: Rule | NoField
for _names, _shapes, _rule, _back, _source in (
    ("slice", _sliced, _slice_field, _sliced_back, "Python, slices: y[i] = x[start + i step]"),
    ("select", _selected, _select_field, _selected_back, "torch.select: y = x[index], the dimension gone"),
    ("split unsafe_split", _split, _split_field, _split_back, "torch.split: consecutive parts of one size"),
    (
        "split_with_sizes unsafe_split_with_sizes",
        _split_with_sizes,
        _split_field,
        _split_back,
        "torch.split: consecutive parts of the given sizes",
    ),
    ("unbind", _unbound, _unbind_field, _unbound_back, "torch.unbind: x[0], x[1], ... as tensors of their own"),
    ("diagonal", _diagonal, _diagonal_field, _diagonal_back, "torch.diagonal: y[..., i] = x[..., i, i + offset]"),
    (
        "diag_embed",
        _diagonal_embedded,
        _diagonal_embedded_field,
        None,
        "torch.diag_embed: y[..., i, i + offset] = x[..., i], and 0 beside it",
    ),
):
    _embeds = _names == "diag_embed"
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        put_back=_back,
        zeros=Zeros.SOMEWHERE if _embeds else None,
        hides=_embeds,
    )


def _scattered(back: PutBack) -> Rule:
    """The rule of an op that returns a copy of a tensor with other contents in a part of it."""

    def rule(op: Op, x: Reach, source: Reach, *place: Any, **given: Any) -> Reach:
        return back(op, 0, x, source, *place, **given)

    return rule


for _name, _rule in (
    ("slice_scatter", _scattered(_sliced_back)),
    ("select_scatter", _scattered(_selected_back)),
    ("diagonal_scatter", _scattered(_diagonal_back)),
    ("as_strided_scatter", NoField("it writes in the order of memory, which the trace does not hold")),
):
    register_op(
        f"aten.{_name}",
        output=same,
        field=_rule,
        source=f"torch.{_name}: a copy of x with the source in place of a part of it",
        hides=True,
    )
