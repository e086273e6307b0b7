"""The spatial axes of inputs by torch's names of layers and ops: a second source for those of `receptive/axes.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod

import torch

from cnninspect.receptive.reach import Axis
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.records import Call, Op, TensorRef, Trace

Dims = frozenset[int]

Origin = tuple[Dims, ...]
"""For each dimension of a tensor the dimensions of the input that it runs along."""

_MATRICES = ((-2, -1), (-1, -2))
_LAST = ((0, -1),)
_FEATURES = {
    **dict.fromkeys(("mm", "bmm", "_int_mm", "addmm", "baddbmm", "_addmm_activation", "addbmm"), _MATRICES),
    **dict.fromkeys(("linear", "native_layer_norm", "_cdist_forward", "_euclidean_dist", "_trilinear"), _LAST),
}
"""Op -> its arguments with the dimension of each over which it sums: products, norms and distances of vectors."""

_SAME_PLACES = frozenset(
    ("clone", "alias", "detach", "copy", "lift_fresh", "_to_copy", "flip", "roll", "slice", "split", "split_with_sizes",
     "constant_pad_nd", "expand")
)  # fmt: skip
"""Ops that leave the order and the number of dimensions as they are."""

_WINDOWS_AND_STEPS = re.compile("conv|(lstm|gru|rnn)(?!_?cell)|multi_?head", re.IGNORECASE)


def doubtful_axes(trace: Trace, axes: Mapping[str, Sequence[Axis]]) -> Reason | None:
    """Why the axes of an input are doubtful: by torch's names they are other dimensions.

    Conv2d and max_pool2d slide over the last two dimensions; `batch_first` says which dimension holds the steps. Where
    nothing of that kind runs, all dimensions from the third on are axes, or those between the first and the last if
    the first product of matrices, or layer norm, sums over the last; of embedded numbers [N, T] it is T. An input
    [T, N, C] that is read step by step has T if the steps meet, as in a recurrence, and samples do not.
    """
    for name, ref in trace.inputs.items():
        own = frozenset(axis.dim for axis in axes.get(name, ()))
        said = [(call, dims) for call in trace.calls if call.inputs and call.inputs[0].value == ref.value
                and (dims := _positions_by_name(call))]  # fmt: skip
        if said and all(dims != own for _, dims in said):
            call, dims = said[0]
            return _doubt(f"{call.kind} has positions in other dimensions of its input", dims)
        others = _by_products(trace, ref) if not said else None
        if others is not None and others != own:
            return _doubt(f"the first product says that those of input {name} are others", others)
    return None


def _doubt(words: str, dims: Dims) -> Reason:
    listed = ", ".join(map(str, sorted(dims))) or "none"
    return Reason(Cause.NOT_MEASURED, f"the axes of the row are doubtful: {words} ({listed})")


def _positions_by_name(call: Call) -> Dims:
    """The dimensions of a call's first argument that hold positions, as far as its name says; empty if it does not."""
    rank, (room, _, kind) = len(call.inputs[0].shape), call.kind.rpartition(".")
    if not call.functional and not hasattr(torch.nn, kind):
        return frozenset()
    if "batch_first" in call.hyperparameters and rank in (2, 3):
        return frozenset({int(rank == 3 and bool(call.hyperparameters["batch_first"]))})
    count = int(kind[-2]) if re.search("[123]d$", kind) and room in ("", "F", "torch") else 0
    slides = re.search("conv|pool", kind, re.IGNORECASE) is not None
    found = count and rank >= count + (1 if slides else 2)
    return frozenset(range(rank - count, rank)) if found else frozenset()


def _by_products(trace: Trace, ref: TensorRef) -> Dims | None:
    """The axes of an input over which no window slides and no layer steps; None where that cannot be told."""
    words = (*(op.packet for op in trace.ops), *(call.layer or call.kind for call in trace.calls))
    if any(map(_WINDOWS_AND_STEPS.search, words)):
        return None
    rank = len(ref.shape)
    usual = frozenset(range(2, rank))
    origins: dict[int, Origin | None] = {
        ref.value: tuple(frozenset({dim} if size > 1 else ()) for dim, size in enumerate(ref.shape))
    }
    for op in trace.ops:
        if not any(one.value in origins for one in op.inputs):
            continue
        for x, dim in _summed(op):
            origin = origins.get(x.value, ())
            if origin is None:
                return None
            if rank == 2 and "int" in ref.dtype and origin and not origin[dim] and 1 in frozenset().union(*origin):
                return frozenset({1})
            if origin and origin[dim]:
                if origin[dim] != {rank - 1} or rank == 2:
                    return usual
                by_steps = ref.shape[0] > 1 and 0 not in frozenset().union(*origin) and _steps_meet(trace, ref)
                return frozenset({0, *range(2, rank - 1)} if by_steps else range(1, rank - 1))
        for result in op.outputs:
            origins[result.value] = _carried(op, result, origins)
    return usual


