"""The contract's JSON document."""

from __future__ import annotations

from cnninspect.render.arrange import select
from cnninspect.render.screen import Screen
from cnninspect.render.view import View
from cnninspect.report.document import Report
from cnninspect.report.json_layout import laid_out


def render(report: Report, view: View, _screen: Screen) -> str:
    """The report as JSON with the rows of the view; columns and screen do not change it."""
    return laid_out(select(report, view).to_dict())
