"""Build an environment for each pair of Python and torch, run the smoke suite in it, print a table in Markdown.

    python -m tests.matrix                      # all of them, in .matrix/, which takes 5 GB each and an hour
    python -m tests.matrix --only 3.10-2.6.0    # some of them
    python -m tests.matrix --home DIR           # environments that lie elsewhere; those that exist are used again

A Python that is not on the PATH, nor among pyenv's, makes its row say "not run". Failures are listed below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

from tests.matrix.smoke import failures

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHECKS = ("zoo", "torchvision", "compare", "claims", "formats", "devices")
NEEDED = (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["zoo"], "setuptools>=77")
"""What the package says that it needs, beside the versions of a cell."""


@dataclass(frozen=True)
class Cell:
    """One environment: versions of Python, torch and the torchvision that was built for this torch."""

    python: str
    torch: str
    torchvision: str

    @property
    def name(self) -> str:
        """What it is called on the command line and, with a prefix, on disk."""
        return f"{self.python}-{self.torch}"


CELLS = (
    Cell("3.10", "2.6.0", "0.21.0"),
    Cell("3.12", "2.6.0", "0.21.0"),
    Cell("3.13", "2.9.1", "0.24.1"),
    Cell("3.11", "2.13.0", "0.28.0"),
    Cell("3.11", "2.14.1", "0.29.1"),
    Cell("3.12", "2.14.1", "0.29.1"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / ".matrix", help="where the environments are")
    parser.add_argument("--only", nargs="+", default=[cell.name for cell in CELLS], help="such as 3.10-2.6.0")
    options = parser.parse_args(arguments)
    found = {cell: checked(cell, options.home) for cell in CELLS if cell.name in options.only}
    print("\n".join(report(found)))
    return int(any(isinstance(results, Mapping) and any(map(failures, results.values())) for results in found.values()))


Results = Mapping[str, Sequence[tuple[str, str | None]]]


def checked(cell: Cell, home: Path) -> Results | str:
    """What each check of the smoke suite found, or why it was not run."""
    print(f"{cell.name}: building", file=sys.stderr, flush=True)
    try:
        python = built(cell, home / f"py{cell.python}-torch{cell.torch}")
    except (LookupError, subprocess.CalledProcessError) as error:
        return f"not run: {error}"
    print(f"{cell.name}: running", file=sys.stderr, flush=True)
    done = subprocess.run([python, "-m", "tests.matrix.smoke"], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {check: [("the smoke suite", last)] for check in CHECKS}


def built(cell: Cell, folder: Path) -> Path:
    """The Python of the environment, which is made unless it is there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter(cell.python), "-m", "venv", folder], check=True)
    wanted = [f"torch=={cell.torch}", f"torchvision=={cell.torchvision}", *NEEDED]
    # A CPU wheel of torch needs a torchvision that the resolver takes for another build's.
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, stdout=sys.stderr)
    return python


def interpreter(version: str) -> str:
    """The command of this Python: from the PATH or from pyenv; LookupError if it is not here."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(str(path) for path in pyenv.glob(f"{version}.*/bin/python"))
    found = next(iter(installed), None) or shutil.which(f"python{version}")
    if found is None:
        raise LookupError(f"no Python {version} here")
    return found


def report(found: Mapping[Cell, Results | str]) -> Iterator[str]:
    """The lines of the table, and of what failed."""
    yield f"Run on {date.today().isoformat()}; a cell is the number of checks that passed of those that were made."
    yield ""
    yield f"| Python | torch | torchvision | {' | '.join(CHECKS)} |"
    yield "|---" * (3 + len(CHECKS)) + "|"
    wrong = []
    for cell, results in found.items():
        shown = [results] * len(CHECKS) if isinstance(results, str) else [passed(results[check]) for check in CHECKS]
        yield f"| {cell.python} | {cell.torch} | {cell.torchvision} | {' | '.join(shown)} |"
        if not isinstance(results, str):
            wrong += [f"- {cell.name}: {line}" for check in CHECKS for line in failures(results[check])]
    yield from ["", *wrong] if wrong else []


def passed(results: Sequence[tuple[str, str | None]]) -> str:
    """`27/27`."""
    return f"{len(results) - len(failures(results))}/{len(results)}"


if __name__ == "__main__":
    sys.exit(main())
