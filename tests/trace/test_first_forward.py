"""Parameters that a forward makes and registers count as `named_parameters()` says after one forward.

The input is 2x6: Linear(6, 5) has 6*5 + 5 = 35 parameters and 2*6*5 = 60 MACs.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.report.quantities import Status, Verdict


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc: Any = None

    def forward(self, x: torch.Tensor) -> Any:
        if self.fc is None:
            self.fc = nn.Linear(x.shape[1], 5)
        return self.fc(x)


class Marked(nn.Module):
    """Remembers in an attribute that it was built."""

    built = False

    def forward(self, x: torch.Tensor) -> Any:
        if not self.built:
            self.fc, self.built = nn.Linear(x.shape[1], 5), True
        return self.fc(x)


class Parameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pre(x)
        if not hasattr(self, "w"):
            self.w = nn.Parameter(torch.rand(6, 5))
        return x @ self.w


class Always(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        self.fc = nn.Linear(x.shape[1], 5)
        return self.fc(x)


class Activation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> Any:
        self.act = nn.ReLU()
        return self.act(self.fc(x))


# (model, parameters, MACs, names that the forward makes)
MADE = {
    "a layer": (Layer, 35, 60, ["fc.weight", "fc.bias"]),
    "a layer and a mark": (Marked, 35, 60, ["fc.weight", "fc.bias"]),
    "in a part": (lambda: nn.Sequential(nn.Linear(6, 6), Layer()), 42 + 35, 72 + 60, ["1.fc.weight", "1.fc.bias"]),
    "a parameter": (Parameter, 42 + 6 * 5, 72 + 60, ["w"]),
}


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("case", MADE)
def test_what_the_first_forward_makes_counts(case: str, device: str) -> None:
    make, params, macs, names = MADE[case]
    after = make()
    after(torch.rand(2, 6))
    assert params == sum(parameter.numel() for parameter in after.parameters())
    report = inspect_model(make, (2, 6), device=device, probe=True)
    assert [report.total(name).value for name in ("params", "macs", "params_bytes")] == [params, macs, 4 * params]
    assert report.total("macs").measured == {"fvcore": macs, "torch": macs}
    assert report.verdict is Verdict.MATCH
    assert not any("init" in row.kind or row.kind in ("torch.empty", "torch.rand") for row in report.rows)
    (note,) = [note for note in report.notes if not note.startswith("run on the CPU")]
    assert note.startswith(f"{len(names)} parameter")
    assert f": {', '.join(names)};" in note


def test_a_model_is_as_after_one_forward() -> None:
    model = Layer()
    for _ in range(2):
        assert inspect_model(model, (2, 6), device="cpu").total("params").value == 35
        assert [name for name, _ in model.named_parameters()] == ["fc.weight", "fc.bias"]
        assert model.training


def test_what_every_forward_makes_anew_is_unknown() -> None:
    model = Always()
    report = inspect_model(model, (2, 6), device="cpu", accounts=[Memory("adam"), Backward()])
    names = ("params", "trainable_params", "params_bytes", "gradient_bytes", "optimizer_bytes", "training_memory")
    assert {(report.total(name).value, report.total(name).status) for name in names} == {(None, Status.UNKNOWN)}
    assert all("anew" in report.total(name).why[0].text for name in names)
    row = next(row for row in report.rows if row.kind == "Linear")
    assert row.params is not None
    assert (row.params.value, row.params.verdict) == (None, Verdict.UNKNOWN)
    assert any("fc.weight, fc.bias; the number of parameters is unknown" in note for note in report.notes)
    assert not any("never ran" in note or "does not register" in note for note in report.notes)
    assert not list(model.named_parameters())


def test_a_module_made_in_the_forward_has_run() -> None:
    report = inspect_model(Activation(), (2, 6), device="cpu")
    assert not any("never ran" in note for note in report.notes)
    assert report.total("params").value == 35
