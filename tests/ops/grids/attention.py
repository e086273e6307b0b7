"""Samples of attention layers and functions."""

from __future__ import annotations

import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid, on_cpu, param

_HEADS = {"embed_dim": [8], "num_heads": [2]}
_SELF, _CROSS = [(5, 2, 8)] * 3, [(5, 2, 8), (7, 2, 8), (7, 2, 8)]

MODULES = [
    *grid(
        "MultiheadAttention",
        _SELF,
        _CROSS,
        **_HEADS,
        bias=[True, False],
        add_bias_kv=[False, True],
        add_zero_attn=[False, True],
    ),
    *grid("MultiheadAttention", [(5, 8)] * 3, [(2, 5, 8), (2, 7, 8), (2, 7, 8)], **_HEADS, batch_first=[True]),
    *grid("MultiheadAttention", [(5, 2, 8), (7, 2, 6), (7, 2, 3)], **_HEADS, kdim=[6], vdim=[3], bias=[True, False]),
    *(
        ModuleSample("MultiheadAttention", ((5, 2, 8),) * 3, {"embed_dim": 8, "num_heads": 2}, keywords)
        for keywords in (
            {"need_weights": False},
            {"average_attn_weights": False},
            {"attn_mask": (5, 5)},
            {"need_weights": False, "attn_mask": (5, 5), "is_causal": True},
        )
    ),
    *on_cpu(grid("MultiheadAttention", _SELF, **_HEADS, batch_first=[True, False])),
]


def _forward(query, key, value, in_weight, in_bias, out_weight, out_bias):
    return F.multi_head_attention_forward(
        query, key, value, 8, 2, in_weight, in_bias, None, None, False, 0.0, out_weight, out_bias, training=False
    )


def _forward_apart(query, key, value, in_bias, out_weight, q_weight, k_weight, v_weight, bias_k, bias_v):
    return F.multi_head_attention_forward(
        query, key, value, 8, 2, None, in_bias, bias_k, bias_v, True, 0.0, out_weight, None, training=False,
        use_separate_proj_weight=True, q_proj_weight=q_weight, k_proj_weight=k_weight, v_proj_weight=v_weight,
        average_attn_weights=False,
    )  # fmt: skip


def _pooled(query, in_bias, out_weight, out_bias, q_weight, k_weight, v_weight):
    """CLIP's attention pool: the output projection leads to another number of features."""
    return F.multi_head_attention_forward(
        query, query, query, 8, 2, None, in_bias, None, None, False, 0.0, out_weight, out_bias, training=False,
        use_separate_proj_weight=True, q_proj_weight=q_weight, k_proj_weight=k_weight, v_proj_weight=v_weight,
        need_weights=False,
    )  # fmt: skip


_WEIGHTS = (param(24, 8), param(24), param(8, 8), param(8))
_WEIGHTS_APART = (param(24), param(8, 8), param(8, 8), param(8, 6), param(8, 3), param(1, 1, 8), param(1, 1, 8))

FUNCTIONS = [
    FunctionSample("F.multi_head_attention_forward", _forward, (*_SELF, *_WEIGHTS)),
    FunctionSample("F.multi_head_attention_forward", _forward, (*_CROSS, *_WEIGHTS), device="cpu"),
    FunctionSample(
        "F.multi_head_attention_forward", _forward_apart, ((5, 2, 8), (7, 2, 6), (7, 2, 3), *_WEIGHTS_APART)
    ),
    FunctionSample(
        "F.multi_head_attention_forward",
        _pooled,
        ((5, 2, 8), param(24), param(3, 8), param(3), param(8, 8), param(8, 8), param(8, 8)),
    ),
    *(
        FunctionSample("F.scaled_dot_product_attention", F.scaled_dot_product_attention, inputs, device=device)
        for device in ("meta", "cpu")
        for inputs in (
            ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)),
            ((5, 8), (7, 8), (7, 6)),
            ((2, 3, 5, 8), (1, 3, 7, 8), (1, 3, 7, 6)),
            ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8), (5, 7)),
        )
    ),
    FunctionSample(
        "F.scaled_dot_product_attention",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True),
        ((2, 6, 5, 8), (2, 2, 5, 8), (2, 2, 5, 4)),
    ),
]
