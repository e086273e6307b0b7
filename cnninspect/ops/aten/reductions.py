"""Reductions, scans, sorting: sums, means, extremes, softmax. They add or compare and count 0 MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import Dims, by_values, reduced, resized, same, twice_same
from cnninspect.ops.base import Work, broadcast, numel, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def over(self: TensorRef, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`; without `dim`, a scalar."""
    return (reduced(self.shape, dim, keepdim),)


def over_twice(self: TensorRef, dim: Dims = None, **options: Any) -> tuple[Shape, ...]:
    """Two results of the reduced shape."""
    return over(self, dim, **options) * 2


def extreme(self: TensorRef, dim: Dims = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """A scalar, or along `dim` values and indices."""
    return ((),) if dim is None else over(self, dim, keepdim) * 2


def position(self: TensorRef, dim: int | None = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """The index of an extreme of all, or along `dim`."""
    return over(self, dim, keepdim)


def most_frequent(self: TensorRef, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return over(self, dim, keepdim) * 2


def kth(self: TensorRef, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return over(self, dim, keepdim) * 2


def top(self: TensorRef, k: int, dim: int = -1, *_: Any) -> tuple[Shape, ...]:
    """`k` values and indices along `dim`."""
    return (resized(self.shape, dim, k),) * 2


def vector_norm(self: TensorRef, ord: Any = 2, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`."""
    return over(self, dim, keepdim)


def scalar(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """A tensor without dimensions."""
    return ((),)


def pairwise(x1: TensorRef, x2: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[*, P, R] for P and R points. Source: torch.cdist."""
    return ((*broadcast(x1.shape[:-2], x2.shape[:-2]), x1.shape[-2], x2.shape[-2]),)


def pairwise_product_macs(x1: TensorRef, x2: TensorRef) -> int:
    """P * R * (M + 2): squared distances as one matrix product of points extended by their norm and a one.

    Source: torch.cdist, `compute_mode`: the Euclidean distance by matrix multiplication.
    """
    (distances,) = pairwise(x1, x2)
    return numel(distances) * (x1.shape[-1] + 2)


def pairs_of_one(self: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """n (n - 1) / 2 distances. Source: torch.nn.functional.pdist."""
    points = self.shape[0]
    return ((points * (points - 1) // 2,),)


def loss(self: TensorRef, target: TensorRef, reduction: int = 1, *_: Any) -> tuple[Shape, ...]:
    """A scalar, or one loss per element if nothing is reduced (reduction 0). Source: torch.nn.functional.mse_loss."""
    return (broadcast(self.shape, target.shape),) if reduction == 0 else ((),)


def weighted_loss(self: TensorRef, target: TensorRef, weight: Any = None, *rest: Any) -> tuple[Shape, ...]:
    """The same for losses with weights, whose reduction comes last."""
    return loss(self, target, rest[-1] if rest else 1)


def class_loss(self: TensorRef, target: TensorRef, weight: Any, reduction: int, ignore_index: int) -> tuple[Shape, ...]:
    """The loss and the sum of the weights. Source: torch.nn.functional.nll_loss."""
    return (target.shape if reduction == 0 else (), ())


def like_values(sorted_sequence: TensorRef, self: Any, **_: Any) -> tuple[Shape, ...]:
    """One place per value looked up."""
    return (self.shape if isinstance(self, TensorRef) else (),)


register_op(*packets("sum nansum mean prod var std all any count_nonzero logsumexp"), output=over, work=Work.REDUCTION)
register_op(*packets("var_mean std_mean"), output=over_twice, work=Work.REDUCTION)
register_op(*packets("linalg_vector_norm norm"), output=vector_norm, work=Work.REDUCTION)
register_op(*packets("trace dist"), output=scalar, work=Work.REDUCTION)
register_op(*packets("cumsum(_) cumprod(_) logcumsumexp"), output=same, work=Work.REDUCTION)
register_op("aten._cdist_forward", output=pairwise, work=Work.REDUCTION)
register_op("aten._euclidean_dist", output=pairwise, macs=pairwise_product_macs, source="torch.cdist")
register_op("aten._pdist_forward", output=pairs_of_one, work=Work.REDUCTION)
register_op("aten.bincount", output=by_values, work=Work.REDUCTION)
register_op("aten.histc", output=lambda self, bins=100, *_: ((bins,),), work=Work.REDUCTION)
register_op(*packets("mse_loss smooth_l1_loss huber_loss soft_margin_loss"), output=loss, work=Work.REDUCTION)
register_op(
    *packets("binary_cross_entropy binary_cross_entropy_with_logits"), output=weighted_loss, work=Work.REDUCTION
)
register_op(*packets("nll_loss_forward nll_loss2d_forward"), output=class_loss, work=Work.REDUCTION)

register_op(*packets("_softmax _log_softmax _safe_softmax _masked_softmax"), output=same, work=Work.NORMALISATION)

register_op(*packets("amax amin"), output=over, work=Work.COMPARISON)
register_op(*packets("aminmax _aminmax"), output=over_twice, work=Work.COMPARISON)
register_op(*packets("max min median nanmedian"), output=extreme, work=Work.COMPARISON)
register_op(*packets("argmax argmin"), output=position, work=Work.COMPARISON)
register_op("aten.mode", output=most_frequent, work=Work.COMPARISON)
register_op("aten.kthvalue", output=kth, work=Work.COMPARISON)
register_op("aten.topk", output=top, work=Work.COMPARISON)
register_op(*packets("sort cummax cummin"), output=twice_same, work=Work.COMPARISON)
register_op("aten.searchsorted", output=like_values, work=Work.COMPARISON)
register_op("aten.bucketize", output=lambda self, boundaries, **_: like_values(boundaries, self), work=Work.COMPARISON)
