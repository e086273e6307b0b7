"""Two networks side by side: layers with parameters or MACs or with differences, totals, and the verdict.

Every difference that affects the exit code has a line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from cnninspect.render.cells import verdict_sign
from cnninspect.render.checks import count_sentence, sentence
from cnninspect.render.numbers import change_text, field_text, label, number_cell, value_text, with_unit
from cnninspect.render.page import Cell, Fact, Heading, Marks, Sheet, Tone, Worth
from cnninspect.report.document import Comparison
from cnninspect.report.folding import runs
from cnninspect.report.parts import AlignedRows
from cnninspect.report.quantities import Quantity, Status, Verdict, worst
from cnninspect.report.rows import Check, ReceptiveField, RowId
from cnninspect.report.selection import TEXT_KEYS, Ops, View
from cnninspect.report.sums import total_of

_HEADINGS = (
    Heading("layer", "layer", worth=Worth.KEPT, shortens=True),
    Heading("kind", "kind", shortens=True),
    Heading("output_shape", "output"),
    Heading("params", "params", right=True, worth=Worth.MAIN),
    Heading("macs", "MACs", right=True, worth=Worth.KEPT),
    Heading("other_layer", "against", worth=Worth.KEPT, shortens=True),
    Heading("other_kind", "kind", shortens=True),
    Heading("other_output_shape", "output"),
    Heading("other_params", "params", right=True, worth=Worth.MAIN),
    Heading("other_macs", "MACs", right=True, worth=Worth.KEPT),
    Heading("params_ratio", "params ratio", right=True),
    Heading("ratio", "MACs ratio", right=True),
    Heading("verdict", "", worth=Worth.KEPT),
    Heading("differs", "in what"),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "params", "macs", "other_layer", "other_params", "other_macs", "ratio", "verdict", "differs")
_TOTALS = ("params", "macs", "flops", "neurons", "activation_bytes", "total_bytes", "peak_memory")


def side_by_side(report: Comparison, view: View, marks: Marks, *, full: bool = False) -> Sheet:
    """The table of aligned layers: all of them if `full`, else those that have parameters or MACs or that differ."""
    columns = view.columns or (tuple(HEADINGS) if full else READERS)
    pairs = _shown(report, view, full=full)
    if not (view.columns or full or any(pair.differs for pair in pairs)):
        columns = tuple(name for name in columns if name != "differs")
    lines = (_cells(pair, marks) for pair in _folded(pairs, view, marks, full=full))
    return Sheet(
        tuple(HEADINGS[name] for name in columns), tuple(tuple(line[name] for name in columns) for line in lines)
    )


def remarks(report: Comparison, view: View, marks: Marks, *, full: bool) -> list[str]:
    """How the layers that a folded table leaves out can be seen; empty if it leaves none out."""
    pairs = _shown(report, view, full=full)
    if len(_folded(pairs, view, marks, full=full)) >= len(pairs):
        return []
    why = "to fit the screen" if view.lines else "where blocks are equal"
    return [f"folded {why}: --no-fold shows all {len(pairs)} layers"]


def _shown(report: Comparison, view: View, *, full: bool) -> list[AlignedRows]:
    """The pairs that the view asks for, in its order; those deeper than its depth as sums of their containers."""
    everything = full or view.ops is Ops.ALL
    pairs = [pair for pair in report.aligned or () if everything or _costs(pair) or pair.verdict is Verdict.DIFFER]
    pairs = [pair for pair in pairs if view.wants(_side(pair), pair.verdict)]
    if view.depth is not None:
        pairs = _summed(pairs, max(1, view.depth))
    return _sorted(pairs, view)[: view.top]


def _side(pair: AlignedRows) -> RowId:
    """The row of the first network, else that of the second."""
    return pair.target or pair.other or RowId("", "")


def _summed(pairs: Sequence[AlignedRows], depth: int, *, matching: bool = False) -> list[AlignedRows]:
    """The pairs, with all those of two containers at this depth replaced by their sum; on request only if all match.

    A sum stands for the whole of both containers: those whose layers do not all stand together are left as they are.
    """
    groups = _groups(pairs, depth)
    parts = Counter(each for names, _ in groups for each in enumerate(names))
    found: list[AlignedRows] = []
    for names, together in groups:
        whole = len(together) > 1 and all(parts[each] == 1 or each[1] is None for each in enumerate(names))
        wanted = not matching or all(pair.verdict is Verdict.MATCH for pair in together)
        found += [_sum(together, names)] if whole and wanted else together
    return found


def _groups(pairs: Sequence[AlignedRows], depth: int) -> list[tuple[list[str | None], list[AlignedRows]]]:
    """The pairs that stand together and are in the same containers at this depth, with the names of these.

    A layer that one network lacks belongs to the container of its neighbours.
    """
    found: list[tuple[list[str | None], list[AlignedRows]]] = []
    for pair in pairs:
        names = [_at_depth(row, depth) for row in (pair.target, pair.other)]
        last: list[str | None] = found[-1][0] if found else [None, None]
        agreeing = [
            one == other for one, other in zip(names, last, strict=True) if one is not None and other is not None
        ]
        if agreeing and all(agreeing):
            last[:] = [one or other for one, other in zip(last, names, strict=True)]
            found[-1][1].append(pair)
        else:
            found.append((names, [pair]))
    return found


def _at_depth(row: RowId | None, depth: int) -> str | None:
    return None if row is None else ".".join(row.path.split(".")[:depth])


def _sum(pairs: Sequence[AlignedRows], names: Sequence[str | None]) -> AlignedRows:
    """One pair of these names with the sums of several; the outputs are those of the last."""
    target, other = (None if name is None else RowId(name, "") for name in names)
    return AlignedRows(
        target, other, pairs[-1].output_shape,
        _totals(pairs, "params"), _totals(pairs, "macs"),
        worst(pair.verdict for pair in pairs), tuple(dict.fromkeys(name for pair in pairs for name in pair.differs)),
    )  # fmt: skip


def _totals(pairs: Sequence[AlignedRows], name: str) -> tuple[Quantity | None, Quantity | None]:
    """The sum of each network's counts over the layers that it has; None if one of them is unknown."""
    first, second = (
        _total([getattr(pair, name)[index] for pair in pairs if (pair.target, pair.other)[index] is not None])
        for index in (0, 1)
    )
    return first, second


