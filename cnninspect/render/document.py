"""What every format shows of a report, before it has a format: title, table, totals and a closing sentence."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.render import choice, comparison, findings, layers
from cnninspect.render.added import cut
from cnninspect.render.fact import Fact
from cnninspect.render.facts import facts, missing, title
from cnninspect.render.screen import Marks
from cnninspect.render.sheet import Sheet
from cnninspect.render.view import View
from cnninspect.report import Report


@dataclass(frozen=True)
class Document:
    """The parts of a report in reading order."""

    title: str
    sheet: Sheet
    facts: list[Fact]
    closing: str = ""


def document(report: Report, view: View, marks: Marks, *, whole: bool) -> Document:
    """What a reader sees: the findings of a comparison, two networks side by side, or else the layers."""
    if report.checks is None:
        sheet = layers.layer_sheet(report, view, marks, choice.readers(report, view), whole=whole)
        return Document(title(report, marks), sheet, [*cut(report, view, marks), *facts(report, marks)])
    if is_of_two(report):
        beside = [*comparison.totals_beside(report, marks), *missing(report)]
        return Document(
            title(report, marks), comparison.side_by_side(report, view, marks), beside, comparison.closing(report)
        )
    sheet = (
        findings.finding_sheet(report, findings.failed(report), view.columns, marks)
        if view.columns
        else findings.readers_sheet(report, marks)
    )
    return Document(title(report, marks), sheet, missing(report), findings.summary(report))


def data_sheet(report: Report, view: View, marks: Marks) -> Sheet:
    """What a program reads: all checks of a comparison, or else the layers with every column."""
    if report.checks is None:
        return layers.layer_sheet(report, view, marks, choice.programs(view), whole=True)
    if is_of_two(report):
        return comparison.side_by_side(report, view, marks, whole=True)
    return findings.finding_sheet(report, report.checks, view.columns or findings.PROGRAMS, marks)


def is_of_two(report: Report) -> bool:
    """Whether the report holds two networks side by side."""
    return "aligned" in report.extra


def column_names(command: str, *, of_two: bool = False) -> tuple[str, ...]:
    """What `--columns` takes with this command; `compare` has others for two networks."""
    if of_two:
        return tuple(comparison.HEADINGS)
    return tuple(findings.HEADINGS) if command == "compare" else choice.NAMES
