"""Fewer rows for a reader: equal blocks that follow each other become one row, and deep rows give way to the screen."""

from __future__ import annotations

import re
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
    """The rows for which a row stands: `blocks` blocks like the one above it, of `each` parameters (None if unknown).

    With 0 blocks, rows for which there was no room.
    """

    hidden: tuple[Row, ...]
    blocks: int = 0
    each: int | None = None

    @property
    def named(self) -> Sequence[Row]:
        """The rows of modules, if there are any: functional calls between modules are not named."""
        return [row for row in self.hidden if not row.functional] or self.hidden


@dataclass(frozen=True)
class Folded:
    """A report with fewer rows. `repeats` maps indices of rows to the blocks that they stand for; `rows` counts all."""

    report: Report
    repeats: Mapping[int, Repeat] = field(default_factory=dict)
    rows: int = 0


_LEAST = 5
"""Rows that are left on the lowest screen, the root among them."""


def lowered(whole: Folded, lines: int) -> Folded:
    """The report with at least `lines` rows fewer, but no fewer than _LEAST.

    Containers are opened from the top, those with the most MACs first, as long as there is room. Rows that cost
    nothing are left out if the others need their room, first those that keep the shape. If the root or a container
    with most of the MACs has too many rows, its first ones are shown, and one row stands for the rest.
    """
    rows = whole.report.rows
    room = max(_LEAST, len(rows) - lines)
    free = {index for index, row in enumerate(rows) if row.parent is not None and _is_free(row)}
    keeping = {index for index in free if _keeps_shape(rows[index])}
    found = []
    for hidden in (set[int](), keeping, free):
        shown = _opened(rows, set(range(len(rows))) - hidden, room)
        found.append((shown, *_in_part(rows, shown, free, room)))
    return _only(whole, *max(found, key=lambda each: len(each[0].union(each[1]) - free)))


def without_repeats(report: Report) -> Folded:
    """The report with equal blocks that follow each other in one row."""
    rows = report.rows
    below = _children(rows)
    alike = _signatures(rows, below)
    kept: list[Row] = []
    repeats: dict[int, Repeat] = {}

    def put(index: int, above: int | None) -> None:
        place = len(kept)
        kept.append(replace(rows[index], parent=above))
        put_all(below.get(index, []), place)

    def put_all(indices: Sequence[int], above: int | None) -> None:
        for first, *hidden in runs(indices, alike):
            for index in first:
                put(index, above)
            if hidden:
                together = tuple(rows[index] for block in hidden for index in block)
                repeat = Repeat(together, len(hidden), _params([rows[index] for index in first]))
                repeats[len(kept)] = repeat
                kept.append(_row_of(repeat, report, above))

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
        _of_tensor(row),
        row.input_shapes,
        tuple(_known(count) for count in counts),
        None if row.receptive_field is None else (row.receptive_field.verdict, row.receptive_field.status),
    )


def _of_tensor(row: Row) -> Hashable:
    """The bytes of a checkpoint's tensor, and its name without numbers: a bias is no weight, whatever their sizes."""
    size = row.extra.get("bytes")
    return None if size is None else (re.sub("[0-9]+", "0", row.path), _known(size))


def _known(count: Quantity | None) -> Hashable:
    return None if count is None else (count.value, count.status, count.verdict)


def runs(
    indices: Sequence[int], alike: Sequence[Hashable], longest: int = _LONGEST_PERIOD
) -> Iterator[list[list[int]]]:
    """The rows in order, as runs of equal blocks of rows; a block that is not repeated is a run of its own."""
    place, signs = 0, [alike[index] for index in indices]
    while place < len(indices):
        period, count = _longest_run(signs, place, longest)
        yield [list(indices[place + start * period : place + (start + 1) * period]) for start in range(count)]
        place += period * count


