"""HTML: a complete page for a browser, and a fragment for a notebook. Templates, style and script are in `web/`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from cnninspect.render import checks, comparison
from cnninspect.render.page import UNICODE, Cell, Derivations, Heading, OtherSide, Page, Screen, Sheet, Tone
from cnninspect.render.sections import page_of
from cnninspect.report.document import Comparison, Document, FieldStudy, Report
from cnninspect.report.parts import AlignedRows
from cnninspect.report.rows import Check, RowId
from cnninspect.report.selection import View, select, tree

_FILES = Path(__file__).parent / "web"

_OPENS = {
    "output_shape": "output_shape", "params": "params", "macs": "macs", "flops": "flops", "neurons": "neurons",
    "share": "macs", "cumulative": "macs", "receptive_field": "receptive_field", "jump": "receptive_field",
    "field_padding": "receptive_field",
}  # fmt: skip
"""Column -> the number whose derivation its cells open."""


def render(
    document: Document,
    view: View,
    _screen: Screen,
    derivations: Derivations | None = None,
    other: OtherSide | None = None,
) -> str:
    """The document as a complete HTML file, in which the numbers of layers open their `derivations`.

    `other` is the second network of a comparison.
    """
    page = page_of(document, view, UNICODE, full=True)
    if isinstance(document, Comparison):
        return _compared(page, document, view, derivations or {}, other)
    if isinstance(document, FieldStudy) and (document.asked or document.effective):
        study = _data(replace(document, dataflow=None, live_bytes=None).to_dict())
        return _whole([(page, _sheet(page.sheet))], document, script=_texts("picture.js"), report=study)
    if not isinstance(document, Report) or not page.sheet.places:
        return page_text([page], document)
    shown = select(document, view)
    rows = {row.id: index for index, row in enumerate(shown.rows)}
    derived = [(derivations or {}).get(row.id) for row in shown.rows]
    ran = view.is_tree and bool(document.run.get("inputs"))
    tree = _Tree(rows, [set(row.quantities) for row in shown.rows], shown, "run" if ran else None)
    return _whole(
        [(page, _sheet(page.sheet, tree))],
        document,
        script=_texts(*_SCRIPTS),
        report=_data(shown.to_dict()),
        derivations=_data(_interned(derived)),
    )


_SCRIPTS = ("dagre.min.js", "page.js", "graph.js", "charts.js", "viewer.js")


def _compared(page: Page, document: Comparison, view: View, derivations: Derivations, other: OtherSide | None) -> str:
    """The page of a comparison: all checks, or the layers of both networks side by side; it first shows what differs.

    The derivations are those of the network's rows, then those of the other network's row of each pair.
    """
    of_other = {} if other is None else other.derivations or {}
    pairs: Sequence[AlignedRows | Check]
    if document.aligned is None:
        sheet, pairs = checks.whole_sheet(document, view, UNICODE)
    else:
        sheet, pairs = comparison.whole_sheet(document, view, UNICODE)
    if not pairs:
        return page_text([page], document)
    others = [None if pair.other is None else of_other.get(pair.other) for pair in document.aligned or ()]
    derived = [derivations.get(row.id) for row in document.rows]
    return _whole(
        [(page, _pairs_sheet(sheet, pairs, document))],
        document,
        script=_texts(*_SCRIPTS),
        report=_data(replace(document, dataflow=None, live_bytes=None).to_dict()),
        derivations=_data(_interned([*derived, *others])),
        networks=_data(_networks(document, other)),
    )


def _networks(document: Comparison, other: OtherSide | None) -> list[dict[str, Any]]:
    """What graph, charts and viewer show of the networks of a comparison.

    The rows of its own network are numbers of the report's rows, those of the other stand here.
    """
    places = {row.id: index for index, row in enumerate(document.rows)}
    own = tree(document, View())
    sides = [(own, [places[row.id] for row in own.rows])]
    if other is not None and document.aligned is not None and other.report.rows:
        shown = tree(replace(other.report, target=document.other.target if document.other else {}), View())
        sides.append((shown, shown.to_dict()["rows"]))
    return [{**Report.of(report, rows=(), notes=()).to_dict(), "rows": rows} for report, rows in sides]


def page_text(pages: Sequence[Page], document: Document | None = None) -> str:
    """One complete HTML file of several pages, with the title of the first."""
    return _whole([(page, _sheet(page.sheet)) for page in pages], document)


def _whole(
    pages: Sequence[tuple[Page, dict[str, Any]]],
    document: Document | None,
    *,
    script: str = "",
    report: str = "",
    derivations: str = "",
    networks: str = "",
) -> str:
    """The file of one or more pages; `script` works on the data in `report`, `derivations` and `networks`."""
    return _template("page.html").render(
        title=pages[0][0].title,
        style=_texts("style.css", "page.css"),
        pages=[(page, sheet, _said(page)) for page, sheet in pages],
        notes=() if document is None else document.notes,
        tool="" if document is None else _versions(document),
        script=script,
        report=report,
        derivations=derivations,
        networks=networks,
        weighs=isinstance(document, FieldStudy) and document.effective is not None,
        landscape=isinstance(document, Comparison) and document.aligned is not None,
    )


def fragment(document: Document) -> str:
    """A fragment for a notebook, with equal blocks folded; its style does not affect other elements.

    Notebooks have style sheets of their own for tables: alignment and the tree's indent are marked as important.
    """
    page = page_of(document, View(), UNICODE, full=False)
    remarks = [remark.replace("--no-fold shows", "print(report) shows") for remark in page.remarks]
    page = replace(page, remarks=remarks, match=page.match.replace("--probe", "probe=True"))
    return _template("notebook.html").render(
        page=page, sheet=_sheet(page.sheet), said=_said(page), style=_texts("style.css")
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FILES), autoescape=True, undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def _texts(*names: str) -> Markup:
    """The files one after the other, as they are: styles and scripts, in which nothing is escaped."""
    return Markup("").join(Markup((_FILES / name).read_text(encoding="utf-8")) for name in names)


def _data(value: Any) -> Markup:
    """JSON that may stand in a script element: no name in it can end the element or begin a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


