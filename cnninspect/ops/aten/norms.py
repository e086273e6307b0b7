"""Normalisations. The first result is what callers see; statistics come out only where every device makes the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import same
from cnninspect.ops.base import Work, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def normalized(input: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the input."""
    return (input.shape,)


def layer_normalized(input: TensorRef, normalized_shape: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation with size 1 in place of the normalized dimensions."""
    kept = len(input.shape) - len(normalized_shape)
    statistics = (*input.shape[:kept], *(1,) * len(normalized_shape))
    return (input.shape, statistics, statistics)


def group_normalized(input: TensorRef, *sizes: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation of every group of every sample."""
    _weight, _bias, samples, _channels, _positions, groups, _eps = sizes
    return (input.shape, (samples, groups), (samples, groups))


def weight_normalized(v: TensorRef, g: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """The direction's shape, and the norms in the shape of the magnitude. Source: torch.nn.utils.weight_norm."""
    return (v.shape, g.shape)


_BATCH = "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm"

register_op(*packets(_BATCH), output=normalized, work=Work.NORMALISATION)
register_op(*packets("_batch_norm_with_update _batch_norm_no_update"), output=normalized, work=Work.NORMALISATION)
register_op("aten.native_layer_norm", output=layer_normalized, work=Work.NORMALISATION)
register_op("aten.native_group_norm", output=group_normalized, work=Work.NORMALISATION)
register_op(*packets("renorm(_)"), output=same, work=Work.NORMALISATION)
register_op("aten._weight_norm_interface", output=weight_normalized, work=Work.NORMALISATION)