def _longest_run(signs: Sequence[Hashable], start: int, longest: int) -> tuple[int, int]:
    """The length of the block at `start`, and how often it stands there; (1, 1) if it is not repeated often enough."""
    for period in range(1, min(longest, (len(signs) - start) // _FEWEST) + 1):
        first, count = signs[start : start + period], 1
        while signs[start + count * period : start + (count + 1) * period] == first:
            count += 1
        if count >= _FEWEST:
            return period, count
    return 1, 1


def _params(block: Sequence[Row]) -> int | None:
    """The parameters of a block, or the elements of its tensors; None if they are not known exactly."""
    counts = [count for row in block if (count := row.params or row.extra.get("elements")) is not None]
    exact = [count.value for count in counts if count.status is Status.EXACT and count.value is not None]
    return sum(exact) if len(exact) == len(counts) else None


def _row_of(repeat: Repeat, report: Report, above: int | None) -> Row:
    """The row that stands for these: their sums, and the output and field of the last."""
    first, last = repeat.named[0], repeat.hidden[-1]
    return replace(
        group_of(first.path, first.kind, repeat.hidden, report),
        call=first.call, depth=first.depth, functional=first.functional, output_shape=last.output_shape,
        receptive_field=last.receptive_field, parent=above,
    )  # fmt: skip


def _opened(rows: Sequence[Row], wanted: set[int], room: int) -> set[int]:
    """The wanted rows that are shown: the roots, and those inside containers that can be opened.

    If there is no room for a container that has most of the MACs, no lighter one is opened: it is opened in part.
    """
    below = _children(rows)
    level = list(below.get(None, []))
    shown = set(level)
    while level:
        opened = []
        for index in sorted(level, key=lambda index: _weight(rows[index])):
            inner = [child for child in below.get(index, []) if child in wanted]
            if len(shown) + len(inner) <= room:
                shown.update(inner)
                opened += inner
            elif _has_most(rows, index):
                return shown
        level = opened
    return shown


def _has_most(rows: Sequence[Row], index: int) -> bool:
    """Whether the row is the root, or has more than half of the MACs."""
    return rows[index].parent is None or 2 * _weight(rows[index]) < sum(
        _weight(row) for row in rows if row.parent is None
    )


_WORTH_OPENING = 3
"""Rows that must have room inside a container that is opened in part."""


def _in_part(rows: Sequence[Row], shown: set[int], free: set[int], room: int) -> tuple[list[int], list[int]]:
    """(the first rows, the rest) of the closed container that hides more than half of the MACs; else empty lists."""
    below = _children(rows)
    closed = [index for index in shown if below.get(index) and not shown.intersection(below[index])]
    heaviest = min(closed, key=lambda index: _weight(rows[index]), default=None)
    left = room - len(shown) - 1
    if heaviest is None or left + 1 < _WORTH_OPENING or not _has_most(rows, heaviest):
        return [], []
    inner = below[heaviest]
    first = [index for index in inner if index not in free][:left]
    return first, [index for index in inner if not first or index > first[-1]]


def _is_free(row: Row) -> bool:
    """Whether a row has no parameters, MACs or elements, and nothing of it is wrong or unknown."""
    counts = [count for count in (row.params, row.macs, row.extra.get("elements")) if count is not None]
    fine = row.verdict not in (Verdict.DIFFER, Verdict.UNKNOWN)
    return fine and all(count.value == 0 and count.status is Status.EXACT for count in counts)


def _keeps_shape(row: Row) -> bool:
    return row.output_shape is not None and row.output_shape.value == row.input_shapes[:1]


def _weight(row: Row) -> int:
    """What sorts the heaviest row first: its MACs; the bytes of a tensor; the parameters where nothing ran."""
    weight = row.extra.get("bytes") if row.macs is None else row.params if row.macs.was_left_out else row.macs
    return 0 if weight is None or weight.value is None else -weight.value


def _only(whole: Folded, shown: set[int], first: Sequence[int], rest: Sequence[int]) -> Folded:
    """The rows that are shown, with the first of a container, and one row for the rest of it."""
    rows = {index: whole.report.rows[index] for index in {*shown, *first}}
    repeats = {index: repeat for index, repeat in whole.repeats.items() if index in rows}
    if rest:
        hidden = (
            whole.repeats[each].hidden if each in whole.repeats else whole.report.rows[each : each + 1] for each in rest
        )
        repeats[rest[0]] = repeat = Repeat(tuple(row for rows in hidden for row in rows))
        rows[rest[0]] = _row_of(repeat, whole.report, whole.report.rows[rest[0]].parent)
    places = {index: place for place, index in enumerate(sorted(rows))}
    kept = tuple(
        replace(rows[index], parent=None if (above := rows[index].parent) is None else places[above])
        for index in places
    )
    return Folded(
        replace(whole.report, rows=kept), {places[index]: each for index, each in repeats.items()}, whole.rows
    )
