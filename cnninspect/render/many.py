"""The results of several targets in one text: the findings of each target, and an overview."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cnninspect.render import Format, ci, html, markdown, render, sections, table
from cnninspect.render.cells import verdict_sign
from cnninspect.render.checks import RUN, count_sentence, failed
from cnninspect.render.page import UNICODE, Cell, Heading, Marks, Page, Screen, Sheet, Tone, Worth
from cnninspect.render.sections import data_sheet, page_of
from cnninspect.report.document import Comparison
from cnninspect.report.json_form import SCHEMA_VERSION
from cnninspect.report.quantities import Verdict, worst
from cnninspect.report.rows import Check
from cnninspect.report.selection import View


@dataclass(frozen=True)
class Outcome:
    """The result of one target: a report with its checks, or the `error` because of which there is none."""

    name: str
    target: str
    code: int
    report: Comparison | None = None
    error: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the checks; DIFFER for a target that could not be checked."""
        return Verdict.DIFFER if self.report is None else self.report.verdict

    @property
    def named(self) -> Comparison:
        """The report under the name in the configuration; after an error, a report with one failed check."""
        if self.report is not None:
            return replace(self.report, target={**self.report.target, "name": self.name})
        check = Check(RUN, None, "fine", "failed", "target", Verdict.DIFFER, self.error)
        target = {"spec": self.target, "name": self.name}
        return Comparison(
            command="compare", tool={}, target=target, run={}, totals={}, rows=(), verdict=Verdict.DIFFER,
            checks=(check,),
        )  # fmt: skip


def render_many(
    outcomes: Sequence[Outcome], fmt: Format | str, code: int, *, view: View | None = None, screen: Screen | None = None
) -> str:
    """All outcomes in one format, ending in a newline; `code` is the exit code of the command."""
    if fmt == Format.JSON:
        return _json(outcomes, code, view or View())
    if fmt not in _WRITERS:
        return "\n".join(render(outcome.named, fmt, view=view) for outcome in outcomes)
    return _WRITERS[Format(fmt)](outcomes, view or View(), screen or Screen())


def _table(outcomes: Sequence[Outcome], view: View, screen: Screen) -> str:
    sections = _sections(outcomes, view, screen.marks, full=screen.width is None)
    overview = _overview(outcomes, screen.marks)
    return "\n".join(table.page_text(parts, screen) for parts in [*(parts for _, parts in sections), overview])


def _markdown(outcomes: Sequence[Outcome], view: View, _screen: Screen) -> str:
    """The overview first, because a reviewer reads it first."""
    verdict = worst(outcome.verdict for outcome in outcomes)
    sections = [
        markdown.page_text(parts, outcome.verdict) for outcome, parts in _sections(outcomes, view, UNICODE, full=True)
    ]
    return "\n".join([markdown.page_text(_overview(outcomes, UNICODE), verdict), *sections])


def _html(outcomes: Sequence[Outcome], view: View, _screen: Screen) -> str:
    sections = _sections(outcomes, view, UNICODE, full=True)
    return html.page_text([_overview(outcomes, UNICODE), *(parts for _, parts in sections)])


def _csv(outcomes: Sequence[Outcome], view: View, _screen: Screen) -> str:
    """All checks in one table, with the target's name in the first column."""
    sheets = [(outcome.name, data_sheet(outcome.named, view, UNICODE)) for outcome in outcomes]
    headings = (Heading("target", "target", shortens=True), *sheets[0][1].headings)
    lines = tuple((Cell(name, name), *line) for name, sheet in sheets for line in sheet.lines)
    return sections.sheet_text(Sheet(headings, lines))


def _github(outcomes: Sequence[Outcome], view: View, screen: Screen) -> str:
    return "".join(ci.github(outcome.named, view, screen) for outcome in outcomes) + f"{_closing(outcomes)}\n"


def _junit(outcomes: Sequence[Outcome], _view: View, _screen: Screen) -> str:
    return ci.suites(outcome.named for outcome in outcomes)


def _latex(outcomes: Sequence[Outcome], view: View, _screen: Screen) -> str:
    """One table per target, below a comment with its name."""
    tables = ((outcome.name, render(outcome.named, Format.LATEX, view=view)) for outcome in outcomes)
    return "\n".join(f"% {name}\n{table}" for name, table in tables)


def _json(outcomes: Sequence[Outcome], code: int, view: View) -> str:
    """The exit code and each target's report, or null where there is none."""
    head = {"schema_version": SCHEMA_VERSION, "command": "compare", "exit_code": code}
    entries = ",\n".join(_entry(outcome, view) for outcome in outcomes)
    return f'{json.dumps(head)[:-1]}, "targets": [\n{entries}]}}\n'


def _entry(outcome: Outcome, view: View) -> str:
    head = {"name": outcome.name, "target": outcome.target, "exit_code": outcome.code, "error": outcome.error}
    report = "null\n" if outcome.report is None else sections.as_json(outcome.report, view, Screen())
    return f'{json.dumps(head)[:-1]}, "report": {report}}}'


_WRITERS: dict[Format, Callable[[Sequence[Outcome], View, Screen], str]] = {
    Format.TABLE: _table,
    Format.MARKDOWN: _markdown,
    Format.HTML: _html,
    Format.CSV: _csv,
    Format.GITHUB: _github,
    Format.JUNIT: _junit,
    Format.LATEX: _latex,
}


def _sections(outcomes: Sequence[Outcome], view: View, marks: Marks, *, full: bool) -> list[tuple[Outcome, Page]]:
    """One page per target with findings, titled with its name in the configuration."""
    found = [outcome for outcome in outcomes if outcome.report is not None and failed(outcome.report.checks)]
    parts = [(outcome, page_of(outcome.named, view, marks, full=full)) for outcome in found]
    return [(outcome, replace(each, title=f"{outcome.name}: {each.title}")) for outcome, each in parts]


_HEADINGS = (
    Heading("target", "target", worth=Worth.KEPT, shortens=True),
    Heading("model", "model", shortens=True),
    Heading("verdict", "", worth=Worth.KEPT),
    Heading("result", "result", worth=Worth.KEPT),
)


def _overview(outcomes: Sequence[Outcome], marks: Marks) -> Page:
    """The page with one line per target."""
    lines = tuple(_line(outcome, marks) for outcome in outcomes)
    return Page("targets of the configuration", Sheet(_HEADINGS, lines), [], _closing(outcomes))


def _line(outcome: Outcome, marks: Marks) -> tuple[Cell, ...]:
    result = outcome.error if outcome.report is None else count_sentence(outcome.report.checks)
    return (
        Cell(outcome.name, outcome.name),
        Cell(outcome.target, outcome.target, Tone.QUIET),
        verdict_sign(outcome.verdict, marks),
        Cell(result or "", result),
    )


_RESULTS = {0: "fine", 1: "with findings", 4: "incomplete"}


def _closing(outcomes: Sequence[Outcome]) -> str:
    """The last sentence: `3 targets: 1 fine, 1 with findings, 1 not checked.`"""
    results = [_RESULTS.get(outcome.code, "not checked") for outcome in outcomes]
    words = ", ".join(f"{results.count(result)} {result}" for result in dict.fromkeys(results))
    return f"{len(outcomes)} target{'s' if len(outcomes) != 1 else ''}: {words}."
