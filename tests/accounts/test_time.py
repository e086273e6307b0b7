"""Latency in the rows, with a clock of our own: no number depends on real time."""

from __future__ import annotations

import pytest
from torch import nn

from cnninspect.errors import UsageError
from cnninspect.inspection.accounts.work import Time
from cnninspect.report.parts import Timing
from tests.accounts.inspections import column, inspected
from tests.measure.test_timing import Ticks


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU())


def test_latency_and_speed_of_every_row():
    """By hand: a layer takes one tick, and the whole one more than the clock is read in it, twice for each layer.

    40 rows of 4 * 8 MACs in one second are 2560 FLOPs per second; with 5 seconds for the whole they are 512.
    """
    report = inspected(net(), Time(warmup=0, repeats=2, clock=Ticks()), shape=(40, 4))
    assert column(report, "latency") == {"(Sequential)": 5.0, "0": 1.0, "1": 1.0}
    assert column(report, "latency_spread") == {"(Sequential)": 0.0, "0": 0.0, "1": 0.0}
    assert column(report, "flops_per_second") == {"(Sequential)": 512.0, "0": 2560.0}
    assert report.total("latency").value == 1.0
    assert report.total("flops_per_second").value == 2560.0
    assert report.timing == Timing(warmup=0, repeats=2)


def test_time_runs_on_the_cpu_unless_another_device_is_asked_for():
    assert inspected(net(), Time(0, 1, Ticks()), shape=(1, 4)).run["device"] == "cpu"


def test_there_is_no_time_on_meta():
    with pytest.raises(UsageError, match="nothing runs on meta"):
        inspected(net(), Time(0, 1, Ticks()), shape=(1, 4), device="meta")


def test_progress_of_every_round_is_told():
    told = []
    inspected(
        net(), Time(1, 2, Ticks()), shape=(1, 4), progress=lambda step, done=0, of=0: told.append((step, done, of))
    )
    assert told[-3:] == [("timing", 1, 3), ("timing", 2, 3), ("timing", 3, 3)]
