"""What the totals say about receptive fields, and the signs in their column."""

from dataclasses import replace

import pytest

from cnninspect.render import render
from cnninspect.render.fields import field_facts
from cnninspect.report.document import Report
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import ReceptiveField
from cnninspect.report.selection import View
from cnninspect.report.swept import swept
from tests.render.samples import tiny

IMAGE = (8, 8)
SMALL = ReceptiveField((5, 5), (2, 2), (1, 1), Status.EXACT, image=IMAGE)
LARGE = ReceptiveField((5, 11), (2, 2), (1, 4), Status.EXACT, image=IMAGE)
VARIED = ReceptiveField(((6, 9), (6, 8)), ("1/2", 1), (1, 1), Status.EXACT, image=IMAGE)
GATED = replace(SMALL, cause="se.avgpool", layer="last")
ALONG = replace(SMALL, global_along=("norm", "se.pool"), layer="last")
COLUMNS = replace(SMALL, global_along=(None, "norm"), layer="last")
PLANES = ReceptiveField((3, 5, 5), (1, 1, 1), (1, 2, 2), Status.EXACT, image=(9, 9, 9), global_along=("n", None, "n"))
WHOLE = ReceptiveField(status=Status.EXACT, cause="fc", image=IMAGE)
UNKNOWN = ReceptiveField(status=Status.UNKNOWN, cause="aten.grid_sampler_2d")

SAID = [
    # total, fields of the first rows below the root, what is said
    ("small", SMALL, (SMALL,), [("field", "5x5, jump 2, padding 1 at the last spatial map", "")]),
    (
        "larger along one axis",
        LARGE,
        (SMALL, LARGE),
        [
            ("field", "5x11, jump 2, padding 1x4 at the last spatial map", ""),
            ("  *", "larger than the input, 8x8", ""),
        ],
    ),
    (
        "larger at some positions",
        VARIED,
        (VARIED,),
        [
            ("field", "6..9x6..8, jump 1/2x1, padding 1 at the last spatial map", ""),
            ("  *", "larger than the input, 8x8", ""),
        ],
    ),
    (
        "gated, then global",
        GATED,
        (GATED, WHOLE),
        [
            ("field", "5x5, jump 2, padding 1 at the last spatial map (last)", ""),
            ("  global", "from F.relu on", "counting gates and statistics from se.avgpool on"),
        ],
    ),
    (
        "gated",
        GATED,
        (GATED,),
        [
            ("field", "5x5, jump 2, padding 1 at the last spatial map (last)", ""),
            ("  global", "counting gates and statistics from se.avgpool on", ""),
        ],
    ),
    (
        "gated along columns, then global",
        COLUMNS,
        (COLUMNS, WHOLE),
        [
            ("field", "5x5, jump 2, padding 1 at the last spatial map (last)", ""),
            ("  global", "from F.relu on", "along columns, counting gates and statistics from norm on"),
        ],
    ),
    (
        "gated along two of three axes",
        PLANES,
        (PLANES,),
        [
            ("field", "3x5x5, jump 1, padding 1x2x2 at the last spatial map", ""),
            ("  global", "along planes and columns, counting gates and statistics from n on", ""),
        ],
    ),
    ("global", WHOLE, (WHOLE,), [("field", "global", ""), ("  global", "from stem on", "")]),
    (
        "no rule",
        ReceptiveField(),
        (SMALL, UNKNOWN, UNKNOWN),
        [("  unknown", "from aten.grid_sampler_2d on (2 rows)", "")],
    ),
    ("no space", ReceptiveField(), (), []),
]


def with_fields(total, fields):
    """The tiny report, whose first leaves (conv, relu...) have these fields and all other rows none."""
    sample = tiny()
    rest = list(fields)
    rows = tuple(replace(row, receptive_field=rest.pop(0) if row.leaf and rest else None) for row in sample.rows)
    return replace(sample, rows=rows, totals={**sample.totals, "receptive_field": total})


@pytest.mark.parametrize(("total", "fields", "said"), [case[1:] for case in SAID], ids=[case[0] for case in SAID])
def test_facts(total, fields, said):
    assert [(fact.label, fact.text, fact.aside) for fact in field_facts(with_fields(total, fields))] == said


CELLS = [
    ("small", SMALL, "5"),
    ("beyond", LARGE, "*5x11"),
    ("varied", VARIED, "*6..9x6..8"),
    ("global", WHOLE, "global"),
    ("unknown", UNKNOWN, "?"),
]


def test_the_cause_of_a_sweep_names_the_axes_as_the_column_does():
    report = with_fields(COLUMNS, [COLUMNS])
    assert swept(report, 1.0).cause == "norm along columns"


CAUSES = [
    ("none", SMALL, ""),
    ("of all axes", GATED, "se.avgpool"),
    ("of one axis", COLUMNS, "norm along columns"),
    ("of two axes", PLANES, "n along planes and columns"),
    ("of each axis its own", ALONG, "norm along rows, se.pool along columns"),
]


@pytest.mark.parametrize(("field", "text"), [case[1:] for case in CAUSES], ids=[case[0] for case in CAUSES])
def test_the_column_of_causes_names_the_axes_if_not_all(field, text):
    view = View(columns=("global",))
    assert render(with_fields(field, [field]), "csv", view=view).split("\n")[1].strip('"') == text


@pytest.mark.parametrize(("field", "text"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS])
def test_the_sign_is_for_readers(field, text):
    sample = with_fields(field, [field])
    view = View(columns=("receptive_field",))
    assert render(sample, "table", view=view).split("\n")[3].strip() == text
    assert render(sample, "csv", view=view).split("\n")[1].strip('"') == text.replace("*", "").replace("?", "")


def test_a_field_survives_the_round_trip():
    field = replace(LARGE, verdict=Verdict.DIFFER, found="NaN reaches further", layer="conv", global_along=("a", None))
    report = replace(tiny(), totals={"receptive_field": field})
    again = Report.from_dict(report.to_dict()).totals["receptive_field"]
    assert vars(again) == vars(field)
