"""Documents as text: the registry of formats, each imported on first use. Renderers import only documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from importlib import import_module
from typing import Any

from cnninspect.errors import OutputError, error_text
from cnninspect.render.page import Derivations, OtherSide, Screen
from cnninspect.report.document import Document
from cnninspect.report.selection import View


class Format(str, Enum):
    """The built-in values of `--format`; plug-ins add others."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"
    GITHUB = "github"
    JUNIT = "junit"
    LATEX = "latex"


_RENDERERS = {
    Format.TABLE: ("table", "render"),
    Format.JSON: ("sections", "as_json"),
    Format.CSV: ("sections", "as_csv"),
    Format.MARKDOWN: ("markdown", "render"),
    Format.HTML: ("html", "render"),
    Format.GITHUB: ("ci", "github"),
    Format.JUNIT: ("ci", "junit"),
    Format.LATEX: ("latex", "render"),
}
"""Format -> module in this package, and function."""

_ENDINGS = {
    ".txt": "table", ".json": "json", ".csv": "csv", ".md": "markdown", ".html": "html", ".htm": "html",
    ".xml": "junit", ".tex": "latex",
}  # fmt: skip
"""Ending of the output file -> format, used without `--format`."""

_DERIVATIONS = {
    "table": ("explanation", "as_text"),
    "json": ("explanation", "as_json"),
    "markdown": ("equations", "as_markdown"),
    "latex": ("equations", "as_latex"),
    "html": ("equations", "as_html"),
}
"""File and function of every format for an Explanation, which is no table."""

Renderer = Callable[[Document, View], str]


_ADDED: dict[str, Renderer] = {}


def format_(name: str, *, endings: Sequence[str] = ()) -> Callable[[Renderer], Renderer]:
    """Registers a function as a format, also for files that end in one of `endings` (".rst").

    Raises ValueError if the name or an ending is registered already.
    """

    def enter(renderer: Renderer) -> Renderer:
        taken = [each for each in (name, *endings) if each in (*names(), *_ENDINGS)]
        if taken:
            raise ValueError(f"{taken[0]} is registered already")
        _ADDED[name] = renderer
        _ENDINGS.update(dict.fromkeys(endings, name))
        return renderer

    return enter


def names() -> tuple[str, ...]:
    """The names of all formats, those of plug-ins last."""
    return (*(each.value for each in Format), *_ADDED)


def endings() -> tuple[str, ...]:
    """All file endings that select a format."""
    return tuple(_ENDINGS)


def format_of(ending: str) -> str | None:
    """The format of files with this ending; None for an unknown ending."""
    return _ENDINGS.get(ending)


def _by_plugin(name: str, report: Document, view: View) -> str:
    """The text of a plug-in's format, ending in a newline; OutputError if its code fails."""
    try:
        return _ADDED[name](report, view).rstrip("\n") + "\n"
    except Exception as error:
        raise OutputError(
            f"the format {name!r} cannot write this {type(report).__name__}: {error_text(error)}. "
            "Choose another --format."
        ) from error


def render(
    report: Document,
    fmt: Format | str = Format.TABLE,
    *,
    view: View | None = None,
    screen: Screen | None = None,
    derivations: Derivations | None = None,
    other: OtherSide | None = None,
) -> str:
    """The document in one format, ending in a newline; without `screen`, without colours and with no limit of width.

    `derivations` are what the numbers of an HTML page open, `other` is the second network of a comparison, which the
    page draws beside the first; other formats have no room for them.
    """
    if type(report).__name__ == "Explanation":
        return _derivations(report, str(getattr(fmt, "value", fmt)), view or View(), screen or Screen())
    if fmt in _ADDED:
        return _by_plugin(fmt, report, view or View())
    file, function = _RENDERERS[Format(fmt)]
    renderer = getattr(import_module(f"cnninspect.render.{file}"), function)
    beside = {"derivations": derivations, "other": other} if fmt == Format.HTML else {}
    text: str = renderer(report, view or View(), screen or Screen(), **beside)
    return text


def _derivations(explanation: Any, fmt: str, view: View, screen: Screen) -> str:
    """An Explanation in one format; OutputError for one that holds no derivations. JSON always has all numbers."""
    if fmt not in _DERIVATIONS:
        raise OutputError(f"the format {fmt!r} cannot hold derivations. Use {', '.join(_DERIVATIONS)}.")
    file, function = _DERIVATIONS[fmt]
    shown = explanation if view.columns is None or fmt == Format.JSON else explanation.only(view.columns)
    return str(getattr(import_module(f"cnninspect.render.{file}"), function)(shown, screen))


def render_text(report: Document) -> str:
    """The document as a table without a final newline, for `repr` in a REPL."""
    return render(report).rstrip("\n")
