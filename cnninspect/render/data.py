"""The formats for programs: JSON and CSV."""

from __future__ import annotations

import csv
from io import StringIO

from cnninspect.render.page import UNICODE, Screen, Sheet
from cnninspect.render.sections import data_sheet
from cnninspect.report.document import Document, Report
from cnninspect.report.json_form import json_text
from cnninspect.report.selection import View, select


def as_json(report: Document, view: View, _screen: Screen) -> str:
    """The JSON document with the rows of the view; it always holds all numbers, whatever the columns."""
    shown = select(report, view) if isinstance(report, Report) else report
    return json_text(shown.to_dict())


def as_csv(report: Document, view: View, _screen: Screen) -> str:
    """CSV with one line per row of the view; all columns unless the view names some."""
    return sheet_text(data_sheet(report, view, UNICODE))


def sheet_text(sheet: Sheet) -> str:
    """A table as CSV."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading.plain for heading in sheet.headings)
    writer.writerows([cell.plain for cell in line] for line in sheet.lines)
    return text.getvalue()
