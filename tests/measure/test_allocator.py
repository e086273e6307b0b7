"""The allocator's word on a run, from a stand-in for CUDA's statistics; without CUDA there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnninspect.measure.memory import inference_allocation, training_allocation
from tests.measure.models import run_of


class Allocator:
    """Holds 1000 bytes of weights, and at most 50 more for each forward pass since the statistics were reset."""

    def __init__(self):
        self.passes = 0
        self.since_reset = None

    def reset_peak_memory_stats(self, _):
        self.since_reset = self.passes

    def memory_allocated(self, _):
        return 1000

    def max_memory_allocated(self, _):
        return 1000 + 50 * (self.passes - self.since_reset)

    def synchronize(self, _):
        pass


class Counted(nn.Linear):
    def __init__(self, allocator):
        super().__init__(4, 4)
        self.allocator = allocator

    def forward(self, x):
        self.allocator.passes += 1
        return super().forward(x)


@pytest.fixture
def run(monkeypatch):
    """A run that says it is on CUDA, which the stand-in plays."""
    allocator = Allocator()
    for name in ("reset_peak_memory_stats", "memory_allocated", "max_memory_allocated", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, getattr(allocator, name))
    return replace(run_of(Counted(allocator), torch.rand(2, 4)), device="cuda:0")


@pytest.mark.parametrize("measure", [inference_allocation, training_allocation])
def test_the_peak_is_that_of_one_pass_beyond_what_was_there_and_a_first_one_does_not_count(run, measure):
    assert measure(run) == 50
    assert run.model.weight.grad is None


@pytest.mark.parametrize("measure", [inference_allocation, training_allocation])
def test_other_devices_have_no_such_allocator(measure):
    assert measure(run_of(nn.Linear(4, 4), torch.rand(2, 4))) is None