_TEXTS = ("symbolic", "substituted", "source", "words")
"""What is written out once, in `texts`, and elsewhere is its number there."""


def _interned(derived: Sequence[Sequence[Mapping[str, Any]] | None]) -> dict[str, Any]:
    """The derivations, each once in `all`; the `rows` have their numbers there. Blocks that repeat share nearly all."""
    texts: dict[str, int] = {}
    known: dict[str, int] = {}

    def short(one: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: texts.setdefault(value or "", len(texts)) if name in _TEXTS else value for name, value in one.items()
        }
        if "jump" in found:
            found["jump"] = short(found["jump"])
        if "parts" in found:
            found["parts"] = {name: short(part) for name, part in found["parts"].items()}
        return found

    rows = [[known.setdefault(json.dumps(short(each)), len(known)) for each in of_row or ()] for of_row in derived]
    return {"rows": rows, "all": list(map(json.loads, known)), "texts": list(texts)}


def _versions(document: Document) -> str:
    """The tool and the versions that the numbers depend on: `cnninspect 0.1 · python 3.11 · torch 2.13`."""
    tool = {name: version for name, version in document.tool.items() if version and name not in ("name", "version")}
    own = f"{document.tool.get('name', 'cnninspect')} {document.tool.get('version', '')}".strip()
    return UNICODE.separator.join([own, *(f"{name} {version}" for name, version in tool.items())])


def _said(page: Page) -> Sequence[str]:
    """The remarks, and what the sign of a match leaves out."""
    return [*page.remarks, *([f"{UNICODE.match} {page.match}"] if page.match else [])]


# --- the parts of a table, as the templates take them ---------------------------------------------------------------


@dataclass(frozen=True)
class _Tree:
    """What makes a table a tree: the number of each row in the report, and the names of its numbers, which open.

    `order` is `run` where the rows stand in the order in which they ran.
    """

    rows: Mapping[RowId, int]
    numbers: Sequence[set[str]]
    report: Report
    order: str | None


