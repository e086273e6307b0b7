"""The contract's JSON document."""

from __future__ import annotations

from cnninspect.render.page import Screen
from cnninspect.report.document import Document, Report
from cnninspect.report.json_form import laid_out
from cnninspect.report.selection import View, select


def render(report: Document, view: View, _screen: Screen) -> str:
    """The document as JSON with the rows of the view; columns and screen do not change it."""
    shown = select(report, view) if isinstance(report, Report) else report
    return laid_out(shown.to_dict())
