"""Fully connected layers and look-ups: Linear, Bilinear, Embedding, EmbeddingBag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnninspect.ops.base import Formula, NoFormula, Use, numel, register, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def _out(use: Use) -> Shape:
    """(out_features,), or () for a raw weight without an output dimension."""
    return () if use["out_features"] is None else (use["out_features"],)


def linear_output(use: Use) -> tuple[Shape, ...]:
    """[*, out_features]: the last dimension is replaced, all others are positions."""
    return ((*use.input[:-1], *_out(use)),)


def linear_params(use: Use) -> dict[str, int]:
    """weight: out * in; bias: out."""
    return {"weight": numel(_out(use)) * use["in_features"], "bias": numel(_out(use))}


def linear_macs(use: Use) -> int:
    """positions * out * in; the bias is an addition, not a multiply-accumulate."""
    return numel((*use.input[:-1], *_out(use), use["in_features"]))


def _linear_call(input: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    if input.sparse or weight.sparse:
        raise NoFormula("a sparse tensor is multiplied where it is not 0")
    # A one-dimensional weight is one output feature, and the output then has no dimension for it.
    out_features = weight.shape[0] if len(weight.shape) == 2 else None
    hyper = {"in_features": weight.shape[-1], "out_features": out_features}
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


LINEAR = register(
    Formula(
        name="linear",
        source='torch.nn.Linear, "Shape" and "Variables"',
        modules=("Linear", "NonDynamicallyQuantizableLinear"),
        hyperparameters=("in_features", "out_features"),
        functions={"F.linear": _linear_call},
        output=linear_output,
        params=linear_params,
        macs=linear_macs,
    )
)


# --- bilinear -----------------------------------------------------------------------------------------------------


def bilinear_params(use: Use) -> dict[str, int]:
    """weight: out * in1 * in2; bias: out."""
    return {"weight": use["out_features"] * use["in1_features"] * use["in2_features"], "bias": use["out_features"]}


def bilinear_macs(use: Use) -> int:
    """positions * out * (in1 + 1) * in2: y_k = sum_j (sum_i x1_i W_kij) x2_j, one contraction after the other.

    For each output the first takes in1 * in2 MACs, every weight once, and the second in2. This is the order in which
    torch contracts (`aten::_trilinear`), and what `einsum("ni,kij,nj->nk")` costs as two matrix products.
    """
    return numel((*use.input[:-1], use["out_features"], use["in1_features"] + 1, use["in2_features"]))


def _bilinear_call(input1: TensorRef, input2: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    out, in1, in2 = weight.shape
    hyper = {"in1_features": in1, "in2_features": in2, "out_features": out}
    return Use((input1.shape, input2.shape), hyper, {"weight": weight, "bias": bias})


register(
    Formula(
        name="bilinear",
        source='torch.nn.Bilinear, "Shape" and "Variables"',
        modules=("Bilinear",),
        hyperparameters=("in1_features", "in2_features", "out_features"),
        functions={"F.bilinear": _bilinear_call},
        output=linear_output,
        params=bilinear_params,
        macs=bilinear_macs,
    )
)


# --- look-ups -----------------------------------------------------------------------------------------------------


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


# --- ATen ops -----------------------------------------------------------------------------------------------------


def _trilinear_use(
    i1: TensorRef, i2: TensorRef, i3: TensorRef, expand1: Any, expand2: Any, expand3: Any, sumdim: Any, *_: Any
) -> Use:
    if tuple(map(tuple, (expand1, expand2, expand3, sumdim))) != ((1, 3), (0,), (1, 2), (2, 3)):
        raise NoFormula("not the contraction of a bilinear layer")
    return _bilinear_call(i1, i3, i2)


register_op(
    "aten._trilinear",
    output=lambda *args: linear_output(_trilinear_use(*args)),
    macs=lambda *args: bilinear_macs(_trilinear_use(*args)),
    source="torch.nn.functional.bilinear",
)
