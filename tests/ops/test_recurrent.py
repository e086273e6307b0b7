"""Recurrent layers by hand: g gates, H hidden features, `in` input features, T steps, N sequences."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from tests.ops.samples import estimate

OUT, H1 = (7, 2, 5), (1, 2, 5)

CASES = [
    # One tanh layer: 5*3 + 5*5 weights and two biases; 7*2 steps.
    pytest.param(nn.RNN(3, 5), [(7, 2, 3)], (OUT, H1), 5 * 3 + 5 * 5 + 2 * 5, 7 * 2 * (5 * 3 + 5 * 5), id="rnn"),
    pytest.param(
        nn.GRU(3, 5, bias=False), [(7, 2, 3)], (OUT, H1), 3 * (5 * 3 + 5 * 5), 7 * 2 * 3 * (5 * 3 + 5 * 5),
        id="gru: three gates, no bias",
    ),
    pytest.param(
        nn.LSTM(3, 5), [(7, 2, 3)], (OUT, H1, H1), 4 * (5 * 3 + 5 * 5 + 2 * 5), 7 * 2 * 4 * (5 * 3 + 5 * 5),
        id="lstm: four gates and a cell state",
    ),
    pytest.param(
        nn.LSTM(3, 5, batch_first=True), [(2, 7, 3)], ((2, 7, 5), H1, H1),
        4 * (5 * 3 + 5 * 5 + 2 * 5), 2 * 7 * 4 * (5 * 3 + 5 * 5), id="batch first",
    ),
    pytest.param(
        nn.LSTM(3, 5), [(7, 3)], ((7, 5), (1, 5), (1, 5)), 4 * (5 * 3 + 5 * 5 + 2 * 5), 7 * 4 * (5 * 3 + 5 * 5),
        id="without a batch",
    ),
    # The second layer reads both directions of the first: 2*5 features.
    pytest.param(
        nn.LSTM(3, 5, num_layers=2, bidirectional=True), [(7, 2, 3)], ((7, 2, 10), (4, 2, 5), (4, 2, 5)),
        2 * 4 * (5 * 3 + 5 * 5 + 2 * 5) + 2 * 4 * (5 * 10 + 5 * 5 + 2 * 5),
        7 * 2 * (2 * 4 * (5 * 3 + 5 * 5) + 2 * 4 * (5 * 10 + 5 * 5)),
        id="two layers, two directions",
    ),
    # The projection to 2 features is one more 2*5 matrix; the gates then read 2 hidden features.
    pytest.param(
        nn.LSTM(3, 5, proj_size=2), [(7, 2, 3)], ((7, 2, 2), (1, 2, 2), (1, 2, 5)),
        4 * (5 * 3 + 5 * 2 + 2 * 5) + 2 * 5, 7 * 2 * (4 * (5 * 3 + 5 * 2) + 2 * 5), id="projection",
    ),
    pytest.param(nn.RNNCell(3, 5), [(2, 3)], ((2, 5),), 5 * 3 + 5 * 5 + 2 * 5, 2 * (5 * 3 + 5 * 5), id="rnn cell"),
    pytest.param(
        nn.GRUCell(3, 5), [(2, 3)], ((2, 5),), 3 * (5 * 3 + 5 * 5 + 2 * 5), 2 * 3 * (5 * 3 + 5 * 5), id="gru cell"
    ),
    pytest.param(
        nn.LSTMCell(3, 5, bias=False), [(3,)], ((5,), (5,)), 4 * (5 * 3 + 5 * 5), 4 * (5 * 3 + 5 * 5), id="lstm cell"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("module", "inputs", "outputs", "params", "macs"), CASES)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_layers(module: nn.Module, inputs: Any, outputs: Any, params: int, macs: int, device: str) -> None:
    found = estimate(module.to_empty(device=device), *inputs, device=device)
    assert (found.shapes, found.params, found.macs) == (outputs, params, macs)
