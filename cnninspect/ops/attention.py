"""Attention: scaled dot products, and the multi-head layer around them.

`L` target length, `S` source length, `E` features of queries and keys, `Ev` of values, `h` heads, `N` batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnninspect.ops.masks import low_in, numbers_of, summed_where
from cnninspect.ops.registry import Formula, NoFormula, Use, aten, register, register_op
from cnninspect.ops.rules import broadcast, numel, shape_of, spread_over
from cnninspect.receptive.digits import Mask
from cnninspect.receptive.knowledge import NoRule, Result
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- scaled dot products ------------------------------------------------------------------------------------------


def _sdpa_batches(use: Use) -> tuple[Shape, Shape]:
    """Leading dimensions of the scores and of the output; with grouped queries keys and values repeat to h heads."""
    query, key, value = (shape[:-2] for shape in use.inputs)
    if use["enable_gqa"]:
        key, value = (*key[:-1], query[-1]), (*value[:-1], query[-1])
    scores = broadcast(query, key)
    return scores, broadcast(scores, value)


def sdpa_output(use: Use) -> tuple[Shape, ...]:
    """[*, h, L, Ev]."""
    query, _, value = use.inputs
    return ((*_sdpa_batches(use)[1], query[-2], value[-1]),)


def sdpa_macs(use: Use) -> int:
    """L*S*E for the scores and L*S*Ev for the weighted sum, for each head and sample; masked products count.

    Source: Vaswani et al. 2017, equation 1.
    """
    query, key, value = use.inputs
    scores, output = _sdpa_batches(use)
    pairs = query[-2] * key[-2]
    return numel(scores) * pairs * query[-1] + numel(output) * pairs * value[-1]


def _sdpa_call(
    query: TensorRef, key: TensorRef, value: TensorRef, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: Any = None, enable_gqa: bool = False,
) -> Use:  # fmt: skip
    return Use((query.shape, key.shape, value.shape), {"enable_gqa": enable_gqa})


SDPA = register(
    Formula(
        name="scaled dot product attention",
        source='torch.nn.functional.scaled_dot_product_attention, "Shape legend"; Vaswani et al. 2017, equation 1',
        functions={"F.scaled_dot_product_attention": _sdpa_call},
        output=sdpa_output,
        macs=sdpa_macs,
        keeps_less=lambda _: True,
    )
)


def _fused_use(query: TensorRef, key: TensorRef, value: TensorRef, *_: Any, **__: Any) -> Use:
    # Fused kernels take keys and values with fewer heads than queries as grouped queries.
    return Use((query.shape, key.shape, value.shape), {"enable_gqa": query.shape[:-2] != key.shape[:-2]})


def _fused_field(op: Op, query: Reach, key: Reach, value: Reach, *more: Any, **given: Any) -> Result:
    """[*, h, L, Ev]: a row sees its query, the keys that its mask leaves, and one feature of their values."""
    shape = shape_of(op)
    keys, values = (_repeated(part, shape[:-2]) for part in (key, value))
    columns = len(shape) - 1
    mask, is_causal = _mask_of(op.packet, more, given)
    kept = _kept(mask, shape[-2], key.shape[-2], is_causal=is_causal)
    # The weight of the only key that a query sees is 1, whatever they are.
    fixed = np.asarray(kept.sum(-1, keepdims=True) == 1)
    parts = [
        spread_over(query.reduced([columns], op.index), shape).hidden(fixed, 1.0),
        spread_over(summed_where(op, keys.reduced([columns], op.index), kept), shape).hidden(fixed, 1.0),
        summed_where(op, values, kept),
    ]
    if isinstance(mask, Reach) and mask.inputs:
        parts.append(mask.reduced([len(mask.shape) - 1], op.index).expanded((*shape[:-1], 1)))
    return (merged(parts, shape, op.index),)


def _has_mask(op: Op) -> bool:
    mask, is_causal = _mask_of(op.packet, op.args[3:], op.kwargs)
    return is_causal or mask is not None


def _mask_of(packet: str, more: Sequence[Any], given: Mapping[str, Any]) -> tuple[Any, bool]:
    """The mask of a fused kernel, and whether later keys are left out. Source: the schemas of torch's kernels."""
    if "flash" in packet:
        return given.get("attn_mask"), bool(more[1] if len(more) > 1 else given.get("is_causal"))
    places = {name: place for place, name in enumerate(("attn_bias", "compute_log_sumexp", "dropout_p", "is_causal"))}
    found = {name: more[place] if place < len(more) else given.get(name) for name, place in places.items()}
    return found["attn_bias"], bool(found["is_causal"])


