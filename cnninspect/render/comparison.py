"""Two networks side by side: layers with parameters or MACs or with differences, totals, and the verdict.

Every difference that affects the exit code has a line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby, takewhile
from typing import Any

from cnninspect.render.cells import verdict_sign
from cnninspect.render.checks import count_sentence, row_title, sentence
from cnninspect.render.numbers import change_text, field_text, label, number_cell, value_text, with_unit
from cnninspect.render.page import Cell, Fact, Heading, Marks, Sheet, Tables, Tone, Worth
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
_NOT_RUN = ("layer", "params", "other_layer", "other_params", "params_ratio", "verdict", "differs")
"""The columns of two networks of which neither ran."""
PAGE = (
    "layer", "kind", "output_shape", "params", "macs", "other_layer", "other_kind", "other_output_shape",
    "other_params", "other_macs", "ratio", "verdict", "differs",
)  # fmt: skip
_TOTALS = ("params", "macs", "flops", "neurons", "activation_bytes", "total_bytes", "peak_memory")


def tables(report: Comparison, view: View, marks: Marks, *, full: bool, programs: bool = False) -> Tables:
    """Returns a function: lines to leave out -> the table of aligned layers, and remarks on it.

    It has the layers with parameters or MACs or with differences; for `programs`, all layers and columns.
    """
    pairs = _shown(report, view, everything=programs)
    readers = READERS if report.run.get("ran") is not False else _NOT_RUN
    columns = view.columns or (tuple(HEADINGS) if programs else readers)
    if not (view.columns or programs or any(pair.differs for pair in pairs)):
        columns = tuple(name for name in columns if name != "differs")
    folds = view.folds and not programs and not (full and view.fold is None)
    whole = _without_repeats(pairs, marks) if folds else pairs

    def table(left_out: int) -> tuple[Sheet, list[str]]:
        found = _lowered(whole, max(_LEAST, len(whole) - left_out), marks) if left_out > 0 else whole
        sheet = _sheet(report, found, columns, marks)
        why = "" if left_out > 0 else " where blocks are equal"
        is_folded = len(found) < len(pairs)
        return sheet, [f"folded{why}: --no-fold shows all {len(pairs)} layers"] if is_folded else []

    return table


def _sheet(report: Comparison, pairs: Sequence[AlignedRows], columns: Sequence[str], marks: Marks) -> Sheet:
    lines = (_cells(pair, marks, earlier=_is_earlier(report)) for pair in pairs)
    return Sheet(
        tuple(HEADINGS[name] for name in columns), tuple(tuple(line[name] for name in columns) for line in lines)
    )


def whole_sheet(report: Comparison, view: View, marks: Marks) -> tuple[Sheet, list[AlignedRows]]:
    """The table of all pairs that the view asks for, those without costs too, and the pair of each line."""
    pairs = _shown(report, view, everything=True)
    columns = PAGE if report.run.get("ran") is not False else _NOT_RUN
    return _sheet(report, pairs, view.columns or columns, marks), pairs


def _shown(report: Comparison, view: View, *, everything: bool) -> list[AlignedRows]:
    """The pairs that the view asks for, in its order; those deeper than its depth as sums of their containers."""
    everything = everything or view.ops is Ops.ALL
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


def _without_repeats(pairs: Sequence[AlignedRows], marks: Marks) -> list[AlignedRows]:
    """The pairs, equal blocks that follow each other as one pair after the first."""
    alike = [_signature(pair) for pair in pairs]
    found: list[AlignedRows] = []
    for first, *others in runs(range(len(pairs)), alike, _LONGEST_BLOCK):
        found += [pairs[index] for index in first]
        if others:
            found.append(_repeated([[pairs[index] for index in block] for block in others], marks))
    return found


_LEAST = 2
"""Lines that are left on the lowest screen."""


def _lowered(pairs: list[AlignedRows], room: int, marks: Marks) -> list[AlignedRows]:
    """At most `room` pairs: containers that match as one pair, then neighbours that match or that one network lacks.

    If these are still too many, one pair stands for the rest.
    """
    for depth in range(max((_side(pair).path.count(".") for pair in pairs), default=0), 0, -1):
        if len(pairs) > room:
            pairs = _without_repeats(_summed(pairs, depth, matching=True), marks)
    if len(pairs) > room:
        pairs = [_range(list(together), marks) for _, together in _together(pairs)]
    if len(pairs) <= room:
        return pairs
    rest = pairs[room - 1 :]
    counts = [sum(getattr(pair, side) is not None for pair in rest) for side in ("target", "other")]
    return [*pairs[: room - 1], _sum(rest, [f"{marks.ellipsis} {count} more" if count else None for count in counts])]


def _together(pairs: Sequence[AlignedRows]) -> Iterator[tuple[object, Iterator[AlignedRows]]]:
    """Neighbours that all match, or that the same network lacks; each other pair by itself."""

    def key(numbered: tuple[int, AlignedRows]) -> object:
        index, pair = numbered
        alone = pair.target is None, pair.other is None
        return alone if any(alone) or pair.verdict is Verdict.MATCH else index

    return ((found, (pair for _, pair in together)) for found, together in groupby(enumerate(pairs), key))


def _range(pairs: Sequence[AlignedRows], marks: Marks) -> AlignedRows:
    """One pair for several: `bn1 ... layer2.0.bn1`, `layer2.0 ... 1` with their sums."""
    if len(pairs) == 1:
        return pairs[0]
    names = []
    for side in ("target", "other"):
        first, last = getattr(pairs[0], side), getattr(pairs[-1], side)
        names.append(None if first is None else _from_to(_label(first), _label(last), marks))
    return _sum(pairs, names)


def _from_to(first: str, last: str, marks: Marks) -> str:
    """`layer2.0 ... 1`: what the last name shares with the first is said once; either may be a range already."""
    between = f" {marks.ellipsis} "
    start, end = first.partition(between)[0], last.rpartition(between)[2].partition(f" {marks.times}")[0]
    above = start.rpartition(".")[0]
    return f"{start}{between}{end.removeprefix(f'{above}.') if above else end}"


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

    Where the second is an earlier revision of the first it is the change since then. Other totals and formulas follow
    where they differ.
    """
    failing = [check for check in report.checks if check.verdict is Verdict.DIFFER]
    totals = [check for check in failing if check.row is None and check.source != "formula"]
    earlier = _is_earlier(report)
    yield from (_total_fact(check, earlier=earlier) for check in totals if check.is_of_run)
    for name in _TOTALS:
        here, there = _both(report, name)
        if isinstance(here, Quantity) and isinstance(there, Quantity) and not here.was_left_out:
            both = f"{with_unit(here, marks)} against {with_unit(there, marks)}"
            change = _change(there, here) if earlier else _change(here, there)
            tone = Tone.PLAIN if here.value == there.value else Tone.DIFFER
            short = with_unit(here, marks) if change == "the same" else f"{both}, {change}".partition(", ratio")[0]
            yield Fact(label(name), both, change, tone, short.rstrip(", "), is_main=name in ("params", "macs"))
    yield from _fields(report, marks)
    yield from (
        _total_fact(check, earlier=earlier)
        for check in totals
        if not (check.is_of_run or check.name in (*_TOTALS, "receptive_field"))
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


def _is_earlier(report: Comparison) -> bool:
    return report.other is not None and report.other.is_earlier


def _total_fact(check: Check, *, earlier: bool) -> Fact:
    """The line of a failed check of a total; its `expected` value is that of the other network."""
    here, there = (value_text(check.name, value) for value in (check.found, check.expected))
    change = change_text(check.expected, check.found) if earlier else change_text(check.found, check.expected)
    return Fact(label(check.name), f"{here} against {there}", change, Tone.DIFFER, is_main=check.is_of_run)


def lead(report: Comparison, marks: Marks) -> list[str]:
    """The verdict, and what differs in which network: `Only in resnet34: layer1.2, layer2.2 and 6 more`."""
    if report.verdict is not Verdict.DIFFER:
        return [f"{verdict_sign(report.verdict, marks).text} {_WORDS.get(report.verdict, _AS_FAR)}"]
    failing = [check for check in report.checks if check.verdict is Verdict.DIFFER]
    said = [
        f"formula and measurement differ {check.hint}: {row_title(check)}"
        for check in failing
        if check.source == "formula"
    ]
    said += [sentence(check) for check in failing if check.is_of_run]
    groups: dict[str, list[str]] = {}
    for pair in report.aligned or ():
        if pair.verdict is Verdict.DIFFER:
            groups.setdefault(_how(pair, report), []).append(_label(_side(pair)))
    said += [f"{how}: {_first_names(names)}" for how, names in groups.items()]
    if not said:
        said = [f"totals: {_first_names([label(check.name) for check in failing])}"]
    rest = [f"and {len(said) - _MOST + 1} more kinds of differences"] if len(said) > _MOST else []
    return [f"{marks.differ} {_WORDS[Verdict.DIFFER]}", *said[: _MOST - len(rest)], *rest]


_MOST = 5
"""Lines that say what differs."""

_LONG = 50
"""Characters that the names in such a line have at most, if there are several."""


def _how(pair: AlignedRows, report: Comparison) -> str:
    """`only in resnet34`, `params differs` or `params, MACs differ`."""
    if pair.target is not None and pair.other is not None:
        return f"{', '.join(label(name) for name in pair.differs)} differ{'s' if len(pair.differs) == 1 else ''}"
    networks = [str(report.target.get("name")), str(report.other.target.get("name") if report.other else "")]
    names = networks if networks[0] != networks[1] else ["the first network", "the other network"]
    return f"only in {names[pair.target is None]}"


def _first_names(names: Sequence[str]) -> str:
    """The first names, at most three and as many as fit into _LONG, and how many more there are."""
    shown = next(count for count in (3, 2, 1) if count == 1 or len(", ".join(names[:count])) <= _LONG)
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest > 0 else "")


