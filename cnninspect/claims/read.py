"""Reads claims files: one claim per row. All errors in a file are found before a model runs.

CSV, Markdown, JSON and YAML are read as records: header -> text of the cell.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from cnninspect.claims.cell import COLUMNS, SETTINGS, Claimed, read_cell
from cnninspect.claims.expressions import NotArithmetic
from cnninspect.errors import UsageError, nearest
from cnninspect.files import cause_of
from cnninspect.report.rows import TOTAL, RowId

_WHICH = ("layer", "call")
_OF_A_TOTAL = ("params", "macs", "flops", "neurons", "receptive_field")


@dataclass(frozen=True)
class Claim:
    """One row of the file, about one use of a layer, or about the totals if `row` is None.

    A functional call is named by the path of the calling module and its kind; the kind is "" if the file gives none.
    The layer `total` stands for the totals, unless the file gives a kind or a call: then it is a module of that name.
    `written` holds the texts of the cells. `where` is the row's place: `claims.csv, line 3`.
    """

    row: RowId | None
    cells: Mapping[str, Claimed]
    written: Mapping[str, str] = field(default_factory=dict)
    where: str = ""


def read_claims(file: str) -> tuple[Claim, ...]:
    """The claims of a file; UsageError with file and row for anything that cannot be understood.

    A row without `call` is about the use after that of the previous row about the same layer, or about call 0.
    """
    following: Counter[tuple[str, str]] = Counter()
    claims = []
    for record in read_records(file):
        claim = _claim(record, file, following)
        if claim.row is not None:
            following[_use(claim.row.path, claim.row.kind)] = claim.row.call + 1
        claims.append(claim)
    if not claims:
        raise UsageError(f"{file} claims nothing: it has no rows. Write a row for each layer below the header.")
    return tuple(claims)


def _claim(record: Record, file: str, following: Mapping[tuple[str, str], int]) -> Claim:
    where = f"{file}, {record.place}"
    texts = {_column(header, f"{file}, {record.names_place}"): text for header, text in record.cells.items()}
    layer, kind = texts.get("layer", ""), texts.get("kind", "")
    is_total = layer.lower() == TOTAL and not kind and "call" not in texts
    if not layer and not kind:
        raise UsageError(f"{where}: it names no layer. Fill in `layer`, or `kind` for a function that the root calls.")
    cells = {column: _cell(column, texts[column], where) for column in COLUMNS if column in texts}
    if is_total and (wrong := [column for column in cells if column not in _OF_A_TOTAL]):
        hint = f"It has {', '.join(_OF_A_TOTAL)}. A module called {layer} is named with its kind."
        raise UsageError(f"{where}: a total has no {wrong[0]}. {hint}")
    if is_total:
        return Claim(None, cells, texts, where)
    call = _call(texts["call"], where) if "call" in texts else following[_use(layer, kind)]
    return Claim(RowId(layer, kind, call), cells, texts, where)


def _use(layer: str, kind: str) -> tuple[str, str]:
    """The key by which calls are counted: a module, or a function and the module that calls it."""
    return layer, kind if "." in kind or not layer else ""


def _column(header: str, where: str) -> str:
    name = "_".join(header.lower().replace("-", " ").split())
    known = (*_WHICH, *COLUMNS)
    if name not in known:
        near = nearest(name, known, 1)
        hint = f"Nearest: {near[0]}." if near else f"Columns: {', '.join(known)}."
        raise UsageError(f"{where}: no column is called {header!r}. {hint}")
    return name


def _call(text: str, where: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{where}: call {text!r} is not a number. The first use of a layer is call 0.")
    return int(text)


_COUNT = "Write a number, a size such as 5.4K, or arithmetic such as 3*3*3*16+16."
_EXAMPLES = {
    **dict.fromkeys(COLUMNS, _COUNT),
    **dict.fromkeys(("input_shape", "output_shape"), "Write a shape such as 16x32x32."),
    **dict.fromkeys((*SETTINGS, "jump"), "Write a number such as 3, or one for each axis such as 3x5."),
    "receptive_field": "Write a size such as 35 or 31x91, or global.",
}


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _cell(column: str, text: str, where: str) -> Claimed:
    try:
        return read_cell(column, text)
    except NotArithmetic as error:
        raise UsageError(
            f"{where}: cannot understand {column} {_shortened(text)!r}: {error}. {_EXAMPLES[column]}"
        ) from None


class Record(NamedTuple):
    """One row of the file: its place, such as `line 3`, the place of the header, and the cells that are not empty."""

    place: str
    names_place: str
    cells: dict[str, str]


_TEMPLATE = "`cnninspect summary TARGET --columns layer,params,macs --ops none -o {}` writes one to correct."

_MARKUP = re.compile(r"^(\*\*|__|`)(.*)\1$")
_ESCAPED = re.compile(r"\\([\\|*`\[\]<_])")
_RULE = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")


def read_records(file: str) -> list[Record]:
    """The rows of a claims file, by its ending; UsageError for a file that cannot be read."""
    path = Path(file)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{file}: claims are read from {', '.join(_READERS)} files. Save them as one of these.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return [record for record in reader(text) if record.cells]
    except OSError as error:
        template = _TEMPLATE.format(path.with_suffix(".csv"))
        raise UsageError(f"cannot read {file}: {cause_of(error)}. {template}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it is not UTF-8 text. Save it as UTF-8.") from None
    except RecursionError:
        raise UsageError(f"{file}: it is nested too deeply. {_LIST}.") from None
    except ValueError as error:
        raise UsageError(f"{file}: {str(error).rstrip('.')}.") from None


def _csv(text: str) -> Iterator[Record]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        lines = [(f"line {reader.line_num}", cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ValueError(
            f"line {reader.line_num}: {error}. Close every quote, and double those within a cell"
        ) from None
    if lines and len(lines[0][1]) == 1 and (sign := re.search(r"[;\t]", lines[0][1][0])):
        raise ValueError(f"its columns are separated by {sign[0]!r}. Separate them by commas")
    return _table(lines, "A number with commas needs quotes")


def _markdown(text: str) -> Iterator[Record]:
    """The first table in the text."""
    lines: list[tuple[str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("|"):
            lines.append((f"line {number}", [_unmarked(cell) for cell in _BAR.split(line.strip().strip("|"))]))
        elif lines:
            break
    if len(lines) < 2 or not all(_RULE.fullmatch(cell) for cell in lines[1][1]):
        raise ValueError(
            "it contains no table. Write a header, a line of dashes, and rows, with bars between the cells"
        )
    del lines[1]
    return _table(lines, r"A bar within a cell is written \|")


def _unmarked(cell: str) -> str:
    """The text of a cell without bold, code and escape marks."""
    cell = cell.strip()
    while marked := _MARKUP.match(cell):
        cell = marked[2].strip()
    return _ESCAPED.sub(r"\1", cell)


def _table(lines: Sequence[tuple[str, list[str]]], too_many: str) -> Iterator[Record]:
    """The records of the lines after the header; `too_many` is the advice for a line with too many cells."""
    if not lines:
        raise ValueError("it is empty. Write a header, such as layer,params, and a row for each layer")
    above, headers = lines[0][0], [header.strip() for header in lines[0][1]]
    for place, cells in lines[1:]:
        if len(cells) != len(headers):
            hint = too_many if len(cells) > len(headers) else "Keep empty cells for numbers that are not claimed"
            raise ValueError(f"{place}: the header has {len(headers)} cells, this row {len(cells)}. {hint}")
        yield Record(place, above, _without_empty(list(zip(headers, cells, strict=True))))


def _json(text: str) -> Iterator[Record]:
    try:
        return _objects(json.loads(text, object_pairs_hook=_unique))
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}. {_LIST}") from None


def _yaml(text: str) -> Iterator[Record]:
    try:
        import yaml
    except ImportError:
        raise ValueError(
            "reading YAML needs PyYAML: python -m pip install PyYAML. CSV, Markdown and JSON do not"
        ) from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        """A YAML loader that rejects duplicate keys, as the YAML standard does."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            _unique([(self.construct_object(key), None) for key, _ in node.value])
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    try:
        return _objects(yaml.load(text, Loader))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}. {_LIST}") from None


_LIST = 'Write a list with one object for each layer, such as [{"layer": "conv1", "params": 448}]'


def _objects(data: Any) -> Iterator[Record]:
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ValueError(f"it is not a list of objects. {_LIST}")
    for number, item in enumerate(data, 1):
        place = f"entry {number}"
        yield Record(place, place, _without_empty([(str(name), _text(value)) for name, value in item.items()]))


def _text(value: Any) -> str:
    """A JSON or YAML value as the text of a table cell; the sizes of a shape are joined by x."""
    if value is None:
        return ""
    if isinstance(value, list):
        return (";" if any(isinstance(item, list) for item in value) else "x").join(map(_text, value))
    if isinstance(value, (bool, dict)):
        raise ValueError(f"{value!r} claims nothing that can be checked. Write a number, a list of sizes or text")
    return str(value)


def _without_empty(cells: list[tuple[str, str]]) -> dict[str, str]:
    return {header: text.strip() for header, text in _unique(cells).items() if text.strip()}


def _unique(cells: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [header for header, _ in cells]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} occurs twice. Keep one of them")
    return dict(cells)


_READERS: dict[str, Callable[[str], Iterator[Record]]] = {
    ".csv": _csv,
    ".md": _markdown,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}