def _kept(mask: Reach | None, targets: int, sources: int, *, is_causal: bool) -> Mask:
    """[..., L, S], true for the keys that each query sees; all where the mask's numbers are not known.

    NoRule if a query sees none: what comes out then depends on the kernel and on how low the numbers are.
    The causal mask is aligned at the first query and key. Source: torch.nn.functional.scaled_dot_product_attention.
    """
    kept = np.tri(targets, sources, dtype=bool) if is_causal else np.ones((targets, sources), dtype=bool)
    numbers = None if mask is None else numbers_of(mask)
    if numbers is not None and numbers.dtype == np.bool_:
        kept = kept & numbers
    elif mask is not None and (low := low_in(mask)) is not None:
        kept = kept & ~low
    if not kept.any(-1).all():
        raise NoRule("the mask leaves a query without any key")
    return kept


def _repeated(x: Reach, batch: Shape) -> Reach:
    """Keys or values with each of their heads repeated for the queries that share it."""
    *outer, heads, length, features = x.shape
    if heads == batch[-1]:
        return x
    grouped = x.inserted(len(outer) + 1).expanded((*outer, heads, batch[-1] // heads, length, features))
    return grouped.reshaped((*outer, batch[-1], length, features))


def _recomputed(op: Op) -> Sequence[TensorRef]:
    """NoFormula, always: the backward pass works the products out again, how often is up to the kernel."""
    raise NoFormula("fused attention works out its products again in the backward pass")


register_op(
    *aten(
        "_scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu "
        "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention"
    ),
    output=lambda *args, **kwargs: sdpa_output(_fused_use(*args, **kwargs)),
    macs=lambda *args, **kwargs: sdpa_macs(_fused_use(*args, **kwargs)),
    field=_fused_field,
    source="torch.nn.functional.scaled_dot_product_attention; Vaswani et al. 2017, equation 1",
    operands=_recomputed,
    swallows_nan=True,
    hides=_has_mask,
)


# --- the multi-head layer -----------------------------------------------------------------------------------------


def _lengths(use: Use) -> tuple[int, int, int]:
    """L, S as given, and S with the learned bias and the zero that may be appended to keys and values."""
    axis = 1 if use["batch_first"] and len(use.input) == 3 else 0
    source = use.inputs[1][axis]
    return use.input[axis], source, source + use["bias_kv"] + use["add_zero_attn"]


def _batch(use: Use) -> Shape:
    """(N,), or () without a batch."""
    return () if len(use.input) == 2 else (use.input[0 if use["batch_first"] else 1],)


def _features(use: Use) -> int:
    """Features of the output: E in the layer; the function takes a projection to any number (CLIP's attention pool)."""
    features: int = use.hyper.get("out_features", use["embed_dim"])
    return features


def multihead_output(use: Use) -> tuple[Shape, ...]:
    """The query's layout, projected to E features; with need_weights also the weights [N, L, S], or [N, h, L, S]."""
    target, _, source = _lengths(use)
    heads: Shape = () if use["average_attn_weights"] else (use["num_heads"],)
    output = (*use.input[:-1], _features(use))
    return (output, (*_batch(use), *heads, target, source)) if use["need_weights"] else (output,)


def multihead_params(use: Use) -> dict[str, int]:
    """Projections: E*E of the query, E*kdim, E*vdim, and E*out of the output; in_proj_weight holds the first three.

    Source: torch.nn.MultiheadAttention, constructor.
    """
    embed, out = use["embed_dim"], _features(use)
    return {
        "in_proj_weight": 3 * embed * embed,
        "q_proj_weight": embed * embed,
        "k_proj_weight": embed * use["kdim"],
        "v_proj_weight": embed * use["vdim"],
        "in_proj_bias": 3 * embed,
        "bias_k": embed,
        "bias_v": embed,
        "out_proj.weight": embed * out,
        "out_proj.bias": out,
    }


def multihead_macs(use: Use) -> int:
    """Projections N * (L*E*E + S*kdim*E + S*vdim*E + L*E*out), and L*S*E twice for scores and weighted sum.

    S counts appended entries in the products but not in the projections. Source: Vaswani et al. 2017, section 3.2.2.
    """
    embed = use["embed_dim"]
    target, given, source = _lengths(use)
    projections = target * embed * (embed + _features(use)) + given * (use["kdim"] + use["vdim"]) * embed
    count: int = numel(_batch(use)) * (projections + 2 * target * source * embed)
    return count


def _module_call(
    use: Use, query: TensorRef, key: TensorRef, value: TensorRef, key_padding_mask: Any = None,
    need_weights: bool = True, attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
) -> Use:  # fmt: skip
    hyper = {
        **use.hyper, "bias_kv": int("bias_k" in use.state),
        "need_weights": need_weights, "average_attn_weights": average_attn_weights,
    }  # fmt: skip
    return Use((query.shape, key.shape, value.shape), hyper, use.state, use.training, use.kind)


def _functional_call(
    query: TensorRef, key: TensorRef, value: TensorRef, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Any, in_proj_bias: Any, bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Any, out_proj_bias: Any, training: bool = True, key_padding_mask: Any = None,
    need_weights: bool = True, attn_mask: Any = None, use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None, k_proj_weight: Any = None, v_proj_weight: Any = None,
    static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
) -> Use:  # fmt: skip
    if static_k is not None or static_v is not None:
        raise NoFormula("static keys or values replace projections")
    hyper = {
        "embed_dim": embed_dim_to_check, "num_heads": num_heads, "kdim": key.shape[-1], "vdim": value.shape[-1],
        "out_features": out_proj_weight.shape[0],
        "batch_first": False, "bias_kv": int(bias_k is not None), "add_zero_attn": int(add_zero_attn),
        "need_weights": need_weights, "average_attn_weights": average_attn_weights,
    }  # fmt: skip
    apart = {"q_proj_weight": q_proj_weight, "k_proj_weight": k_proj_weight, "v_proj_weight": v_proj_weight}
    state = {
        **(apart if use_separate_proj_weight else {"in_proj_weight": in_proj_weight}),
        "in_proj_bias": in_proj_bias, "bias_k": bias_k, "bias_v": bias_v,
        "out_proj.weight": out_proj_weight, "out_proj.bias": out_proj_bias,
    }  # fmt: skip
    return Use((query.shape, key.shape, value.shape), hyper, state)


MULTIHEAD = register(
    Formula(
        name="multi-head attention",
        source='torch.nn.MultiheadAttention, "Inputs" and "Outputs"; Vaswani et al. 2017, section 3.2.2',
        modules=("MultiheadAttention",),
        hyperparameters=("embed_dim", "num_heads", "kdim", "vdim", "batch_first", "add_zero_attn", "dropout"),
        functions={"F.multi_head_attention_forward": _functional_call},
        roles=("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v"),
        bind=_module_call,
        output=multihead_output,
        params=multihead_params,
        macs=multihead_macs,
        sequences=3,
        # With weights wanted, torch multiplies op by op.
        keeps_less=lambda use: not use.hyper.get("need_weights", True),
    )
)
