"""The house: which room sees which, no circles, how many files. Offenders are printed with file and line.

Every import counts, also one inside a function or for types only, and one that a registry makes by a computed name.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

import cnninspect

ROOT = Path(cnninspect.__file__).parent
EVERYBODY = ("errors", "files", "plugins", "version", "report")
"""What every room may use: errors and their messages, files, plug-ins and the plain data of reports."""

SEES = {
    # room -> other rooms that its files may import
    "zoo": (),
    # What is private of torch, and the walk through nested arguments, stand in one file each; they see nothing.
    "targets": ("zoo", "trace.private_torch", "trace.trees"),
    "trace": (),
    "receptive": ("trace",),
    # A field rule of an op says which positions it reads, in the words of receptive/; fields themselves are not seen.
    "ops": ("trace", *(f"receptive.{name}" for name in ("bounds", "digits", "knowledge", "reach", "taps"))),
    "measure": ("trace",),
    # Conventions of other counters are arithmetic on the trace, and know neither our formulas nor our measurements.
    "conventions": ("trace",),
    "inspection": ("ops", "receptive", "measure", "trace", "targets", "conventions"),
    # Two networks are aligned by what ops says of kinds and settings; hints put wrong settings into its formulas.
    "checks": ("ops",),
    "claims": ("ops",),
    "explain": ("ops", "receptive", "trace"),
    # Derivations and solutions are documents; what renders them reads nothing else of their room.
    "render": ("explain", "conventions.search"),
    "report": (),
    "testing": ("__init__", "targets", "inspection", "checks", "claims", "explain", "render"),
    "cli": ("inspection", "conventions", "checks", "claims", "explain", "render", "targets"),
    # Files that belong to no room: the public names and the console script.
    "__init__": ("inspection", "extend"),
    "__main__": ("cli",),
    "extend": ("targets", "trace", "receptive", "ops", "measure", "claims", "inspection", "render"),
    **dict.fromkeys(("errors", "files", "plugins", "version"), ()),
}  # fmt: skip
NO_RESULTS = {"report.document": ("zoo", "targets", "trace", "ops", "receptive", "measure"),
              "report.rows": ("zoo", "targets", "trace", "ops", "measure")}  # fmt: skip
"""Files of report/ that hold judged numbers, and the rooms that must not see any."""

FILES = 249
LOOSE_FILES = 7

KNOWN_CIRCLES: set[str] = set()
"""Imports that close a circle today. Whoever mends one takes its line away; there are no others."""

KNOWN_DIRECTIONS: set[str] = set()
"""Imports against the direction of the design today. Whoever mends one takes its line away; there are no others."""


class Import(NamedTuple):
    """One import: the file and line where it stands, the module as written and those of the package it brings."""

    file: str
    line: int
    module: str
    brings: tuple[str, ...]

    @property
    def without_line(self) -> str:
        return f"{self.file} imports {self.module}"

    def __str__(self) -> str:
        return f"cnninspect/{self.file}:{self.line} imports {self.module}"


def name_of(path: Path) -> str:
    """`checks.models`, `checks` for a package's own file, `__init__` for that of the whole."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for path in modules().values() for found in imports_in(path))


def imports_in(path: Path) -> Iterator[Import]:
    file, tree = str(path.relative_to(ROOT)), ast.parse(path.read_text())
    for node in ast.walk(tree):
        for written in names_in(node):
            module = written.removeprefix("cnninspect.") if written != "cnninspect" else "__init__"
            candidates = [module] if "*" not in module else [module.replace("*", word) for word in words_in(tree)]
            brings = tuple(name for name in candidates if name in modules() and name != name_of(path))
            if brings and written.startswith("cnninspect"):
                yield Import(file, node.lineno, module, brings)