def _total(counts: Sequence[Quantity | None]) -> Quantity | None:
    known = [count for count in counts if count is not None]
    return total_of(known[0].unit, known) if known and len(known) == len(counts) else None


_LONGEST_BLOCK = 24
"""Layers that together may be repeated."""


def _folded(pairs: list[AlignedRows], view: View, marks: Marks, *, full: bool) -> list[AlignedRows]:
    """The pairs with equal blocks as one pair, and to fit the screen with containers that match as one pair."""
    if full or not view.folds:
        return pairs
    room = len(pairs) - view.lines
    for depth in range(max((_side(pair).path.count(".") for pair in pairs), default=0), 0, -1):
        if view.lines and len(pairs) > room:
            pairs = _summed(pairs, depth, matching=True)
    alike = [_signature(pair) for pair in pairs]
    found: list[AlignedRows] = []
    for run in runs(range(len(pairs)), alike, _LONGEST_BLOCK):
        found += [pairs[index] for index in run[0]]
        if run[1:]:
            found.append(_repeated([[pairs[index] for index in block] for block in run[1:]], marks))
    return found


_POSITION = re.compile(r"(?:(?<=[._])|^)\d+(?=\.|$)")
"""The position of a module in a sequence: a whole part of a path, or the end of one after a `_`."""


def _signature(pair: AlignedRows) -> Hashable:
    """What makes two pairs equal: on which side they are, their names but for positions, numbers and verdict."""
    sides = tuple(
        None if row is None else (row.kind, row.functional, _POSITION.sub("#", row.path))
        for row in (pair.target, pair.other)
    )
    counts = tuple(count and (count.value, count.status) for both in (pair.params, pair.macs) for count in both)
    return sides, repr(pair.output_shape), counts, pair.verdict, pair.differs


