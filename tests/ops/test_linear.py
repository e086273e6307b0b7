"""Fully connected layers and look-ups by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.ops.samples import estimate, index

CASES = [
    pytest.param(nn.Linear(256, 10, bias=False), [(1, 256)], (1, 10), 2560, 2560, id="worked example 1: 256 * 10"),
    pytest.param(
        nn.Linear(9216, 4096), [(1, 9216)], (1, 4096), 37_752_832, 37_748_736, id="worked example 5: 9216*4096 + 4096"
    ),
    pytest.param(
        nn.Linear(5, 7), [(2, 3, 4, 5)], (2, 3, 4, 7), 5 * 7 + 7, 2 * 3 * 4 * 5 * 7, id="positions: 2*3*4"
    ),
    pytest.param(nn.Linear(5, 7), [(5,)], (7,), 5 * 7 + 7, 5 * 7, id="without a batch"),
    pytest.param(
        nn.Bilinear(5, 3, 2), [(4, 5), (4, 3)], (4, 2), 2 * 5 * 3 + 2, 4 * 2 * (5 * 3 + 3),
        id="bilinear: 15 products with weights and 3 with the second input for each of 2 outputs",
    ),
    pytest.param(nn.Embedding(10, 4), [index(2, 3)], (2, 3, 4), 10 * 4, 0, id="a look-up multiplies nothing"),
    pytest.param(nn.EmbeddingBag(10, 4), [index(7), index(3)], (3, 4), 10 * 4, 0, id="3 bags of 7 indices"),
    pytest.param(
        nn.EmbeddingBag(10, 4, include_last_offset=True), [index(7), index(3)], (2, 4), 10 * 4, 0, id="and an end"
    ),
    pytest.param(
        nn.EmbeddingBag(10, 4, mode="sum"), [index(2, 6), None, (2, 6)], (2, 4), 10 * 4, 2 * 6 * 4, id="weighted sum"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("module", "inputs", "output", "params", "macs"), CASES)
def test_layers(module: nn.Module, inputs: list[Any], output: tuple[int, ...], params: int, macs: int) -> None:
    found = estimate(module.to("meta"), *inputs)
    assert (found.shapes, found.params, found.macs) == ((output,), params, macs)


def test_a_bilinear_layer_costs_as_much_as_its_einsum() -> None:
    """torch's own counter is the oracle: it has a formula for the matrix products that einsum runs."""
    x, weight, y = (torch.empty(shape, device="meta") for shape in [(4, 5), (2, 5, 3), (4, 3)])
    with FlopCounterMode(display=False) as counter:
        torch.einsum("ni,kij,nj->nk", x, weight, y)
    assert estimate(lambda x, weight, y: F.bilinear(x, y, weight), x, weight, y).macs == counter.get_total_flops() // 2
