"""Latency with a clock of our own, so that every number is known; no test here depends on real time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.measure.timing import Latency, measure_latency
from tests.measure.models import run_of


class Ticks:
    """Moves on by one second whenever it is read."""

    def __init__(self):
        self.time = 0

    def now(self):
        self.time += 1
        return self.time

    def seconds(self, start, end):
        return float(end - start)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

    def forward(self, x):
        return F.relu(self.body(self.body.forward(x)[:, :3]))


def timed(model, *args, **options):
    run = run_of(model, *args)
    timing = measure_latency(run, clock=Ticks(), **options)
    names = [(call.path, call.kind, call.number) for call in run.trace.calls]
    return timing, dict(zip(names, timing.calls, strict=True))


def test_every_call_has_a_latency_and_a_container_that_of_all_below():
    """By hand: a call takes one tick more than the clock is read in it, and it is read twice for each call below."""
    timing, found = timed(Net(), torch.rand(1, 3, 8, 8), warmup=1, repeats=3)
    leaf, body, net = Latency(1, 0, 3), Latency(1 + 2 * 2, 0, 3), Latency(1 + 2 * 8, 0, 3)
    assert found == {
        ("", "Net", 0): net,
        ("body", "Sequential", 0): body,
        ("body.0", "Conv2d", 0): leaf,
        ("body.1", "ReLU", 0): leaf,
        ("", "Tensor.__getitem__", 0): leaf,
        ("body", "Sequential", 1): body,
        ("body.0", "Conv2d", 1): leaf,
        ("body.1", "ReLU", 1): leaf,
        ("", "F.relu", 0): leaf,
    }
    assert timing.total == leaf


class Slowing(Ticks):
    """The n-th sample takes n seconds."""

    def seconds(self, start, end):
        self.samples = getattr(self, "samples", 0) + 1
        return float(self.samples)


def test_median_and_spread_of_the_samples_after_the_warm_up():
    """By hand: each round times the whole, the function and the relu that it calls; the whole comes first of three.

    Of its samples 1, 4, 7, 10, 13, 16, 19 the last five are kept: their median is 13, and their quartiles, half way
    between the first two and the last two, are 8.5 and 17.5.
    """
    run = run_of(F.relu, torch.rand(3))
    found = measure_latency(run, clock=Slowing(), warmup=2, repeats=5).total
    assert found == Latency(median=13.0, spread=9.0, samples=5)


def test_flops_per_second_of_a_call():
    assert Latency(0.5, 0, 1).flops_per_second(macs=100) == 400
    assert Latency(0.0, 0, 1).flops_per_second(macs=100) is None


class Caching(nn.Module):
    """Convolves only once."""

    def __init__(self):
        super().__init__()
        self.conv, self.known = nn.Conv2d(3, 4, 3), None

    def forward(self, x):
        if self.known is None:
            self.known = self.conv(x)
        return F.relu(self.known)


def test_a_call_that_a_timed_run_does_not_make_has_no_latency():
    _, found = timed(Caching(), torch.rand(1, 3, 8, 8), warmup=0, repeats=2)
    assert found == {
        ("", "Caching", 0): Latency(1 + 2, 0, 2), ("conv", "Conv2d", 0): None, ("", "F.relu", 0): Latency(1, 0, 2),
    }  # fmt: skip


def test_the_host_clock_times_every_call_of_a_real_run():
    run = run_of(Net(), torch.rand(1, 3, 8, 8))
    timing = measure_latency(run, warmup=0, repeats=2)
    assert [latency.samples for latency in (timing.total, *timing.calls)] == [2] * 10


def test_progress_is_told_after_each_round():
    told = []
    timed(F.relu, torch.rand(3), warmup=1, repeats=2, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_modes_and_buffers_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    run = run_of(model, torch.rand(2, 3, 4, 4), training=True)
    before = model[1].running_mean.clone()
    measure_latency(run, warmup=0, repeats=2)
    assert torch.equal(model[1].running_mean, before)
    assert all("forward" not in module.__dict__ for module in model.modules())


def test_no_time_on_meta():
    run = run_of(F.relu, torch.rand(3, device="meta"), device="meta")
    with pytest.raises(ValueError, match="needs a real one"):
        measure_latency(run)


def test_no_repeats_is_an_error():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        measure_latency(run_of(F.relu, torch.rand(3)), repeats=0)
