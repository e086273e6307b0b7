"""Reductions (sums, means, extremes, norms) and losses. They count 0 MACs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.rules import (
    Dims,
    axes,
    broadcast,
    elementwise,
    everything,
    reduced,
    reduced_over,
    shape_of,
    stepped,
)
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


def _sum_field(op: Op, x: Reach, dim: Any = None, *_: Any, **given: Any) -> Result:
    """A sum, and the like, is 0 where all elements that it is computed of are."""
    dim = given.get("dim", dim)
    seen = reduced_over(op, x, dim)[0]
    if (zero := x.zero) is not None and x.shape:
        dims = axes(None if isinstance(dim, bool) else dim, len(x.shape))
        gone = zero.all(tuple(dims), keepdims=len(seen.shape) == len(x.shape))
        seen = (seen if seen.inputs else seen.dense()).hidden(np.asarray(gone), 0.0)
    return (seen,) * len(op.outputs)


def _norm_field(op: Op, x: Reach, order: Any = None, dim: Any = None, *_: Any, **__: Any) -> Result:
    """Every norm sees the dimensions that it is taken over, which come after its order."""
    return _sum_field(op, x, dim)


def _mode_field(op: Op, x: Reach, dim: int = -1, *_: Any, **given: Any) -> Result:
    """Every result sees its dimension, the last where none is given."""
    return reduced_over(op, x, given.get("dim", dim))


def _kth_field(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Every result sees its dimension."""
    return reduced_over(op, x, dim)


def _trace_field(op: Op, x: Reach) -> Reach:
    """The diagonal of a matrix, added up."""
    height, width = x.shape
    plane = x.reshaped((height * width,))
    return stepped(plane, 0, 0, min(height, width), width + 1).reduced([0], op.index).without([0])


def _counts_nan(position: int) -> Callable[[Op], bool]:
    """Whether the order of a norm, at this place among the arguments, is 0: NaN counts as one element that is not 0."""
    return lambda op: op.args[position : position + 1] == (0,)


for _names, _shapes, _rule, _swallows, _source in (
    (
        "sum mean var std",
        _over,
        _sum_field,
        False,
        "torch, Reduction Ops: one number of all elements along the dimensions",
    ),
    (
        "prod all any count_nonzero logsumexp",
        _over,
        _field,
        False,
        "torch, Reduction Ops: one number of all elements along the dimensions",
    ),
    ("nansum", _over, _sum_field, True, "torch.nansum: the sum of the elements that are not NaN"),
    (
        "var_mean std_mean",
        _over_twice,
        _sum_field,
        False,
        "torch.var_mean: sum (x - mean)^2 / (n - correction); mean",
    ),
    (
        "linalg_vector_norm norm",
        _vector_norm,
        _norm_field,
        _counts_nan(1),
        "torch.linalg.vector_norm: (sum |x|^p)^(1/p); that of order 0 counts the elements that are not 0",
    ),
    ("trace", _scalar, _trace_field, False, "torch.trace: the sum of the diagonal"),
    ("dist", _scalar, everything, _counts_nan(2), "torch.dist: the p-norm of x - y; that of order 0 counts elements"),
    (
        "_is_all_true _is_any_true",
        _scalar,
        everything,
        False,
        "torch.all, torch.any: of booleans, as torch.distributions checks its arguments",
    ),
):
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        work=Work.REDUCTION,
        swallows_nan=_swallows,
        hides=_rule in (_sum_field, _norm_field),
    )
for _names, _shapes, _rule, _swallows, _source in (
    ("amax amin", _over, _field, False, "torch, Reduction Ops: the greatest or least element along the dimensions"),
    ("aminmax _aminmax", _over_twice, _field, False, "torch.aminmax: the least and the greatest element"),
    ("max min median", _extreme, _field, False, "torch, Reduction Ops: the greatest, least or middle element"),
    ("nanmedian", _extreme, _field, True, "torch.nanmedian: the middle one of the elements that are not NaN"),
    ("argmax argmin", _position, _field, False, "torch.argmax: the place of the greatest element"),
    ("mode", _most_frequent, _mode_field, True, "torch.mode: the most frequent element, which NaN need not be"),
    ("kthvalue", _kth, _kth_field, True, "torch.kthvalue: the k-th least element; NaN is larger than any number"),
):
    register_op(
        *aten(_names), output=_shapes, field=_rule, source=_source, work=Work.COMPARISON, swallows_nan=_swallows
    )


# --- losses -------------------------------------------------------------------------------------------------------


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
    """One loss for each row of scores, or their mean or sum, and a mask of the labels.

    Source: torch.nn.MultiLabelMarginLoss.
    """
    return (self.shape[:-1] if reduction == 0 else (), target.shape)


def _alignment_loss(scores: TensorRef, targets: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[N] losses for scores [T, N, classes], [] without a batch. Source: torch.nn.functional.ctc_loss."""
    return (scores.shape[1:-1],)


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


for _names, _shapes, _rule, _swallows, _source in (
    (
        "mse_loss smooth_l1_loss huber_loss soft_margin_loss",
        _loss,
        _loss_field,
        False,
        "torch.nn, Loss Functions: a function of each pair of elements, its sum or mean",
    ),
    (
        "binary_cross_entropy binary_cross_entropy_with_logits",
        _weighted_loss,
        _weighted_field,
        False,
        "torch.nn.BCELoss: -w (y log x + (1 - y) log(1 - x)) of each pair of elements",
    ),
    (
        "nll_loss_forward nll_loss2d_forward",
        _class_loss,
        _class_field,
        False,
        "torch.nn.NLLLoss: -w_y x_y for target class y",
    ),
    (
        "multi_margin_loss",
        _margin_loss,
        _rows_field,
        True,
        "torch.nn.MultiMarginLoss: sum_i max(0, margin - x_y + x_i)^p / n for each row; max(0, NaN) is 0",
    ),
    (
        "multilabel_margin_loss_forward",
        _labels_loss,
        _rows_field,
        True,
        "torch.nn.MultiLabelMarginLoss: sum_ij max(0, 1 - x_y_j + x_i) / n for each row; max(0, NaN) is 0",
    ),
    (
        "_ctc_loss",
        _alignment_loss,
        _alignment_field,
        True,
        "Graves et al. 2006, section 4.1: all alignments of a sample",
    ),
):
    register_op(*aten(_names), output=_shapes, field=_rule, source=_source, work=Work.REDUCTION, swallows_nan=_swallows)
