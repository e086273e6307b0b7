"""The file of a sweep: a row is one line, written at once when its model is done; a torn last line is known by its end.

Every row has its options and versions in columns of its own, so that a sweep that goes on knows which rows are true
still. Parquet can only be written whole: its rows stand in a file of JSON lines beside it until all are there.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, TextIO

from cnninspect.cli.sweep import CSV, LINES, PARQUET, TABLE
from cnninspect.errors import OutputError, UsageError
from cnninspect.files import cause_of, write_whole
from cnninspect.render.numbers import field_text
from cnninspect.report.rows import ReceptiveField
from cnninspect.report.swept import COLUMNS, COUNTS, SweptModel, parse_field

ENDINGS = {".txt": TABLE, ".csv": CSV, ".jsonl": LINES, ".ndjson": LINES, ".parquet": PARQUET}


def csv_line(row: SweptModel) -> str:
    """The row as a line of CSV: counts as integers, an empty cell for what is unknown or does not apply."""
    return _csv(_flat(row).values())


def json_line(row: SweptModel) -> str:
    """The row as a line of JSON."""
    return json.dumps(row.to_dict(), ensure_ascii=False) + "\n"


def _csv(cells: Iterable[Any]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _flat(row: SweptModel) -> dict[str, Any]:
    """The row with a field as text, `435` or `31x91`, and bounds as text, `macs lower_bound; field unknown`."""
    field = None if row.extent is None else _field(row.extent)
    bounds = "; ".join(f"{name} {status}" for name, status in row.bounds.items())
    return {**row.to_dict(), "field": field, "bounds": bounds}


def _field(extent: Any) -> str:
    return extent if isinstance(extent, str) else field_text(ReceptiveField(size=extent))


def _from_csv(line: str) -> SweptModel:
    cells = next(csv.reader([line]))
    data: dict[str, Any] = dict(zip(COLUMNS, cells, strict=True))
    return _from_flat({**{name: value or None for name, value in data.items()}, "bounds": data["bounds"]})


def _from_flat(data: dict[str, Any]) -> SweptModel:
    numbers = {name: None if data[name] is None else int(data[name]) for name in COUNTS}
    seconds = None if data["seconds"] is None else float(data["seconds"])
    bounds = dict(part.split(" ", 1) for part in data["bounds"].split("; ") if part)
    texts = {name: data[name] or "" for name in ("options", "versions")}
    field = parse_field(data["field"] or "")
    return SweptModel.from_dict({**data, **numbers, **texts, "seconds": seconds, "bounds": bounds, "field": field})


def _from_json(line: str) -> SweptModel:
    return SweptModel.from_dict(json.loads(line))


@dataclass(frozen=True)
class Form:
    """How rows are lines of a file: its first line, and a row as a line and back."""

    head: str
    write: Callable[[SweptModel], str]
    read: Callable[[str], SweptModel]


_FORMS = {CSV: Form(_csv(COLUMNS), csv_line, _from_csv), LINES: Form("", json_line, _from_json)}


def form_of_lines(form: str) -> Form:
    """How CSV and JSON lines hold a row; Parquet's rows are JSON lines until all are there."""
    return _FORMS[LINES if form == PARQUET else form]


class RowsFile:
    """A file that grows by a row at a time."""

    def __init__(self, path: Path, form: str):
        self.path, self.form = path, form
        self.lines = path.with_name(f"{path.name}.rows.jsonl") if form == PARQUET else path
        self._form = form_of_lines(form)
        self._open: TextIO | None = None

    def kept(self) -> list[SweptModel]:
        """The whole rows that the file holds, the last one of each target; raises UsageError if it is another file."""
        rows = _read_parquet(self.path) if self.form == PARQUET and self.path.exists() else []
        if self.lines.exists():
            rows += self._read(self.lines.read_bytes().decode("utf-8", "replace"))
        return list({row.target: row for row in rows}.values())

    def begin(self, rows: Sequence[SweptModel]) -> None:
        """Make the file hold these rows, and open it for more."""
        self._open = opened(self.lines, self._form.head + "".join(map(self._form.write, rows)))

    def add(self, row: SweptModel) -> None:
        """Append one row, so that it is in the file whatever happens to this process next."""
        assert self._open is not None, "begin() opens it"
        append(self._open, self._form.write(row))

    def close(self) -> None:
        """Close the file; its rows stay."""
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.close()

    def finish(self, rows: Sequence[SweptModel]) -> None:
        """Make the file hold these rows, in this order, and no others."""
        self.close()
        if self.form == PARQUET:
            write_whole(self.path, _parquet(rows))
            self.lines.unlink(missing_ok=True)
            return
        wanted = self._form.head + "".join(map(self._form.write, rows))
        if self.path.read_bytes() != wanted.encode():
            write_whole(self.path, wanted)

    def _read(self, text: str) -> list[SweptModel]:
        """The rows of the text without its last line, if that is torn."""
        if not text.endswith("\n"):
            text = text[: text.rfind("\n") + 1]
        if text and not text.startswith(self._form.head):
            raise UsageError(f"{self.path} is not the file of a sweep, or of another version: --resume cannot go on.")
        lines = text[len(self._form.head) :].split("\n")[:-1]
        numbered = enumerate(lines, start=2 if self._form.head else 1)
        return [self._row(line, number) for number, line in numbered]

    def _row(self, line: str, number: int) -> SweptModel:
        try:
            return self._form.read(line)
        except (ValueError, KeyError, TypeError, csv.Error):
            raise UsageError(
                f"{self.lines}, line {number} is no row of a sweep. Remove the line, and its model is inspected again."
            ) from None


def opened(path: Path, text: str) -> TextIO:
    """The file, which holds this text and nothing else, open for more; raises OutputError."""
    write_whole(path, text)
    try:
        return path.open("a", encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {cause_of(error)}. Name another file.") from error


def append(file: TextIO, text: str) -> None:
    """Add the text, so that it is in the file whatever happens to this process next; raises OutputError."""
    try:
        file.write(text)
        file.flush()
    except OSError as error:
        raise OutputError(
            f"cannot write {file.name}: {cause_of(error)}. Make room, and go on with --resume."
        ) from error


def check_parquet() -> None:
    """Raises UsageError without pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UsageError("parquet needs pyarrow. Install it with: `python -m pip install pyarrow`.") from None


_TYPES = {**dict.fromkeys(COUNTS, "int64"), "seconds": "float64"}


def _parquet(rows: Sequence[SweptModel]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, getattr(pyarrow, _TYPES.get(name, "string"))()) for name in COLUMNS])
    content = BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([_flat(row) for row in rows], schema=schema), content)
    return content.getvalue()


def _read_parquet(path: Path) -> list[SweptModel]:
    import pyarrow.parquet

    try:
        return [_from_flat(data) for data in pyarrow.parquet.read_table(path).to_pylist()]
    except (ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are ValueErrors
        raise UsageError(f"{path} is not the file of a sweep: --resume cannot go on. Name another file.") from error