def _sheet(sheet: Sheet, tree: _Tree | None = None) -> dict[str, Any]:
    is_tree = tree is not None
    return {
        "headings": [_heading(heading, is_tree=is_tree) for heading in sheet.headings],
        "lines": [_plain_line(line, sheet.headings) for line in sheet.lines]
        if tree is None
        else _branches(sheet, tree),
        "is_tree": is_tree,
        "attributes": _attributes(
            {} if tree is None else {"role": "treegrid", "aria-label": "Layers", "data-order": tree.order}
        ),
        "row": _attributes({"role": "row"} if is_tree else {}),
    }


def _plain_line(line: Sequence[Cell], headings: Sequence[Heading]) -> dict[str, Any]:
    return {"attributes": "", "cells": list(map(_cell, line, headings))}


def _branches(sheet: Sheet, tree: _Tree) -> list[dict[str, Any]]:
    """The lines of a table of layers, each with the path of the line above it in the tree."""
    above: list[str] = []
    depths, found = [place.depth for place in sheet.places], []
    for index, (line, place) in enumerate(zip(sheet.lines, sheet.places, strict=True)):
        above = [*above[: place.depth], place.row.path]
        has_below = depths[index + 1 : index + 2] > [place.depth]
        number = tree.rows.get(place.row)
        opens = set() if number is None else tree.numbers[number]
        first = _first_cell(line[0], sheet.headings[0], above[-2:-1], place.depth, twists=has_below)
        rest = [_tree_cell(cell, heading, opens) for cell, heading in zip(line[1:], sheet.headings[1:], strict=True)]
        found.append({
            "attributes": _of_row(tree, number, place.depth, has_below=has_below, waits=index >= _AT_ONCE),
            "cells": [first, *rest],
        })  # fmt: skip
    return found


_AT_ONCE = 500
"""Rows that a browser lays out before the script runs; later ones are hidden until then, or until there is none."""


def _of_row(tree: _Tree, number: int | None, depth: int, *, has_below: bool, waits: bool) -> Markup:
    return _attributes(
        {
            "role": "row",
            "aria-level": depth + 1,
            "aria-expanded": "true" if has_below else None,
            "aria-selected": "false",
            "tabindex": "-1",
            "hidden": "hidden" if waits else None,
            "data-row": number,
            "data-verdict": None if number is None else tree.report.rows[number].verdict.value,
        }
    )


_SIDE = "other_"
"""How the columns of the second network begin."""


def _pairs_sheet(sheet: Sheet, pairs: Sequence[AlignedRows | Check], document: Comparison) -> dict[str, Any]:
    """A table of a comparison; each line knows its place in the report, and its numbers open both sides."""
    places = {id(each): index for index, each in enumerate(document.aligned or document.checks)}
    rows = {row.id: index for index, row in enumerate(document.rows)}

    def line(index: int, cells: Sequence[Cell], pair: AlignedRows | Check) -> dict[str, Any]:
        row = pair.row if isinstance(pair, Check) else pair.target
        place = places.get(id(pair))
        attributes = {
            "role": "row", "aria-level": 1, "aria-selected": "false", "tabindex": "-1",
            "hidden": "hidden" if index >= _AT_ONCE else None,
            "data-row": None if row is None else rows.get(row), "data-pair": place, "data-verdict": pair.verdict.value,
        }  # fmt: skip
        return {
            "attributes": _attributes(attributes),
            "cells": [
                _pair_cell(cell, heading, pair, knows=place is not None)
                for cell, heading in zip(cells, sheet.headings, strict=True)
            ],
        }

    return {
        "headings": [_heading(_named(heading, document), is_tree=True) for heading in sheet.headings],
        "lines": [
            line(index, cells, pair) for index, (cells, pair) in enumerate(zip(sheet.lines, pairs, strict=True))
        ],
        "is_tree": True,
        "attributes": _attributes({
            "role": "treegrid", "aria-label": "Checks" if document.aligned is None else "Layers side by side"
        }),
        "row": _attributes({"role": "row"}),
    }  # fmt: skip


def _named(heading: Heading, document: Comparison) -> Heading:
    """The heading; over the layers of two networks stand their names if these differ."""
    if document.other is None:
        return heading
    names = {"layer": str(document.target.get("name")), "other_layer": str(document.other.target.get("name"))}
    return replace(heading, title=names.get(heading.name, heading.title)) if len(set(names.values())) > 1 else heading