def _steps_meet(trace: Trace, ref: TensorRef) -> bool:
    """Whether an op that does more than put tensors side by side reads several steps of an input's first dimension."""
    steps: dict[int, frozenset[int]] = {}
    for op in trace.ops:
        read = {steps[one.value] for one in op.inputs if one.value in steps}
        if len(read) > 1 and _name(op) not in ("stack", "cat"):
            return True
        if op.inputs and op.inputs[0].value == ref.value:
            steps |= {one.value: frozenset({step}) for one, step in zip(op.outputs, _taken(op), strict=False)}
        elif read:
            steps |= dict.fromkeys((one.value for one in op.outputs), frozenset().union(*read))
    return False


def _taken(op: Op) -> Sequence[int]:
    """The index along the first dimension that each result holds, of an op that takes single ones."""
    name, (_, dim, at, *_) = _name(op), (*op.args, *(None,) * 3)
    alone = all(one.shape[:1] == (1,) for one in op.outputs)
    if name == "unbind" or (name in ("split", "split_with_sizes") and alone):
        where = dim if name == "unbind" else at
        return range(len(op.outputs)) if not where else ()
    return [int(at or 0)] if not dim and (name == "select" or (name == "slice" and alone)) else ()


def _summed(op: Op) -> Iterator[tuple[TensorRef, int]]:
    name = _name(op)
    if name == "native_layer_norm" and len(op.args[1]) != 1:
        return
    for place, dim in _FEATURES.get(name, ()):
        yield op.args[place], dim


def _name(op: Op) -> str:
    return op.packet.partition(".")[2].removesuffix("_")


def _carried(op: Op, result: TensorRef, origins: Mapping[int, Origin | None]) -> Origin | None:
    """The origin of an op's result; None if this op's name does not tell it."""
    name, x, rank = _name(op), op.inputs[0], len(result.shape)
    if name == "embedding":
        indices = origins.get(op.args[1].value)
        return None if indices is None else (*indices, frozenset())
    read = [(one, origins[one.value]) for one in op.inputs if one.value in origins]
    if any(origin is None for _, origin in read):
        return None
    if name in _SAME_PLACES or op.pointwise:
        padded = [((frozenset[int](),) * (rank - len(one.shape)) + (origin or ()))[-rank:] for one, origin in read]
        run = tuple(frozenset().union(*dims) for dims in zip(*padded, strict=True)) if rank else ()
        return tuple(dims if size > 1 else frozenset() for dims, size in zip(run, result.shape, strict=True))
    origin = origins.get(x.value)
    if origin is None:
        return None
    if name in ("permute", "transpose", "t"):
        return tuple(origin[dim] for dim in _order(op, name, len(origin)))
    if name in ("select", "unbind"):
        dim = (op.args[1] if len(op.args) > 1 else 0) % len(origin)
        return origin[:dim] + origin[dim + 1 :]
    if name in ("unsqueeze", "squeeze", "view", "_unsafe_view", "reshape", "_reshape_alias"):
        return _regrouped(origin, x.shape, result.shape)
    return None


def _order(op: Op, name: str, rank: int) -> list[int]:
    if name == "permute":
        return [dim % rank for dim in op.args[1]]
    order = list(range(rank))
    first, second = (dim % rank for dim in op.args[1:3]) if name == "transpose" else (0, rank - 1)
    order[first], order[second] = order[second], order[first]
    return order


def _regrouped(origin: Origin, before: Shape, after: Shape) -> Origin:
    """The origin of each dimension of a view: those of all dimensions whose runs of elements it overlaps."""
    return tuple(
        frozenset().union(
            *(
                old
                for dim, old in enumerate(origin)
                if before[dim] > 1 and prod(before[dim:]) > low and prod(before[dim + 1 :]) < high
            )
        )
        if size > 1
        else frozenset()
        for place, size in enumerate(after)
        for low, high in [(prod(after[place + 1 :]), prod(after[place:]))]
    )
