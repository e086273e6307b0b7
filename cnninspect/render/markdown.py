"""GitHub-flavoured Markdown: a heading, the result of a comparison, a table, and the totals as a list."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cnninspect.render.cells import verdict_sign
from cnninspect.render.page import UNICODE, Cell, Fact, Page, Screen, Sheet
from cnninspect.render.sections import page_of
from cnninspect.report.document import Document
from cnninspect.report.quantities import Verdict
from cnninspect.report.selection import View

_SPECIAL = re.compile(r"[\\|*`\[\]<]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that Markdown reads as markup; an underscore inside a word is not."""

_FORMULA = re.compile(r"(\$[^$|]+\$)")
"""LaTeX inside a line."""


def render(document: Document, view: View, _screen: Screen) -> str:
    """The document as Markdown."""
    return page_text(page_of(document, view, UNICODE, full=True), document.verdict)


def page_text(parts: Page, verdict: Verdict) -> str:
    """A page as Markdown."""
    lead = "\n".join(f"- {_escaped(line)}" for line in parts.lead[1:])
    blocks = [f"### {_escaped(parts.title)}", _result(verdict, parts.closing), lead, _table(parts.sheet)]
    blocks.append(_list(parts.facts))
    if parts.drawing:
        blocks.append("\n".join(("```", *parts.drawing, "```")))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _result(verdict: Verdict, closing: str) -> str:
    """The result of a comparison as a bold sentence."""
    return f"{verdict_sign(verdict, UNICODE).text} **{_escaped(closing)}**" if closing else ""


def _table(sheet: Sheet) -> str:
    if not sheet.lines:
        return ""
    lines = [
        _row(_escaped(heading.title or heading.name) for heading in sheet.headings),
        _row("---:" if heading.right else "---" for heading in sheet.headings),
        *(_row(_cell(cell) for cell in line) for line in sheet.lines),
    ]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    return _escaped(" ".join(cell.text.split()))


def _list(found: list[Fact]) -> str:
    return "\n".join(f"- **{fact.label.strip()}** {_escaped(_sentence(fact))}" for fact in found)


def _sentence(fact: Fact) -> str:
    return f"{fact.text}, {fact.aside}" if fact.aside else fact.text


def _escaped(text: str) -> str:
    """The text with its markup disarmed; formulas between dollar signs stay as they are."""
    parts = _FORMULA.split(text.replace("\n", " "))
    return "".join(part if place % 2 else _SPECIAL.sub(r"\\\g<0>", part) for place, part in enumerate(parts))