def _repeated(blocks: Sequence[Sequence[AlignedRows]], marks: Marks) -> AlignedRows:
    """The pair of equal blocks: `layer3.2 ... 5 x4` with their sums."""
    names = []
    for side in ("target", "other"):
        rows = [[getattr(pair, side) for pair in block] for block in (blocks[0], blocks[-1])]
        names.append(None if rows[0][0] is None else _range_of(rows, len(blocks), marks))
    return _sum([pair for block in blocks for pair in block], names)


def _range_of(rows: Sequence[Sequence[RowId]], count: int, marks: Marks) -> str:
    """`layer3.2 ... 5 x4`: the container of the first block, the last part of that of the last, and their number.

    Blocks in one container are named by their first and last layer.
    """
    paths = [[row.path for row in block if row is not None] for block in rows]
    first, last = map(_common, paths)
    if first == last or not (first and last):
        first, last = paths[0][0], paths[1][-1]
    above = first.rpartition(".")[0]
    rest = last.removeprefix(f"{above}.") if above else last
    span = first if first == last else f"{first} {marks.ellipsis} {rest}"
    return f"{span} {marks.times}{count}"


def _common(paths: Sequence[str]) -> str:
    """The path of the container that all paths are in, of a single one the path itself; empty if there is none."""
    parts = [path.split(".") for path in paths]
    same = [each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*parts, strict=False))]
    return ".".join(same)


def _sorted(pairs: list[AlignedRows], view: View) -> list[AlignedRows]:
    """The pairs in the view's order: by name or kind of the first network's layer, or the largest number first."""
    key = view.sort or ("macs" if view.top is not None else None)
    if key is None:
        return pairs
    if key in TEXT_KEYS:
        attribute = "path" if key == "name" else "kind"
        return sorted(pairs, key=lambda pair: str(getattr(_side(pair), attribute)))
    return sorted(pairs, key=lambda pair: -max(_known(count) for count in getattr(pair, key)))


def _known(count: Quantity | None) -> int:
    """The value; for an unknown one a number larger than any, because it may be the largest."""
    return 0 if count is None else 2**100 if count.value is None else int(count.value)


def totals_of_both(report: Comparison, marks: Marks) -> Iterator[Fact]:
    """Differences between the runs (input, dtype, training); then the totals, with their change from first to second.

    Other totals and formulas follow where they differ.
    """
    failing = [check for check in report.checks if check.verdict is Verdict.DIFFER]
    totals = [check for check in failing if check.row is None and check.source != "formula"]
    yield from (_total_fact(check) for check in totals if check.is_of_run)
    for name in _TOTALS:
        here, there = _both(report, name)
        if isinstance(here, Quantity) and isinstance(there, Quantity):
            both, change = f"{with_unit(here, marks)} against {with_unit(there, marks)}", _change(here, there)
            tone = Tone.PLAIN if here.value == there.value else Tone.DIFFER
            short = with_unit(here, marks) if change == "the same" else f"{both}, {change}".partition(", ratio")[0]
            yield Fact(label(name), both, change, tone, short.rstrip(", "))
    yield from _fields(report, marks)
    yield from (
        _total_fact(check) for check in totals if not (check.is_of_run or check.name in (*_TOTALS, "receptive_field"))
    )
    yield from (Fact("formula", sentence(check), tone=Tone.DIFFER) for check in failing if check.source == "formula")


def _both(report: Comparison, name: str) -> tuple[Any, Any]:
    """The total of this name of each network; None where a network does not have it."""
    return report.totals.get(name), None if report.other is None else report.other.totals.get(name)


def _fields(report: Comparison, marks: Marks) -> Iterator[Fact]:
    """The line of the receptive field, where it was computed for both networks."""
    here, there = _both(report, "receptive_field")
    if not (isinstance(here, ReceptiveField) and isinstance(there, ReceptiveField)):
        return
    if here.was_computed and there.was_computed:
        tone = Tone.PLAIN if here.extent == there.extent else Tone.DIFFER
        yield Fact("field", f"{_field(here, marks)} against {_field(there, marks)}", tone=tone)


