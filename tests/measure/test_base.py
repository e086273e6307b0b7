"""The registry of counters: one registration in one file is all that a new one takes."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from cnninspect import inspect_model
from cnninspect.measure import count
from cnninspect.measure.base import COUNTERS, Convention, Count, Skip, counter, explain, unit_of
from cnninspect.report.quantities import Verdict
from tests.measure.models import run_of


@pytest.fixture
def outputs_counter():
    """A counter that takes every output element for an operation."""
    convention = Convention(unit="counts an element as one operation", other={"elements": "elements"})

    @counter("elements", convention=convention)
    def elements(run):
        sizes = [sum(ref.nbytes // 4 for ref in call.outputs) for call in run.trace.calls]
        return [Count(size, by_op={"elements": size}) for size in sizes]

    yield
    del COUNTERS["elements"]


@pytest.mark.usefixtures("outputs_counter")
def test_a_new_counter_is_asked_and_explained():
    found = count(run_of(F.relu, torch.rand(3, 4)))
    assert found["elements"][-1].value == 3 * 4
    assert explain("elements", found["elements"][-1], 0) == "elements counts elements"
    assert unit_of("elements") == "elements counts an element as one operation"


def test_two_counters_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="'torch' exists already"):
        counter("torch")(lambda run: [])


def test_a_counter_that_needs_kernels_is_not_asked_on_meta():
    assert set(count(run_of(F.relu, torch.rand(3, device="meta"), device="meta"))) == {"torch"}
    assert set(count(run_of(F.relu, torch.rand(3)))) == {"torch", "fvcore"}


def test_the_name_of_an_op_stands_for_its_skip():
    assert Count(0, ("aten.lstm", Skip("", "a reason"))).skips == (Skip("aten.lstm"), Skip("", "a reason"))


def raises(error):
    """A counter that raises."""

    def measure(run):
        raise error

    return measure


@pytest.mark.parametrize("name", list(COUNTERS))
@pytest.mark.parametrize(
    "error", [TypeError, AttributeError, KeyError, ZeroDivisionError], ids=lambda kind: kind.__name__
)
def test_a_counter_that_raises_costs_its_own_column_and_is_named(monkeypatch, name, error):
    monkeypatch.setitem(COUNTERS, name, replace(COUNTERS[name], measure=raises(error("planted"))))
    report = inspect_model(torch.nn.Linear(4, 3), (1, 4), device="cpu")
    (other,) = set(COUNTERS) - {name}
    macs = report.totals["macs"]
    assert macs.measured == {other: 4 * 3}
    assert macs.verdict.value == "match"
    (note,) = [note for note in report.notes if note.startswith(f"{name} did not count: the counter failed")]
    assert f"{error.__name__}: " in note
    assert "planted" in note
    assert "test_base.py:" in note


@pytest.mark.parametrize("found", [[], [1, 2], [Count(1)] * 3], ids=["none", "no counts", "too many"])
def test_a_counter_that_returns_something_else_is_named(monkeypatch, found):
    monkeypatch.setitem(COUNTERS, "torch", replace(COUNTERS["torch"], measure=lambda run: found))
    report = inspect_model(torch.nn.Sequential(torch.nn.Linear(4, 3)), (1, 4))
    expected = f"torch did not count: it returned {len(found)} results, not a Count for each of the 2 calls."
    assert expected in report.notes
    assert report.totals["macs"].verdict.value == "unknown"


def test_a_counter_without_its_package_is_left_out_and_noted(monkeypatch):
    monkeypatch.setitem(sys.modules, "fvcore", None)  # as Python does for a package that cannot be imported
    report = inspect_model("lenet5", probe=True)
    assert "fvcore does not count here, since fvcore is not installed: `pip install fvcore`." in report.notes
    assert all(set(row.macs.measured) <= {"torch"} for row in report.rows if row.macs is not None)
    # 5*5*1*6 * 28*28 + 5*5*6*16 * 10*10 + 5*5*16*120 + 120*84 + 84*10, counted by torch alone
    macs = report.totals["macs"]
    assert (macs.value, dict(macs.measured)) == (416_520, {"torch": 416_520})
    assert report.verdict is Verdict.MATCH


def test_with_its_package_it_counts():
    report = inspect_model("lenet5", probe=True)
    assert report.totals["macs"].measured["fvcore"] == 416_520
    assert not any("fvcore does not count here" in note for note in report.notes)
