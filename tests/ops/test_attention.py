"""Attention by hand: L target and S source positions, E features, h heads, N samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch.nn.functional as F
from torch import nn

from tests.ops.samples import estimate

# 4 projections of 8 features to 8 with their biases.
PARAMS = 4 * (8 * 8 + 8)
# 2 samples of 5 positions: 4 projections, then 5*5 pairs with 8 features, for the scores and for the weighted sum.
SELF = 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8)

LAYERS = [
    pytest.param({}, {}, [(5, 2, 8)] * 3, ((5, 2, 8), (2, 5, 5)), PARAMS, SELF, id="self"),
    pytest.param({"batch_first": True}, {}, [(2, 5, 8)] * 3, ((2, 5, 8), (2, 5, 5)), PARAMS, SELF, id="batch first"),
    pytest.param({}, {"need_weights": False}, [(5, 2, 8)] * 3, ((5, 2, 8),), PARAMS, SELF, id="no weights wanted"),
    pytest.param(
        {}, {"average_attn_weights": False}, [(5, 2, 8)] * 3, ((5, 2, 8), (2, 4, 5, 5)), PARAMS, SELF,
        id="weights of every head",
    ),
    pytest.param({}, {}, [(5, 8)] * 3, ((5, 8), (5, 5)), PARAMS, SELF // 2, id="without a batch"),
    pytest.param({"bias": False}, {}, [(5, 2, 8)] * 3, ((5, 2, 8), (2, 5, 5)), 4 * 8 * 8, SELF, id="no bias"),
    # Queries and output from 5 positions, keys and values from 7.
    pytest.param(
        {}, {}, [(5, 2, 8), (7, 2, 8), (7, 2, 8)], ((5, 2, 8), (2, 5, 7)), PARAMS,
        2 * (2 * 5 * 8 * 8 + 2 * 7 * 8 * 8 + 2 * 5 * 7 * 8), id="cross",
    ),
    pytest.param(
        {"kdim": 6, "vdim": 3}, {}, [(5, 2, 8), (7, 2, 6), (7, 2, 3)], ((5, 2, 8), (2, 5, 7)),
        2 * 8 * 8 + 6 * 8 + 3 * 8 + 4 * 8, 2 * (2 * 5 * 8 * 8 + 7 * (6 + 3) * 8 + 2 * 5 * 7 * 8),
        id="keys of 6 and values of 3 features",
    ),
    # One learned key and value and one of zeros are appended after the projections.
    pytest.param(
        {"add_bias_kv": True, "add_zero_attn": True}, {}, [(5, 2, 8)] * 3, ((5, 2, 8), (2, 5, 7)), PARAMS + 2 * 8,
        2 * (4 * 5 * 8 * 8 + 2 * 5 * (5 + 1 + 1) * 8), id="appended key and value",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("constructor", "keywords", "inputs", "outputs", "params", "macs"), LAYERS)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_layers(
    constructor: Any, keywords: Any, inputs: Any, outputs: Any, params: int, macs: int, device: str
) -> None:
    layer = nn.MultiheadAttention(8, 4, device=device, **constructor)
    found = estimate(layer, *inputs, device=device, **keywords)
    assert (found.shapes, found.params, found.macs) == (outputs, params, macs)


PRODUCTS = [
    # Per head and sample L*S*E for the scores and L*S*Ev for the weighted sum.
    pytest.param([(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)], {}, (2, 3, 5, 6), 2 * 3 * 5 * 7 * (8 + 6), id="heads"),
    pytest.param([(5, 8), (7, 8), (7, 8)], {}, (5, 8), 5 * 7 * (8 + 8), id="without heads"),
    pytest.param(
        [(2, 3, 5, 8)] * 3, {"is_causal": True}, (2, 3, 5, 8), 2 * 3 * 5 * 5 * 16, id="masked products count"
    ),
    pytest.param(
        [(2, 6, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)], {"enable_gqa": True}, (2, 6, 5, 8), 2 * 6 * 5 * 7 * 16,
        id="three queries share a key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "keywords", "output", "macs"), PRODUCTS)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_scaled_dot_products(inputs: Any, keywords: Any, output: Any, macs: int, device: str) -> None:
    found = estimate(lambda *qkv: F.scaled_dot_product_attention(*qkv, **keywords), *inputs, device=device)
    assert (found.shapes, found.macs) == ((output,), macs)
