"""Which line a check is about."""

from dataclasses import replace

import pytest

from cnninspect.render.checks import lines_of
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check, RowId
from tests.render.samples import report, row

ROWS = (
    row("", "Net", (1, 10), parent=None, leaf=False, where="nets.py:10"),
    row("block", "Block", (1, 8, 8, 8), leaf=False, where="nets.py:2"),
    row("block.conv", "Conv2d", (1, 8, 8, 8), parent=1, where="nets.py:4"),
    row("block.conv", "Conv2d", (1, 8, 8, 8), parent=1, call=1, where="nets.py:5"),
    row("block", "F.relu", (1, 8, 8, 8), parent=1, where="nets.py:7"),
    row("block", "F.gelu", (1, 8, 8, 8), parent=1),
    row("total", "Linear", (1, 10), where="nets.py:12"),
)

CHECKS = [
    # id, row, line
    ("module", RowId("block.conv", "Conv2d"), "nets.py:4"),
    ("second use", RowId("block.conv", "Conv2d", 1), "nets.py:5"),
    ("function", RowId("block", "F.relu", functional=True), "nets.py:7"),
    ("a function without a line goes by its module", RowId("block", "F.gelu", functional=True), "nets.py:2"),
    ("a layer that is gone goes by what is around it", RowId("block.norm.scale", "Mul"), "nets.py:2"),
    ("a layer that has another kind now", RowId("block.conv", "ConvTranspose2d"), "nets.py:4"),
    ("all of it is gone", RowId("other.norm", "BatchNorm2d"), "nets.py:10"),
    ("total", None, "nets.py:10"),
    ("a module called total", RowId("total", "Linear"), "nets.py:12"),
    ("a claim about a module called total names no kind", RowId("total", ""), "nets.py:12"),
]


@pytest.mark.parametrize(("row_id", "line"), [case[1:] for case in CHECKS], ids=[case[0] for case in CHECKS])
def test_line_of_a_check(row_id, line):
    check = Check("params", row_id, 1, 2, "baseline", Verdict.DIFFER)
    assert lines_of(report(ROWS, params=0, macs=0, neurons=0))(check) == line


def test_without_lines_there_is_none():
    rows = tuple(replace(row, where=None) for row in ROWS)
    check = Check("params", RowId("block.conv", "Conv2d"), 1, 2, "baseline", Verdict.DIFFER)
    assert lines_of(report(rows, params=0, macs=0, neurons=0))(check) is None
