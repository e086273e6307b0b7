"""Bytes moved and what follows from them, in rows and in total."""

from __future__ import annotations

import pytest
from torch import nn

from cnninspect.inspection.accounts.work import Traffic
from tests.accounts.inspections import column, inspected


def net():
    """5 rows of 4 through 4 -> 8 and relu: 36 + 20 + 40 numbers of four bytes for the layer, 80 for relu."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Flatten(0))


LINEAR, RELU = 4 * (4 * 8 + 8 + 20 + 40), 4 * 80


def test_bytes_moved_and_intensity_by_hand():
    """A container moves what its layers move; a view moves nothing and has no intensity."""
    report = inspected(net(), Traffic(), shape=(5, 4))
    assert column(report, "bytes_moved") == {"(Sequential)": LINEAR + RELU, "0": LINEAR, "1": RELU, "2": 0}
    expected = {"(Sequential)": 160 / (LINEAR + RELU), "0": 160 / LINEAR, "1": 0}
    assert column(report, "intensity") == pytest.approx(expected)
    assert report.total("intensity").value == pytest.approx(160 / (LINEAR + RELU))


@pytest.mark.parametrize(("peak", "linear"), [(100, "compute"), (1000, "memory")])
def test_what_each_row_waits_for(peak, linear):
    """The layer's 400 bytes take 2 s at 200 a second; its 320 FLOPs 3.2 s at 100 a second, 0.32 s at 1000."""
    report = inspected(net(), Traffic(peak_flops=peak, bandwidth=200), shape=(5, 4))
    found = column(report, "bound_by")
    assert (found["0"], found["1"]) == (linear, "memory")
    assert "2" not in found


def test_without_a_machine_nothing_is_said_about_it():
    assert column(inspected(net(), Traffic(), shape=(5, 4)), "bound_by") == {}
