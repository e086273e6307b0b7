"""Samples of fully connected layers and look-ups."""

from __future__ import annotations

import torch.nn.functional as F

from tests.formulas.samples import FunctionSample, grid, param

MODULES = [
    *grid("Linear", (5,), (2, 5), (2, 3, 4, 5), in_features=[5], out_features=[1, 7], bias=[True, False]),
    *grid("NonDynamicallyQuantizableLinear", (2, 5), in_features=[5], out_features=[7], bias=[True]),
]

FUNCTIONS = [
    FunctionSample("F.linear", lambda x, w, b: F.linear(x, w, b), ((2, 3, 5), param(7, 5), param(7))),
    FunctionSample("F.linear", lambda x, w: F.linear(weight=w, input=x), ((5,), param(7, 5))),
    FunctionSample("F.linear", lambda x, w: F.linear(x, w), ((2, 5), param(5)), macs=2 * 5),
]
