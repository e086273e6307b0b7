"""How numbers, shapes and fields look."""

import pytest

from cnninspect.render.numbers import dimensions, field_text, mebibytes, number_cell, per_axis, shapes_text
from cnninspect.render.page import ASCII, UNICODE, Tone
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField

COUNTS = [
    # id, value, status, verdict, text, plain, tone
    ("exact", 1234567, Status.EXACT, Verdict.MATCH, "1,234,567", 1234567, Tone.PLAIN),
    ("differs", 12, Status.EXACT, Verdict.DIFFER, "12", 12, Tone.DIFFER),
    ("lower bound", 1234, Status.LOWER_BOUND, Verdict.UNKNOWN, "≥1,234", 1234, Tone.PLAIN),
    ("upper bound", 1234, Status.UPPER_BOUND, Verdict.MATCH, "≤1,234", 1234, Tone.PLAIN),
    ("zero", 0, Status.EXACT, Verdict.MATCH, "·", 0, Tone.QUIET),
    ("a zero that is only a bound", 0, Status.LOWER_BOUND, Verdict.UNKNOWN, "≥0", 0, Tone.PLAIN),
    ("a zero that is wrong", 0, Status.EXACT, Verdict.DIFFER, "0", 0, Tone.DIFFER),
    ("unknown", None, Status.UNKNOWN, Verdict.UNKNOWN, "?", None, Tone.UNKNOWN),
    ("a value nobody vouches for", 7, Status.UNKNOWN, Verdict.UNKNOWN, "?", None, Tone.UNKNOWN),
]


@pytest.mark.parametrize(
    ("value", "status", "verdict", "text", "plain", "tone"), [c[1:] for c in COUNTS], ids=[c[0] for c in COUNTS]
)
def test_counts(value, status, verdict, text, plain, tone):
    cell = number_cell(Quantity(value, Unit.MACS, status, value, {}, verdict), UNICODE)
    assert (cell.text, cell.plain, cell.tone) == (text, plain, tone)


def test_a_row_without_a_number_has_an_empty_cell():
    cell = number_cell(None, UNICODE)
    assert (cell.text, cell.plain) == ("", None)


def test_bounds_have_ascii_signs():
    assert number_cell(Quantity(5, Unit.MACS, Status.LOWER_BOUND), ASCII).text == ">=5"


MEMORY = [
    ("nothing", 0, "0.00 MiB"),
    ("less than a hundredth", 10_000, "10,000 bytes"),
    ("a hundredth", 10_486, "0.01 MiB"),
    # 45,463,084 parameters of 4 bytes: 181,852,336 / 1,048,576 = 173.43
    ("custom-alexnet", 45_463_084 * 4, "173.43 MiB"),
    ("two gibibytes", 2 * 1024 * 2**20, "2,048.00 MiB"),
]


@pytest.mark.parametrize(("count", "text"), [case[1:] for case in MEMORY], ids=[case[0] for case in MEMORY])
def test_memory(count, text):
    assert mebibytes(count) == text


SHAPES = [
    ("one sample", ((1, 64, 55, 55),), True, "64x55x55"),
    ("a batch", ((64, 12, 32, 32),), False, "64x12x32x32"),
    ("no batch dimension in a run of one sample", ((49, 96),), True, "49x96"),
    ("a leading 1 in a batch", ((1, 49, 96),), False, "1x49x96"),
    ("several", ((1, 8, 4), (1, 8)), True, "8x4, 8"),
    ("a scalar", ((),), True, "scalar"),
    ("one number", ((1,),), True, "1"),
    ("none", (), True, ""),
]


@pytest.mark.parametrize(("shapes", "single", "text"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES])
def test_shapes(shapes, single, text):
    assert shapes_text(shapes, single=single) == text


def test_dimensions_are_written_as_users_type_them():
    assert dimensions((1, 3, 224, 224)) == "1x3x224x224"


FIELDS = [
    ("square", ReceptiveField(size=(435, 435)), "435"),
    ("oblong", ReceptiveField(size=(31, 91)), "31x91"),
    ("by output phase", ReceptiveField(size=((188, 204), (188, 204))), "188..204"),
    ("one dimension", ReceptiveField(size=(61,)), "61"),
    ("global", ReceptiveField(size=None, status=Status.EXACT), "global"),
    ("of nothing", ReceptiveField(size=(0, 0), status=Status.EXACT), "0"),
]


@pytest.mark.parametrize(("field", "text"), [case[1:] for case in FIELDS], ids=[case[0] for case in FIELDS])
def test_receptive_fields(field, text):
    assert field_text(field) == text


@pytest.mark.parametrize(("values", "text"), [((32, 32), "32"), ((2, 4), "2x4"), (("1/2", "1/2"), "1/2")])
def test_values_per_axis(values, text):
    assert per_axis(values) == text
