"""The contract's JSON document, laid out for people and for `diff`: one line per row, total and check."""

from __future__ import annotations

import json
from typing import Any

from cnninspect.render.screen import Screen
from cnninspect.render.view import View, select
from cnninspect.report import Report


def render(report: Report, view: View, _screen: Screen) -> str:
    """The report as JSON with the rows of the view; columns and screen do not change it."""
    document = select(report, view).to_dict()
    return "{\n" + ",\n".join(f"  {_text(name)}: {_lines(value)}" for name, value in document.items()) + "\n}\n"


def _lines(value: Any) -> str:
    """A value on one line, or on one line for each of the objects that it holds."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(f"    {_text(item)}" for item in value) + "\n  ]"
    if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
        return "{\n" + ",\n".join(f"    {_text(name)}: {_text(item)}" for name, item in value.items()) + "\n  }"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
