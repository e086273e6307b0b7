"""Samples of recurrent layers and cells."""

from __future__ import annotations

from tests.ops.samples import ModuleSample, grid

_SIZES = {"input_size": [3], "hidden_size": [5]}
_STACKS = {"num_layers": [1, 2], "bidirectional": [False, True], "bias": [True, False]}

MODULES = [
    *grid("RNN", (7, 2, 3), (7, 3), **_SIZES, **_STACKS),
    *grid("RNN", (2, 7, 3), **_SIZES, nonlinearity=["relu"], batch_first=[True]),
    *grid("LSTM", (7, 2, 3), (7, 3), **_SIZES, **_STACKS, proj_size=[0, 2]),
    *grid("LSTM", (2, 7, 3), **_SIZES, **_STACKS, batch_first=[True], proj_size=[4]),
    *grid("GRU", (7, 2, 3), (7, 3), **_SIZES, **_STACKS),
    *grid("GRU", (2, 7, 3), **_SIZES, num_layers=[3], batch_first=[True], dropout=[0.5]),
    ModuleSample("LSTM", ((7, 2, 3), ((1, 2, 5), (1, 2, 5))), {"input_size": 3, "hidden_size": 5}),
    ModuleSample("GRU", ((7, 2, 3), (1, 2, 5)), {"input_size": 3, "hidden_size": 5}, device="cpu"),
    ModuleSample("LSTM", ((7, 2, 3),), {"input_size": 3, "hidden_size": 5, "num_layers": 2}, device="cpu"),
    *(
        sample
        for kind in ("RNNCell", "GRUCell", "LSTMCell")
        for sample in grid(kind, (2, 3), (3,), **_SIZES, bias=[True, False])
    ),
    ModuleSample("LSTMCell", ((2, 3), ((2, 5), (2, 5))), {"input_size": 3, "hidden_size": 5}),
    ModuleSample("RNNCell", ((2, 3), (2, 5)), {"input_size": 3, "hidden_size": 5, "nonlinearity": "relu"}),
]
