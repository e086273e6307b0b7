"""JUnit XML against the schema that servers validate it with, and what its parts say."""

from dataclasses import replace

import pytest

from cnninspect.checks import check_budgets, check_formulas, parse_budget, with_checks
from cnninspect.render import render
from tests.render.reading import junit
from tests.render.samples import doubtful, tiny


def cases(report):
    return {(case.get("classname"), case.get("name")): case for case in junit(render(report, "junit")).iter("testcase")}


@pytest.mark.parametrize(
    "sample", [tiny(), doubtful(), check_formulas(doubtful())], ids=["tiny", "doubtful", "compare"]
)
def test_documents_keep_to_the_schema(sample):
    assert junit(render(sample, "junit")).find("testsuite").get("name") == "tiny"


def test_a_layer_fails_with_expected_found_and_line():
    failure = cases(doubtful())["tiny.formula", "conv (Conv2d)"].find("failure")
    assert failure.get("message") == "conv (Conv2d), output shape: formula 1x8x8x8, hooks 1x8x4x4; also MACs"
    assert failure.text.splitlines() == [
        "conv (Conv2d), output shape: formula 1x8x8x8, hooks 1x8x4x4",
        "conv (Conv2d), MACs: formula 13,824, torch 3,456",
        "in nets.py:41",
    ]


def test_what_could_not_be_checked_is_skipped_and_not_passed():
    skipped = cases(doubtful())["tiny.formula", "mix (torch.fft.rfft2)"].find("skipped")
    assert "mix (torch.fft.rfft2), MACs: formula unknown, torch 0" in skipped.get("message")


def test_what_matches_or_is_not_counted_passes():
    found = cases(doubtful())
    assert len(found["tiny.formula", "lstm (LSTM)"]) == 0
    assert len(found["tiny.formula", "total"]) == 0


def test_each_source_has_its_own_case():
    budgets = [parse_budget("max_params", "2K")]
    report = with_checks(tiny(), [*check_formulas(tiny()).checks, *check_budgets(tiny(), budgets)])
    found = cases(report)
    assert len(found["tiny.formula", "total"]) == 0
    assert found["tiny.budget", "total"].find("failure").get("message") == (
        "total, params: budget 2,000, found 2,106 (over the budget)"
    )


def test_characters_that_xml_cannot_hold_are_replaced():
    odd = replace(doubtful(), target={"name": "a\x00\x1b<&>\"'\ud800b"})
    assert junit(render(odd, "junit")).find("testsuite").get("name") == "a\ufffd\ufffd<&>\"'\ufffdb"