def names_in(node: ast.AST) -> Iterator[str]:
    """The modules that one statement imports; `*` stands for the computed part of a name."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        longer = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from {name if name.removeprefix("cnninspect.") in modules() else node.module for name in longer}
    elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
        parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else [node.args[0]]
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)


def words_in(tree: ast.AST) -> Iterator[str]:
    """The strings of a file: a registry that computes the names of modules has their parts among them."""
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def room_of(module: str) -> str:
    return module.partition(".")[0]


def is_allowed(found: Import) -> bool:
    own = room_of(name_of(ROOT / found.file))
    seen = (own, *EVERYBODY, *SEES.get(own, ()))
    hidden = [name for name, rooms in NO_RESULTS.items() if own in rooms]
    return all(any(covers(room, name) for room in seen) and name not in hidden for name in found.brings)


def covers(room: str, name: str) -> bool:
    """Whether a module is this one or stands in this room."""
    return f"{name}.".startswith(f"{room}.")


def against_direction(found: Iterable[Import]) -> list[Import]:
    return [each for each in found if not is_allowed(each)]


def circles(found: Collection[Import]) -> Iterator[list[Import]]:
    """A circle of imports, and then others until none is left when one import of each is taken away."""
    left = list(found)
    while circle := circle_in(left):
        yield circle
        left.remove(circle[0])


def circle_in(found: Iterable[Import]) -> list[Import]:
    edges = {(name_of(ROOT / each.file), name): each for each in found for name in each.brings}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for own, name in edges:
        sorter.add(own, name)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists a circle with each module before the one that imports it.
        nodes = error.args[1][::-1]
        return [edges[pair] for pair in pairwise(nodes)]
    return []


def listed(offenders: Iterable[object]) -> str:
    return "".join(f"\n  {offender}" for offender in offenders)


def test_imports_point_in_the_direction_of_the_design():
    offenders = [each for each in against_direction(imports()) if each.without_line not in KNOWN_DIRECTIONS]
    assert not offenders, f"imports against the direction of docs/architecture.md:{listed(offenders)}"


def test_no_circle_of_files():
    found = list(circles([each for each in imports() if each.without_line not in KNOWN_CIRCLES]))
    assert not found, "circles of files:" + listed(" ->\n    ".join(map(str, circle)) for circle in found)


def test_known_offenders_still_offend():
    """A list that only shrinks: what is mended is no longer excused."""
    mended = KNOWN_DIRECTIONS - {each.without_line for each in against_direction(imports())}
    sound = [each for each in imports() if each.without_line not in KNOWN_CIRCLES]
    closing = {
        each.without_line for each in imports() if each.without_line in KNOWN_CIRCLES and circle_in([*sound, each])
    }
    assert not mended, f"mended: take away from KNOWN_DIRECTIONS:{listed(sorted(mended))}"
    assert closing == KNOWN_CIRCLES, f"mended: take away from KNOWN_CIRCLES:{listed(sorted(KNOWN_CIRCLES - closing))}"


def test_every_room_has_its_line_in_the_table():
    rooms = {room_of(name) for name in modules()}
    assert not rooms - SEES.keys()


def test_the_package_has_few_files():
    assert len(modules()) <= FILES


def test_few_files_stand_in_no_room():
    loose = [path.name for path in ROOT.glob("*.py")]
    assert len(loose) <= LOOSE_FILES, loose


@pytest.mark.parametrize(
    ("file", "text", "module", "brings"),
    [
        ("checks/baseline.py", "from cnninspect.checks import align", "checks", ("checks",)),
        ("checks/baseline.py", "from cnninspect.report import rows", "report.rows", ("report.rows",)),
        ("checks/baseline.py", "def f():\n    import cnninspect.cli.app", "cli.app", ("cli.app",)),
        (
            "checks/baseline.py",
            "x = 'rs'; import_module(f'cnninspect.zoo.few_laye{x}')",
            "zoo.few_laye*",
            ("zoo.few_layers",),
        ),
    ],
    ids=["name", "module", "inside a function", "computed"],
)
def test_every_way_to_import_is_found(tmp_path, monkeypatch, file, text, module, brings):
    path = ROOT / file
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert [(found.module, found.brings) for found in imports_in(path)] == [(module, brings)]


def test_a_planted_circle_and_a_planted_direction_are_found():
    planted = Import("errors.py", 1, "cli.app", ("cli.app",))
    back = Import("cli/app.py", 2, "errors", ("errors",))
    assert circle_in([planted, back]) in ([planted, back], [back, planted])
    assert against_direction([planted, back]) == [planted]


def test_the_conversion_from_macs_to_flops_stands_in_one_place():
    users = [path for path in ROOT.rglob("*.py") if "FLOPS_PER_MAC" in path.read_text()]
    assert [path.name for path in users] == ["quantities.py"]


MODULES_WITHOUT_TORCH = [
    "cnninspect",
    "cnninspect.cli.app",
    "cnninspect.cli.compare",
    "cnninspect.targets.grammar",
    "cnninspect.claims.judge",
    "cnninspect.cli.config_file",
]


def test_these_modules_do_not_import_torch():
    code = "import sys\n" + "\n".join(
        f"import {name}; 'torch' in sys.modules and sys.exit('{name}')" for name in MODULES_WITHOUT_TORCH
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_command_does_not_ask_for_is_not_imported():
    code = """
import sys
from cnninspect.cli.app import run
run(["-q", "summary", "lenet5", "-o", "/dev/null"])
sys.exit(any(name.startswith("cnninspect.inspection.accounts") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
