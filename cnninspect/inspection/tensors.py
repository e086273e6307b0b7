"""The report on a checkpoint: its tensors by module, from headers alone. Nothing runs, and torch is not imported.

The analytic side is shape x size of an element; the measured side is where the header puts the tensor, what the index
says of all bytes, and the size of the file.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod

from cnninspect.errors import printable
from cnninspect.report.document import CHECKPOINT, Checkpoint
from cnninspect.report.parts import Shard
from cnninspect.report.quantities import Quantity, Status, Unit, judge, one_sided, worst
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField, Row
from cnninspect.report.sums import total_of
from cnninspect.targets.checkpoint import DTYPES, LENGTH, CheckpointFiles, Entry, Header, in_order, read_header
from cnninspect.version import __version__

OFFSETS = "offsets"
"""The counter that takes a tensor's bytes from its place in the file."""

FILE = "file"
"""The counter that asks the disk for the size of a file."""

INDEX = "index"
"""The counter that reads the bytes of all tensors in the index."""

MISSING = "missing"
"""The kind of a tensor that the index names and no file has."""

_QUANT_STATE = ".quant_state.bitsandbytes__"
"""Behind the name of a weight: the tensor in which bitsandbytes keeps how it is packed."""

_LISTED = 3

_DEEPEST = 32
"""Parts of a name that are levels of the tree; what comes behind is one part."""


@dataclass
class _Found:
    """What the files of a checkpoint hold: their headers, the tensors by name with their file, and sentences on both.

    A tensor without an entry is missing, or stands in two files with different shapes; `why` says which.
    """

    headers: dict[str, Header] = field(default_factory=dict)
    tensors: dict[str, tuple[Entry | None, str]] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def inspect_checkpoint(files: CheckpointFiles, command: str = "summary") -> Checkpoint:
    """The report on a checkpoint; LoadError for a file whose header cannot be read."""
    found = _read(files)
    rows = _rows(found, several=len(files.files) > 1)
    shards = tuple(_shard(name, found.headers.get(name)) for name in files.files)
    totals = _totals(rows, shards, files)
    return Checkpoint(
        command=command,
        tool={"name": "cnninspect", "version": __version__, "python": platform.python_version()},
        target={"spec": files.spec, "provider": CHECKPOINT, "name": files.spec, "arguments": {}},
        run={"inputs": []},
        totals=totals,
        rows=rows,
        notes=tuple(found.notes),
        verdict=worst([*(row.verdict for row in rows), *(number.verdict for number in totals.values())]),
        shards=shards,
    )


# --- files ----------------------------------------------------------------------------------------------------------


def _read(files: CheckpointFiles) -> _Found:
    """The tensors of all files, and the notes on what does not fit together."""
    found = _Found()
    places: dict[str, list[tuple[Entry, str]]] = {}
    for name in files.files:
        if (path := files.folder / name).is_file():
            found.headers[name] = read_header(path)
            for entry in found.headers[name].tensors:
                places.setdefault(entry.name, []).append((entry, name))
    for name, here in places.items():
        found.tensors[name] = _chosen(name, here, files, found)
    for name in files.file_of.keys() - places.keys():
        file = files.file_of[name]
        found.tensors[name] = (None, file)
        found.why[name] = f"{file} is missing" if file not in found.headers else f"{file} does not hold it"
    notes = [*_about_files(files, found), *_about_tensors(files, found, places), *_about_places(found)]
    found.notes += map(printable, notes)
    return found


def _chosen(
    name: str, here: Sequence[tuple[Entry, str]], files: CheckpointFiles, found: _Found
) -> tuple[Entry | None, str]:
    """The tensor in the file that the index names, else in the first; none where files differ and no index decides."""
    for entry, file in here:
        if files.file_of.get(name) == file:
            return entry, file
    if len({(entry.type, entry.shape) for entry, _ in here}) > 1:
        found.why[name] = f"{' and '.join(file for _, file in here)} hold it with different shapes or types"
        return None, here[0][1]
    return here[0]


def _about_files(files: CheckpointFiles, found: _Found) -> Iterator[str]:
    """Notes on files that are missing, cut off, too long, or not named."""
    missing = [name for name in files.files if name not in found.headers]
    if missing:
        lost = sum(file in missing for file in files.file_of.values())
        are = "is" if len(missing) == 1 else "are"
        yield (
            f"{len(missing):,} of {len(files.files):,} files {are} missing: {_some(missing)}. {files.index} puts "
            f"{lost:,} tensor{'s' if lost != 1 else ''} there, whose sizes are unknown."
        )
    for name, header in found.headers.items():
        wanted, name = LENGTH + header.length + header.data, str(files.folder / name)
        if header.size < wanted:
            yield f"{name} is cut off: its header asks for {wanted:,} bytes, the file has {header.size:,}."
        elif header.size > wanted:
            yield f"{name} has {header.size - wanted:,} bytes behind its last tensor, which the header does not name."
    if files.others:
        others = _count(files.others, "file")
        yield f"{others} in the folder not named by {files.index}, and not read: {_some(files.others)}."


