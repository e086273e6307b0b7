"""Losses: one number for each element, or their mean or sum. They count 0 MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.shapes import broadcast
from cnninspect.receptive.knowledge import NoField
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def _loss(self: TensorRef, target: TensorRef, reduction: int = 1, *_: Any) -> tuple[Shape, ...]:
    """A scalar, or one loss per element if nothing is reduced (reduction 0). Source: torch.nn.functional.mse_loss."""
    return (broadcast(self.shape, target.shape),) if reduction == 0 else ((),)


def _weighted_loss(self: TensorRef, target: TensorRef, weight: Any = None, *rest: Any) -> tuple[Shape, ...]:
    """The same for losses with weights, whose reduction comes last."""
    return _loss(self, target, rest[-1] if rest else 1)


def _class_loss(
    self: TensorRef, target: TensorRef, weight: Any, reduction: int, ignore_index: int
) -> tuple[Shape, ...]:
    """The loss and the sum of the weights. Source: torch.nn.functional.nll_loss."""
    return (target.shape if reduction == 0 else (), ())


# --- the ops ------------------------------------------------------------------------------------------------------


register_op(
    *aten("mse_loss smooth_l1_loss huber_loss soft_margin_loss"),
    output=_loss,
    field=NoField("no rule is written for it"),
    source="torch.nn, Loss Functions: MSELoss, SmoothL1Loss, HuberLoss, SoftMarginLoss",
    work=Work.REDUCTION,
)
register_op(
    *aten("binary_cross_entropy binary_cross_entropy_with_logits"),
    output=_weighted_loss,
    field=NoField("no rule is written for it"),
    source="torch.nn.BCELoss, torch.nn.BCEWithLogitsLoss",
    work=Work.REDUCTION,
)
register_op(
    *aten("nll_loss_forward nll_loss2d_forward"),
    output=_class_loss,
    field=NoField("no rule is written for it"),
    source="torch.nn.NLLLoss",
    work=Work.REDUCTION,
)
