"""The tensors of a checkpoint: the title above their table, and the totals below it."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.errors import printable
from cnninspect.render.numbers import bounded, mebibytes, sign
from cnninspect.render.page import Fact, Marks, Tone
from cnninspect.report.document import Checkpoint, formula_checks
from cnninspect.report.quantities import Quantity, Verdict

READERS = ("layer", "dtype", "shape", "elements", "bytes", "file", "verdict")
"""The columns for readers; `file` only with several."""

PROGRAMS = ("path", "dtype", "shape", "elements", "bytes", "file", "status", "verdict")
"""The columns of a CSV file."""

NAMES = tuple(dict.fromkeys((*READERS, *PROGRAMS, "depth", "leaf")))
"""The values of `--columns`."""

_SHOWN = 6


def title(report: Checkpoint, marks: Marks) -> str:
    """The title: `weights.safetensors · 18 tensors · bfloat16`."""
    tensors = sum(row.leaf for row in report.rows)
    files = len(report.shards)
    parts = (
        str(report.target["name"]),
        f"{files} files" if files > 1 else "",
        f"{tensors:,} tensor{'s' if tensors != 1 else ''}",
        _types(report),
    )
    return marks.separator.join(part for part in parts if part)


def _types(report: Checkpoint) -> str:
    types = list(report.total("elements").parts)
    return printable(types[0]) if len(types) == 1 else f"{len(types)} types" if types else ""


def facts(report: Checkpoint, marks: Marks) -> Iterator[Fact]:
    """The elements by type, the bytes of tensors and of files, and how many of the bytes agree."""
    elements, size, files = (report.total(name) for name in ("elements", "bytes", "file_bytes"))
    by_type = elements.parts if len(elements.parts) > 1 else {}
    types = ", ".join(f"{printable(name)} {count:,}" for name, count in by_type.items())
    yield Fact("elements", bounded(elements, marks), types)
    index = size.measured.get("index")
    said = f"{index:,} bytes by the index" if index not in (None, size.analytic) else ""
    yield Fact("tensors", _memory(size, marks), said, _tone(size))
    yield Fact("files", _memory(files, marks), _headers(report), _tone(files))
    yield from _shards(report, marks)
    yield from _verified(report)


def _memory(number: Quantity, marks: Marks) -> str:
    return marks.unknown if number.value is None else sign(number.status, marks) + mebibytes(number.value)


def _headers(report: Checkpoint) -> str:
    known = [shard.header_bytes for shard in report.shards if shard.header_bytes is not None]
    return f"headers {mebibytes(sum(known))}, which is all that was read"


def _shards(report: Checkpoint, marks: Marks) -> Iterator[Fact]:
    """One line per file, if there are several; of many the first, and how many more there are."""
    shards = report.shards if len(report.shards) > 1 else ()
    for shard in shards[:_SHOWN]:
        tensors = "missing" if shard.tensors is None else f"{shard.tensors:,} tensors"
        yield Fact(
            f"  {printable(shard.file)}",
            _memory(shard.file_bytes, marks),
            tensors,
            _tone(shard.file_bytes),
            is_main=False,
        )
    if len(shards) > _SHOWN:
        yield Fact("", f"and {len(shards) - _SHOWN} more files", is_main=False)


def _tone(number: Quantity) -> Tone:
    return Tone.DIFFER if number.verdict is Verdict.DIFFER else Tone.PLAIN


def _verified(report: Checkpoint) -> Iterator[Fact]:
    """How many tensors have the bytes of their shape, and what else does not fit."""
    leaves = [row for row in report.rows if row.leaf]
    fine = sum(row.verdict is Verdict.MATCH for row in leaves)
    wrong = [check.row.path if check.row is not None else check.name for check in formula_checks(report)
             if check.verdict is Verdict.DIFFER]  # fmt: skip
    shown = ", ".join(map(printable, dict.fromkeys(wrong[:3]))) + (
        f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    )
    text = f"shape and place in the file agree for {fine:,} of {len(leaves):,} tensors"
    yield Fact("verified", text, short=f"{fine:,} of {len(leaves):,} tensors")
    if wrong:
        yield Fact("differ", f"{shown}; `cnninspect compare` says how", tone=Tone.DIFFER)
