"""GitHub workflow commands: one annotation for each check that failed, and one sentence with the sum."""

from __future__ import annotations

from cnninspect.checks import check_formulas
from cnninspect.quantities import Verdict
from cnninspect.render.findings import failed, place, summary, what
from cnninspect.render.screen import Screen
from cnninspect.render.values import value_text
from cnninspect.render.view import View
from cnninspect.report import Check, Report


def render(report: Report, _view: View, _screen: Screen) -> str:
    """Annotations of the report's checks; of its formulas where none were made."""
    checked = report if report.checks is not None else check_formulas(report)
    lines = [_annotation(check, str(report.target["name"])) for check in failed(checked)]
    return "\n".join([*lines, f"{report.target['name']}: {summary(checked)}"]) + "\n"


def _annotation(check: Check, target: str) -> str:
    level = "error" if check.verdict is Verdict.DIFFER else "warning"
    title = f"{target}: {what(check)} of {place(check)}"
    kind = f" ({check.kind})" if check.kind else ""
    expected = f"{check.source} {value_text(check.name, check.expected)}"
    found = f"{check.counter or 'measurement'} {value_text(check.name, check.found)}"
    message = f"{place(check)}{kind}, {what(check)}: {expected}, {found}."
    return f"::{level} title={_property(title)}::{_message(message)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
