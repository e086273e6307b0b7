"""Samples of layers that let their input pass."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid

_MAPS = {
    "Dropout": [(), (5,), (2, 3, 4)],
    "AlphaDropout": [(5,), (2, 3, 4)],
    "Dropout1d": [(3, 4), (2, 3, 4)],
    "Dropout2d": [(2, 3, 4, 5)],
    "Dropout3d": [(3, 4, 5, 6), (2, 3, 4, 5, 6)],
    "FeatureAlphaDropout": [(3, 4, 5), (2, 3, 4, 5)],
}

MODULES = [
    *(sample for kind, maps in _MAPS.items() for sample in grid(kind, *maps, p=[0.0, 0.5], inplace=[False, True])),
    *(ModuleSample(kind, (maps[-1],), {"p": 0.3}, training=True) for kind, maps in _MAPS.items()),
    *grid("Identity", (), (2, 3)),
    ModuleSample("Identity", ([(2, 3), (4,)],)),
]

_MAP = (2, 3, 4, 5)
_TORCH = (
    "dropout", "dropout_", "alpha_dropout", "alpha_dropout_", "feature_dropout", "feature_dropout_",
    "feature_alpha_dropout", "feature_alpha_dropout_",
)  # fmt: skip

FUNCTIONS = [
    FunctionSample("F.dropout", lambda x: F.dropout(x), (_MAP,)),
    FunctionSample("F.dropout", lambda x: F.dropout(x, 0.2, training=False, inplace=True), (_MAP,)),
    FunctionSample("F.dropout1d", lambda x: F.dropout1d(x, 0.2), (_MAP[1:],)),
    FunctionSample("F.dropout2d", lambda x: F.dropout2d(x), (_MAP,)),
    FunctionSample("F.dropout3d", lambda x: F.dropout3d(x, p=0.1), ((1, *_MAP),)),
    FunctionSample("F.alpha_dropout", lambda x: F.alpha_dropout(x, training=True), (_MAP,)),
    FunctionSample("F.feature_alpha_dropout", lambda x: F.feature_alpha_dropout(x), (_MAP,)),
    *(FunctionSample(f"torch.{name}", partial(getattr(torch, name), p=0.5, train=False), (_MAP,)) for name in _TORCH),
]