def _pair_cell(cell: Cell, heading: Heading, pair: AlignedRows | Check, *, knows: bool) -> dict[str, Any]:
    found = _cell(cell, heading)
    is_number = isinstance(cell.plain, (int, float)) and not isinstance(cell.plain, bool)
    quantity = _opened_by(heading.name, pair) if knows and found["text"].strip() else ""
    look = _look(cell, heading)
    if heading.name == "other_layer":
        look["class"].append("side")
    if isinstance(pair, AlignedRows) and heading.name.removeprefix(_SIDE) in pair.differs:
        look["class"].append("differ")
    attributes = {**look, "data-sort": cell.plain if is_number else None}
    return {**found, "opens": quantity, "attributes": _attributes(attributes)}


def _opened_by(column: str, pair: AlignedRows | Check) -> str:
    """The number whose two sides a cell of this column opens, or ""."""
    if isinstance(pair, Check):
        return pair.name if column in ("expected", "found") else ""
    name = column.removeprefix(_SIDE)
    row = pair.other if column.startswith(_SIDE) else pair.target
    return name if row is not None and name in ("output_shape", "params", "macs") else ""


def _heading(heading: Heading, *, is_tree: bool) -> dict[str, Any]:
    sorts = {"role": "columnheader", "aria-sort": "none", "data-name": heading.name} if is_tree else {}
    classes = ["right"] if heading.right else []
    return {"text": heading.title or heading.name, "attributes": _attributes({"class": classes, **sorts})}


def _cell(cell: Cell, heading: Heading) -> dict[str, Any]:
    """A cell of a plain table; names are indented as the text says."""
    text, bar, indent = cell.text, "", (len(cell.text) - len(cell.text.lstrip())) / 2
    if cell.tone is Tone.ACCENT:
        text = cell.text.lstrip(UNICODE.bar)
        bar = cell.text.removesuffix(text) if text != cell.text else ""
    indents = heading.shortens and indent
    return {
        "text": text.lstrip() if indents else text,
        "above": "",
        "bar": bar,
        "twist": False,
        "opens": "",
        "attributes": _attributes(_look(cell, heading, indent if indents else None)),
    }


def _look(cell: Cell, heading: Heading, indent: float | None = None) -> dict[str, Any]:
    tone = [] if cell.tone in (Tone.PLAIN, Tone.ACCENT) else [cell.tone.value]
    style = None if indent is None else f"padding-left: {0.8 + 1.2 * indent:.1f}em !important"
    return {"class": [*(["right"] if heading.right else []), *tone], "style": style}


def _tree_cell(cell: Cell, heading: Heading, opens: set[str]) -> dict[str, Any]:
    """A cell of a table of layers; a number opens its derivation if there is one."""
    found = _cell(cell, heading)
    quantity = _OPENS.get(heading.name, "macs" if heading.name.startswith("macs_") else "")
    is_number = isinstance(cell.plain, (int, float)) and not isinstance(cell.plain, bool)
    attributes = {**_look(cell, heading), "data-sort": cell.plain if is_number else None}
    return {
        **found,
        "opens": quantity if quantity in opens and found["text"].strip() else "",
        "attributes": _attributes(attributes),
    }


def _first_cell(cell: Cell, heading: Heading, above: Sequence[str], depth: int, *, twists: bool) -> dict[str, Any]:
    """The name of a row: what stands above it in the tree first, which a narrow screen leaves out."""
    text = cell.text.lstrip()
    prefix = next(
        (each for each in (f"{path}{end}" for path in above if path for end in (".", " ")) if text.startswith(each)), ""
    )
    look = _look(cell, heading, max(depth, 0) + 0.8)
    return {
        **_cell(cell, heading),
        "text": text.removeprefix(prefix),
        "above": prefix,
        "twist": twists,
        "attributes": _attributes(look),
    }


def _attributes(found: Mapping[str, Any]) -> Markup:
    """Attributes with a space before each; those that are None, or classes without a name, are left out."""
    given: Iterable[tuple[str, Any]] = (
        (name, " ".join(value) if isinstance(value, list) else value) for name, value in found.items()
    )
    return Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in given if value not in (None, ""))
