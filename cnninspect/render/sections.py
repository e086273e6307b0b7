"""The sections of each type of document, for readers, and its JSON and CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import Any

from cnninspect.errors import MissingPackage
from cnninspect.explain.document import QUANTITIES
from cnninspect.render import checks, comparison, layers, other_counters, tensors
from cnninspect.render.checks import count_sentence, failed
from cnninspect.render.effective import effective_drawing, effective_facts, effective_sheet
from cnninspect.render.fields import drawing, field_facts, position_facts, position_sheet, varied_sheet
from cnninspect.render.numbers import bounded
from cnninspect.render.page import UNICODE, Fact, Marks, Page, Screen, Sheet, Tables, Tone
from cnninspect.render.totals import facts, title, uncounted_facts
from cnninspect.report.document import CHECKPOINT, Checkpoint, Comparison, Document, FieldStudy, Report, Variation
from cnninspect.report.json_form import json_text
from cnninspect.report.parts import Asked, EffectiveField
from cnninspect.report.quantities import Quantity
from cnninspect.report.selection import View, cut, select


def page_of(document: Document, view: View, marks: Marks, *, full: bool) -> Page:
    """The page of a document for readers; `full` if nothing may be shortened."""
    return pages_of(document, view, marks, full=full)(0)


def pages_of(document: Document, view: View, marks: Marks, *, full: bool) -> Callable[[int], Page]:
    """Returns a function: lines to leave out of the table or drawing -> the page of a document for readers."""
    heading = title(document, marks)
    match document:
        case Variation():
            return lambda _: Page(heading, varied_sheet(document, marks), [])
        case FieldStudy(effective=EffectiveField() as effective):
            page = Page(heading, effective_sheet(effective), list(effective_facts(document, marks)))
            return lambda lines: replace(page, drawing=effective_drawing(document, marks, lines))
        case FieldStudy(asked=Asked(), sights=fields):
            page = Page(heading, position_sheet(fields), list(position_facts(fields)))
            return lambda lines: replace(page, drawing=drawing(fields, marks, lines))
        case Comparison(aligned=None):
            return _findings(document, view, marks)
        case Comparison():
            below = [*comparison.totals_of_both(document, marks), *uncounted_facts(document)]
            page = Page(heading, NO_SHEET, below, comparison.closing(document), lead=comparison.lead(document, marks))
            tables = comparison.tables(document, view, marks, full=full)
        case Report(other_counters=(_, *_)):
            page = Page(heading, other_counters.sheet(document), list(other_counters.facts(document)))
            return lambda _: page
        case Report():
            of_all = _totals(document, marks)
            match = layers.meaning_of_match(document, view)
            page = Page(heading, NO_SHEET, [*_cut(document, view, marks), *of_all], match=match)
            tables = layers.tables(document, view, marks, layers.readers(document, view), full=full)
        case _:
            raise TypeError(f"{type(document).__name__} has no page")
    return partial(_with_table, page, tables)


NO_SHEET = Sheet((), ())


def _totals(report: Report, marks: Marks) -> Iterable[Fact]:
    if isinstance(report, Checkpoint):
        return tensors.facts(report, marks)
    return field_facts(report) if isinstance(report, FieldStudy) else facts(report, marks)


def _with_table(page: Page, tables: Tables, lines: int) -> Page:
    sheet, remarks = tables(lines)
    return replace(page, sheet=sheet, remarks=remarks)


def _cut(report: Report, view: View, marks: Marks) -> Iterator[Fact]:
    """The share of the rows that `top` or a filter shows in all rows and MACs."""
    total, found = report.totals.get("macs"), cut(report, view)
    if found is not None and isinstance(total, Quantity):
        macs = f"{bounded(found.macs, marks)} of {bounded(total, marks)} MACs"
        yield Fact("shown", f"{found.shown} of {found.rows} rows", macs, Tone.QUIET)


def _findings(document: Comparison, view: View, marks: Marks) -> Callable[[int], Page]:
    """Returns a function: lines to leave out -> the checks that did not pass, and how many of all did not."""
    every = failed(document.checks)
    found = checks.chosen(document, every, view)
    sheet = (
        checks.finding_sheet(document, found, view.columns, marks)
        if view.columns
        else checks.readers_sheet(document, checks.without_alike(found), marks)
    )
    below = [*checks.shown(found, every), *checks.compared(document.checks), *uncounted_facts(document)]
    page = Page(
        title(document, marks),
        sheet,
        below,
        count_sentence(document.checks),
        lead=checks.lead(document.checks, marks),
        reasons=() if view.columns else checks.reasons(document),
    )
    return partial(_with_table, page, partial(checks.cut, sheet, marks))


def data_sheet(document: Document, view: View, marks: Marks) -> Sheet:
    """The table of a document for programs: all checks of a comparison, else the layers with all columns."""
    match document:
        case Variation():
            return varied_sheet(document, marks)
        case FieldStudy(effective=EffectiveField() as effective):
            return effective_sheet(effective, programs=True)
        case FieldStudy(asked=Asked(), sights=fields):
            return position_sheet(fields)
        case Comparison(aligned=None):
            found = checks.chosen(document, document.checks, view)
            return checks.finding_sheet(document, found, view.columns or checks.PROGRAMS, marks)
        case Comparison():
            return comparison.tables(document, view, marks, full=True, programs=True)(0)[0]
        case Report(other_counters=(_, *_)):
            return other_counters.sheet(document)
        case Report():
            whole, names = replace(view, fold=False), layers.programs(document, view)
            return layers.layer_sheet(document, whole, marks, names, full=True, parts=not view.containers)
    raise TypeError(f"{type(document).__name__} has no table")


def column_names(command: str, *, of_two: bool = False) -> tuple[str, ...]:
    """The values of `--columns` for a command, or for CHECKPOINT; `of_two` for `compare` with two networks."""
    if of_two:
        return tuple(comparison.HEADINGS)
    if command == CHECKPOINT:
        return tensors.NAMES
    if command == "explain":
        return QUANTITIES
    return tuple(checks.HEADINGS) if command == "compare" else layers.NAMES


def names_of_headings(names: Sequence[str]) -> dict[str, str]:
    """Heading -> the first of these columns that has it, for the columns of layers."""
    columns = [layers.COLUMNS[name] for name in names if name in layers.COLUMNS]
    return {column.heading.title: column.heading.name for column in reversed(columns) if column.heading.title}


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
    """A table as CSV; booleans as `true` or `false`."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading.plain for heading in sheet.headings)
    plain = ([cell.plain for cell in line] for line in sheet.lines)
    writer.writerows([str(each).lower() if isinstance(each, bool) else each for each in line] for line in plain)
    return text.getvalue()
