"""Samples of activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid, param

_SHAPES = [(), (5,), (2, 3, 4)]
_PLAIN = [
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish",
    "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
]  # fmt: skip
_IN_PLACE = ["CELU", "ELU", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU"]

MODULES = [
    *(sample for kind in _PLAIN for sample in grid(kind, *_SHAPES)),
    *(sample for kind in _IN_PLACE for sample in grid(kind, (2, 3), inplace=[True])),
    *grid("Threshold", *_SHAPES, threshold=[0.1], value=[20.0], inplace=[False, True]),
    *grid("GELU", (2, 3), approximate=["tanh"]),
    *(sample for kind in ("Softmax", "Softmin", "LogSoftmax") for sample in grid(kind, (4,), (2, 3, 4), dim=[0, -1])),
    *grid("Softmax2d", (2, 3, 4, 5), (3, 4, 5)),
    *grid("GLU", (2, 6, 4), dim=[0, 1, -1]),
    *grid("PReLU", (2, 6, 4), (6,), num_parameters=[1]),
    *grid("PReLU", (2, 6, 4), (2, 6), num_parameters=[6]),
    ModuleSample("ReLU", (), {}, {"input": (2, 3)}),
]

_MAP = (2, 6, 4)


def _plain(namespace: str, functions: object, names: str) -> list[FunctionSample]:
    """The functions that need no argument beside the input."""
    return [FunctionSample(f"{namespace}.{name}", getattr(functions, name), (_MAP,)) for name in names.split()]


FUNCTIONS = [
    *_plain(
        "F",
        F,
        "celu celu_ elu elu_ gelu hardshrink hardsigmoid hardswish hardtanh hardtanh_ leaky_relu leaky_relu_ "
        "logsigmoid mish relu relu_ relu6 rrelu rrelu_ selu selu_ silu softplus softshrink softsign tanhshrink glu "
        "gumbel_softmax",
    ),
    *_plain("torch", torch, "celu relu rrelu selu sigmoid sigmoid_ tanh tanh_"),
    *_plain("Tensor", torch.Tensor, "hardshrink relu relu_ sigmoid sigmoid_ tanh tanh_"),
    FunctionSample("Tensor.sigmoid", F.sigmoid, (_MAP,)),
    FunctionSample("Tensor.tanh", F.tanh, (_MAP,)),
    FunctionSample("F.relu", lambda x: F.relu(x, inplace=True), (_MAP,)),
    FunctionSample("F.leaky_relu", lambda x: F.leaky_relu(x, 0.2, True), (_MAP,)),
    FunctionSample("F.threshold", lambda x: F.threshold(x, 0.1, 20.0), (_MAP,)),
    FunctionSample("F.threshold_", lambda x: F.threshold_(x, 0.1, 20.0), (_MAP,)),
    FunctionSample("torch.threshold", lambda x: torch.threshold(x, 0.1, 20.0), (_MAP,)),
    FunctionSample("F.softmax", lambda x: F.softmax(x, 1), (_MAP,)),
    FunctionSample("F.softmin", lambda x: F.softmin(x, dim=-1), (_MAP,)),
    FunctionSample("F.log_softmax", lambda x: F.log_softmax(x, 1), (_MAP,)),
    FunctionSample("F.gumbel_softmax", lambda x: F.gumbel_softmax(x, hard=True), (_MAP,)),
    FunctionSample("torch.softmax", lambda x: torch.softmax(x, dim=1), (_MAP,)),
    FunctionSample("torch.log_softmax", lambda x: torch.log_softmax(x, 1), (_MAP,)),
    FunctionSample("Tensor.softmax", lambda x: x.softmax(-1), (_MAP,)),
    FunctionSample("Tensor.log_softmax", lambda x: x.log_softmax(dim=-1), (_MAP,)),
    FunctionSample("F.glu", lambda x: F.glu(x, 1), (_MAP,)),
    FunctionSample("F.prelu", lambda x, w: F.prelu(x, w), (_MAP, param(6))),
    FunctionSample("F.prelu", lambda x, w: torch.prelu(x, w), (_MAP, param(1))),
    FunctionSample("Tensor.prelu", lambda x, w: x.prelu(w), (_MAP, param(6))),
]
