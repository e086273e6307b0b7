"""The walls between the rooms, by walking the imports of the package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cnninspect

ROOT = Path(cnninspect.__file__).parent


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"no files in {room}"
    return found


WALLS = [
    # room, rooms it must not see, why
    ("ops", ("measure", "receptive", "inspection", "report.document", "report.field"), "no measured number"),
    ("receptive", ("measure", "ops", "inspection"), "analytic never reads measured"),
    ("measure", ("ops", "receptive", "inspection"), "no formula"),
    ("trace", ("ops", "receptive", "measure", "targets", "zoo", "inspection"), "knows no formula"),
    ("targets", ("trace", "ops", "receptive", "measure", "inspection"), "knows only models"),
    ("zoo", ("targets", "trace", "ops", "receptive", "measure", "inspection"), "plain networks"),
    ("checks", ("measure", "receptive", "targets.resolve", "inspection"), "sees reports and formulas"),
    ("claims", ("measure", "receptive", "targets.resolve", "inspection"), "sees reports and formulas"),
    ("config", ("trace", "ops", "report", "checks", "inspection"), "knows no command"),
    ("inspection", ("zoo",), "joins both sides, knows no screen"),
    ("render", ("trace", "ops", "receptive", "measure", "targets", "zoo", "inspection"), "sees the report"),
]
OUTER = ("cli", "render")
"""Rooms that no room but an outer one sees."""


@pytest.mark.parametrize(("room", "forbidden"), [wall[:2] for wall in WALLS], ids=[wall[0] for wall in WALLS])
def test_rooms_do_not_look_over_their_walls(room, forbidden):
    seen = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room)
        for name in imports_of(path)
        for other in (*forbidden, *(outer for outer in OUTER if outer != room))
        if f"{name}.".startswith(f"cnninspect.{other}.")
    }
    assert not seen


def test_the_conversion_from_macs_to_flops_stands_in_one_place():
    users = [path for path in ROOT.rglob("*.py") if "FLOPS_PER_MAC" in path.read_text()]
    assert [path.name for path in users] == ["quantities.py"]


MODULES_WITHOUT_TORCH = [
    "cnninspect",
    "cnninspect.cli.app",
    "cnninspect.cli.many",
    "cnninspect.targets.grammar",
    "cnninspect.claims.judge",
    "cnninspect.config.file",
]


@pytest.mark.parametrize("module", MODULES_WITHOUT_TORCH)
def test_these_modules_do_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_a_command_does_not_ask_for_is_not_imported():
    code = """
import sys
from cnninspect.cli.app import run
run(["-q", "summary", "lenet5", "-o", "/dev/null"])
sys.exit(any(name.startswith("cnninspect.inspection.accounts") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
