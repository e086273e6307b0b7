"""Files for programs: the contract's JSON, and comma-separated values."""

from __future__ import annotations

import csv
from io import StringIO

from cnninspect.render.page import UNICODE, Screen, Sheet
from cnninspect.render.sections import data_sheet
from cnninspect.report.document import Document, Report
from cnninspect.report.json_form import laid_out
from cnninspect.report.selection import View, select


def as_json(report: Document, view: View, _screen: Screen) -> str:
    """The contract's JSON document with the rows of the view; columns and screen do not change it."""
    shown = select(report, view) if isinstance(report, Report) else report
    return laid_out(shown.to_dict())


def as_csv(report: Document, view: View, _screen: Screen) -> str:
    """Comma-separated values: one line per row of the view with every column, or with those that the view names."""
    return written(data_sheet(report, view, UNICODE))


def written(sheet: Sheet) -> str:
    """A sheet as comma-separated values."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading.plain for heading in sheet.headings)
    writer.writerows([cell.plain for cell in line] for line in sheet.lines)
    return text.getvalue()
