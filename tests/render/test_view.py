"""Which rows are shown, and what stands above them."""

import csv
import html
from io import StringIO

import pytest
from torch import nn

from cnninspect import inspect_model
from cnninspect.render import Format, render
from cnninspect.render.page import Screen
from cnninspect.report.document import FieldStudy
from cnninspect.report.selection import Ops, View, select, shown_leaves
from tests.render.samples import report, row, tiny


def names(rows):
    return [f"{each.path} {each.kind}".strip() for each in rows]


ALL = ["Net", "stem Conv2d", "F.relu", "block Sequential", "block.0 Conv2d", "block.1 BatchNorm2d", "F.max_pool2d"]

SELECTIONS = [
    ("default", View(), [*ALL, "fc Linear"]),
    ("all ops", View(ops=Ops.ALL), [*ALL, "Tensor.view", "fc Linear"]),
    ("no ops", View(ops=Ops.NONE), ["Net", *ALL[1:2], *ALL[3:6], "fc Linear"]),
    ("depth 1", View(depth=1), [*ALL[:4], "F.max_pool2d", "fc Linear"]),
    ("depth 1, no ops", View(depth=1, ops=Ops.NONE), ["Net", "stem Conv2d", "block Sequential", "fc Linear"]),
    ("depth 0", View(depth=0), ["Net"]),
    ("deeper than the network", View(depth=9), [*ALL, "fc Linear"]),
]


@pytest.mark.parametrize(("view", "expected"), [case[1:] for case in SELECTIONS], ids=[case[0] for case in SELECTIONS])
def test_rows_of_a_view(view, expected):
    assert names(select(tiny(), view).rows) == expected


def test_blocks_of_a_list_that_is_never_called_stay_visible_at_depth_1():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("blocks.0", "Block", (1, 8), leaf=False),
        row("blocks.0.fc", "Linear", (1, 8), parent=1),
        row("blocks.0", "F.relu", (1, 8), parent=1),
        row("blocks.1", "Block", (1, 8), leaf=False),
        row("blocks.1.fc", "Linear", (1, 8), parent=4),
    )
    shown = select(report(rows, params=0, macs=0, neurons=0), View(depth=1)).rows
    assert names(shown) == ["Net", "blocks.0 Block", "blocks.1 Block"]


def test_parents_count_among_the_rows_that_are_shown():
    shown = select(tiny(), View(ops=Ops.NONE)).rows
    assert [each.parent for each in shown] == [None, 0, 0, 2, 2, 0]


def test_a_row_whose_caller_is_hidden_stands_below_the_nearest_row_that_is_shown():
    rows = (
        row("", "Net", (1, 8), parent=None, leaf=False),
        row("b", "Sequential", (1, 8), leaf=False),
        row("b.c", "Sequential", (1, 8), parent=1, leaf=False),
        row("shared", "Linear", (1, 8), parent=2),
    )
    shown = select(report(rows, params=0, macs=0, neurons=0), View(depth=1)).rows
    assert [(each.path, each.parent) for each in shown] == [("", None), ("b", 0), ("shared", 1)]


def test_totals_do_not_depend_on_the_view():
    assert select(tiny(), View(depth=0)).totals == tiny().totals


def test_a_container_whose_rows_are_hidden_is_a_leaf_of_the_view():
    shown = select(tiny(), View(depth=1, ops=Ops.NONE))
    assert [shown.rows[index].path for index in sorted(shown_leaves(shown))] == ["stem", "block", "fc"]


def test_a_tick_covers_what_stands_before_it():
    """Without a probe the field is a formula alone: it stands behind the sign, and the legend says so."""
    unprobed, probed = (inspect_model("lenet5", probe=probe) for probe in (False, True))
    for document, last, words in ((unprobed, "field", "all but the field"), (probed, "✓", "matches")):
        lines = render(document, screen=Screen(100)).splitlines()
        assert lines[2].split()[-1] == last
        assert any(line.startswith(f" ✓ {words}") for line in lines)
        page = html.unescape(document._repr_html_())
        assert ("✓ all but the field: probe=True checks it" in page) is (document is unprobed)
        rows = list(csv.DictReader(StringIO(render(document, Format.CSV))))
        assert {row["receptive_field_verdict"] for row in rows} == {"not_run" if document is unprobed else "match"}
    study = FieldStudy.of(unprobed, command="rf")
    assert "fields not checked: --probe checks them" in render(study)


def test_folding_is_for_readers_who_ask_for_it_or_have_a_terminal():
    equal = inspect_model(nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6))), inputs=["1x8x8x8"])
    assert f"×5, each {8 * 8 * 3 * 3 + 8}" in render(equal, screen=Screen(140))
    assert f"×5, each {8 * 8 * 3 * 3 + 8}" in render(equal, view=View(fold=True))
    assert "×" not in render(equal)
    assert render(equal, Format.CSV, view=View(fold=True)) == render(equal, Format.CSV)