def _about_tensors(
    files: CheckpointFiles, found: _Found, places: Mapping[str, Sequence[tuple[Entry, str]]]
) -> Iterator[str]:
    """Notes on tensors in two files, in none, or in another than the index says."""
    twice = [name for name, here in places.items() if len(here) > 1]
    if twice:
        where = " and ".join(file for _, file in places[twice[0]])
        yield f"{_count(twice, 'tensor')} in two files or more: {_some(twice)} ({where}); each is counted once."
    lost = [name for name in found.why if files.file_of.get(name) in found.headers and name not in places]
    if lost:
        yield f"{_count(lost, 'tensor')} not in the file that {files.index} names: {_some(lost)}."
    if files.index is not None:
        own = [name for name in places if name not in files.file_of]
        moved = [name for name in places if name in files.file_of and found.tensors[name][1] != files.file_of[name]]
        if own:
            yield f"{_count(own, 'tensor')} not in {files.index}: {_some(own)}."
        if moved:
            yield f"{_count(moved, 'tensor')} in another file than {files.index} says: {_some(moved)}."
    yield from _about_packing(places)
    unknown = sorted({entry.type for entry, _ in found.tensors.values() if entry and entry.type not in DTYPES})
    if unknown:
        yield f"the size of an element of {', '.join(unknown)} is not known: bytes are those of the offsets alone."


def _about_packing(names: Collection[str]) -> Iterator[str]:
    """Notes on tensors that hold several weights in one element, as the names beside them say."""
    nibbles = [name.partition(_QUANT_STATE)[0] for name in names if _QUANT_STATE in name]
    nibbles = [name for name in nibbles if name in names]
    integers = [name for name in names if name.rpartition(".")[2] == "qweight"]
    if nibbles:
        yield (
            f"{_count(nibbles, 'tensor')} packed by bitsandbytes, two weights of 4 bits in a byte: {_some(nibbles)}; "
            "elements counts the bytes."
        )
    if integers:
        what = f"{_count(integers, 'tensor')} packed by GPTQ or AWQ, several weights in an integer"
        yield f"{what}: {_some(integers)}; elements counts the integers."


def _about_places(found: _Found) -> Iterator[str]:
    """Notes on tensors that overlap, or leave a hole between them; the format allows neither."""
    for name, header in found.headers.items():
        places = sorted((entry.start, entry.end, entry.name) for entry in header.tensors if entry.end > entry.start)
        for (_, end, before), (start, _, after) in pairwise([(0, 0, "the header"), *places]):
            if start != end:
                what = "overlaps" if start < end else f"begins {start - end:,} bytes behind"
                yield f"{name}: {after} {what} {before}, which the format does not allow."
                break


def _count(names: Sequence[str], noun: str) -> str:
    return f"1 {noun} is" if len(names) == 1 else f"{len(names):,} {noun}s are"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names, key=in_order)[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED:,} more"


def _shard(name: str, header: Header | None) -> Shard:
    """What is known of one file; its bytes by shapes, by offsets and by the disk."""
    if header is None:
        return Shard(name, None, None, _unknown(Unit.BYTES, f"{name} is missing"), {})
    before = LENGTH + header.length
    measured = {OFFSETS: before + header.data, FILE: header.size}
    sizes = [_bytes_by_shape(entry) for entry in header.tensors]
    whole = None if None in sizes else before + sum(size or 0 for size in sizes)
    if whole is None:
        size = one_sided(Unit.BYTES, "a type of its tensors is not known", measured=measured)
    else:
        size = judge(Unit.BYTES, whole, measured)
    return Shard(name, len(header.tensors), header.length, size, header.metadata)


# --- rows -----------------------------------------------------------------------------------------------------------

Parts = tuple[str, ...]
"""The parts of a tensor's name."""


def _parts(name: str) -> Parts:
    return tuple(name.split(".", _DEEPEST))


def _in_tree(name: str) -> list[tuple[int, object]]:
    """A key that sorts names as a tree in which a level has its tensors first, and `2` comes before `10`."""
    *above, own = _parts(name)
    return [*((1, in_order(part)) for part in above), (0, in_order(own))]


def _rows(found: _Found, *, several: bool) -> tuple[Row, ...]:
    """A row for every tensor, below one for each prefix with several parts."""
    below = _branches(found.tensors)
    rows: list[Row] = [_row("", CHECKPOINT, 0, None)]
    above: list[tuple[Parts, int]] = [((), 0)]
    for name in sorted(found.tensors, key=_in_tree):
        parts = _parts(name)
        while len(above[-1][0]) >= len(parts) or parts[: len(above[-1][0])] != above[-1][0]:
            above.pop()
        for length in range(len(above[-1][0]) + 1, len(parts)):
            if below[parts[:length]] > 1:
                rows.append(_row(".".join(parts[:length]), "", length, above[-1][1]))
                above.append((parts[:length], len(rows) - 1))
        rows.append(_tensor(name, found, above[-1][1], several=several))
    return tuple(_summed(rows))


