"""Activations by hand: most keep the shape and have no parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.ops.samples import estimate

CASES = [
    pytest.param(nn.ReLU(inplace=True), (2, 6, 4), 0, id="in place"),
    pytest.param(nn.Softmax(dim=-1), (2, 6, 4), 0, id="softmax"),
    pytest.param(nn.PReLU(), (2, 6, 4), 1, id="one slope for all"),
    pytest.param(nn.PReLU(6), (2, 6, 4), 6, id="a slope per channel"),
    pytest.param(lambda x: x.sigmoid(), (2, 6, 4), 0, id="method"),
    pytest.param(lambda x: torch.relu(input=x), (2, 6, 4), 0, id="keyword"),
]


@pytest.mark.parametrize(("model", "shape", "params"), CASES)
def test_same_shape(model: Any, shape: tuple[int, ...], params: int) -> None:
    found = estimate(model.to("meta") if isinstance(model, nn.Module) else model, shape)
    assert (found.shapes, found.params, found.macs, found.computes) == ((shape,), params, 0, True)


HALVES = [
    pytest.param(nn.GLU(), (2, 6, 4), (2, 6, 2), id="the last dimension by default"),
    pytest.param(nn.GLU(1), (2, 6, 4), (2, 3, 4), id="channels"),
    pytest.param(lambda x: F.glu(x, dim=-3), (2, 6, 4), (1, 6, 4), id="counted from the end"),
]


@pytest.mark.parametrize(("model", "shape", "output"), HALVES)
def test_a_gate_halves_its_dimension(model: Any, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    assert estimate(model, shape).shapes == (output,)
