"""Budgets: the most and the least of something. The numbers of samples are worked out in tests/render/samples.py."""

from dataclasses import replace
from fractions import Fraction

import pytest

from cnninspect.checks import KINDS, check_budgets, parse_budget, with_checks
from cnninspect.errors import UsageError
from cnninspect.render import render_text
from cnninspect.render.checks import sentence
from cnninspect.report.document import Document
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from tests.render.samples import doubtful, tiny


def judged(report, name, limit):
    """The checks of one budget: (path, found, verdict)."""
    return [
        (check.path, check.found, check.verdict.value) for check in check_budgets(report, [parse_budget(name, limit)])
    ]


def with_total(name, number):
    return replace(tiny(), totals={**tiny().totals, name: number})


def macs(value, status, verdict=Verdict.UNKNOWN, **measured):
    return with_total("macs", Quantity(value, Unit.MACS, status, value, measured, verdict))


def field(*sizes, status=Status.EXACT):
    found = ReceptiveField(sizes or None, (1,) * len(sizes) or None, None, status, None, Verdict.MATCH)
    return with_total("receptive_field", found)


def memory(nbytes):
    return with_total("peak_memory", Quantity(nbytes, Unit.BYTES))


LEAST = Status.LOWER_BOUND
MOST = Status.UPPER_BOUND
BUDGETS = [
    # id, report, budget, limit, found, verdict
    ("within", tiny(), "max_params", "2106", 2106, "match"),
    ("over", tiny(), "max_params", "2.1K", 2106, "differ"),
    ("MACs", tiny(), "max_macs", "51967", 51968, "differ"),
    ("FLOPs are twice as many", tiny(), "max_flops", "103935", 2 * 51968, "differ"),
    ("within in FLOPs", tiny(), "max_flops", "103936", 2 * 51968, "match"),
    ("memory", memory(200_000_001), "max_peak_memory", "200MB", 200_000_001, "differ"),
    ("memory in powers of 1024", memory(200 * 2**20), "max_peak_memory", "200MiB", 200 * 2**20, "match"),
    ("no memory in an older report", tiny(), "max_peak_memory", "1GB", None, "unknown"),
    ("a lower bound within may be over", macs(100, LEAST), "max_macs", "200", 100, "unknown"),
    ("a lower bound over is over", macs(201, LEAST), "max_macs", "200", 201, "differ"),
    ("an upper bound over may be within", macs(201, MOST), "max_macs", "200", 201, "unknown"),
    ("an upper bound within is within", macs(200, MOST), "max_macs", "200", 200, "match"),
    ("unknown", macs(None, Status.UNKNOWN), "max_macs", "200", None, "unknown"),
    ("what a counter without formula says", macs(0, Status.UNKNOWN, torch=0), "max_macs", "200", None, "unknown"),
    (
        "formula and measurement differ on both sides of it",
        macs(100, Status.EXACT, Verdict.DIFFER, torch=300),
        "max_macs",
        "200",
        100,
        "unknown",
    ),
    (
        "formula and measurement differ, both over",
        macs(300, Status.EXACT, Verdict.DIFFER, torch=400),
        "max_macs",
        "200",
        300,
        "differ",
    ),
    ("a field large enough", field(11, 11), "min_rf", "11", (11, 11), "match"),
    ("too small on one axis", field(11, 9), "min_rf", "11", (11, 9), "differ"),
    ("too large on one axis", field(9, 11), "max_rf", "10", (9, 11), "differ"),
    ("too small at some positions", field((9, 12), 12), "min_rf", "10", ((9, 12), 12), "differ"),
    ("too large at some positions", field((9, 12), 9), "max_rf", "10", ((9, 12), 9), "differ"),
    ("a range as a run gives it", field([9, 12], 9), "max_rf", "10", ([9, 12], 9), "differ"),
    ("global is large enough", field(), "min_rf", "1000", "global", "match"),
    ("global is too large", field(), "max_rf", "1000", "global", "differ"),
    ("unknown field", field(status=Status.UNKNOWN), "min_rf", "1", None, "unknown"),
    ("no field was asked for", with_total("receptive_field", ReceptiveField()), "min_rf", "1", None, "unknown"),
]


