"""Every counter's own total, against the tool run on its own."""

from __future__ import annotations

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.inspection.accounts.work import Conventions
from cnninspect.report.parts import CounterConvention
from tests.accounts.inspections import inspected


def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


def test_own_totals_are_what_the_tools_say_themselves():
    model, x = net().eval(), torch.rand(1, 3, 8, 8)
    counters = inspected(model, Conventions(), shape=(1, 3, 8, 8), device="cpu").counters
    with FlopCounterMode(display=False) as mode:
        model(x)
    assert counters["torch"].own_total == mode.get_total_flops() > 0
    analysis = FlopCountAnalysis(model, x).unsupported_ops_warnings(False)
    assert counters["fvcore"].own_total == analysis.total() > 0


def test_a_counter_that_did_not_run_has_no_total():
    counters = inspected(net(), Conventions(), shape=(1, 3, 8, 8)).counters
    assert counters["fvcore"] == CounterConvention("counts a MAC as one flop", own_total=None, needs_kernels=True)


@pytest.mark.parametrize(("counter", "words"), [("torch", "two flops"), ("fvcore", "one flop")])
def test_each_convention_is_named(counter, words):
    assert words in inspected(net(), Conventions(), shape=(1, 3, 8, 8)).counters[counter].convention


class Untraceable(nn.Module):
    """Multiplies a matrix and a vector by `@`, which ends fvcore's formula for matmul with an IndexError."""

    def forward(self, x):
        return x @ x[0]


def test_a_counter_that_failed_says_why():
    found = inspected(Untraceable(), Conventions(), shape=(3, 4), device="cpu").counters["fvcore"]
    assert (found.own_total, found.failed) == (None, "tracing failed: IndexError: list index out of range")
