"""Indexing: elements picked or placed by tensors of indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import by_values, resized, same
from cnninspect.ops.base import NoFormula, Use, Work, broadcast, numel, register_op
from cnninspect.ops.linear import bag_macs, bag_output
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def indexed(self: TensorRef, indices: Sequence[TensorRef | None]) -> tuple[Shape, ...]:
    """The indexed dimensions replaced by the broadcast of the indices: in place if they are adjacent, else in front.

    Raises NoFormula for masks: the number of their true elements is data. Source: NumPy, "Advanced indexing".
    """
    if any(index is not None and index.dtype in ("bool", "uint8") for index in indices):
        raise NoFormula("a mask picks as many elements as are true")
    places = [place for place, index in enumerate(indices) if index is not None]
    picked = broadcast(*(index.shape for index in indices if index is not None))
    kept = tuple(size for place, size in enumerate(self.shape) if place not in places)
    front = places[0] if places[-1] - places[0] == len(places) - 1 else 0
    return ((*kept[:front], *picked, *kept[front:]),)


def index_selected(self: TensorRef, dim: int, index: TensorRef) -> tuple[Shape, ...]:
    """One place along `dim` per index."""
    return (resized(self.shape, dim, numel(index.shape)),)


def gathered(self: TensorRef, dim: int, index: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the index."""
    return (index.shape,)


def embedded(weight: TensorRef, indices: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """One row of the weight per index."""
    return ((*indices.shape, *weight.shape[1:]),)


def _bag_use(
    weight: TensorRef, indices: TensorRef, offsets: TensorRef, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: TensorRef | None = None, include_last_offset: bool = False, *_: Any,
) -> Use:  # fmt: skip
    hyper = {
        "embedding_dim": weight.shape[1], "include_last_offset": include_last_offset,
        "weighted": per_sample_weights is not None,
    }  # fmt: skip
    return Use((indices.shape, offsets.shape), hyper)


def repeats_spread(repeats: TensorRef, *, output_size: int | None = None) -> tuple[Shape, ...]:
    """The sum of the repeats, which only a given `output_size` tells."""
    return by_values() if output_size is None else ((output_size,),)


register_op(*packets("index _unsafe_index"), output=indexed)
register_op("aten._unsafe_masked_index", output=lambda self, mask, indices, fill: indexed(self, indices))
register_op("aten.index_select", output=index_selected)
register_op("aten.gather", output=gathered)
register_op("aten.take", output=lambda self, index: (index.shape,))
register_op("aten.embedding", output=embedded)
register_op("aten.embedding_renorm_", output=same, work=Work.NORMALISATION)
register_op(
    *packets("_embedding_bag _embedding_bag_forward_only"),
    output=lambda *args: bag_output(_bag_use(*args)),
    macs=lambda *args: bag_macs(_bag_use(*args)),
    source="torch.nn.functional.embedding_bag",
    work=Work.REDUCTION,
)
register_op(*packets("scatter(_) index_put(_) index_copy(_) index_fill(_) put(_)"), output=same)
register_op(*packets("_index_put_impl_ _unsafe_index_put"), output=same)
register_op(*packets("scatter_add(_) scatter_reduce(_) index_add(_) index_reduce(_)"), output=same, work=Work.REDUCTION)
register_op("aten.repeat_interleave", output=repeats_spread)
register_op("aten.masked_select", output=by_values)
register_op(*packets("nonzero _unique2 unique_dim unique_consecutive"), output=by_values, work=Work.COMPARISON)