def _branches(names: Iterable[str]) -> Counter[Parts]:
    """How many tensors and prefixes stand directly below each prefix."""
    children: set[tuple[Parts, bool]] = set()
    for name in names:
        parts = _parts(name)
        children |= {(parts[:length], length == len(parts)) for length in range(1, len(parts) + 1)}
    return Counter(parts[:-1] for parts, _ in children)


def _row(path: str, kind: str, depth: int, parent: int | None, *, leaf: bool = False) -> Row:
    return Row(
        path=path, call=0, kind=kind, depth=depth, leaf=leaf, functional=False, hyperparameters={}, input_shapes=(),
        output_shape=None, params=None, macs=None, flops=None, neurons=None, receptive_field=None, parent=parent,
    )  # fmt: skip


def _tensor(name: str, found: _Found, parent: int, *, several: bool) -> Row:
    """The row of one tensor; its numbers are unknown if no file has it."""
    entry, file = found.tensors[name]
    kind = MISSING if entry is None else DTYPES.get(entry.type, (entry.type, 0))[0]
    extra = (
        {"elements": _unknown(Unit.ELEMENTS, found.why[name]), "bytes": _unknown(Unit.BYTES, found.why[name])}
        if entry is None
        else {"elements": _elements(entry), "bytes": _bytes(entry)}
    )
    if several:
        extra["file"] = Quantity(file, Unit.CLASS)
    shape = None if entry is None else Quantity((entry.shape,), Unit.SHAPE, analytic=(entry.shape,))
    row = _row(name, kind, len(_parts(name)), parent, leaf=True)
    return replace(row, output_shape=shape, extra=extra)


def _unknown(unit: Unit, why: str) -> Quantity:
    return Quantity(None, unit, Status.UNKNOWN, why=(Reason(Cause.NOT_MEASURED, why),))


def _elements(entry: Entry) -> Quantity:
    return Quantity(prod(entry.shape), Unit.ELEMENTS, analytic=prod(entry.shape))


def _bytes(entry: Entry) -> Quantity:
    """The bytes of a tensor by its shape, against its place in the file."""
    measured, expected = {OFFSETS: entry.end - entry.start}, _bytes_by_shape(entry)
    if expected is None:
        return one_sided(Unit.BYTES, f"the size of an element of {entry.type} is not known", measured=measured)
    return judge(Unit.BYTES, expected, measured)


def _bytes_by_shape(entry: Entry) -> int | None:
    """Shape x size of an element, in whole bytes; None for an unknown type."""
    if entry.type not in DTYPES:
        return None
    return -(-prod(entry.shape) * DTYPES[entry.type][1] // 8)


def _summed(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, with the sums of those below in the rows of prefixes."""
    parts: dict[int, list[Row]] = {}
    for index in reversed(range(len(rows))):
        row = rows[index]
        if not row.leaf:
            here = parts.get(index, [])[::-1]
            sums = {name: total_of(unit, [each.extra[name] for each in here]) for name, unit in _SUMMED.items()}
            row = replace(row, extra=sums)
        parts.setdefault(-1, []).append(row)
        if row.parent is not None:
            parts.setdefault(row.parent, []).append(row)
    return reversed(parts[-1])


_SUMMED = {"elements": Unit.ELEMENTS, "bytes": Unit.BYTES}


def _totals(
    rows: Sequence[Row], shards: Sequence[Shard], files: CheckpointFiles
) -> dict[str, Quantity | ReceptiveField]:
    """Elements by type; bytes of tensors, also as the index has them; bytes of files."""
    by_type: Counter[str] = Counter()
    for row in rows:
        if row.leaf and row.kind != MISSING:
            by_type[row.kind] += row.extra["elements"].value
    elements, size = rows[0].extra["elements"], rows[0].extra["bytes"]
    if files.total_size is not None:
        measured = {**size.measured, INDEX: files.total_size}
        is_whole = size.status is Status.EXACT and size.analytic is not None
        size = judge(Unit.BYTES, size.analytic, measured) if is_whole else replace(size, measured=measured)
    return {"elements": replace(elements, parts=dict(by_type)), "bytes": size, "file_bytes": _of_files(shards)}


def _of_files(shards: Sequence[Shard]) -> Quantity:
    """The bytes of all files that are there: a lower bound if one is missing."""
    whole = total_of(Unit.BYTES, [shard.file_bytes for shard in shards if shard.tensors is not None])
    missing = tuple(reason for shard in shards if shard.tensors is None for reason in shard.file_bytes.why)
    return replace(whole, status=Status.LOWER_BOUND, why=(*whole.why, *missing)) if missing else whole
