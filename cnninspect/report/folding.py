"""Fewer rows for a reader: equal blocks that follow each other become one row, and deep rows give way to the screen."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import Row
from cnninspect.report.selection import group_of

_FEWEST = 3
"""Equal blocks in a row from which on they are folded: the first is shown, the others become one row."""

_LONGEST_PERIOD = 6
"""Rows that together may be repeated, such as a block and the addition after it."""


@dataclass(frozen=True)
class Repeat:
    """What a row stands for: `count` blocks from the row `first` to the row `last`, equal to those before or not."""

    count: int
    kinds: tuple[str, ...]
    first: Row
    last: Row
    equal: bool = True


@dataclass(frozen=True)
class Folded:
    """A report with fewer rows. `repeats` maps indices of rows to the blocks that they stand for; `rows` counts all."""

    report: Report
    repeats: Mapping[int, Repeat] = field(default_factory=dict)
    rows: int = 0


def folded(report: Report, lines: int = 0) -> Folded:
    """The report with equal blocks folded, and with at least `lines` rows fewer than then if it has containers.

    If a closed container then has most of the MACs, blocks of one kind are folded too.
    """
    found = _without_repeats(report, equal=True)
    if lines <= 0:
        return found
    room = len(found.report.rows) - lines
    lower = _lower(found, room)
    if not _hides_most(lower.report):
        return lower
    kinds = _lower(_without_repeats(report, equal=False), room)
    return lower if _hides_most(kinds.report) or len(kinds.report.rows) > room else kinds


def _hides_most(shown: Report) -> bool:
    """Whether a container without rows below it has more than half of the MACs."""
    opened = {row.parent for row in shown.rows}
    closed = (row for index, row in enumerate(shown.rows) if not row.leaf and index not in opened)
    return any(2 * _weight(row) < _weight(shown.rows[0]) for row in closed)


def _without_repeats(report: Report, *, equal: bool) -> Folded:
    rows = report.rows
    below = _children(rows)
    alike = _signatures(rows, below) if equal else [(row.kind, row.functional) for row in rows]
    kept: list[Row] = []
    repeats: dict[int, Repeat] = {}

    def put(index: int, above: int | None) -> None:
        place = len(kept)
        kept.append(replace(rows[index], parent=above))
        put_all(below.get(index, []), place)

    def put_all(indices: Sequence[int], above: int | None) -> None:
        for run in runs(indices, alike):
            shown, hidden = (run[:1], run[1:]) if equal or len(run) == 1 else ([], run)
            for index in (index for block in shown for index in block):
                put(index, above)
            if hidden:
                repeat = _repeat([[rows[index] for index in block] for block in hidden], equal=equal)
                repeats[len(kept)] = repeat
                kept.append(_row_of(hidden, repeat, report, above))

    put_all(below.get(None, []), None)
    return Folded(replace(report, rows=tuple(kept)), repeats, len(rows))


def _children(rows: Sequence[Row]) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(row.parent, []).append(index)
    return found


def _signatures(rows: Sequence[Row], below: Mapping[int | None, Sequence[int]]) -> list[Hashable]:
    """What makes two rows equal: kind, settings and all numbers but the field, also of all rows below them."""
    numbers: dict[Hashable, int] = {}
    found: list[Hashable] = [0] * len(rows)
    for index in reversed(range(len(rows))):
        own = _own_signature(rows[index])
        whole = (own, *(found[child] for child in below.get(index, ())))
        found[index] = numbers.setdefault(whole, len(numbers) + 1)
    return found


def _own_signature(row: Row) -> Hashable:
    counts = (row.output_shape, row.params, row.macs, row.neurons)
    return (
        row.kind,
        row.functional,
        repr(row.hyperparameters),
        row.input_shapes,
        tuple(_known(count) for count in counts),
        None if row.receptive_field is None else (row.receptive_field.verdict, row.receptive_field.status),
    )


def _known(count: Quantity | None) -> Hashable:
    return None if count is None else (count.value, count.status, count.verdict)


def runs(
    indices: Sequence[int], alike: Sequence[Hashable], longest: int = _LONGEST_PERIOD
) -> Iterator[list[list[int]]]:
    """The rows in order, as runs of equal blocks of rows; a block that is not repeated is a run of its own."""
    place = 0
    while place < len(indices):
        period, count = _longest_run([alike[index] for index in indices[place:]], longest)
        yield [list(indices[place + start * period : place + (start + 1) * period]) for start in range(count)]
        place += period * count


def _longest_run(signs: Sequence[Hashable], longest: int) -> tuple[int, int]:
    """The length of the first block, and how often it stands there; (1, 1) if it is not repeated often enough."""
    for period in range(1, min(longest, len(signs) // _FEWEST) + 1):
        count = 1
        while signs[count * period : (count + 1) * period] == signs[:period]:
            count += 1
        if count >= _FEWEST:
            return period, count
    return 1, 1


def _repeat(blocks: Sequence[Sequence[Row]], *, equal: bool) -> Repeat:
    """What a row for these blocks stands for; functional calls between modules are not named."""
    first, last = ([row for row in block if not row.functional] or list(block) for block in (blocks[0], blocks[-1]))
    return Repeat(len(blocks), tuple(row.kind for row in first), first[0], last[-1], equal)


def _row_of(run: Sequence[Sequence[int]], repeat: Repeat, report: Report, above: int | None) -> Row:
    """The row of the folded blocks: their sums, and the output and field of the last."""
    rows = [report.rows[index] for block in run for index in block]
    last = rows[-1]
    first = repeat.first
    return replace(
        group_of(first.path, first.kind, rows, report),
        call=first.call, depth=first.depth, functional=first.functional, output_shape=last.output_shape,
        receptive_field=last.receptive_field, parent=above,
    )  # fmt: skip


def _lower(whole: Folded, room: int) -> Folded:
    """At most `room` rows, but everything with numbers directly below the root.

    Containers are opened from the top, those with the most MACs first, as long as there is room. Rows that cost
    nothing are left out if the others need their room, first those that keep the shape.
    """
    rows = whole.report.rows
    free = {index for index, row in enumerate(rows) if row.parent is not None and _is_free(row)}
    keeping = {index for index in free if _keeps_shape(rows[index])}
    found = [_opened(rows, set(range(len(rows))) - hidden, room) for hidden in (set[int](), keeping, free)]
    fitting = [shown for shown in found if len(shown) <= room]
    return _only(whole, max(fitting, key=lambda shown: len(shown - free), default=found[-1]))


def _opened(rows: Sequence[Row], wanted: set[int], room: int) -> set[int]:
    """The wanted rows that are shown: those directly below the root, and those inside opened containers."""
    below = _children(rows)
    roots = below.get(None, [])
    shown = {*roots, *(child for root in roots for child in below.get(root, ()) if child in wanted)}
    level = sorted(shown - set(roots), key=lambda index: _weight(rows[index]))
    while level:
        opened = []
        for index in level:
            inner = [child for child in below.get(index, []) if child in wanted]
            if inner and len(shown) + len(inner) <= room:
                shown.update(inner)
                opened += inner
        level = sorted(opened, key=lambda index: _weight(rows[index]))
    return shown


def _is_free(row: Row) -> bool:
    """Whether a row has no parameters and MACs, and nothing of it is wrong or unknown."""
    counts = [count for count in (row.params, row.macs) if count is not None]
    fine = row.verdict not in (Verdict.DIFFER, Verdict.UNKNOWN)
    return fine and all(count.value == 0 and count.status is Status.EXACT for count in counts)


def _keeps_shape(row: Row) -> bool:
    return row.output_shape is not None and row.output_shape.value == row.input_shapes[:1]


def _weight(row: Row) -> int:
    return 0 if row.macs is None or row.macs.value is None else -row.macs.value


def _only(whole: Folded, shown: set[int]) -> Folded:
    places = {index: place for place, index in enumerate(sorted(shown))}
    rows = whole.report.rows
    kept = tuple(
        replace(row, parent=None if row.parent is None else places[row.parent])
        for row in (rows[index] for index in places)
    )
    repeats = {places[index]: repeat for index, repeat in whole.repeats.items() if index in places}
    return Folded(replace(whole.report, rows=kept), repeats, whole.rows)
