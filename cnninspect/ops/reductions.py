"""Reductions (sums, means, extremes, norms) and losses, which are reduced to one number. They count 0 MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.rules import Dims, broadcast, elementwise, everything, reduced, reduced_over, shape_of, stepped
from cnninspect.receptive.knowledge import ReadByData, Result
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- output shapes ------------------------------------------------------------------------------------------------


def _over(self: TensorRef, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`; without `dim`, a scalar."""
    return (reduced(self.shape, dim, keepdim),)


def _over_twice(self: TensorRef, dim: Dims = None, **options: Any) -> tuple[Shape, ...]:
    """Two results of the reduced shape."""
    return _over(self, dim, **options) * 2


def _extreme(self: TensorRef, dim: Dims = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """A scalar, or along `dim` values and indices."""
    return ((),) if dim is None else _over(self, dim, keepdim) * 2


def _position(self: TensorRef, dim: int | None = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """The index of an extreme of all, or along `dim`."""
    return _over(self, dim, keepdim)


def _most_frequent(self: TensorRef, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return _over(self, dim, keepdim) * 2


def _kth(self: TensorRef, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return _over(self, dim, keepdim) * 2


def _vector_norm(self: TensorRef, ord: Any = 2, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`."""
    return _over(self, dim, keepdim)


def _scalar(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """A tensor without dimensions."""
    return ((),)


# --- what an output sees ------------------------------------------------------------------------------------------


def _field(op: Op, x: Reach, dim: Any = None, *_: Any, **given: Any) -> Result:
    """Every result sees the dimensions it was computed over."""
    return reduced_over(op, x, given.get("dim", dim))


def _norm_field(op: Op, x: Reach, order: Any = None, dim: Any = None, *_: Any, **__: Any) -> Result:
    """Like any reduction; the dimensions come after the order of the norm."""
    return reduced_over(op, x, dim)


def _mode_field(op: Op, x: Reach, dim: int = -1, *_: Any, **given: Any) -> Result:
    """Like any reduction, over the last dimension where none is given."""
    return reduced_over(op, x, given.get("dim", dim))


def _kth_field(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Like any reduction."""
    return reduced_over(op, x, dim)


# --- the ops ------------------------------------------------------------------------------------------------------


def _trace_field(op: Op, x: Reach) -> Reach:
    """The diagonal of a matrix, added up."""
    height, width = x.shape
    plane = x.reshaped((height * width,))
    return stepped(plane, 0, 0, min(height, width), width + 1).reduced([0], op.index).without([0])


_SOURCE = "torch, Reduction Ops"

register_op(
    *aten("sum mean prod var std all any count_nonzero logsumexp"),
    output=_over,
    field=_field,
    source=_SOURCE,
    work=Work.REDUCTION,
)
register_op("aten.nansum", output=_over, field=_field, source="torch.nansum", work=Work.REDUCTION, swallows_nan=True)
register_op(*aten("var_mean std_mean"), output=_over_twice, field=_field, source=_SOURCE, work=Work.REDUCTION)
register_op(
    *aten("linalg_vector_norm norm"),
    output=_vector_norm,
    field=_norm_field,
    source="torch.linalg.vector_norm, torch.norm; the norm of order 0 counts NaN as one element",
    work=Work.REDUCTION,
    swallows_nan=lambda op: op.args[1:2] == (0,),
)
register_op("aten.trace", output=_scalar, field=_trace_field, source="torch.trace", work=Work.REDUCTION)
register_op(
    "aten.dist",
    output=_scalar,
    field=everything,
    source="torch.dist; that of order 0 counts NaN as one element",
    work=Work.REDUCTION,
    swallows_nan=lambda op: op.args[2:3] == (0,),
)
register_op(
    *aten("_is_all_true _is_any_true"),
    output=_scalar,
    field=everything,
    source="torch.all, torch.any of booleans, as torch.distributions checks its arguments",
    work=Work.REDUCTION,
)
register_op(*aten("amax amin"), output=_over, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(*aten("aminmax _aminmax"), output=_over_twice, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(*aten("max min median"), output=_extreme, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(
    "aten.nanmedian",
    output=_extreme,
    field=_field,
    source="torch.nanmedian",
    work=Work.COMPARISON,
    swallows_nan=True,
)
register_op(*aten("argmax argmin"), output=_position, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(
    "aten.mode",
    output=_most_frequent,
    field=_mode_field,
    source="torch.mode: NaN may be less frequent than a number",
    work=Work.COMPARISON,
    swallows_nan=True,
)
register_op(
    "aten.kthvalue",
    output=_kth,
    field=_kth_field,
    source="torch.kthvalue: NaN is larger than any number",
    work=Work.COMPARISON,
    swallows_nan=True,
)


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


def _margin_loss(
    self: TensorRef, target: TensorRef, p: Any = 1, margin: Any = 1, weight: Any = None, reduction: int = 1
) -> tuple[Shape, ...]:
    """One loss for each row of scores, or their mean or sum. Source: torch.nn.MultiMarginLoss."""
    return (self.shape[:-1] if reduction == 0 else (),)


def _labels_loss(self: TensorRef, target: TensorRef, reduction: int = 1) -> tuple[Shape, ...]:
    """One loss for each row of scores, or their mean or sum. Source: torch.nn.MultiLabelMarginLoss."""
    return (self.shape[:-1] if reduction == 0 else (),)


def _alignment_loss(scores: TensorRef, targets: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[N] losses for scores [T, N, classes], [] without a batch. Source: torch.nn.functional.ctc_loss."""
    return (scores.shape[1:-1],)


# --- what an output sees ------------------------------------------------------------------------------------------


def _loss_field(op: Op, x: Reach, target: Reach, reduction: int = 1, *_: Any) -> Result:
    """A mean or sum sees all elements of both; a loss for each element sees the two at its place."""
    return everything(op, x, target) if reduction else elementwise(op, x, target)


def _weighted_field(op: Op, x: Reach, target: Reach, *rest: Any) -> Result:
    """The same with weights, which broadcast; the reduction comes last."""
    reduction = rest[-1] if rest and isinstance(rest[-1], int) else 1
    return everything(op, x, target, *rest) if reduction else elementwise(op, x, target, *rest)


def _class_field(op: Op, x: Reach, target: Reach, weight: Reach | None, reduction: int, *_: Any) -> Result:
    """Each loss reads the score of its own class: known where the scores of all classes see the same (log-softmax)."""
    classes = 1 if len(x.shape) > 1 else 0
    if x.varies(classes):
        raise ReadByData
    scores = x.reduced([classes], op.index).without([classes])
    weights = () if weight is None else (weight.reduced([0], op.index).without([0]),)
    losses = merged((scores, target, *weights), target.shape, op.index)
    total = merged((target, *weights), target.shape, op.index).reduced(range(len(target.shape)), op.index)
    if reduction:
        losses = losses.reduced(range(len(target.shape)), op.index).without(range(len(target.shape)))
    return (losses, total.without(range(len(target.shape))))


def _rows_field(op: Op, x: Reach, target: Reach, *rest: Any) -> Result:
    """Every loss sees all scores of its row, for the target may be any of them."""
    if shape_of(op) == ():
        return everything(op, x, target, *rest)
    last = len(x.shape) - 1
    rows = [part.reduced([last], op.index).without([last]) for part in (x, target) if len(part.shape) == last + 1]
    rows += [target] if len(target.shape) == last else []
    return (merged(rows, shape_of(op), op.index),)


def _alignment_field(op: Op, scores: Reach, targets: Reach, *_: Any, **__: Any) -> Result:
    """A sample's loss sees its scores of all steps and classes; all targets, as they may follow one another."""
    last = len(scores.shape) - 1
    seen = scores.reduced([0, last], op.index).without([0, last])
    dims = range(len(targets.shape))
    return (merged((seen, targets.reduced(dims, op.index).without(dims)), shape_of(op), op.index),)


# --- the ops ------------------------------------------------------------------------------------------------------


register_op(
    *aten("mse_loss smooth_l1_loss huber_loss soft_margin_loss"),
    output=_loss,
    field=_loss_field,
    source="torch.nn, Loss Functions: MSELoss, SmoothL1Loss, HuberLoss, SoftMarginLoss",
    work=Work.REDUCTION,
)
register_op(
    *aten("binary_cross_entropy binary_cross_entropy_with_logits"),
    output=_weighted_loss,
    field=_weighted_field,
    source="torch.nn.BCELoss, torch.nn.BCEWithLogitsLoss",
    work=Work.REDUCTION,
)
register_op(
    *aten("nll_loss_forward nll_loss2d_forward"),
    output=_class_loss,
    field=_class_field,
    source="torch.nn.NLLLoss",
    work=Work.REDUCTION,
)
for _name, _shapes, _source in (
    ("multi_margin_loss", _margin_loss, "torch.nn.MultiMarginLoss"),
    ("multilabel_margin_loss_forward", _labels_loss, "torch.nn.MultiLabelMarginLoss"),
):
    register_op(f"aten.{_name}", output=_shapes, field=_rows_field, source=_source, work=Work.REDUCTION)
register_op(
    "aten._ctc_loss",
    output=_alignment_loss,
    field=_alignment_field,
    source="torch.nn.CTCLoss; Graves et al. 2006",
    work=Work.REDUCTION,
)
