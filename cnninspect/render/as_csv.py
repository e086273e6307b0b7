"""Comma-separated values: plain integers, units in the headings, nothing where nothing is known."""

from __future__ import annotations

import csv
from io import StringIO

from cnninspect.render.page import UNICODE, Screen, Sheet
from cnninspect.render.sections import data_sheet
from cnninspect.report.document import Document
from cnninspect.report.selection import View


def render(report: Document, view: View, _screen: Screen) -> str:
    """One line per row of the view with every column, or with those that the view names."""
    return written(data_sheet(report, view, UNICODE))


def written(sheet: Sheet) -> str:
    """A sheet as comma-separated values."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading.plain for heading in sheet.headings)
    writer.writerows([cell.plain for cell in line] for line in sheet.lines)
    return text.getvalue()
