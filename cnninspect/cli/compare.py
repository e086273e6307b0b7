"""What `compare` does: read what is expected, inspect, check, write."""

from __future__ import annotations

import dataclasses

from cnninspect.checks import exit_code, with_checks
from cnninspect.checks.baseline import check_baseline, read_baseline, save_baseline
from cnninspect.checks.budgets import Budget, check_budgets, parse_budget
from cnninspect.checks.models import compare_models
from cnninspect.checks.numbers import Tolerance, parse_tolerance
from cnninspect.checks.saved import read_report
from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import Claim, read_claims
from cnninspect.cli.inspection import inspected
from cnninspect.cli.options import ExpectationOptions, OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.files import check_writable
from cnninspect.report.document import Comparison, Report
from cnninspect.report.formula_checks import formula_checks
from cnninspect.report.parts import BaselineFile
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check

SAVED = ".json"
"""How the name of a saved report ends."""


@dataclasses.dataclass(frozen=True)
class Expectations:
    """What the network is held against, read before it runs."""

    baseline: Report | None
    tolerance: Tolerance
    claims: tuple[Claim, ...]
    budgets: list[Budget]
    file: BaselineFile | None = None

    @classmethod
    def of(cls, options: ExpectationOptions) -> Expectations:
        """What the options say; raises UsageError."""
        limits = {name: value for name, value in dataclasses.asdict(options.budgets).items() if value is not None}
        budgets = [parse_budget(name, value) for name, value in limits.items()]
        tolerance = parse_tolerance(options.baseline.tolerance or "")
        claims = () if options.claims.claims is None else read_claims(options.claims.claims)
        file = options.baseline.baseline
        if file is None or options.baseline.update_baseline:
            return cls(None, tolerance, claims, budgets)
        saved = read_baseline(file)
        return cls(saved, tolerance, claims, budgets, BaselineFile(file, saved.tool))

    def checked(self, report: Report) -> Comparison:
        """The report with its checks: formulas first, then what the options ask for; UsageError if that is nothing."""
        checks: list[Check] = list(formula_checks(report))
        if self.baseline is not None:
            checks += check_baseline(report, self.baseline, self.tolerance)
        checks += check_claims(report, self.claims)
        checks += check_budgets(report, self.budgets)
        if not checks:
            raise UsageError(
                f"there is nothing to check: the baseline of {report.target['name']} holds no measurements. Hold it "
                "against --baseline, --claims, a budget or OTHER."
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
    """Write what the comparison of TARGET found and return the exit code, or write its baseline."""
    _check_together(other, expected)
    view = view_of(output, "compare", of_two=other is not None)
    expectations = Expectations.of(expected)
    if expected.baseline.update_baseline and expected.baseline.baseline is not None:
        update_baseline(target, run, expected.baseline.baseline, session)
        return 0
    check_writable(output.output)
    if other is None:
        result = expectations.checked(_report_of(target, run, session))
    else:
        # Two networks are held against each other, not against measurements.
        run = dataclasses.replace(run, probe=bool(run.probe))
        one, two = (_report_of(each, run, session) for each in (target, other))
        result = compare_models(one, two, expectations.tolerance)
    write(result, output, view)
    return code_of(result, session, strict=output.strict)


def code_of(report: Comparison, session: Session, *, strict: bool) -> int:
    """The exit code of a comparison. What could not be decided does not pass in silence."""
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
    _check_together(None, expected)
    expectations = Expectations.of(expected)
    return expectations.checked(_report_of(target, run, session))


def update_baseline(target: str, run: RunOptions, file: str, session: Session) -> None:
    """Write the baseline of TARGET, which holds nothing that a probe or another counter could add."""
    check_writable(file)
    save_baseline(_report_of(target, run, session, "summary"), file)
    session.note(f"wrote the baseline {file}.")


def _check_together(other: str | None, expected: ExpectationOptions) -> None:
    """UsageError for options that contradict each other or have nothing to say."""
    baseline = expected.baseline
    held_against = (baseline.baseline, expected.claims.claims, *dataclasses.astuple(expected.budgets))
    if baseline.update_baseline and baseline.baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE to write to.")
    if other is not None and any(held_against):
        raise UsageError(
            "TARGET is compared with OTHER, or with a baseline, claims and budgets, not both. Run compare twice."
        )
    if baseline.tolerance is not None and other is None and baseline.baseline is None:
        raise UsageError("--tolerance needs --baseline FILE or OTHER: nothing else is compared with a tolerance.")


def _report_of(target: str, run: RunOptions, session: Session, command: str = "compare") -> Report:
    """The report that a file holds, or that on the model."""
    if target.endswith(SAVED):
        if run != RunOptions(probe=run.probe):
            session.note(f"{target} is a saved report: it is what ran then, whatever the options of a run say now.")
        return dataclasses.replace(read_report(target), command=command)
    return inspected(target, run, session, command)
