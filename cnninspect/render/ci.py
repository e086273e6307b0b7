"""Checks for CI servers: GitHub workflow commands and JUnit XML.

GitHub shows only the first ten errors and the first ten warnings of a step, so totals come first. In JUnit a target is
a suite, and each layer and source of expectations is a test case. Elements and attributes follow the schema of Jenkins'
xUnit plugin (junit-10.xsd), which other servers read too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from cnninspect.render.checks import (
    RUN,
    checks_of,
    count_sentence,
    failed,
    grouped,
    lines_of,
    number_name,
    row_name,
    row_title,
    sentence,
)
from cnninspect.render.page import Screen
from cnninspect.report.document import Document
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check
from cnninspect.report.selection import View


def github(report: Document, _view: View, _screen: Screen) -> str:
    """One annotation per failed layer, at its source line, and a sentence that counts the checks."""
    checks = checks_of(report)
    target, line_of = str(report.target["name"]), lines_of(report)
    totals_first = sorted(failed(checks), key=lambda check: check.row is not None)
    rows = grouped(totals_first, lambda check: (check.row, check.verdict))
    lines = [_annotation(checks, target, line_of(checks[0])) for checks in rows]
    return "\n".join([*lines, f"{target}: {count_sentence(checks)}"]) + "\n"


def _annotation(checks: Sequence[Check], target: str, line: str | None) -> str:
    first = checks[0]
    level = "error" if first.verdict is Verdict.DIFFER else "warning"
    names = ", ".join(dict.fromkeys(map(number_name, checks)))
    about = "not checked" if first.name == RUN else f"{names} of {row_name(first)}"
    properties = {"title": f"{target}: {about}", **_position(line)}
    written = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    message = "\n".join(f"{sentence(check)}." for check in checks)
    return f"::{level} {written}::{_message(message)}"


def _position(line: str | None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """File and line of an annotation; the file relative to the repository, also if the command runs in a subfolder."""
    if line is None or (place := _PLACE.match(line)) is None:
        return {}
    file, number = place["file"], place["line"]
    path, root = Path(file).resolve(), environ.get("GITHUB_WORKSPACE")
    if root and path.is_relative_to(Path(root).resolve()):
        file = path.relative_to(Path(root).resolve()).as_posix()
    return {"file": file, **({} if number is None else {"line": number})}


_PLACE = re.compile(r"(?P<file>.*?)(?:(?::|, line )(?P<line>\d+)|, entry \d+)$", re.DOTALL)
"""A place in a file: `nets.py:41`, `claims.csv, line 3`, or `claims.json, entry 2`, which has no line."""


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that are not allowed in XML, not even escaped."""


def junit(report: Document, _view: View, _screen: Screen) -> str:
    """The report's checks as one suite; for a report without checks, those of its formulas."""
    return suites([report])


def suites(reports: Iterable[Document]) -> str:
    """JUnit XML with one suite per report."""
    root = Element("testsuites", name="cnninspect")
    root.extend(_suite(report) for report in reports)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(report: Document) -> Element:
    target, line_of = _text(str(report.target["name"])), lines_of(report)
    suite = Element("testsuite", name=target)
    for checks in grouped(checks_of(report), lambda check: (check.source, check.row)):
        suite.append(_case(checks, target, line_of(checks[0])))
    for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(1 for _ in suite.iter(tag))))
    return suite


def _case(checks: Sequence[Check], target: str, line: str | None) -> Element:
    """The test case of one layer and source: failed if a number differs, else skipped if one is unknown.

    A target that could not be checked at all has one case with an error.
    """
    case = Element("testcase", classname=f"{target}.{checks[0].source}", name=_text(row_title(checks[0])))
    wrong = [check for check in checks if check.verdict is Verdict.DIFFER]
    if wrong and wrong[0].name == RUN:
        SubElement(case, "error", type="not checked", message=_text(sentence(wrong[0])))
    elif wrong:
        failure = SubElement(case, "failure", type=Verdict.DIFFER.value, message=_text(_shortly(wrong)))
        failure.text = _text("\n".join([*map(sentence, wrong), *([f"in {line}"] if line else [])]))
    elif unknown := [check for check in checks if check.verdict is Verdict.UNKNOWN]:
        SubElement(case, "skipped", message=_text("; ".join(map(sentence, unknown))))
    return case


def _shortly(wrong: Sequence[Check]) -> str:
    """The first finding, and the names of the other numbers."""
    others = ", ".join(dict.fromkeys(map(number_name, wrong[1:])))
    return sentence(wrong[0]) + (f"; also {others}" if others else "")


def _text(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