def _total_fact(check: Check) -> Fact:
    """The line of a failed check of a total; its `expected` value is that of the other network."""
    here, there = (value_text(check.name, value) for value in (check.found, check.expected))
    return Fact(label(check.name), f"{here} against {there}", change_text(check.found, check.expected), Tone.DIFFER)


def closing(report: Comparison) -> str:
    """The last sentence: `Same numbers. 41 checks: 41 match.`"""
    words = {Verdict.MATCH: "Same numbers.", Verdict.DIFFER: "Different numbers."}
    return f"{words.get(report.verdict, 'The same numbers as far as they are known.')} {count_sentence(report.checks)}"


def _change(here: Quantity, there: Quantity) -> str:
    """The change: `-88.7 %, ratio 0.1131` or `the same`; empty unless both are exact."""
    if not here.status is there.status is Status.EXACT:
        return ""
    if here.value == there.value:
        return "the same"
    ratio = _ratio_text(here.value, there.value)
    return ", ".join(filter(None, (change_text(here.value, there.value), f"ratio {ratio}" if ratio else "")))


def _field(field: ReceptiveField, marks: Marks) -> str:
    return field_text(field) if field.size is not None or field.is_global else marks.unknown


def _costs(pair: AlignedRows) -> bool:
    """Whether the layer has parameters or MACs in one of the networks, or these are unknown."""
    present = [index for index, side in enumerate((pair.target, pair.other)) if side is not None]
    counts = [both[index] for both in (pair.params, pair.macs) for index in present]
    return any(count is None or count.value != 0 or count.status is not Status.EXACT for count in counts)


def _cells(pair: AlignedRows, marks: Marks) -> dict[str, Cell]:
    cells = {"verdict": verdict_sign(pair.verdict, marks)}
    for index, (prefix, row) in enumerate((("", pair.target), ("other_", pair.other))):
        cells[f"{prefix}layer"] = Cell("(none)", None, Tone.QUIET) if row is None else Cell(_label(row), row.path)
        cells[f"{prefix}kind"] = Cell("" if row is None else row.kind, row and row.kind)
        shapes, params, macs = pair.output_shape[index], pair.params[index], pair.macs[index]
        cells[f"{prefix}output_shape"] = Cell("") if row is None else _shapes(shapes, marks)
        cells[f"{prefix}params"] = Cell("") if row is None else _count(params, marks)
        cells[f"{prefix}macs"] = Cell("") if row is None else _count(macs, marks)
    cells["differs"] = _differs(pair)
    cells["ratio"] = _ratio(*pair.macs)
    cells["params_ratio"] = _ratio(*pair.params)
    return cells


def _label(row: RowId) -> str:
    """The row's name; a sum has no kind, and its path is its name."""
    return row.label if row.kind else row.path


def _differs(pair: AlignedRows) -> Cell:
    """The names of the numbers that differ, or which network a layer without counterpart is in."""
    text = ", ".join(_ONLY_IN.get(name, label(name)) for name in pair.differs)
    return Cell(text, ";".join(pair.differs), Tone.QUIET)


_ONLY_IN = {"added": "only in the first", "removed": "only in the other"}
"""How the first network differs from the other -> where the layer is."""


def _shapes(shapes: Any, marks: Marks) -> Cell:
    if shapes is None:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    return Cell(value_text("output_shape", shapes), value_text("output_shape", shapes))


def _count(count: Quantity | None, marks: Marks) -> Cell:
    """A count; its value for programs is None unless it is exact."""
    if count is None:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    cell = number_cell(count, marks)
    return cell if count.status is Status.EXACT else Cell(cell.text, None, cell.tone)


def _ratio(here: Quantity | None, there: Quantity | None) -> Cell:
    exact = here is not None and there is not None and here.status is there.status is Status.EXACT
    text = _ratio_text(here.value, there.value) if exact and here is not None and there is not None else ""
    return Cell(text, text)


def _ratio_text(here: int, there: int) -> str:
    """The second divided by the first, to four digits."""
    return f"{there / here:.4g}" if here else ""
