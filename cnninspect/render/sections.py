"""The sections of each type of document, for readers, and its JSON and CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

from cnninspect.errors import MissingPackage
from cnninspect.explain.document import QUANTITIES
from cnninspect.render import checks, comparison, layers
from cnninspect.render.checks import count_sentence, failed
from cnninspect.render.fields import drawing, field_facts, position_facts, position_sheet, varied_sheet
from cnninspect.render.numbers import bounded
from cnninspect.render.page import UNICODE, Fact, Marks, Page, Screen, Sheet, Tone
from cnninspect.render.totals import facts, title, uncounted_facts
from cnninspect.report.document import Comparison, Document, FieldStudy, Report, Variation
from cnninspect.report.json_form import json_text
from cnninspect.report.parts import Asked
from cnninspect.report.quantities import Quantity
from cnninspect.report.selection import View, cut, select


def page_of(document: Document, view: View, marks: Marks, *, full: bool) -> Page:
    """The page of a document for readers; `full` if nothing may be shortened."""
    heading = title(document, marks)
    match document:
        case Variation():
            return Page(heading, varied_sheet(document, marks), [])
        case FieldStudy(asked=Asked(), sights=fields):
            return Page(
                heading,
                position_sheet(fields),
                list(position_facts(fields)),
                drawing=drawing(fields, marks, view.lines),
            )
        case FieldStudy():
            sheet = _layers(document, view, marks, full=full)
            below = [*_cut(document, view, marks), *field_facts(document)]
            return Page(heading, sheet, below, remarks=_remarks(document, view, full=full))
        case Comparison(aligned=None):
            return _findings(document, view, marks)
        case Comparison():
            view = view if not full else replace(view, fold=False)
            both = [*comparison.totals_of_both(document, marks), *uncounted_facts(document)]
            sheet = comparison.side_by_side(document, view, marks)
            left = comparison.remarks(document, view, marks, full=full)
            return Page(heading, sheet, both, comparison.closing(document), remarks=left)
        case Report():
            sheet = _layers(document, view, marks, full=full)
            below = [*_cut(document, view, marks), *facts(document, marks)]
            return Page(heading, sheet, below, remarks=_remarks(document, view, full=full))
    raise TypeError(f"{type(document).__name__} has no page")


def _layers(report: Report, view: View, marks: Marks, *, full: bool) -> Sheet:
    return layers.layer_sheet(report, view, marks, layers.readers(report, view), full=full)


def _remarks(report: Report, view: View, *, full: bool) -> list[str]:
    return layers.remarks(report, view) if view.folds and not full else []


def _cut(report: Report, view: View, marks: Marks) -> Iterator[Fact]:
    """The share of the rows that `top` or a filter shows in all rows and MACs."""
    total, found = report.totals.get("macs"), cut(report, view)
    if found is not None and isinstance(total, Quantity):
        macs = f"{bounded(found.macs, marks)} of {bounded(total, marks)} MACs"
        yield Fact("shown", f"{found.shown} of {found.rows} rows", macs, Tone.QUIET)


def _findings(document: Comparison, view: View, marks: Marks) -> Page:
    """The checks that did not pass, and a sentence that counts all of them."""
    every = failed(document.checks)
    found = checks.chosen(document, every, view)
    sheet = (
        checks.finding_sheet(document, found, view.columns, marks)
        if view.columns
        else checks.readers_sheet(document, checks.without_alike(found), marks)
    )
    closing, reasons = count_sentence(document.checks), () if view.columns else checks.reasons(document)
    below = [*checks.shown(found, every), *checks.compared(document.checks), *uncounted_facts(document)]
    return Page(title(document, marks), sheet, below, closing, reasons=reasons)


def data_sheet(document: Document, view: View, marks: Marks) -> Sheet:
    """The table of a document for programs: all checks of a comparison, else the layers with all columns."""
    match document:
        case Variation():
            return varied_sheet(document, marks)
        case FieldStudy(asked=Asked(), sights=fields):
            return position_sheet(fields)
        case Comparison(aligned=None):
            found = checks.chosen(document, document.checks, view)
            return checks.finding_sheet(document, found, view.columns or checks.PROGRAMS, marks)
        case Comparison():
            return comparison.side_by_side(document, view, marks, full=True)
        case Report():
            names = layers.programs(document, view)
            return layers.layer_sheet(document, view, marks, names, full=True, parts=not view.containers)
    raise TypeError(f"{type(document).__name__} has no table")


def column_names(command: str, *, of_two: bool = False) -> tuple[str, ...]:
    """The values of `--columns` for a command; `of_two` for `compare` with two networks."""
    if of_two:
        return tuple(comparison.HEADINGS)
    if command == "explain":
        return QUANTITIES
    return tuple(checks.HEADINGS) if command == "compare" else layers.NAMES


# --- for programs ---------------------------------------------------------------------------------------------------


def as_json(report: Document, view: View, _screen: Screen) -> str:
    """The JSON document with the rows of the view; it always holds all numbers, whatever the columns."""
    shown = select(report, view) if isinstance(report, Report) else report
    return json_text(shown.to_dict())


def as_csv(report: Document, view: View, _screen: Screen) -> str:
    """CSV with one line per row of the view; all columns unless the view names some."""
    return sheet_text(data_sheet(report, view, UNICODE))


def dataframe(report: Document, *, containers: bool = False) -> Any:
    """The rows of the CSV as a pandas DataFrame; MissingPackage without pandas."""
    try:
        import pandas
    except ImportError:
        raise MissingPackage("to_dataframe needs pandas. Install it with: `python -m pip install pandas`.") from None
    sheet = data_sheet(report, View(containers=containers), UNICODE)
    lines = [[cell.plain for cell in line] for line in sheet.lines]
    return pandas.DataFrame(lines, columns=[heading.plain for heading in sheet.headings]).convert_dtypes()


def sheet_text(sheet: Sheet) -> str:
    """A table as CSV."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading.plain for heading in sheet.headings)
    writer.writerows([cell.plain for cell in line] for line in sheet.lines)
    return text.getvalue()
