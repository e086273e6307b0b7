"""Scripted, traced and frozen modules run as they are: MACs by the ops that they run, and what they show of themselves.

For an input of 2x6, Linear(6, 5) has 6*5 + 5 parameters and 2*6*5 MACs, Linear(5, 2) has 5*2 + 2 and 2*5*2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.accounts.other_counters import seen
from cnninspect.inspection.accounts.sparsity import NonZeros
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.inspection.accounts.work import Operations, Traffic
from cnninspect.measure.base import Run
from cnninspect.ops.catalogue import layer_of
from cnninspect.report.quantities import Status, Verdict
from cnninspect.trace.recorder import record


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU()).eval()


def scripted() -> Any:
    return torch.jit.script(plain())


def traced() -> Any:
    return torch.jit.trace(plain(), torch.rand(2, 6))


def frozen() -> Any:
    return torch.jit.freeze(torch.jit.script(plain()))


def optimised() -> Any:
    return torch.jit.optimize_for_inference(torch.jit.script(plain()))


class Around(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.a, self.b = inner, nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.b(self.a(x))


# (inner module, its registered parameters: those of a frozen one are constants of its code)
INNER: dict[str, tuple[Callable[[], Any], int]] = {
    "scripted": (scripted, 35),
    "traced": (traced, 35),
    "frozen": (frozen, 0),
    "optimised": (optimised, 0),
}


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("case", INNER)
def test_counts_by_hand(case: str, inside: bool) -> None:
    make, params = INNER[case]
    model = Around(make()) if inside else make()
    assert sum(each.numel() for each in model.parameters()) == params + 12 * inside
    accounts = [Backward(), Memory(), NonZeros(), Operations(), Traffic()]
    report = inspect_model(model, (2, 6), device="cpu", accounts=accounts)
    macs, found = report.total("macs"), report.total("params")
    assert (macs.value, macs.status, macs.verdict) == (60 + 20 * inside, Status.EXACT, Verdict.MATCH)
    assert (found.value, found.verdict) == (params + 12 * inside, Verdict.MATCH)
    notes = [note for note in report.notes if "frozen TorchScript" in note]
    assert len(notes) == (params == 0)
    assert all(f"({'a' if inside else 'the root'})" in note for note in notes)


@pytest.mark.parametrize("case", INNER)
def test_other_counters_see_the_modules(case: str) -> None:
    """A scripted module is one part; its parameters are those that it registers."""
    make, params = INNER[case]
    model, args = Around(make()), (torch.rand(2, 6),)
    trace = record(model, args, {}, layer_of, device="cpu")
    sight = seen(Run(trace, model, args, {}, "cpu"))
    assert sight.parts["a"].all_params == params
    assert sight.parts["b"].weights == {"weight": (2, 5), "bias": (2,)}
