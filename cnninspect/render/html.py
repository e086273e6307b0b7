"""HTML: a complete page for a browser, and a fragment for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from cnninspect.render.page import UNICODE, Cell, Fact, Heading, Page, Screen, Sheet, Tone
from cnninspect.render.sections import page_of
from cnninspect.report.document import Document
from cnninspect.report.selection import View

_STYLE = """\
.cnninspect { font: 14px/1.45 system-ui, sans-serif; }
.cnninspect table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1em 0; }
.cnninspect table th, .cnninspect table td { padding: 0.1em 0.8em; border: 0; max-width: none;
  text-align: left !important; white-space: pre !important; vertical-align: baseline; }
.cnninspect th { font-weight: normal; opacity: 0.6; }
.cnninspect thead th { border-bottom: 1px solid; }
.cnninspect table .right { text-align: right !important; }
.cnninspect .strong { font-weight: bold; }
.cnninspect .quiet { opacity: 0.55; }
.cnninspect .accent { color: #0891b2; font-family: monospace; }
.cnninspect .match { color: #16a34a; }
.cnninspect .differ { color: #dc2626; font-weight: bold; }
.cnninspect .unknown { font-weight: bold; }
.cnninspect table.totals td { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.cnninspect table.rows tr > :first-child { position: sticky; left: 0; background: var(--jp-layout-color0, Canvas); }
@media (max-width: 600px) {
  .cnninspect table th, .cnninspect table td { padding-left: 0.3em; padding-right: 0.3em; }
}
"""


def render(document: Document, view: View, _screen: Screen) -> str:
    """The document as a complete HTML file."""
    return page_text([page_of(document, view, UNICODE, full=True)])


def page_text(pages: Sequence[Page]) -> str:
    """One complete HTML file of several pages, with the title of the first."""
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(pages[0].title)}</title>"
    )
    scheme = ":root { color-scheme: light dark; }"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n<style>{scheme}</style>\n</head>\n'
        f"<body>\n{''.join(map(_body, pages))}</body>\n</html>\n"
    )


def fragment(document: Document) -> str:
    """A fragment for a notebook, with equal blocks folded; its style does not affect other elements.

    Notebooks have style sheets of their own for tables: alignment and the tree's indent are marked as important.
    """
    page = page_of(document, View(), UNICODE, full=False)
    remarks = [remark.replace("--no-fold shows", "print(report) shows") for remark in page.remarks]
    return _body(replace(page, remarks=remarks, match=page.match.replace("--probe", "probe=True")))


def _body(parts: Page) -> str:
    return (
        f'<div class="cnninspect">\n<style>\n{_STYLE}</style>\n<p class="strong">{escape(parts.title)}</p>\n'
        f"{_lead(parts.lead)}{_table(parts.sheet)}{_remarks(_said(parts))}{_facts(parts.facts)}{_drawing(parts.drawing)}"
        f"{f'<p>{escape(parts.closing)}</p>' if parts.closing else ''}</div>\n"
    )


def _lead(lines: Sequence[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>\n" for line in lines)


def _drawing(lines: Sequence[str]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>\n" if lines else ""


def _said(parts: Page) -> Sequence[str]:
    """The remarks, and what the sign of a match leaves out."""
    return [*parts.remarks, *([f"{UNICODE.match} {parts.match}"] if parts.match else [])]


def _remarks(lines: Sequence[str]) -> str:
    return "".join(f'<p class="quiet">{escape(line)}</p>\n' for line in lines)


def _table(sheet: Sheet) -> str:
    if not sheet.lines:
        return ""
    head = "".join(
        f"<th{_attribute(heading)}>{escape(heading.title or heading.name)}</th>" for heading in sheet.headings
    )
    rows = (
        "".join(_cell(cell, heading) for cell, heading in zip(line, sheet.headings, strict=True))
        for line in sheet.lines
    )
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return f'<table class="rows">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'


def _cell(cell: Cell, heading: Heading) -> str:
    text = cell.text.lstrip()
    indent = (len(cell.text) - len(text)) / 2
    style = f' style="padding-left: {0.8 + 1.2 * indent:.1f}em !important"' if heading.shortens and indent else ""
    if cell.tone is Tone.ACCENT:
        figure = cell.text.lstrip(UNICODE.bar)
        bar = f'<span class="accent">{escape(cell.text.removesuffix(figure))}</span>' if figure != cell.text else ""
        return f"<td{_attribute(heading)}>{bar}{escape(figure)}</td>"
    return f"<td{_attribute(heading, cell.tone)}{style}>{escape(text if style else cell.text)}</td>"


def _attribute(heading: Heading, tone: Tone = Tone.PLAIN) -> str:
    classes = [name for name in ("right" if heading.right else "", "" if tone is Tone.PLAIN else tone.value) if name]
    return f' class="{" ".join(classes)}"' if classes else ""


def _facts(found: list[Fact]) -> str:
    rows = "".join(f'<tr><th scope="row">{escape(fact.label)}</th>{_texts(fact)}</tr>\n' for fact in found)
    return f'<table class="totals">\n<tbody>\n{rows}</tbody>\n</table>\n'


def _texts(fact: Fact) -> str:
    """Both texts of a fact; one without a second text takes the room of both."""
    text = f'<td class="{fact.tone.value}"{"" if fact.aside else " colspan=2"}>{escape(fact.text)}</td>'
    return f"{text}<td>{escape(fact.aside)}</td>" if fact.aside else text
