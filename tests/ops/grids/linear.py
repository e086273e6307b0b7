"""Samples of fully connected layers and look-ups."""

from __future__ import annotations

import torch.nn.functional as F
from torch import embedding, ops

from tests.ops.samples import FunctionSample, ModuleSample, grid, index, param

_TABLE = {"num_embeddings": 10, "embedding_dim": 4}
_PAIR = {"in1_features": 5, "in2_features": 3, "out_features": 2}

# A row of a bilinear layer: 2 outputs, each 5*3 products with the weights and 3 with the second input.
_BILINEAR_ROW = 2 * (5 * 3 + 3)

MODULES = [
    *grid("Linear", (5,), (2, 5), (2, 3, 4, 5), (0, 5), in_features=[5], out_features=[1, 7], bias=[True, False]),
    *grid("NonDynamicallyQuantizableLinear", (2, 5), in_features=[5], out_features=[7], bias=[True]),
    ModuleSample("Bilinear", ((7, 5), (7, 3)), _PAIR, macs=7 * _BILINEAR_ROW),
    ModuleSample("Bilinear", ((5,), (3,)), {**_PAIR, "bias": False}, macs=_BILINEAR_ROW),
    ModuleSample("Bilinear", (), _PAIR, {"input2": (2, 4, 3), "input1": (2, 4, 5)}, macs=2 * 4 * _BILINEAR_ROW),
    *grid("Embedding", index(), index(3), index(2, 3), num_embeddings=[10], embedding_dim=[4], padding_idx=[None, 0]),
    *grid("EmbeddingBag", index(2, 6), num_embeddings=[10], embedding_dim=[4], mode=["sum", "mean", "max"]),
    *grid(
        "EmbeddingBag", [index(6), index(3)], num_embeddings=[10], embedding_dim=[4], include_last_offset=[True, False]
    ),
    ModuleSample(
        "EmbeddingBag", (index(2, 6),), {**_TABLE, "mode": "sum"}, {"per_sample_weights": (2, 6)}, macs=2 * 6 * 4
    ),
]

FUNCTIONS = [
    FunctionSample("F.linear", lambda x, w, b: F.linear(x, w, b), ((2, 3, 5), param(7, 5), param(7))),
    FunctionSample("F.linear", lambda x, w: F.linear(weight=w, input=x), ((5,), param(7, 5))),
    FunctionSample("F.linear", lambda x, w: F.linear(x, w), ((2, 5), param(5)), macs=2 * 5),
    FunctionSample(
        "F.bilinear",
        lambda x, y, w, b: F.bilinear(x, y, w, b),
        ((7, 5), (7, 3), param(2, 5, 3), param(2)),
        macs=7 * _BILINEAR_ROW,
    ),
    FunctionSample("F.embedding", lambda i, w: F.embedding(i, w), (index(2, 3), param(10, 4))),
    FunctionSample("torch.embedding", lambda i, w: embedding(w, i), (index(2, 3), param(10, 4))),
    FunctionSample("aten.embedding", lambda i, w: ops.aten.embedding.default(w, i), (index(2, 3), param(10, 4))),
    FunctionSample("F.embedding_bag", lambda i, w: F.embedding_bag(i, w), (index(2, 6), param(10, 4))),
    FunctionSample(
        "F.embedding_bag",
        lambda i, offsets, w: F.embedding_bag(i, w, offsets, include_last_offset=True),
        (index(6), index(3), param(10, 4)),
    ),
    FunctionSample(
        "F.embedding_bag",
        lambda i, s, w: F.embedding_bag(i, w, mode="sum", per_sample_weights=s),
        (index(2, 6), (2, 6), param(10, 4)),
        macs=2 * 6 * 4,
    ),
]
