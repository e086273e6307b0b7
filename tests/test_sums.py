"""Sums of numbers that are not all certain."""

from __future__ import annotations

from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.sums import total_of


def macs(value, status=Status.EXACT, verdict=Verdict.MATCH, **numbers):
    return Quantity(value, Unit.MACS, status, value, {"torch": value} if value is not None else {}, verdict, **numbers)


def test_exact_parts_have_an_exact_sum():
    assert total_of(Unit.MACS, [macs(2), macs(3)]) == macs(5)


def test_no_parts_are_nothing():
    assert total_of(Unit.MACS, []) == Quantity(0, Unit.MACS)


def test_an_unknown_part_leaves_a_lower_bound():
    unknown = macs(None, Status.UNKNOWN, Verdict.UNKNOWN)
    found = total_of(Unit.MACS, [macs(2), unknown])
    assert (found.value, found.status, found.verdict) == (2, Status.LOWER_BOUND, Verdict.UNKNOWN)
    nothing = total_of(Unit.MACS, [unknown])
    assert (nothing.value, nothing.status) == (None, Status.UNKNOWN)


def test_errors_that_cancel_out_are_errors():
    wrong = [Quantity(2, Unit.MACS, Status.EXACT, 2, {"torch": found}, Verdict.DIFFER) for found in (1, 3)]
    found = total_of(Unit.MACS, wrong)
    assert (found.analytic, found.measured, found.verdict) == (4, {"torch": 4}, Verdict.DIFFER)


def test_reasons_are_told_once_and_what_numbers_are_made_of_adds_up():
    first = macs(2, reasons={"torch": "counts a; counts b"}, parts={"x": 1, "y": 0})
    second = macs(3, reasons={"torch": "counts b"}, parts={"x": 2, "z": 4})
    found = total_of(Unit.MACS, [first, second])
    assert found.reasons == {"torch": "counts a; counts b"}
    assert list(found.parts.items()) == [("x", 3), ("y", 0), ("z", 4)]


def test_a_measurement_that_no_formula_confirms_bounds_nothing():
    """A counter that takes a sparse matrix for a dense one counts too much."""
    unconfirmed = Quantity(7, Unit.MACS, Status.UNKNOWN, None, {"torch": 7}, Verdict.UNKNOWN)
    found = total_of(Unit.MACS, [macs(2), unconfirmed])
    assert (found.value, found.status, found.measured) == (2, Status.LOWER_BOUND, {"torch": 9})
    assert total_of(Unit.MACS, [unconfirmed]).value is None


def test_a_lower_bound_of_nothing_is_unknown():
    found = total_of(Unit.MACS, [macs(0), macs(None, Status.UNKNOWN, Verdict.UNKNOWN)])
    assert (found.value, found.status) == (None, Status.UNKNOWN)


def test_a_counter_without_an_answer_for_a_part_has_no_total():
    first, second = (
        Quantity(2, Unit.MACS, analytic=2, measured=found) for found in ({"a": 2, "b": 2}, {"a": 2, "b": None})
    )
    assert total_of(Unit.MACS, [first, second]).measured == {"a": 4}
