"""Assertions about reports, the pytest plugin, and the folder of the tests' baselines.

Each assertion raises an AssertionError that lists all findings. pytest loads this file at every start, so what only
assertions need is imported when one is called.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from cnninspect.report.document import Report, formula_checks
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check

FOLDER = "baselines"

_LISTED = 20


@dataclass(frozen=True)
class Snapshots:
    """The folder of named baselines, and whether assertions write baselines (`update`) or compare with them."""

    folder: Path = Path(FOLDER)
    update: bool = False

    def file(self, baseline: str | Path) -> Path:
        """The file of a baseline: the path itself if it ends in .json, else that name in the folder."""
        return Path(baseline) if str(baseline).endswith(".json") else self.folder / f"{baseline}.json"


current: ContextVar[Snapshots] = ContextVar("snapshots", default=Snapshots())  # noqa: B039 - it is frozen
"""The snapshots of the running test."""


def assert_matches_formulas(report: Report, *, strict: bool = False) -> None:
    """Asserts that every formula agrees with every measurement and, if `strict`, that none is unknown."""
    __tracebackhide__ = True
    failing = (Verdict.DIFFER, Verdict.UNKNOWN) if strict else (Verdict.DIFFER,)
    _assert(report, formula_checks(report), failing, "does not match its formulas")


def assert_within(report: Report, **limits: int | str) -> None:
    """Asserts that every budget certainly holds; names and limits as on the command line: `max_params="5M"`.

    Raises UsageError for an unknown budget or a limit that cannot be read.
    """
    __tracebackhide__ = True
    from cnninspect.checks import check_budgets, parse_budget

    budgets = [parse_budget(name, str(limit)) for name, limit in limits.items()]
    failing = (Verdict.DIFFER, Verdict.UNKNOWN)
    _assert(report, check_budgets(report, budgets), failing, "is not within its budgets")


def assert_matches_baseline(report: Report, baseline: str | Path, *, tolerance: str | None = None) -> None:
    """Asserts that the report equals its baseline within the tolerance, such as `1%` or `macs=1%,params=0`.

    `baseline` is a JSON file, or a name in the folder `baselines`, under pytest that beside the test's file. Raises
    UsageError for a file that is not a baseline.
    """
    __tracebackhide__ = True
    from cnninspect.checks.baseline import check_baseline, read_baseline, save_baseline
    from cnninspect.checks.numbers import parse_tolerance

    snapshots = current.get()
    file = snapshots.file(baseline)
    if snapshots.update:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_baseline(report, file)
        return
    if not file.exists():
        how = "`pytest --update-cnninspect-baselines` or `cnninspect compare TARGET --baseline FILE --update-baseline`"
        raise AssertionError(f"there is no baseline {_shown(file)}. {how} writes it.")
    checks = check_baseline(report, read_baseline(file), parse_tolerance(tolerance or ""))
    _assert(report, checks, (Verdict.DIFFER,), f"differs from {_shown(file)}")


def _assert(report: Report, checks: Sequence[Check], failing: Collection[Verdict], words: str) -> None:
    """Raises AssertionError with one line per failed check: layer, source, expected, found, reason, source line."""
    __tracebackhide__ = True
    failed = [check for check in checks if check.verdict in failing]
    if not failed:
        return
    from cnninspect.render.checks import lines_of, sentence

    line_of = lines_of(report)
    lines = [_line(sentence(check), line_of(check)) for check in failed[:_LISTED]]
    if len(failed) > _LISTED:
        lines.append(f"and {len(failed) - _LISTED} more")
    findings = f"{len(failed)} finding{'s' if len(failed) > 1 else ''}"
    raise AssertionError("\n  ".join([f"{report.target['name']} {words}: {findings}", *lines]))


def _line(sentence: str, where: str | None) -> str:
    return f"{sentence} [{where}]" if where else sentence


def _shown(file: Path) -> str:
    """The file's path, relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
