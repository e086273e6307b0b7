"""A document as text: the registry of formats, one file each, imported when asked for. Renderers see no other room."""

from __future__ import annotations

from enum import Enum
from importlib import import_module

from cnninspect.render.page import Screen
from cnninspect.report.document import Document
from cnninspect.report.selection import View


class Format(str, Enum):
    """What `--format` takes."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"
    GITHUB = "github"
    JUNIT = "junit"


_FILES = {
    Format.TABLE: "table",
    Format.JSON: "as_json",
    Format.CSV: "as_csv",
    Format.MARKDOWN: "markdown",
    Format.HTML: "html",
    Format.GITHUB: "github",
    Format.JUNIT: "junit",
}


def render(
    report: Document, fmt: Format | str = Format.TABLE, *, view: View | None = None, screen: Screen | None = None
) -> str:
    """The document in one format, ending in a newline; without `screen`, uncoloured and as wide as it needs to be."""
    renderer = import_module(f"cnninspect.render.{_FILES[Format(fmt)]}")
    text: str = renderer.render(report, view or View(), screen or Screen())
    return text


def render_text(report: Document) -> str:
    """The plain table of a document, without a newline at the end: what a REPL prints."""
    return render(report).rstrip("\n")
