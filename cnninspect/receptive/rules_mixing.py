"""Rules of the ops that mix whole dimensions: products, reductions, softmax, sorting, transforms."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from cnninspect.receptive.digits import FEATURE, meeting
from cnninspect.receptive.maps import Map
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.rules import Result, dims_of, rule, shape_of, wrapped
from cnninspect.trace.records import Op

# --- products ---------------------------------------------------------------------------------------------------


def _product(op: Op, a: Reach, b: Reach) -> Reach:
    """[..., n, k] x [..., k, m]: element (i, j) sees row i of `a` and column j of `b`."""
    shape = (*a.shape[:-1], b.shape[-1])
    last = len(shape) - 1
    rows = a.reduced([last], op.index).moved(shape, lambda part: part.resized(last, shape[-1]))
    columns = b.reduced([last - 1], op.index).moved(shape, lambda part: part.resized(last - 1, shape[-2]))
    return merged((rows, columns), shape, op.index, lazily=True)


@rule("aten.mm", "aten.bmm")
def matrix_product(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """A (batched) matrix product."""
    return _product(op, a, b)


@rule("aten.addmm", "aten.addmm_", "aten.baddbmm", "aten.baddbmm_", "aten._addmm_activation")
def product_plus(op: Op, added: Reach, a: Reach, b: Reach, **_: Any) -> Reach:
    """A (batched) matrix product and what is added to it."""
    return merged((_product(op, a, b), added), shape_of(op), op.index)


@rule("aten.mv")
def matrix_vector(op: Op, a: Reach, b: Reach) -> Reach:
    """[n, k] x [k]."""
    return _product(op, a, b.reshaped((*b.shape, 1))).without([1])


@rule("aten.addmv")
def matrix_vector_plus(op: Op, added: Reach, a: Reach, b: Reach, **_: Any) -> Reach:
    """[n, k] x [k] and what is added to it."""
    product = _product(op, a, b.reshaped((*b.shape, 1))).without([1])
    return merged((product, added), shape_of(op), op.index)


@rule("aten.dot", "aten.vdot")
def vectors(op: Op, a: Reach, b: Reach) -> Reach:
    """[k] x [k]."""
    return _product(op, a.reshaped((1, *a.shape)), b.reshaped((*b.shape, 1))).without([0, 1])


@rule("aten._trilinear")
def trilinear(
    op: Op, a: Reach, b: Reach, c: Reach, expand_a: list[int], expand_b: list[int], expand_c: list[int],
    summed: list[int], *_: Any,
) -> Reach:  # fmt: skip
    """The product of three tensors given dimensions of size 1, summed over some."""
    parts = []
    for part, dims in ((a, expand_a), (b, expand_b), (c, expand_c)):
        for dim in dims:
            part = part.inserted(dim)
        parts.append(part)
    shape = tuple(map(max, *(part.shape for part in parts)))
    return merged(parts, shape, op.index).reduced(summed, op.index).without(summed)


@rule("aten._cdist_forward", "aten._euclidean_dist")
def distances(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """[..., n, k] and [..., m, k]: every row of one with every row of the other."""
    order = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
    return _product(op, a, b.permuted(order))


# --- reductions -------------------------------------------------------------------------------------------------


@rule(
    "aten.mean", "aten.sum", "aten.amax", "aten.amin", "aten.max", "aten.min", "aten.aminmax", "aten.var", "aten.std",
    "aten.var_mean", "aten.std_mean", "aten.prod", "aten.logsumexp", "aten.argmax", "aten.argmin", "aten.any",
    "aten.all", "aten.median", "aten.nanmedian", "aten.mode", "aten.nansum", "aten.count_nonzero",
)  # fmt: skip
def reduction(op: Op, x: Reach, dim: Any = None, *_: Any, **given: Any) -> Result:
    """Every result sees the dimensions it was computed over."""
    return _over(op, x, given.get("dim", dim))


@rule("aten.linalg_vector_norm", "aten.norm")
def norm(op: Op, x: Reach, order: Any = None, dim: Any = None, *_: Any, **__: Any) -> Result:
    """Like any reduction; the dimensions come after the order of the norm."""
    return _over(op, x, dim)


@rule("aten.kthvalue")
def kth_value(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Like any reduction."""
    return _over(op, x, dim)


def _over(op: Op, x: Reach, dim: Any) -> Result:
    dims = dims_of(None if isinstance(dim, bool) else dim, len(x.shape))
    seen = x.reduced(dims, op.index)
    if len(shape_of(op)) != len(x.shape):
        seen = seen.without(dims)
    return (seen,) * len(op.outputs)


# --- along one dimension ----------------------------------------------------------------------------------------


@rule("aten._softmax", "aten._safe_softmax", "aten._log_softmax")
def softmax(op: Op, x: Reach, dim: int, *_: Any, **__: Any) -> Result:
    """Every element sees the whole dimension."""
    return _spread(op, x, dim)


@rule("aten.sort")
def sort(op: Op, x: Reach, dim: int = -1, *_: Any, **given: Any) -> Result:
    """Every value and index sees the whole dimension."""
    return _spread(op, x, given.get("dim", dim))


@rule("aten.topk")
def topk(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Every value and index sees the whole dimension."""
    return _spread(op, x, dim)


def _spread(op: Op, x: Reach, *dims: int) -> Result:
    """The hull over dimensions, for each element along them."""
    shape = shape_of(op)
    seen = x.reduced(dims_of(dims, len(x.shape)), op.index)
    kinds = [_kind(x, dim) for dim in range(len(x.shape))]

    def change(part: Map) -> Map:
        for dim, size in enumerate(shape):
            if size != 1 and part.shape[dim] == 1:
                part = part.resized(dim, size, kinds[dim])
        return part

    return (seen.moved(shape, change),) * len(op.outputs)


def _kind(x: Reach, dim: int) -> int:
    """What the values of a dimension stand for."""
    return reduce(meeting, (forms.kind(dim) for forms in x.forms.values()), FEATURE)


@rule("aten.cumsum", "aten.cumsum_", "aten.cumprod", "aten.logcumsumexp", "aten.cummax", "aten.cummin")
def prefix(op: Op, x: Reach, dim: int, **_: Any) -> Result:
    """Every element sees those up to itself."""
    dim = wrapped(dim, len(x.shape))

    def change(part: Map) -> Map:
        if not part.varies(dim):
            return part
        part = part.completed(dim)
        return part.replaced(np.minimum.accumulate(part.table, part.axis(dim)), dim, part.dims[dim]).simplified()

    return (x.moved(x.shape, change),) * len(op.outputs)


# --- transforms -------------------------------------------------------------------------------------------------


@rule("aten._fft_r2c", "aten._fft_c2r", "aten._fft_c2c")
def fourier(op: Op, x: Reach, dims: list[int], *_: Any) -> Result:
    """Every coefficient sees the transformed dimensions."""
    return _spread(op, x, *dims)
