"""The table of layers: names, shares, columns."""

from dataclasses import replace

import pytest

from cnninspect.render.layers import layer_sheet, programs, readers
from cnninspect.render.page import UNICODE
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from cnninspect.report.selection import View
from tests.render.samples import agreed, doubtful, report, row, tiny


def column(sample, name, view=None, full=False):
    sheet = layer_sheet(sample, view or View(), UNICODE, (name,), full=full)
    return [line[0] for line in sheet.lines]


def texts(sample, name, **options):
    return [cell.text for cell in column(sample, name, **options)]


def test_names_are_indented_below_their_caller_and_the_root_has_no_line():
    assert texts(tiny(), "layer") == ["stem", "·", "block", "  0", "  1", "·", "fc"]


def test_full_names_are_whole_paths():
    assert texts(tiny(), "layer", full=True) == ["stem", "·", "block", "  block.0", "  block.1", "·", "fc"]


def test_many_shapes_are_shortened_on_a_terminal_only():
    shapes = ((1, 64, 3, 49, 32),) * 3
    several = row("qkv", "Tensor.unbind", shapes[0], output_shape=agreed(shapes, Unit.SHAPE, "hooks"))
    sample = report((row("", "Net", (1, 8), parent=None, leaf=False), several), params=0, macs=0, neurons=0)
    assert texts(sample, "output_shape") == ["64x3x49x32 and 2 more"]
    assert texts(sample, "output_shape", full=True) == ["64x3x49x32, 64x3x49x32, 64x3x49x32"]


def test_a_functional_call_has_the_path_of_its_module_among_full_names():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("mix", "Mix", (1, 8)),
        row("mix", "F.relu", (1, 8), parent=1),
    )
    assert texts(report(rows, params=0, macs=0, neurons=0), "layer", full=True) == ["mix", "  mix ·"]


def test_a_root_that_is_all_there_is_has_a_line():
    only = report((row("", "Conv2d", (1, 8, 8, 8), parent=None),), params=0, macs=0, neurons=0)
    assert texts(only, "layer") == ["(Conv2d)"]


def test_a_second_use_is_marked():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("pool", "Pool", (1, 8)),
        row("pool", "Pool", (1, 8), call=1),
    )
    assert texts(report(rows, params=0, macs=0, neurons=0), "layer") == ["pool", "pool use 2"]


def test_a_module_outside_its_caller_keeps_its_path():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("left", "Branch", (1, 8), leaf=False),
        row("right.shared", "Linear", (1, 8), parent=1),
    )
    assert texts(report(rows, params=0, macs=0, neurons=0), "layer") == ["left", "  right.shared"]


def test_shares():
    # 13824 / 51968 = 26.6 %, 36864 / 51968 = 70.9 %, 1280 / 51968 = 2.5 %; a bar of 10 cells is 100 %,
    # in steps of an eighth: 80 * 0.266 = 21 for the stem, 80 * 0.709 = 57 for block.0, 80 * 0.025 = 2 for fc;
    # a container has no bar of its own.
    assert texts(tiny(), "share") == [
        "██▋          26.6 %",
        "",
        "             70.9 %",
        "███████▏     70.9 %",
        "",
        "",
        "▎             2.5 %",
    ]


def test_a_folded_container_has_the_bar_of_its_parts():
    assert "███████▏     70.9 %" in texts(tiny(), "share", view=View(depth=1))


SHARES = [
    # id, MACs of the row, its status, status of the total of 4000, figure
    ("exact", 1000, Status.EXACT, Status.EXACT, "25.0 %"),
    ("tiny but not nothing", 1, Status.EXACT, Status.EXACT, "<0.1 %"),
    ("a bound of an exact total", 1000, Status.LOWER_BOUND, Status.EXACT, "≥25.0 %"),
    ("of a total that is a lower bound", 1000, Status.EXACT, Status.LOWER_BOUND, "≤25.0 %"),
    ("a bound of a bound", 1000, Status.LOWER_BOUND, Status.LOWER_BOUND, "?"),
    ("of an unknown total", 1000, Status.EXACT, Status.UNKNOWN, "?"),
    ("unknown", None, Status.UNKNOWN, Status.EXACT, "?"),
    ("nothing", 0, Status.EXACT, Status.EXACT, ""),
    ("nothing of a bound", 0, Status.EXACT, Status.LOWER_BOUND, ""),
    ("at least nothing", 0, Status.LOWER_BOUND, Status.LOWER_BOUND, "?"),
]


@pytest.mark.parametrize(("macs", "status", "total", "figure"), [c[1:] for c in SHARES], ids=[c[0] for c in SHARES])
def test_shares_of_what_is_not_exact(macs, status, total, figure):
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("fc", "Linear", (1, 8), macs=Quantity(macs, Unit.MACS, status, macs, {}, Verdict.UNKNOWN)),
    )
    whole = report(rows, params=0, macs=4000, neurons=0)
    whole = replace(whole, totals={**whole.totals, "macs": Quantity(4000, Unit.MACS, total)})
    assert texts(whole, "share")[0].strip("█▉▊▋▌▍▎▏ ") == figure.strip()


def test_counters_have_a_column_each():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row(
            "fc",
            "Linear",
            (1, 8),
            macs=Quantity(8, Unit.MACS, Status.EXACT, 8, {"torch": 8, "fvcore": 8}, Verdict.MATCH),
        ),
    )
    sample = report(rows, params=0, macs=8, neurons=0, command="flops")
    sheet = layer_sheet(sample, View(), UNICODE, readers(sample, View()), full=False)
    titles = [heading.title for heading in sheet.headings]
    assert titles == [
        "layer",
        "kind",
        "output",
        "MACs",
        "MACs by torch",
        "MACs by fvcore",
        "share",
        "cumulative",
        "FLOPs",
        "",
    ]


def test_what_a_counter_does_not_count_is_no_zero():
    sheet = layer_sheet(doubtful(), View(columns=("layer", "counters", "reasons")), UNICODE, (), full=False)
    found = {line[0].text: (line[1].text, line[1].plain, line[2].text) for line in sheet.lines}
    assert found["lstm"] == ("not counted", None, "torch does not count lstm")
    assert found["conv"] == ("3,456", 3456, "")
    assert found["state"] == ("", None, "")


def test_the_receptive_field_has_no_column_until_it_was_computed():
    def headings(sample):
        sheet = layer_sheet(sample, View(), UNICODE, readers(sample, View()), full=False)
        return [heading.name for heading in sheet.headings]

    known = replace(tiny().rows[1], receptive_field=ReceptiveField((3, 3), (1, 1), (1, 1), Status.EXACT))
    assert "receptive_field" not in headings(tiny())
    assert "receptive_field" in headings(replace(tiny(), rows=(tiny().rows[0], known)))


def test_the_status_of_a_row_is_that_of_its_least_certain_number():
    assert texts(doubtful(), "status") == ["exact", "unknown", "exact", "", "exact"]


def test_every_column_a_program_gets_is_known():
    sheet = layer_sheet(tiny(), View(), UNICODE, programs(tiny(), View()), full=True)
    names = [heading.plain for heading in sheet.headings]
    assert {"macs_torch", "share_percent", "path", "verdict"} <= set(names)
    assert len(names) == len(set(names))
