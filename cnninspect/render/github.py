"""GitHub workflow commands: one annotation for each layer that failed, at its line, and one sentence with the sum.

GitHub shows the first ten errors and the first ten warnings of a step: those about totals come first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cnninspect.render.checks import (
    RUN,
    checks_of,
    count_sentence,
    failed,
    grouped,
    lines_of,
    place,
    sentence,
    what,
)
from cnninspect.render.page import Screen
from cnninspect.report.document import Document
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check
from cnninspect.report.selection import View


def render(report: Document, _view: View, _screen: Screen) -> str:
    """Annotations of the report's checks; of its formulas where none were made."""
    checks = checks_of(report)
    target, line_of = str(report.target["name"]), lines_of(report)
    totals_first = sorted(failed(checks), key=lambda check: check.row is not None)
    rows = grouped(totals_first, lambda check: (check.row, check.verdict))
    lines = [_annotation(checks, target, line_of(checks[0])) for checks in rows]
    return "\n".join([*lines, f"{target}: {count_sentence(checks)}"]) + "\n"


def _annotation(checks: Sequence[Check], target: str, line: str | None) -> str:
    first = checks[0]
    level = "error" if first.verdict is Verdict.DIFFER else "warning"
    names = ", ".join(dict.fromkeys(map(what, checks)))
    about = "not checked" if first.name == RUN else f"{names} of {place(first)}"
    properties = {"title": f"{target}: {about}", **_position(line)}
    written = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    message = "\n".join(f"{sentence(check)}." for check in checks)
    return f"::{level} {written}::{_message(message)}"


def _position(line: str | None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """File and line; the file as the repository names it, whichever folder the command runs in."""
    if line is None:
        return {}
    file, _, number = line.rpartition(":")
    path, root = Path(file).resolve(), environ.get("GITHUB_WORKSPACE")
    if root and path.is_relative_to(Path(root).resolve()):
        file = path.relative_to(Path(root).resolve()).as_posix()
    return {"file": file, "line": number}


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
