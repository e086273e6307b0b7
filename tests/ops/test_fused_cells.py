"""The fused cells of LSTM and GRU run on CUDA only: their field is held against that of the equations of one step.

Source of the equations: torch.nn.LSTMCell, torch.nn.GRUCell. Each gate j takes element j of both products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.ops.registry import OPS
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.knowledge import NoField
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Op

FEATURES = 3


def lstm(gates: Tensor, hidden_gates: Tensor, state: Tensor) -> Tensor:
    i, f, g, o = (gates + hidden_gates).chunk(4, 1)
    return o.sigmoid() * (f.sigmoid() * state + i.sigmoid() * g.tanh()).tanh()


def gru(gates: Tensor, hidden_gates: Tensor, state: Tensor) -> Tensor:
    r, z, n = gates.chunk(3, 1)
    hidden_r, hidden_z, hidden_n = hidden_gates.chunk(3, 1)
    new = (n + (r + hidden_r).sigmoid() * hidden_n).tanh()
    return new + (z + hidden_z).sigmoid() * (state - new)


CELLS = [("aten._thnn_fused_lstm_cell", lstm, 4), ("aten._thnn_fused_gru_cell", gru, 3)]


@pytest.mark.parametrize(("packet", "step", "kinds"), CELLS, ids=["lstm", "gru"])
def test_a_fused_cell_sees_what_its_equations_see(packet: str, step: Callable[..., Tensor], kinds: int) -> None:
    def model(x: Tensor) -> tuple[Tensor, ...]:
        """Gate j of every kind sees one row of the image, the state two."""
        rows = x[0, 0, :, :FEATURES].T
        gates = rows[:, :FEATURES].repeat(1, kinds)
        state = rows[:, :FEATURES] + rows[:, 1 : FEATURES + 1]
        return step(gates, gates, state), gates, gates * 2, state

    trace = record(model, (torch.rand(1, 1, FEATURES + 1, 5),), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    expected, *operands = trace.outputs
    op = Op(len(trace.ops), f"{packet}.default", tuple(operands), {}, (expected,), 0)
    rule = OPS[packet].field
    assert not isinstance(rule, NoField)
    result = rule(op, *(fields.engine.of(ref) for ref in operands))
    found, known = fields.field(result[0] if isinstance(result, tuple) else result), fields[expected.value]
    assert found.strict.keys() == known.strict.keys()
    for axis, interval in known.strict.items():
        for end in ("lo", "hi"):
            got, wanted = (np.broadcast_to(getattr(one, end), known.shape) for one in (found.strict[axis], interval))
            np.testing.assert_array_equal(got, wanted)
