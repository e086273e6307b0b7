"""The ATen ops of normalisation layers.

The first result is what callers see; statistics come out only where every device makes the same. What the statistics
are computed over belongs to the strict receptive field only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.rules import axis, mixed_along, same, spread_over
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach, merged, nothing, statistics
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _normalized(input: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the input."""
    return (input.shape,)


def _layer_normalized(input: TensorRef, normalized_shape: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation with size 1 in place of the normalized dimensions."""
    kept = len(input.shape) - len(normalized_shape)
    statistics = (*input.shape[:kept], *(1,) * len(normalized_shape))
    return (input.shape, statistics, statistics)


def _group_normalized(input: TensorRef, *sizes: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation of every group of every sample."""
    _weight, _bias, samples, _channels, _positions, groups, _eps = sizes
    return (input.shape, (samples, groups), (samples, groups))


def _weight_normalized(v: TensorRef, g: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """The direction's shape, and the norms in the shape of the magnitude. Source: torch.nn.utils.weight_norm."""
    return (v.shape, g.shape)


# --- what an output sees ------------------------------------------------------------------------------------------


def _scaled(op: Op, x: Reach, parameters: tuple[Reach | None, ...], dim: int) -> Reach:
    """With a scale and shift that may have been computed from an input, along dimension `dim` and those after it."""
    computed = [part for part in parameters if part is not None and part.inputs]
    after = len(x.shape) - dim
    shaped = [part.reshaped((*part.shape, *(1,) * (after - len(part.shape)))) for part in computed]
    return merged((x, *shaped), x.shape, op.index) if shaped else x


def _batch_field(op: Op, x: Reach, parameters: tuple[Reach | None, ...], training: bool) -> Result:
    """In training every element depends on its channel over batch and space."""
    shared = [dim for dim in range(len(x.shape)) if dim != 1]
    seen = _scaled(op, statistics(x, shared, op.index) if training else x, parameters, 1)
    channel = x.reduced(shared, op.index).without(shared) if training else nothing((x.shape[1],))
    return (seen, channel, channel)


def _batch_norm(op: Op, x: Reach, weight: Reach | None, bias: Reach | None, *rest: Any) -> Result:
    """Elementwise in eval mode; `training` stands before momentum and eps."""
    mean, var = (rest[0], rest[1]) if len(rest) == 5 else (None, None)
    training = bool(rest[-3])
    return _batch_field(op, x, (weight, bias) if training else (weight, bias, mean, var), training)


def _batch_norm_eval(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, mean: Reach, var: Reach, *_: Any
) -> Result:
    """Elementwise."""
    return _batch_field(op, x, (weight, bias, mean, var), False)


def _group_norm(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, n: int, c: int, space: int, groups: int, eps: float
) -> Result:
    """Every element depends on its group of channels over space."""
    split = x.reshaped((n, groups, c // groups, *x.shape[2:]))
    shared = range(2, len(split.shape))
    seen = _scaled(op, statistics(split, tuple(shared), op.index).reshaped(x.shape), (weight, bias), 1)
    group = split.reduced(shared, op.index).without(shared)
    return (seen, group, group)


def _layer_norm(op: Op, x: Reach, shape: list[int], weight: Reach | None, bias: Reach | None, eps: float) -> Result:
    """Every element depends on the last dimensions."""
    first = len(x.shape) - len(shape)
    shared = range(first, len(x.shape))
    seen = _scaled(op, statistics(x, tuple(shared), op.index), (weight, bias), first)
    mean = x.reduced(shared, op.index)
    return (seen, mean, mean)


def _renorm(op: Op, x: Reach, p: Any, dim: int, *_: Any) -> Result:
    """Every element depends on its slice of a dimension, whose norm is held against the maximum."""
    rank = len(x.shape)
    return mixed_along(op, x, *(other for other in range(rank) if other != axis(dim, rank)))


def _weight_norm(op: Op, v: Reach, g: Reach, dim: int = 0) -> Result:
    """Direction times magnitude: an element depends on its slice of the direction and on the magnitude of the slice."""
    rank = len(v.shape)
    norms = v.reduced([other for other in range(rank) if other != axis(dim, rank)], op.index)
    return (merged((v, spread_over(norms, v.shape), g), v.shape, op.index), norms.reshaped(g.shape))


register_op(
    *aten("native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional"),
    output=_normalized,
    field=_batch_norm,
    source="torch.nn.BatchNorm2d; Ioffe & Szegedy 2015",
    work=Work.NORMALISATION,
)
register_op(
    "aten._native_batch_norm_legit_no_training",
    output=_normalized,
    field=_batch_norm_eval,
    source="torch.nn.BatchNorm2d in evaluation mode",
    work=Work.NORMALISATION,
)
register_op(
    "aten.cudnn_batch_norm",
    output=_normalized,
    field=_batch_norm,
    source="torch.nn.BatchNorm2d, the kernel of cuDNN",
    work=Work.NORMALISATION,
)
register_op(
    "aten._batch_norm_with_update",
    output=_normalized,
    field=lambda op, x, weight, bias, *_: _batch_field(op, x, (weight, bias), True),
    source="torch.nn.BatchNorm2d in training",
    work=Work.NORMALISATION,
)
register_op(
    "aten._batch_norm_no_update",
    output=_normalized,
    field=_batch_norm_eval,
    source="torch.nn.BatchNorm2d in evaluation mode",
    work=Work.NORMALISATION,
)
register_op(
    "aten.native_layer_norm",
    output=_layer_normalized,
    field=_layer_norm,
    source="torch.nn.LayerNorm; Ba et al. 2016",
    work=Work.NORMALISATION,
    features=lambda op: [(op.args[0], -1)] if len(op.args[1]) == 1 else [],
)
register_op(
    "aten.native_group_norm",
    output=_group_normalized,
    field=_group_norm,
    source="torch.nn.GroupNorm; Wu & He 2018",
    work=Work.NORMALISATION,
)
register_op(
    *aten("renorm(_)"),
    output=same,
    field=_renorm,
    source="torch.renorm",
    work=Work.NORMALISATION,
)
register_op(
    "aten._weight_norm_interface",
    output=_weight_normalized,
    field=_weight_norm,
    source="torch.nn.utils.weight_norm",
    work=Work.NORMALISATION,
)
