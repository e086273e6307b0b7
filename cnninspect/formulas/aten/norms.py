"""Normalisations. The first result is what callers see; statistics come out only where every device makes the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.formulas.aten.shapes import same
from cnninspect.formulas.base import Work, register_op
from cnninspect.quantities import Shape
from cnninspect.trace.records import TensorRef


def normalized(input: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the input."""
    return (input.shape,)


def layer_normalized(input: TensorRef, normalized_shape: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation with size 1 in place of the normalized dimensions."""
    kept = len(input.shape) - len(normalized_shape)
    statistics = (*input.shape[:kept], *(1,) * len(normalized_shape))
    return (input.shape, statistics, statistics)


def group_normalized(
    input: TensorRef, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation of every group of every sample."""
    return (input.shape, (N, group), (N, group))


def weight_normalized(v: TensorRef, g: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """The direction's shape, and the norms in the shape of the magnitude. Source: torch.nn.utils.weight_norm."""
    return (v.shape, g.shape)


register_op(
    "aten.native_batch_norm",
    "aten._native_batch_norm_legit",
    "aten._native_batch_norm_legit_no_training",
    "aten._batch_norm_with_update",
    "aten._batch_norm_no_update",
    "aten.cudnn_batch_norm",
    output=normalized,
    work=Work.NORMALISATION,
)
register_op("aten.native_layer_norm", output=layer_normalized, work=Work.NORMALISATION)
register_op("aten.native_group_norm", output=group_normalized, work=Work.NORMALISATION)
register_op("aten.renorm", "aten.renorm_", output=same, work=Work.NORMALISATION)
register_op("aten._weight_norm_interface", output=weight_normalized, work=Work.NORMALISATION)
