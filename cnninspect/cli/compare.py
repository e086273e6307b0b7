"""The command `compare`: read the expectations, inspect, check and write; without TARGET, for all configured ones."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer

from cnninspect.checks import Budget, check_budgets, exit_code, parse_budget, with_checks
from cnninspect.checks.baseline import check_baseline, read_baseline, read_report, save_baseline
from cnninspect.checks.differences import compare_models
from cnninspect.checks.numbers import Tolerance, parse_tolerance
from cnninspect.checks.tensors import compare_checkpoints
from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import Claim, read_claims
from cnninspect.cli.options import ExpectationOptions, OutputOptions, RunOptions
from cnninspect.cli.reports import (
    checkpoint_report,
    inspected,
    note_if_none_fits,
    with_course,
    with_derivations,
    write,
    write_rendered,
)
from cnninspect.cli.session import Session, explained, say
from cnninspect.cli.settings import BUDGETS, TARGET, TARGETS, beside_config, with_configured
from cnninspect.cli.since import compared_since
from cnninspect.errors import LoadError, RunError, UsageError
from cnninspect.files import check_writable
from cnninspect.plugins import load
from cnninspect.render import Format
from cnninspect.render.many import Outcome, render_many
from cnninspect.render.page import Derivations, OtherSide
from cnninspect.report.document import Checkpoint, Comparison, Report, formula_checks
from cnninspect.report.parts import BaselineFile
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check
from cnninspect.targets.grammar import INDEX

SAVED = ".json"
"""The ending of the file of a saved report."""


@dataclasses.dataclass(frozen=True)
class Expectations:
    """The baseline, claims and budgets for a network, read before it runs."""

    baseline: Report | None
    tolerance: Tolerance
    claims: tuple[Claim, ...]
    budgets: list[Budget]
    file: BaselineFile | None = None

    @classmethod
    def of(cls, options: ExpectationOptions) -> Expectations:
        """The expectations in the options; raises UsageError."""
        limits = {name: value for name, value in dataclasses.asdict(options.budgets).items() if value is not None}
        budgets = [parse_budget(name, value) for name, value in limits.items()]
        tolerance = parse_tolerance(options.baseline.tolerance or "")
        claims = () if options.claims.claims is None else read_claims(options.claims.claims)
        file = options.baseline.baseline
        if file is None or options.baseline.update_baseline:
            return cls(None, tolerance, claims, budgets)
        saved = read_baseline(file)
        return cls(saved, tolerance, claims, budgets, BaselineFile(file, saved.tool))

    def checked(self, report: Report, session: Session) -> Comparison:
        """The report with its checks: formulas first, then expectations; UsageError if there are none at all."""
        checks: list[Check] = list(formula_checks(report))
        if self.baseline is not None:
            checks += check_baseline(report, self.baseline, self.tolerance)
        if self.claims:
            for note in set(load()).difference(report.notes):
                session.note(note)
            checks += check_claims(report, self.claims)
        checks += check_budgets(report, self.budgets)
        if not checks:
            raise UsageError(
                f"there is nothing to check: the baseline of {report.target['name']} holds no measurements. Compare it "
                "with --baseline, --claims, a budget or OTHER."
            )
        return dataclasses.replace(with_checks(report, checks), baseline=self.file)


def compare_target(
    target: str,
    other: str | None,
    run: RunOptions,
    expected: ExpectationOptions,
    output: OutputOptions,
    session: Session,
) -> int:
    """Write the comparison of TARGET and return the exit code, or write its baseline."""
    _check_together(target, other, expected)
    if (report := _tensors_of(target, run, session)) is not None:
        result = _compared_tensors(report, target, other, run, expected, session)
        view = output.view("compare")
        write(result, output, view)
        return code_of(result, session, strict=output.strict)
    view = output.view("compare", of_two=other is not None or expected.baseline.since is not None)
    expectations = Expectations.of(expected)
    if expected.baseline.update_baseline and expected.baseline.baseline is not None:
        update_baseline(target, run, expected.baseline.baseline, session)
        return 0
    check_writable(output.output)
    derived = two = None
    if expected.baseline.since is not None:
        page = output.format == Format.HTML and not run.no_run
        result, derived, two = compared_since(
            target, expected.baseline.since, run, expectations.tolerance, session, page=page
        )
    elif other is None:
        found, derived = _derived(target, run, session, output)
        result = expectations.checked(found, session)
    else:
        # Two networks are compared with each other, not with measurements, so the default is not to probe.
        run = dataclasses.replace(run, probe=bool(run.probe))
        one, derived = _one_of_two(target, "", run, session, output)
        if _tensors_of(other, run, session) is not None:
            raise UsageError(f"{other} is a checkpoint and {target} is not. Compare two checkpoints, or two networks.")
        two = OtherSide(*_one_of_two(other, target, run, session, output))
        result = compare_models(one, two.report, expectations.tolerance)
    note_if_none_fits(result, view, session)
    write(result, output, view, derived, two)
    return code_of(result, session, strict=output.strict)


def code_of(report: Comparison, session: Session, *, strict: bool) -> int:
    """The exit code of a comparison; notes say which checks were not run or could not be decided."""
    code = exit_code(report, strict=strict)
    for check in report.checks:
        if check.verdict is Verdict.NOT_RUN and check.hint is not None:
            session.note(f"{check.name} of {check.path}: not compared, {check.hint}.")
    undecided = sum(check.verdict is Verdict.UNKNOWN for check in report.checks)
    if undecided and not code:
        session.note(
            f"{undecided} check{'s' if undecided > 1 else ''} could not be decided: exit code 4 with --strict."
        )
    return code


def checked_target(target: str, run: RunOptions, expected: ExpectationOptions, session: Session) -> Comparison:
    """The report on TARGET with its checks."""
    _check_together(target, None, expected)
    expectations = Expectations.of(expected)
    if expected.baseline.since is not None:
        return compared_since(target, expected.baseline.since, run, expectations.tolerance, session)[0]
    return expectations.checked(_report_of(target, run, session), session)


def update_baseline(target: str, run: RunOptions, file: str, session: Session) -> None:
    """Write the baseline of TARGET. It is the same with and without a probe, so none is run."""
    check_writable(file)
    save_baseline(_report_of(target, run, session, "summary"), file)
    session.note(f"wrote the baseline {file}.")


def _check_together(target: str, other: str | None, expected: ExpectationOptions) -> None:
    """Raises UsageError for options that contradict each other or would have no effect."""
    baseline = expected.baseline
    held_against = (baseline.baseline, expected.claims.claims, *dataclasses.astuple(expected.budgets))
    if baseline.update_baseline and baseline.baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE to write to.")
    sides = [name for name, given in (("OTHER", other), ("--since", baseline.since)) if given is not None]
    if len(sides) > 1 or (sides and any(held_against)):
        sides += ["a baseline, claims and budgets"] if any(held_against) else []
        raise UsageError(f"TARGET is compared with {', or with '.join(sides)}, not both. Run compare twice.")
    if baseline.since is not None and target.endswith(SAVED):
        raise UsageError(f"{target} is a saved report, which --since cannot build. Name the code, as file.py:attr.")
    if baseline.tolerance is not None and not sides and baseline.baseline is None:
        raise UsageError(
            "--tolerance needs --baseline FILE or OTHER, or --since REV: nothing else is compared with a tolerance."
        )


def _tensors_of(target: str, run: RunOptions, session: Session) -> Checkpoint | None:
    """The report on a checkpoint, or a saved one; None for any other TARGET."""
    if not target.endswith(SAVED) or target.endswith(INDEX):
        return checkpoint_report(target, run, session, "compare")
    saved = read_report(target) if Path(target).is_file() else None
    return dataclasses.replace(saved, command="compare") if isinstance(saved, Checkpoint) else None


def _compared_tensors(
    report: Checkpoint, target: str, other: str | None, run: RunOptions, expected: ExpectationOptions, session: Session
) -> Comparison:
    """A checkpoint alone (bytes by shape against its files), against another one, or against a saved report."""
    baseline = expected.baseline
    if baseline.update_baseline or baseline.since is not None or baseline.tolerance is not None:
        option = "--update-baseline" if baseline.update_baseline else "--since" if baseline.since else "--tolerance"
        save = f"`cnninspect summary {shlex.quote(target)} -o tensors.json` saves a report to compare with."
        raise UsageError(f"{target} is a checkpoint, which takes no {option}. {save}")
    if expected.claims.claims is not None or any(dataclasses.astuple(expected.budgets)):
        raise UsageError(
            f"{target} is a checkpoint: it has tensors, but no layers, so that claims and budgets do not apply. Leave "
            "them out, or name the code of its network."
        )
    against = other if baseline.baseline is None else baseline.baseline
    if against is None:
        return with_checks(report, formula_checks(report))
    known = _tensors_of(against, run, session)
    if known is None:
        raise UsageError(
            f"{target} is a checkpoint and {against} is not. Compare two checkpoints; `cnninspect summary` with "
            "-o tensors.json saves the report on one, which stands for it."
        )
    found = compare_checkpoints(report, known, "other" if other is not None else "baseline")
    return found if other is not None else dataclasses.replace(found, other=None, baseline=BaselineFile(against, {}))


_INPUTS = re.compile(r" It runs with ((?:--input \S+ ?)+)\.$")


def _derived(
    target: str, run: RunOptions, session: Session, output: OutputOptions
) -> tuple[Report, Derivations | None]:
    """The report on a target, and the derivations of its rows for an HTML page; None without a run."""
    if output.format != Format.HTML or target.endswith(SAVED) or run.no_run:
        return _report_of(target, run, session), None
    return with_derivations(target, run, session, "compare", with_course(None))


def _one_of_two(
    target: str, first: str, run: RunOptions, session: Session, output: OutputOptions
) -> tuple[Report, Derivations | None]:
    """The report on one of two networks, as `_derived` gives it; an error of its code names it.

    `first` is the other network if that has run already: then other inputs are those of a report that is saved.
    """
    try:
        return _derived(target, run, session, output)
    except (LoadError, RunError) as error:
        message = f"{target}: {error}"
        if first and (wanted := _INPUTS.search(message)):
            words = [target, *(word for each in run.arg for word in ("--arg", each))]
            save = f"cnninspect summary {shlex.join(words)} {wanted[1]} -o other.json"
            step = f"Save the other: `{save}`, and compare with other.json."
            message = f"{message[: wanted.start()]} {first} runs with it. {step}"
        raise type(error)(message) from error


def _report_of(target: str, run: RunOptions, session: Session, command: str = "compare") -> Report:
    """The report in a saved file, or a new one on the model."""
    if target.endswith(SAVED):
        if run != RunOptions(probe=run.probe):
            session.note(f"{target} is a saved report: options that change the run have no effect on it.")
        return dataclasses.replace(read_report(target), command=command)
    return inspected(target, run, session, command)


_BY_SEVERITY = (0, 4, 1, 3, 2)
"""Exit codes from best to worst: a target that could not be checked is worse than one with wrong numbers."""

_FILE = re.compile(r".+\.(py:.*|pt2|json)", re.IGNORECASE)


def compare_many(
    context: typer.Context,
    run: RunOptions,
    expected: ExpectationOptions,
    output: OutputOptions,
    session: Session,
) -> int:
    """Write the results of all configured targets, or their baselines, and return the worst exit code."""
    tables = session.config.values.get(TARGETS, {})
    if not tables:
        raise UsageError(
            "no TARGET is given, and no pyproject.toml has [tool.cnninspect.targets]. "
            "Name one: `cnninspect compare lenet5`."
        )
    if expected.baseline.baseline is not None or expected.claims.claims is not None:
        raise UsageError("--baseline and --claims need a TARGET. For several, write them in [tool.cnninspect.targets].")
    view = output.view("compare", of_two=expected.baseline.since is not None)
    check_writable(output.output)
    entries = [_Entry(name, table, context, session) for name, table in tables.items()]
    with _importable(session.config.file):
        outcomes = [entry.outcome(run, expected, strict=output.strict) for entry in entries]
    code = max((outcome.code for outcome in outcomes), key=_BY_SEVERITY.index)
    if not expected.baseline.update_baseline:
        write_rendered(partial(render_many, outcomes, code=code, view=view), output.format, output.output)
    return code


class _Entry:
    """One target of the configuration; its table gives the options that the command line does not."""

    def __init__(self, name: str, table: Mapping[str, Any], context: typer.Context, session: Session):
        self.name = name
        self.table = table
        self.session = dataclasses.replace(session, about=f"{name}: ")
        self._configured = partial(with_configured, context=context, file=session.config.file)

    @property
    def target(self) -> str:
        """The TARGET; a file is relative to the folder of the configuration."""
        text = str(self.table[TARGET])
        return beside_config(self.session.config.file, text) if _FILE.fullmatch(text) else text

    def outcome(self, run: RunOptions, expected: ExpectationOptions, *, strict: bool) -> Outcome:
        """The result of the target. An error is caught and becomes a part of the result, so that the others run."""
        try:
            return self._checked(self._configured(run, self.table), self._expected(expected), strict=strict)
        except Exception as error:
            if self.session.debug:
                traceback.print_exception(error)
            message, code = explained(error)
            say(f"{self.name}: {message}")
            return Outcome(self.name, self.target, code, error=message)

    def _checked(self, run: RunOptions, expected: ExpectationOptions, *, strict: bool) -> Outcome:
        if expected.baseline.update_baseline:
            if expected.baseline.baseline is not None:
                update_baseline(self.target, run, expected.baseline.baseline, self.session)
            return Outcome(self.name, self.target, 0)
        report = checked_target(self.target, run, expected, self.session)
        return Outcome(self.name, self.target, code_of(report, self.session, strict=strict), report)

    def _expected(self, given: ExpectationOptions) -> ExpectationOptions:
        """The expectations for the target, from the command line and its table."""
        if given.baseline.since is not None:
            return given
        return ExpectationOptions(
            self._configured(given.baseline, self.table),
            self._configured(given.claims, self.table),
            self._configured(given.budgets, self.table.get(BUDGETS, {})),
        )


@contextlib.contextmanager
def _importable(file: Path | None) -> Iterator[None]:
    """Makes modules in the configuration's folder importable, as those in the working directory are."""
    before = list(sys.path)
    if file is not None:
        sys.path.insert(0, str(file.parent))
    try:
        yield
    finally:
        sys.path[:] = before