@pytest.mark.parametrize(
    ("report", "name", "limit", "found", "verdict"), [case[1:] for case in BUDGETS], ids=[case[0] for case in BUDGETS]
)
def test_budgets(report, name, limit, found, verdict):
    assert judged(report, name, limit) == [("total", found, verdict)]


# tiny has 51968 MACs: stem 13824 (26.6010 %), block.0 36864 (70.9360 %), fc 1280.
SHARES = [
    ("all within: the largest", tiny(), "71%", [("block.0", 70.936, "match")]),
    ("one over", tiny(), "70%", [("block.0", 70.936, "differ")]),
    ("two over", tiny(), "26.6%", [("stem", 26.601, "differ"), ("block.0", 70.936, "differ")]),
]


@pytest.mark.parametrize(("report", "limit", "found"), [case[1:] for case in SHARES], ids=[case[0] for case in SHARES])
def test_shares_of_layers(report, limit, found):
    assert judged(report, "max_layer_share", limit) == found


def test_shares_of_a_total_that_is_a_lower_bound():
    """conv has at most 13824/16036, less if the layer without formula has MACs; what that layer has nobody knows."""
    checks = check_budgets(doubtful(), [parse_budget("max_layer_share", "50%")])
    assert [(check.path, check.found, check.verdict.value, check.hint) for check in checks] == [
        ("conv", 86.206, "unknown", "at most, since the total is a lower bound"),
        ("mix", None, "unknown", "its MACs are not known"),
    ]


def test_a_check_says_what_is_over():
    (check,) = check_budgets(tiny(), [parse_budget("max_params", "2K")])
    assert (check.name, check.expected, check.found, check.source, check.hint) == (
        "params",
        2000,
        2106,
        "budget",
        "over the budget",
    )


LIMITS = [
    ("max_params", "5M", 5_000_000),
    ("max_macs", "600M", 600_000_000),
    ("max_flops", "1.2G", 1_200_000_000),
    ("max_peak_memory", "200MB", 200_000_000),
    ("max_peak_memory", "200MiB", 200 * 2**20),
    ("min_rf", "200", 200),
    ("max_rf", "1K", 1000),
    ("max_layer_share", "40%", Fraction(2, 5)),
]


@pytest.mark.parametrize(("name", "text", "limit"), LIMITS, ids=[f"{case[0]} {case[1]}" for case in LIMITS])
def test_limits(name, text, limit):
    assert parse_budget(name, text).limit == limit


def test_every_budget_has_a_row_here():
    assert {case[0] for case in LIMITS} == set(KINDS)


WRONG = [
    ("max_parms", "5M", "no budget is called 'max_parms'. Nearest: max_params"),
    ("max_params", "5MB", "--max-params: '5MB' is not a size"),
    ("max_layer_share", "0.4", "--max-layer-share: '0.4' is not a share"),
    ("max_layer_share", "140%", "--max-layer-share: no layer can have more than 140%; write less than 100%"),
    ("max_layer_share", "100%", "--max-layer-share: no layer can have more than 100%"),
]


@pytest.mark.parametrize(("name", "text", "words"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_no_budget(name, text, words):
    with pytest.raises(UsageError, match=words):
        parse_budget(name, text)


@pytest.mark.parametrize(
    ("status", "text"),
    [(LEAST, "budget 200, found ≥100"), (MOST, "budget 200, found ≤100"), (Status.EXACT, "found 100")],
)
def test_a_bound_keeps_its_sign(status, text):
    (check,) = check_budgets(macs(100, status), [parse_budget("max_macs", "200")])
    assert check.found_status is status
    assert text in sentence(check)


def test_a_bound_keeps_its_sign_in_tables_and_json():
    checks = check_budgets(macs(100, LEAST), [parse_budget("max_macs", "200")])
    document = with_checks(macs(100, LEAST), checks)
    assert "≥100" in render_text(document)
    assert document.to_dict()["checks"][0]["found_status"] == "lower_bound"
    assert Document.from_dict(document.to_dict()).checks == checks