_WORDS = {Verdict.MATCH: "Same numbers.", Verdict.DIFFER: "Different numbers."}
_AS_FAR = "The same numbers as far as they are known."


def closing(report: Comparison) -> str:
    """The last sentence: `Same numbers. 41 checks: 41 match.`"""
    return f"{_WORDS.get(report.verdict, _AS_FAR)} {count_sentence(report.checks)}"


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


def _cells(pair: AlignedRows, marks: Marks, *, earlier: bool) -> dict[str, Cell]:
    cells = {"verdict": verdict_sign(pair.verdict, marks)}
    for index, (prefix, row) in enumerate((("", pair.target), ("other_", pair.other))):
        cells[f"{prefix}layer"] = Cell("(none)", None, Tone.QUIET) if row is None else Cell(_label(row), row.path)
        cells[f"{prefix}kind"] = Cell("" if row is None else row.kind, row and row.kind)
        shapes, params, macs = pair.output_shape[index], pair.params[index], pair.macs[index]
        cells[f"{prefix}output_shape"] = Cell("") if row is None else _shapes(shapes, marks)
        cells[f"{prefix}params"] = Cell("") if row is None else _count(params, marks)
        cells[f"{prefix}macs"] = Cell("") if row is None else _count(macs, marks)
    cells["differs"] = _differs(pair)
    turn = -1 if earlier else 1
    cells["ratio"] = _ratio(*pair.macs[::turn])
    cells["params_ratio"] = _ratio(*pair.params[::turn])
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
