"""A bound in a check is shown as one in every format, and makes no change in percent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnninspect.checks import check_budgets, parse_budget, with_checks
from cnninspect.checks.differences import compare_models
from cnninspect.checks.numbers import Margin, compare_quantities
from cnninspect.render import Format, render
from cnninspect.report.document import Comparison
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import Check
from tests.render.samples import doubtful

LOWER = Status.LOWER_BOUND
BOUNDS = Check("macs", None, 120, 240, "baseline", Verdict.DIFFER, expected_status=LOWER, found_status=LOWER)


def checked(check: Check) -> Comparison:
    return with_checks(doubtful(command="compare"), (check,))


@pytest.mark.parametrize("fmt", [Format.TABLE, Format.MARKDOWN, Format.HTML])
def test_tables_show_the_sign(fmt: Format) -> None:
    text = render(checked(BOUNDS), fmt)
    assert "≥120" in text
    assert "≥240" in text
    assert "+100" not in text


@pytest.mark.parametrize("fmt", [Format.GITHUB, Format.JUNIT])
def test_sentences_say_it(fmt: Format) -> None:
    assert "baseline ≥120, found ≥240" in render(checked(BOUNDS), fmt)


def test_json_keeps_it():
    assert Comparison.from_dict(checked(BOUNDS).to_dict()).checks == (BOUNDS,)


def test_a_total_that_is_a_bound_is_compared_as_one():
    known, least = (Quantity(120, Unit.MACS, status) for status in (Status.EXACT, LOWER))
    found = compare_quantities("macs", known, least, Margin())
    assert (found.verdict, found.expected_status, found.found_status) == (Verdict.UNKNOWN, Status.EXACT, LOWER)


def test_a_budget_finds_a_bound():
    report = doubtful()
    report = replace(report, totals={**report.totals, "macs": Quantity(120, Unit.MACS, LOWER)})
    (check,) = check_budgets(report, [parse_budget("max_macs", "100")])
    assert (check.found, check.found_status, check.verdict) == (120, LOWER, Verdict.DIFFER)


def side_by_side() -> Comparison:
    """Two networks of one layer: at least 120 MACs in the first, exactly 240 in the second."""
    report = doubtful()
    row = next(row for row in report.rows if row.leaf)
    one, two = (
        replace(report, rows=(replace(row, parent=None, macs=macs),))
        for macs in (Quantity(120, Unit.MACS, LOWER), Quantity(240, Unit.MACS))
    )
    return compare_models(one, two)


def test_two_networks_side_by_side_keep_the_sign_of_a_bound():
    (line,) = [line for line in render(side_by_side()).splitlines() if "240" in line and "against" not in line]
    assert "≥120" in line
    assert "2 " not in line.partition("240")[2], "a bound has no ratio"


def test_json_of_two_networks_keeps_bounds_apart_from_numbers():
    found = side_by_side()
    document = found.to_dict()
    assert document["aligned"][0]["macs"] == [None, 240]
    assert document["aligned"][0]["bounds"] == {"macs": [{"value": 120, "status": "lower_bound"}, None]}
    assert Comparison.from_dict(document).aligned == found.aligned


@pytest.mark.parametrize(
    ("params", "trainable", "words"),
    [
        (Quantity(10, Unit.PARAMS), Quantity(4, Unit.PARAMS), "10 (4 trainable, 6 not)"),
        (Quantity(10, Unit.PARAMS, LOWER), Quantity(4, Unit.PARAMS, LOWER), "≥10 (≥4 trainable)"),
    ],
    ids=["exact", "bounds"],
)
def test_only_exact_counts_leave_a_remainder(params, trainable, words):
    """10 - 4 = 6; at least 10 and at least 4 leave anything."""
    report = doubtful()
    text = render(replace(report, totals={**report.totals, "params": params, "trainable_params": trainable}))
    assert words in text
