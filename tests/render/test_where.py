"""Which line a check is about."""

from dataclasses import replace

import pytest

from cnninspect.render.where import lines_of
from cnninspect.report.document import Check
from cnninspect.report.quantities import Verdict
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
    # id, path, call, kind, line
    ("module", "block.conv", 0, "Conv2d", "nets.py:4"),
    ("second use", "block.conv", 1, "Conv2d", "nets.py:5"),
    ("function", "block", 0, "F.relu", "nets.py:7"),
    ("a function without a line goes by its module", "block", 0, "F.gelu", "nets.py:2"),
    ("a layer that is gone goes by what is around it", "block.norm.scale", 0, "Mul", "nets.py:2"),
    ("a layer that has another kind now", "block.conv", 0, "ConvTranspose2d", "nets.py:4"),
    ("all of it is gone", "other.norm", 0, "BatchNorm2d", "nets.py:10"),
    ("total", "total", 0, "", "nets.py:10"),
    ("a module called total", "total", 0, "Linear", "nets.py:12"),
]


@pytest.mark.parametrize(
    ("path", "call", "kind", "line"), [case[1:] for case in CHECKS], ids=[case[0] for case in CHECKS]
)
def test_line_of_a_check(path, call, kind, line):
    check = Check("params", path, call, kind, 1, 2, "baseline", Verdict.DIFFER)
    assert lines_of(report(ROWS, params=0, macs=0, neurons=0))(check) == line


def test_without_lines_there_is_none():
    rows = tuple(replace(row, where=None) for row in ROWS)
    check = Check("params", "block.conv", 0, "Conv2d", 1, 2, "baseline", Verdict.DIFFER)
    assert lines_of(report(rows, params=0, macs=0, neurons=0))(check) is None
