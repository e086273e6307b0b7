"""Wrong formulas and layers that do not do what they declare must be found, and the row named."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.ops.registry import MODULES


def differing(report):
    return {
        (row.path, name)
        for row in report.rows
        if row.leaf or row.kind.endswith(("Conv", "Conv2d"))
        for name, quantity in row.quantities.items()
        if quantity.verdict.value == "differ"
    }


@pytest.mark.parametrize(
    ("part", "wrong", "found"),
    [
        ("macs", lambda use: 1, {("0", "macs"), ("0", "flops")}),
        ("params", lambda use: {"weight": 5, "bias": 0}, {("0", "params")}),
        ("output", lambda use: ((1, 4, 7, 7),), {("0", "output_shape"), ("0", "neurons")}),
    ],
    ids=["macs", "params", "shape"],
)
def test_a_wrong_formula_is_found_in_its_own_row(monkeypatch, part, wrong, found):
    monkeypatch.setitem(MODULES, "Conv2d", replace(MODULES["Conv2d"], **{part: wrong}))
    report = inspect_model(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()), (1, 3, 8, 8))
    assert report.verdict.value == "differ"
    assert differing(report) == found


class StridedConv(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, 2, self.padding)


class RestridedConv(nn.Conv2d):
    def forward(self, x):
        self.stride = (2, 2)
        return super().forward(x)


class StandardisedStridedConv(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, 2, self.padding)


@pytest.mark.parametrize("cls", [StridedConv, RestridedConv, StandardisedStridedConv])
def test_a_subclass_that_uses_another_stride_than_it_declares_is_found(cls):
    report = inspect_model(nn.Sequential(nn.Conv2d(3, 3, 1), cls(3, 4, 3, padding=1)), (1, 3, 8, 8))
    assert ("1", "output_shape") in differing(report)
    assert ("1", "macs") in differing(report)


class SamePaddingConv(nn.Conv2d):
    """Pads by itself and declares no padding: unusual, and not a contradiction."""

    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight, self.bias, self.stride, self.padding)


class LowRankLinear(nn.Linear):
    def __init__(self, *args):
        super().__init__(*args)
        self.a, self.b = nn.Parameter(torch.rand(2, 6)), nn.Parameter(torch.rand(4, 2))

    def forward(self, x):
        return super().forward(x) + F.linear(F.linear(x, self.a), self.b)


class Renamed(nn.Conv2d):
    """Only a new name."""


@pytest.mark.parametrize(
    ("model", "shape", "macs"),
    [
        (SamePaddingConv(3, 4, 3), (1, 3, 8, 8), 4 * 8 * 8 * 3 * 3**2),
        (LowRankLinear(6, 4), (1, 6), 6 * 4 + 6 * 2 + 2 * 4),
        (Renamed(3, 4, 3), (1, 3, 8, 8), 4 * 6 * 6 * 3 * 3**2),
    ],
    ids=["own padding", "low rank", "renamed"],
)
def test_a_subclass_that_keeps_its_word_matches(model, shape, macs):
    report = inspect_model(model, shape)
    assert report.verdict.value == "match"
    assert report.totals["macs"].value == macs


def test_a_forward_replaced_on_the_instance_is_looked_into():
    conv = nn.Conv2d(3, 4, 3, padding=1)
    conv.forward = lambda x: F.conv2d(x, conv.weight, conv.bias, 2, 1)
    report = inspect_model(nn.Sequential(conv), (1, 3, 8, 8), device="cpu")
    assert differing(report) >= {("0", "output_shape"), ("0", "macs")}
