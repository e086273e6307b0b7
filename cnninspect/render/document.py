"""What every format shows of a report, before it has a format: title, table, totals and a closing sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnninspect.render import choice, comparison, findings, layers
from cnninspect.render.added import cut
from cnninspect.render.drawing import drawing
from cnninspect.render.fact import Fact
from cnninspect.render.facts import facts, missing, title
from cnninspect.render.field_facts import field_facts
from cnninspect.render.screen import Marks
from cnninspect.render.sheet import Sheet
from cnninspect.render.sights import sight_facts, sight_sheet, sights_of
from cnninspect.render.varied import varied_sheet
from cnninspect.render.view import View
from cnninspect.report.document import Report


@dataclass(frozen=True)
class Document:
    """The parts of a report in reading order; `drawing` is a picture in lines of characters.

    `reasons` are for where there is no room for a column of them.
    """

    title: str
    sheet: Sheet
    facts: list[Fact]
    closing: str = ""
    drawing: Sequence[str] = ()
    reasons: Sequence[str] = ()


def document(report: Report, view: View, marks: Marks, *, whole: bool) -> Document:
    """What a reader sees: the findings of a comparison, two networks side by side, or else the layers."""
    if report.command == "rf":
        return _fields(report, view, marks, whole=whole)
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
    summary, reasons = findings.summary(report), () if view.columns else findings.reasons(report)
    return Document(title(report, marks), sheet, missing(report), summary, reasons=reasons)


def _fields(report: Report, view: View, marks: Marks, *, whole: bool) -> Document:
    """How the field grows from layer to layer, what one position sees, or what follows from arguments that vary."""
    heading = title(report, marks)
    if "varied" in report.extra:
        return Document(heading, varied_sheet(report, marks), [])
    if "asked" in report.extra:
        sheet, lines = sight_sheet(report), drawing(sights_of(report), marks)
        return Document(heading, sheet, list(sight_facts(report)), drawing=lines)
    sheet = layers.layer_sheet(report, view, marks, choice.readers(report, view), whole=whole)
    return Document(heading, sheet, list(field_facts(report)))


def data_sheet(report: Report, view: View, marks: Marks) -> Sheet:
    """What a program reads: all checks of a comparison, or else the layers with every column."""
    if "varied" in report.extra:
        return varied_sheet(report, marks)
    if "asked" in report.extra:
        return sight_sheet(report)
    if report.checks is None:
        return layers.layer_sheet(report, view, marks, choice.programs(view, report.command), whole=True)
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
