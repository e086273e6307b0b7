"""What a claims file claims: one claim a row, every cell read before any model runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cnninspect.claims.cell import COLUMNS, Claimed
from cnninspect.claims.expressions import NotArithmetic
from cnninspect.claims.tables import Record, read_records
from cnninspect.errors import UsageError, nearest
from cnninspect.report.rows import TOTAL

_WHICH = ("layer", "call")
_OF_A_TOTAL = ("params", "macs", "flops", "neurons", "receptive_field")


@dataclass(frozen=True)
class Claim:
    """What one row of the file says about one use of a layer, or about the totals.

    `layer` is a module's path, "" for the root. A function call is named by the path of the module that calls it and
    its `kind`, which is "" where the row names none. `total` is the network as a whole, unless the row has a `kind` or
    a `call`: totals have neither, so that such a row is about a module of that name.
    """

    layer: str
    call: int
    kind: str
    cells: Mapping[str, Claimed]
    is_total: bool = False


def read_claims(file: str) -> tuple[Claim, ...]:
    """The claims of a file; UsageError, which names file and row, for anything that cannot be understood.

    A row without `call` is about the use after the one that the row before it about the same layer is about.
    """
    following: Counter[tuple[str, str]] = Counter()
    claims = []
    for record in read_records(file):
        claim = _claim(record, file, following)
        following[_use(claim.layer, claim.kind)] = claim.call + 1
        claims.append(claim)
    if not claims:
        raise UsageError(f"{file} claims nothing: it has no rows.")
    return tuple(claims)


def _claim(record: Record, file: str, following: Mapping[tuple[str, str], int]) -> Claim:
    where = f"{file}, {record.place}"
    texts = {_column(header, f"{file}, {record.names_place}"): text for header, text in record.cells.items()}
    layer, kind = texts.get("layer", ""), texts.get("kind", "")
    is_total = layer.lower() == TOTAL and not kind and "call" not in texts
    layer = TOTAL if is_total else layer
    if not layer and not kind:
        raise UsageError(f"{where}: it names no layer. A function call without one is named by its kind.")
    cells = {column: _cell(column, texts[column], where) for column in COLUMNS if column in texts}
    if is_total and (wrong := [column for column in cells if column not in _OF_A_TOTAL]):
        hint = f"It has {', '.join(_OF_A_TOTAL)}. A module called {layer} is named with its kind."
        raise UsageError(f"{where}: a total has no {wrong[0]}. {hint}")
    call = _call(texts["call"], where) if "call" in texts else 0 if is_total else following[_use(layer, kind)]
    return Claim(layer, call, kind, cells, is_total)


def _use(layer: str, kind: str) -> tuple[str, str]:
    """What calls are numbered for: the uses of a module, or of one function by a module."""
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
        raise UsageError(f"{where}: call {text!r} is no number. The first use of a layer is call 0.")
    return int(text)


def _cell(column: str, text: str, where: str) -> Claimed:
    try:
        return COLUMNS[column](text)
    except NotArithmetic as error:
        raise UsageError(f"{where}: cannot understand {column} {text!r}: {error}.") from None
