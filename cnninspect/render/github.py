"""GitHub workflow commands: one annotation for each check that failed, and one sentence with the sum."""

from __future__ import annotations

from cnninspect.checks import check_formulas
from cnninspect.quantities import Verdict
from cnninspect.render.findings import failed, place, summary, value_text
from cnninspect.render.screen import Screen
from cnninspect.render.view import View
from cnninspect.report import Check, Report


def render(report: Report, view: View, screen: Screen) -> str:
    """Annotations of the report's checks; of its formulas where none were made."""
    checked = report if report.checks is not None else check_formulas(report)
    lines = [_annotation(check, str(report.target["name"])) for check in failed(checked)]
    return "\n".join([*lines, f"{report.target['name']}: {summary(checked)}"]) + "\n"


def _annotation(check: Check, target: str) -> str:
    level = "error" if check.verdict is Verdict.DIFFER else "warning"
    what = check.name.replace("_", " ")
    title = f"{target}: {what} of {place(check)}"
    found = f"{check.counter} found {value_text(check.found)}" if check.counter else "nothing counted it"
    message = f"{place(check)} ({check.kind}): the {check.source} says {value_text(check.expected)} {what}, {found}."
    return f"::{level} title={_property(title)}::{_message(message)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
