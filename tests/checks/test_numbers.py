"""What two numbers of two reports say about each other, as far as both are known."""

import pytest

from cnninspect.checks.numbers import EXACT, compare_fields, compare_quantities, parse_tolerance
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField

WITHIN = parse_tolerance("10%").others
KINDS = {"=": Status.EXACT, ">": Status.LOWER_BOUND, "<": Status.UPPER_BOUND, "?": Status.UNKNOWN}


def macs(text):
    """`=100` is exact, `>100` and `<100` are bounds, `?` is unknown, `?0` what a counter without formula says."""
    return Quantity(int(text[1:]) if text[1:] else None, Unit.MACS, KINDS[text[0]])


PAIRS = [
    # expected, found, margin, verdict
    ("=100", "=100", EXACT, "match"),
    ("=100", "=101", EXACT, "differ"),
    ("=100", "=99", EXACT, "differ"),
    ("=100", "=110", WITHIN, "match"),
    ("=100", "=111", WITHIN, "differ"),
    (">100", ">100", EXACT, "unknown"),  # two numbers of at least 100
    (">100", ">120", EXACT, "unknown"),  # both may be 120
    ("<100", "<120", EXACT, "unknown"),  # both may be 100
    ("=100", ">101", EXACT, "differ"),  # at least 101 is not 100
    ("=100", ">100", EXACT, "unknown"),
    ("=100", ">105", WITHIN, "unknown"),
    (">101", "=100", EXACT, "differ"),
    ("=100", "<99", EXACT, "differ"),
    ("=100", "<200", EXACT, "unknown"),
    ("?", "=100", EXACT, "unknown"),
    ("=100", "?", EXACT, "unknown"),
    ("?", "?", EXACT, "unknown"),
    ("?0", "=0", EXACT, "unknown"),  # a counter that does not know the op is not evidence
]


@pytest.mark.parametrize(
    ("expected", "found", "margin", "verdict"), PAIRS, ids=[f"{p[0]} {p[1]} within {p[2].text}" for p in PAIRS]
)
def test_quantities(expected, found, margin, verdict):
    assert compare_quantities("macs", macs(expected), macs(found), margin).verdict == verdict


def test_a_shape_without_formula_was_seen_all_the_same():
    def seen(*shape):
        return Quantity((shape,), Unit.SHAPE, Status.UNKNOWN, None, {"hooks": (shape,)}, Verdict.UNKNOWN)

    assert compare_quantities("output_shape", seen(1, 8), seen(1, 8), EXACT).verdict is Verdict.MATCH
    assert compare_quantities("output_shape", seen(1, 8), seen(1, 9), EXACT).verdict is Verdict.DIFFER


def test_bounds_stay_bounds():
    compared = compare_quantities("macs", macs(">100"), macs("<120"), EXACT)
    assert (compared.expected_status, compared.found_status) == (Status.LOWER_BOUND, Status.UPPER_BOUND)


def field(size, jump=(1, 1), padding=(0, 0), status=Status.EXACT, verdict=Verdict.MATCH):
    return ReceptiveField(size, jump, padding, status, None, verdict)


LOCAL = field((11, 11))
GLOBAL = field(None, None, None)
FIELDS = [
    # id, expected, found, (name, expected, found, verdict)
    ("the same", LOCAL, LOCAL, ("receptive_field", (11, 11), (11, 11), "match")),
    ("larger", LOCAL, field((19, 19), (2, 2)), ("receptive_field", (11, 11), (19, 19), "differ")),
    ("on one axis", LOCAL, field((11, 13)), ("receptive_field", (11, 11), (11, 13), "differ")),
    ("another jump", LOCAL, field((11, 11), (2, 2)), ("jump", (1, 1), (2, 2), "differ")),
    ("another padding", LOCAL, field((11, 11), padding=(1, 1)), ("padding", (0, 0), (1, 1), "differ")),
    ("global now", LOCAL, GLOBAL, ("receptive_field", (11, 11), "global", "differ")),
    ("global both", GLOBAL, GLOBAL, ("receptive_field", "global", "global", "match")),
    ("a bound", LOCAL, field((13, 13), status=Status.LOWER_BOUND), ("receptive_field", (11, 11), (13, 13), "unknown")),
    (
        "not known",
        LOCAL,
        field(None, None, None, Status.UNKNOWN, Verdict.UNKNOWN),
        ("receptive_field", (11, 11), None, "unknown"),
    ),
]


@pytest.mark.parametrize(("expected", "found", "result"), [case[1:] for case in FIELDS], ids=[c[0] for c in FIELDS])
def test_fields(expected, found, result):
    compared = compare_fields(expected, found)
    assert (compared.name, compared.expected, compared.found, compared.verdict.value) == result


def test_a_field_that_was_not_asked_for_is_not_compared():
    assert compare_fields(ReceptiveField(), LOCAL) is compare_fields(LOCAL, ReceptiveField()) is None
