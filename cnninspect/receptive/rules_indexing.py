"""Rules of the ops that read at indices: known lists are followed, indices from data are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnninspect.receptive import taps
from cnninspect.receptive.digits import FEATURE, NOTHING
from cnninspect.receptive.fields import Mask
from cnninspect.receptive.maps import Map
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.rules import NoRule, ReadByData, rule, shape_of, wrapped
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op


@rule("aten.index_select")
def index_select(op: Op, x: Reach, dim: int, index: Reach) -> Reach:
    """The listed indices of a dimension."""
    return _indexed(op, x, [wrapped(dim, len(x.shape))], [index])


@rule("aten.index")
def index_(op: Op, x: Reach, indices: list[Reach | None]) -> Reach:
    """Tensors of indices in place of dimensions; they broadcast, and stand first when they are not adjacent."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    return _indexed(op, x, dims, [index for index in indices if index is not None])


@rule("aten.gather")
def gather(op: Op, x: Reach, dim: int, index: Reach, **_: Any) -> Reach:
    """An index for every element: known only where nothing varies along the dimension."""
    shape, dim = shape_of(op), wrapped(dim, len(x.shape))
    if x.varies(dim):
        raise ReadByData if index.inputs else NoRule
    if any(size != like for i, (size, like) in enumerate(zip(shape, x.shape, strict=True)) if i != dim):
        raise NoRule
    return merged((x.reduced([dim], op.index).expanded(shape), index), shape, op.index)


@rule(
    "aten.scatter", "aten.scatter_", "aten.scatter_add", "aten.scatter_add_", "aten.scatter_reduce",
    "aten.scatter_reduce_",
)  # fmt: skip
def scatter(op: Op, target: Reach, dim: int, index: Reach, source: Any, *_: Any, **__: Any) -> Reach:
    """Every element may hold any of the sources along the dimension, or what it held before."""
    dim = wrapped(dim, len(target.shape))
    parts = [part for part in (index, source) if isinstance(part, Reach)]
    if any(part.varies(dim) for part in parts):
        raise ReadByData
    if any(part.shape[i] != size for part in parts for i, size in enumerate(target.shape) if i != dim):
        raise NoRule
    spread = [_featured(part.reduced([dim], op.index), target.shape) for part in parts]
    return merged((target, *spread), target.shape, op.index)


@rule("aten.tril", "aten.tril_", "aten.triu", "aten.triu_")
def triangle(op: Op, x: Reach, diagonal: int = 0) -> Reach:
    """One side of the diagonal of the last two dimensions; nothing is left on the other."""
    part = np.tril if "tril" in op.packet else np.triu
    keep = part(np.ones(x.shape[-2:], dtype=np.bool_), diagonal)
    return x.moved(x.shape, lambda whole: _kept(whole, keep))


def _kept(part: Map, keep: Mask) -> Map:
    """Nothing in place of what a mask over the last two dimensions leaves out."""
    rank = len(part.dims)
    part = part.completed(rank - 2).completed(rank - 1)
    return Map(np.where(keep, part.table, NOTHING), part.dims, part.space).simplified()


@rule("aten.embedding")
def embedding(op: Op, weight: Reach, indices: Reach, *_: Any) -> Reach:
    """A row of the table for each index: elementwise in the indices, all of the table's column otherwise."""
    shape, last = shape_of(op), len(indices.shape)
    rows = _featured(indices.inserted(last), shape)
    return merged((rows, weight.reduced([0], op.index).without([0])), shape, op.index)


def _indexed(op: Op, x: Reach, dims: list[int], indices: list[Reach]) -> Reach:
    """One known list of indices is followed; unknown ones matter only where something varies."""
    shape = shape_of(op)
    if len(dims) == 1 and indices[0].content is not None:
        dim, numbers = dims[0], indices[0].content
        return x.slid(dim, taps.listed(x.shape[dim], numbers.reshape(-1).tolist())).reshaped(shape)
    if any(map(x.varies, dims)):
        raise ReadByData if any(index.inputs for index in indices) else NoRule
    chosen_shape = np.broadcast_shapes(*(index.shape for index in indices))
    if len(shape) != len(x.shape) - len(dims) + len(chosen_shape):
        raise NoRule
    front = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    kept = x.reduced(dims, op.index).without(dims)
    single = (*kept.shape[:front], *(1,) * len(chosen_shape), *kept.shape[front:])
    rows = merged(indices, chosen_shape, op.index)
    rows = rows.reshaped((*chosen_shape, *(1,) * (len(kept.shape) - front)))
    return merged((_featured(kept.reshaped(single), shape), _featured(rows, shape)), shape, op.index)


def _featured(x: Reach, shape: Shape) -> Reach:
    """Stretched to `shape`, each value along the new sizes an element of its own."""
    return x.moved(shape, lambda part: part.expanded(shape, FEATURE))
