"""Look-ups of rows in a table: Embedding, EmbeddingBag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, Use, Work, aten, register, register_op
from cnninspect.ops.rules import numel, same, shape_of, spread_over
from cnninspect.receptive.digits import MISSING
from cnninspect.receptive.knowledge import NoRule, ReadByData, Result, reads_by_data
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def embedding_output(use: Use) -> tuple[Shape, ...]:
    """[*, embedding_dim] for indices [*]. Source: torch.nn.Embedding, "Shape"."""
    return ((*use.input, use["embedding_dim"]),)


def embedding_params(use: Use) -> dict[str, int]:
    """weight: num_embeddings * embedding_dim. Source: torch.nn.Embedding, "Variables"."""
    return {"weight": use["num_embeddings"] * use["embedding_dim"]}


def bag_output(use: Use) -> tuple[Shape, ...]:
    """[B, embedding_dim] for indices [B, N], or for B bags of indices [N] that begin at `offsets`.

    Source: torch.nn.EmbeddingBag, "Shape".
    """
    bags = use.input[0] if len(use.input) == 2 else use.inputs[1][0] - use["include_last_offset"]
    return ((bags, use["embedding_dim"]),)


def bag_macs(use: Use) -> int:
    """indices * embedding_dim with `per_sample_weights`, else 0: a look-up and a plain sum multiply nothing."""
    return numel(use.input) * use["embedding_dim"] if use["weighted"] else 0


def _embedding_call(input: TensorRef, weight: TensorRef, *args: Any, **keywords: Any) -> Use:
    hyper = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1]}
    return Use((input.shape,), hyper, {"weight": weight})


def _embedding_call_torch(weight: TensorRef, indices: TensorRef, *args: Any, **keywords: Any) -> Use:
    return _embedding_call(indices, weight)


def _bag_bind(
    use: Use, input: TensorRef, offsets: TensorRef | None = None, per_sample_weights: TensorRef | None = None
) -> Use:
    shapes = (input.shape,) if offsets is None else (input.shape, offsets.shape)
    return replace(use, inputs=shapes, hyper={**use.hyper, "weighted": per_sample_weights is not None})


def _bag_call(
    input: TensorRef, weight: TensorRef, offsets: TensorRef | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: TensorRef | None = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Use:  # fmt: skip
    use = _embedding_call(input, weight)
    use = replace(use, hyper={**use.hyper, "mode": mode, "include_last_offset": include_last_offset})
    return _bag_bind(use, input, offsets, per_sample_weights)


register(
    Formula(
        name="embedding",
        source='torch.nn.Embedding, "Shape" and "Variables"',
        modules=("Embedding",),
        hyperparameters=("num_embeddings", "embedding_dim", "padding_idx"),
        functions={
            "F.embedding": _embedding_call,
            "torch.embedding": _embedding_call_torch,
            "aten.embedding": _embedding_call_torch,
        },
        output=embedding_output,
        params=embedding_params,
    )
)

register(
    Formula(
        name="embedding bag",
        source='torch.nn.EmbeddingBag, "Shape" and "Variables"',
        modules=("EmbeddingBag",),
        hyperparameters=("num_embeddings", "embedding_dim", "mode", "include_last_offset", "padding_idx"),
        functions={"F.embedding_bag": _bag_call},
        bind=_bag_bind,
        output=bag_output,
        params=embedding_params,
        macs=bag_macs,
    )
)


# --- the ops ------------------------------------------------------------------------------------------------------


def _embedded(weight: TensorRef, indices: TensorRef, *_: Any) -> tuple[Shape, ...]:
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


def _embedding_field(op: Op, weight: Reach, indices: Reach, *_: Any) -> Reach:
    """A row of the table for each index: elementwise in the indices, all of the table's column otherwise."""
    shape, last = shape_of(op), len(indices.shape)
    rows = spread_over(indices.inserted(last), shape)
    return merged((rows, weight.reduced([0], op.index).without([0])), shape, op.index)


def _bag_field(
    op: Op, weight: Reach, indices: Reach, offsets: Reach, scaled: bool = False, mode: int = 0, sparse: bool = False,
    weights: Reach | None = None, include_last_offset: bool = False, *_: Any,
) -> Result:  # fmt: skip
    """A bag sees its own indices and their weights, and all of the table's column."""
    if offsets.content is None:
        raise ReadByData if offsets.inputs else NoRule("the offsets of the bags are not known")
    shape, count = shape_of(op), indices.shape[0]
    starts = offsets.content[: shape[0]]
    ends = np.append(offsets.content[1:], count)[: shape[0]]
    longest = max(int((ends - starts).max(initial=0)), 1)
    places = starts[:, None] + np.arange(longest)
    bags = Taps(np.where(places < ends[:, None], places, MISSING))
    rows = [spread_over(part.slid(0, bags).inserted(1), shape) for part in (indices, weights) if part is not None]
    return (merged((*rows, weight.reduced([0], op.index).without([0])), shape, op.index),)


def _looked_up(op: Op) -> int:
    """The rows that are looked up, times their length."""
    weight, indices = op.args[0], op.args[1]
    return numel(indices.shape) * int(weight.shape[-1])


register_op("aten.embedding", output=_embedded, field=_embedding_field, source="torch.nn.Embedding: y = weight[index]")
register_op(
    "aten.embedding_renorm_",
    output=same,
    field=reads_by_data,
    source="torch.nn.Embedding, `max_norm`: the indices say which rows are scaled",
    work=Work.NORMALISATION,
)
register_op(
    *aten("_embedding_bag _embedding_bag_forward_only"),
    output=lambda *args: bag_output(_bag_use(*args)),
    macs=lambda *args: bag_macs(_bag_use(*args)),
    field=_bag_field,
    source="torch.nn.EmbeddingBag: the sum, mean or maximum of the rows weight[index] of each bag",
    work=Work.REDUCTION,
    operations=_looked_up,
)
