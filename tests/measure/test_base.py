"""The registry of counters: one registration in one file is all that a new one takes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cnninspect.measure import count
from cnninspect.measure.base import COUNTERS, Convention, Count, counter
from cnninspect.measure.explain import explain, unit_of
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
