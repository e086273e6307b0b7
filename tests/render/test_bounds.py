"""A bound in a check is shown as one in every format, and makes no change in percent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnninspect.checks import with_checks
from cnninspect.checks.budgets import check_budgets, parse_budget
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
