"""Where analytic meets measured: every combination and what is made of it."""

import pytest
import torch

from cnninspect import inspect_model
from cnninspect.report.quantities import Status, Unit, Verdict, judge, not_confirmed, total_status, worst

EXACT, LOWER, UPPER, UNKNOWN = Status.EXACT, Status.LOWER_BOUND, Status.UPPER_BOUND, Status.UNKNOWN

JUDGED = [
    # id, analytic, measured, reasons, status -> verdict, value, status
    ("both say the same", 6, {"a": 6, "b": 6}, {}, EXACT, Verdict.MATCH, 6, EXACT),
    ("one counter differs", 6, {"a": 6, "b": 7}, {}, EXACT, Verdict.DIFFER, 6, EXACT),
    (
        "a counter that covers nothing is not compared",
        6,
        {"a": 6, "b": 0},
        {"b": "does not count it"},
        EXACT,
        Verdict.MATCH,
        6,
        EXACT,
    ),
    ("no counter covers it", 6, {"a": 0}, {"a": "does not count it"}, EXACT, Verdict.NOT_COUNTED, 6, EXACT),
    ("zero is a number", 0, {"a": 0}, {}, EXACT, Verdict.MATCH, 0, EXACT),
    ("zero against something differs", 0, {"a": 4}, {}, EXACT, Verdict.DIFFER, 0, EXACT),
    ("no formula", None, {"a": 6}, {}, EXACT, Verdict.UNKNOWN, 6, UNKNOWN),
    ("no formula and no measurement", None, {}, {}, EXACT, Verdict.UNKNOWN, None, UNKNOWN),
    ("no measurement", 6, {}, {}, EXACT, Verdict.UNKNOWN, 6, EXACT),
    ("a lower bound of 0 says nothing", 0, {}, {}, LOWER, Verdict.UNKNOWN, None, UNKNOWN),
    ("a lower bound proves nothing", 6, {"a": 6}, {}, LOWER, Verdict.UNKNOWN, 6, LOWER),
]


@pytest.mark.parametrize(
    ("analytic", "measured", "reasons", "status", "verdict", "value", "kept"),
    [row[1:] for row in JUDGED],
    ids=[row[0] for row in JUDGED],
)
def test_judge(analytic, measured, reasons, status, verdict, value, kept):
    quantity = judge(Unit.MACS, analytic, measured, status=status, reasons=reasons)
    assert (quantity.verdict, quantity.value, quantity.status) == (verdict, value, kept)


def test_a_counters_0_for_work_that_no_formula_knows_is_no_value():
    # torch's counter has no formula for the transform, so its 0 is no count: nobody knows the MACs.
    report = inspect_model(lambda x: torch.fft.rfft2(x).real, (1, 3, 8, 8))
    assert report.totals["macs"].value is None
    assert report.totals["flops"].value is None
    assert report.to_dict()["totals"]["macs"]["value"] is None


def test_a_reason_is_kept_only_where_there_is_a_difference_to_explain():
    quantity = judge(Unit.MACS, 6, {"a": 0, "b": 6}, reasons={"a": "does not count it", "b": "does not count it"})
    assert quantity.reasons == {"a": "does not count it"}
    assert quantity.measured == {"a": 0, "b": 6}


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([EXACT, EXACT], EXACT),
        ([EXACT, UNKNOWN], LOWER),
        ([EXACT, LOWER], LOWER),
        ([EXACT, UPPER], UPPER),
        ([LOWER, UPPER], UNKNOWN),
        ([], EXACT),
    ],
)
def test_the_status_of_a_sum(parts, whole):
    assert total_status(parts) is whole


def test_the_worst_verdict_wins():
    assert worst([Verdict.MATCH, Verdict.DIFFER, Verdict.UNKNOWN]) is Verdict.DIFFER
    assert worst([Verdict.MATCH, Verdict.UNKNOWN, Verdict.NOT_COUNTED]) is Verdict.UNKNOWN
    assert worst([Verdict.NOT_RUN, Verdict.MATCH]) is Verdict.MATCH
    assert worst([]) is Verdict.NOT_RUN


def test_a_counter_that_agrees_by_chance_confirms_nothing():
    """Torch says that it left out what multiplies: that it found the formula's 0 all the same shows nothing."""
    by_chance = not_confirmed(judge(Unit.MACS, 0, {"torch": 0}), {"torch": "torch left it out"})
    assert (by_chance.verdict, [str(reason) for reason in by_chance.why]) == (Verdict.UNKNOWN, ["torch left it out"])
    other = not_confirmed(judge(Unit.MACS, 0, {"torch": 0, "fvcore": 0}), {"torch": "torch left it out"})
    assert other.verdict is Verdict.MATCH
