"""Layers that move or resample values, by hand. None has parameters or MACs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import evaluate
from cnninspect.trace.recorder import record
from tests.ops.samples import estimate

MOVED = [
    pytest.param(nn.Identity(), (2, 3), (2, 3), id="identity"),
    pytest.param(nn.Dropout(), (2, 3), (2, 3), id="dropout"),
    pytest.param(lambda x: F.dropout(x, 0.5, training=True), (2, 3), (2, 3), id="F.dropout"),
    pytest.param(nn.Flatten(), (1, 16, 4, 4), (1, 256), id="worked example 1: 16*4*4 = 256"),
    pytest.param(lambda x: torch.flatten(x, 1, 2), (2, 3, 4, 5), (2, 12, 5), id="flatten 3*4 = 12"),
    pytest.param(lambda x: x.flatten(), (), (1,), id="a scalar flattens to one element"),
    pytest.param(nn.Unflatten(1, (2, -1)), (2, 12, 5), (2, 2, 6, 5), id="unflatten 12/2 = 6"),
    pytest.param(nn.ZeroPad2d((1, 2, 3, 4)), (1, 5, 6), (1, 12, 9), id="left, right, top, bottom: 3+5+4, 1+6+2"),
    pytest.param(nn.ReflectionPad1d(2), (1, 5), (1, 9), id="both sides: 2+5+2"),
    pytest.param(lambda x: F.pad(x, (-1, 0, 0, -2)), (1, 5, 6), (1, 3, 5), id="negative padding crops: 5-2, 6-1"),
    pytest.param(lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)), (3, 5, 6), (5, 5, 6), id="third dimension from the end"),
    pytest.param(nn.PixelShuffle(3), (1, 27, 4, 5), (1, 3, 12, 15), id="worked example 9: 27/9, 4*3, 5*3"),
    pytest.param(nn.PixelUnshuffle(2), (3, 4, 6), (12, 2, 3), id="3*4, 4/2, 6/2"),
    pytest.param(nn.ChannelShuffle(2), (1, 4, 5, 5), (1, 4, 5, 5), id="channel shuffle"),
    pytest.param(nn.Unfold(3, padding=1, stride=2), (1, 2, 6, 5), (1, 18, 9), id="unfold 2*9, floor(5/2+1)*(4/2+1)"),
]

COMPUTED = [
    pytest.param(nn.Fold((4, 5), 2), (1, 12, 12), (1, 3, 4, 5), id="fold 12/4 channels"),
    pytest.param(nn.Upsample(scale_factor=2), (1, 3, 64, 64), (1, 3, 128, 128), id="worked example 9: 64*2"),
    pytest.param(nn.Upsample(size=(7, 9), mode="bilinear"), (1, 3, 4, 4), (1, 3, 7, 9), id="to a size"),
    pytest.param(nn.Upsample(scale_factor=0.7), (1, 3, 10), (1, 3, 7), id="floor(10*0.7) = 7"),
    pytest.param(
        lambda x: F.interpolate(x, scale_factor=(1.5, 0.5)), (1, 3, 5, 5), (1, 3, 7, 2), id="floor(7.5), floor(2.5)"
    ),
    pytest.param(lambda x: F.interpolate(x, 9, mode="area"), (1, 3, 5, 5), (1, 3, 9, 9), id="one size for all axes"),
]


@pytest.mark.parametrize(("model", "shape", "output"), MOVED)
def test_moved_values_are_no_neurons(model: Any, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    found = estimate(model, shape)
    assert (found.shapes, found.params, found.macs, found.computes) == ((output,), 0, 0, False)


@pytest.mark.parametrize(("model", "shape", "output"), COMPUTED)
def test_new_values_are_neurons(model: Any, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    found = estimate(model, shape)
    assert (found.shapes, found.params, found.macs, found.computes) == ((output,), 0, 0, True)


def test_a_size_held_by_a_tensor_has_no_formula() -> None:
    """A value that only the run knows is no hyper-parameter."""
    inputs = (torch.rand(1, 1, 4, 4), torch.tensor(6))
    trace = record(lambda x, size: F.interpolate(x, (size, size)), inputs, {}, layer_of, device="cpu")
    call = next(call for call in trace.calls if call.kind == "F.interpolate")
    assert [ref.shape for ref in call.outputs] == [(1, 1, 6, 6)]
    assert evaluate(trace)[call.index].formula is None
