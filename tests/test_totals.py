"""Totals by hand where a shape or a batch size alone would mislead, and what is said where a part is not known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.ops.registry import OPS
from cnninspect.report.quantities import Quantity, Status, Verdict


class Passes(nn.Module):
    """A module of somebody's own that gives its input back."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


# (model, input shape, output elements of everything that computes)
NEURONS = {
    "a batch": (lambda: nn.Conv2d(3, 6, 3, padding=1), (5, 3, 8, 8), 5 * 6 * 8 * 8),
    "no batch": (lambda: nn.Conv2d(3, 6, 3, padding=1), (3, 8, 8), 6 * 8 * 8),
    # Output, hidden state and cell.
    "sequence first": (lambda: nn.LSTM(4, 8), (5, 2, 4), 5 * 2 * 8 + 2 * 8 + 2 * 8),
    "a vector": (lambda: nn.Linear(4, 3), (4,), 3),
    # Nothing is computed: the output is the input.
    "a module that gives its input back": (Passes, (2, 3), 0),
    "such modules beside a layer": (lambda: nn.Sequential(Passes(), nn.Linear(4, 3), Passes()), (2, 4), 2 * 3),
}


@pytest.mark.parametrize("case", NEURONS)
def test_neurons_are_those_of_the_whole_pass(case: str) -> None:
    model, shape, neurons = NEURONS[case]
    found = inspect_model(model(), shape).total("neurons")
    assert (found.value, found.verdict) == (neurons, Verdict.MATCH)


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("graph", torch.eye(3).to_sparse())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.graph.to_dense()


def test_a_buffer_without_memory_to_walk_is_unknown():
    found = inspect_model(Sparse(), (3, 3), device="cpu").total("buffers")
    assert (found.verdict, found.measured) == (Verdict.UNKNOWN, {})
    assert "cannot be walked" in found.why[0].text


SCALE = torch.ones(3, requires_grad=True)


def scaled(x: torch.Tensor) -> Any:
    return x * SCALE


def test_a_function_lists_no_tensors():
    totals = inspect_model(scaled, (2, 3), device="cpu").totals
    assert (totals["params"].value, totals["params"].verdict) == (3, Verdict.MATCH)
    alone = [totals[name] for name in ("trainable_params", "buffers", "params_bytes")]
    assert [number.value for number in alone] == [3, 0, 3 * 4]
    assert {number.verdict for number in alone} == {Verdict.NOT_RUN}
    assert all("plain function" in number.why[0].text for number in alone)


@pytest.fixture
def without_shape(monkeypatch: pytest.MonkeyPatch) -> Quantity:
    """The bytes of a network in which nothing gives the shape that a convolution written as an op puts out."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            zeros, ones = [0, 0], [1, 1]
            return torch.ops.aten.convolution(x, self.weight, None, ones, zeros, ones, False, zeros, 1)

    monkeypatch.delitem(OPS, "aten.convolution")
    return inspect_model(Net(), (1, 3, 8, 8))


def test_a_sum_with_an_unknown_part_is_a_lower_bound(without_shape: Any) -> None:
    """The output takes 4*6*6 floats, twice; that is measured, and no formula says so."""
    activations, whole = without_shape.total("activation_bytes"), without_shape.total("total_bytes")
    assert (activations.analytic, activations.measured) == (None, {"hooks": 2 * 4 * 4 * 6 * 6})
    assert (activations.status, activations.verdict) == (Status.UNKNOWN, Verdict.UNKNOWN)
    assert (whole.status, whole.verdict) == (Status.LOWER_BOUND, Verdict.UNKNOWN)
    assert whole.why == activations.why != ()


def test_packed_weights_are_unknown_and_not_0():
    """Dynamically quantised layers of 8*8 + 8 and 8*4 + 4 weights, none of which is a parameter."""
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    quantised = torch.ao.quantization.quantize_dynamic(net, {nn.Linear})
    report = inspect_model(quantised, (2, 8), device="cpu")
    totals = report.totals
    linear = [row for row in report.rows if "inear" in row.kind]
    assert [(row.params.value, row.params.status) for row in linear] == [(None, Status.UNKNOWN)] * 4
    assert totals["peak_memory"].status is Status.LOWER_BOUND
    # The outputs of both layers in float32, twice: 2 * (2*8 + 2*4) * 4.
    assert totals["activation_bytes"].measured == {"hooks": 192}
    for name in ("params", "trainable_params", "params_bytes"):
        assert (totals[name].value, totals[name].status) == (None, Status.UNKNOWN)
        assert "pack their weights" in totals[name].why[0].text
    assert totals["total_bytes"].status is Status.LOWER_BOUND
