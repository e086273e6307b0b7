"""Checks with NaN what a row prints of its field: size, jump, padding and `global`.

The probe of `probe_check.py` sees strict fields inside the image. A row prints the local field on an endless input.
Both agree at positions far enough from the border. On an input that is long enough to have such positions, NaN is put
around windows that end, and that just do not end, where their fields should start and stop (`clean_windows.py`); gates
and statistics keep their clean values. The ends found in this way must determine size, jump and padding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

from cnninspect.inspection.changes import calls_to_change, with_changes
from cnninspect.inspection.clean_windows import CleanWindows, Span
from cnninspect.inspection.long_inputs import LongInput, long_inputs
from cnninspect.inspection.probe_check import Finding, box, contradiction, first_uncontradicted, has_nan, judged
from cnninspect.measure.base import Run
from cnninspect.measure.change_probe import probe_changes
from cnninspect.measure.nan_probe import Freeze, Probe, Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.receptive.digits import NOTHING
from cnninspect.receptive.fields import STATISTICS, Fields, parting_ops
from cnninspect.receptive.forms import covers
from cnninspect.receptive.positions import End, Positions, Seen
from cnninspect.receptive.reach import Axis, Reach
from cnninspect.receptive.rows import axes_of, seen_in_part
from cnninspect.report.quantities import Shape, Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.records import Call, Op, TensorRef

_MOST_COPIES = 24
"""Copies of an input from which on no further end is probed, but for those that a single call needs in any case."""

_MOST_CANDIDATES = 48
"""Most ends of a call that are compared before one is chosen."""

_MOST_LISTED = 64
"""Most ends of a call whose positions follow no rule; all of them are probed, because each may have another size."""

Excess = Callable[[float], str | None]
"""Copies of the network's input -> the limit that a run of them exceeds, in words; None if it exceeds none."""

_NOT_SEEN = Reason(
    Cause.NOT_MEASURED, "on no input that the network takes are enough of its positions far enough from the border"
)

_TOO_MANY = Reason(
    Cause.LIMIT, f"its positions follow no rule, and their fields start and stop at more than {_MOST_LISTED} pixels"
)


_NO_GATE = Reason(
    Cause.NOT_MEASURED,
    "a factor was left out as a gate, and it has a value for each position, or with it some outputs do not see all",
)

_PART = Reason(
    Cause.NOT_MEASURED, "a gate or statistics of a part of the map count, and not each of its positions is probed"
)

_NO_JUMP = Reason(Cause.NOT_MEASURED, "the row prints no jump, and positions written out seem to advance by a rule")


@dataclass(frozen=True)
class _Held:
    """One call on a long input: its positions along the axis, and the ends that must be probed in any case."""

    call: Call
    positions: Positions
    always: frozenset[End] = frozenset()

    def settled(self, seen: Seen) -> bool:
        """Whether the probed ends determine size, jump and padding."""
        if self.always:
            return all(seen.get(end, 0) >= self.width for end in self.always)
        return self.positions.wanted(seen) is None

    @property
    def width(self) -> int:
        """The widest field, in pixels, that may end at one of `always`."""
        return max(self.positions.widest, 1)


def check_printed(
    run: Run, real: Run, fields: Fields, rows: Sequence[ReceptiveField | None], found: Sequence[Finding], excess: Excess
) -> list[Finding]:
    """The findings of a strict probe, by call; `match` stays only where the probe also confirms what the row prints.

    `run` is the run of the fields, `real` the same run on the CPU.
    """
    checks = _Checks(run, real, fields, rows, excess)
    calls = [i for i, finding in enumerate(found) if finding.verdict is Verdict.MATCH]
    searches = [checks.along(axis, calls) for axes in fields.axes.values() for axis in axes]
    while searches:  # in turn, so that the cheap inputs of every axis come before the dear ones of the first
        searches = [search for search in searches if next(search, "ended") is None]
    return [checks.finding(index, finding) for index, finding in enumerate(found)]


def _prints_nothing(row: ReceptiveField, reach: Reach) -> bool:
    """Whether a row prints 0 because no element sees a pixel of the image, which is what the strict probe checks."""
    tables = [forms.strict.table for forms in reach.forms.values()]
    return row.size is not None and not any(row.size) and row.jump is None and all((t == NOTHING).all() for t in tables)


class _Checks:
    """For each row: the reason why its numbers are not confirmed yet, and the contradictions found.

    `_over` is set once a probe was left out for its cost: the longer inputs that follow cost more. `_resized` are the
    calls and axes that print or see something else on a longer input, as a map does that is resized to a fixed size.
    `_regular` are those without a jump whose positions plainly advance by a rule on a longer input, and that print no
    jump there either.
    """

    def __init__(
        self, run: Run, real: Run, fields: Fields, rows: Sequence[ReceptiveField | None], excess: Excess
    ) -> None:
        self._run, self._real, self._fields, self._rows, self._excess = run, real, fields, rows, excess
        self._gated = all(_may_be_left_out(fields, index, gates) for index, gates in parting_ops(fields).items())
        self._open: dict[int, Reason] = {}
        self._over: Reason | None = None
        self._against: dict[int, Finding] = {}
        self._known: dict[tuple[Any, ...], tuple[Positions, Any]] = {}
        self._resized: set[tuple[int, Axis]] = set()
        self._regular: set[tuple[int, Axis]] = set()

    def finding(self, index: int, strict: Finding) -> Finding:
        """The verdict on a call, after all axes."""
        row = self._rows[index]
        if strict.verdict is not Verdict.MATCH or row is None:
            return strict
        if index in self._against:
            return self._against[index]
        if not self._gated and self._leaves_out(index):
            return Finding(Verdict.UNKNOWN, (_NO_GATE,))
        if self._counts_a_part(index):
            return Finding(Verdict.UNKNOWN, (_PART,))
        if index in self._open or self._lacks_jump(index, row):
            return Finding(Verdict.UNKNOWN, (self._open.get(index, _NO_JUMP),))
        return strict

    def _counts_a_part(self, index: int) -> bool:
        """Whether a row counts a gate, or statistics, of a part of the map."""
        call = self._run.trace.calls[index]
        reach = self._fields.reach(call, call.outputs[0]) if call.outputs else None
        return reach is not None and any(
            seen_in_part(self._fields, axis, forms) is not None for axis, forms in reach.forms.items()
        )

    def _leaves_out(self, index: int) -> bool:
        """Whether the local field of a call's first output leaves something out."""
        call = self._run.trace.calls[index]
        reach = self._fields.reach(call, call.outputs[0]) if call.outputs else None
        return reach is not None and any(forms.local is not forms.strict for forms in reach.forms.values())

    def _lacks_jump(self, index: int, row: ReceptiveField) -> bool:
        """Whether a row prints no jump though the positions plainly advance by a rule along every axis."""
        call = self._run.trace.calls[index]
        if row.size is None or row.jump is not None or not call.outputs:
            return False
        reach = self._fields.reach(call, call.outputs[0])
        if _prints_nothing(row, reach):
            return False
        axes = [axis for axis in axes_of(self._fields, reach) if axis in reach.forms]
        return bool(reach.inputs) and all(
            (index, axis) in self._regular or self._positions(reach, axis).is_regular for axis in axes
        )

    def along(self, axis: Axis, calls: Iterable[int]) -> Iterator[None]:
        """Probe the fields of calls along one axis, input by input until all are confirmed or none is left."""
        waiting = {index for index in calls if self._prints(index, axis)}
        reasons: dict[int, Reason] = {}
        for long in long_inputs(self._run, self._fields, axis, self._rows) if waiting else ():
            waiting -= self._confirmed_on(long, axis, waiting, reasons)
            # What stays open along another axis is not worth a probe. A field that is global on the network's own
            # input is not on longer ones.
            waiting -= self._open.keys()
            own = long.fields is self._fields
            if self._over or not waiting or (own and not any(map(self._has_size, waiting))):
                break
            yield
            if self._over:
                break
        self._open |= {index: reasons.get(index, self._over or _NOT_SEEN) for index in waiting}

    def _has_size(self, index: int) -> bool:
        row = self._rows[index]
        return row is not None and row.size is not None

    def _prints(self, index: int, axis: Axis) -> bool:
        """Whether the row of a call prints numbers along this axis that a strict probe does not check."""
        row, call = self._rows[index], self._run.trace.calls[index]
        reach = self._fields.reach(call, call.outputs[0]) if call.outputs else None
        if row is None or reach is None or not reach.inputs or axis not in axes_of(self._fields, reach):
            return False
        if _prints_nothing(row, reach):
            return False
        return row.size is not None or reach.forms[axis].local is not reach.forms[axis].strict

    def _confirmed_on(self, long: LongInput, axis: Axis, waiting: set[int], reasons: dict[int, Reason]) -> set[int]:
        """The calls for which a probe of a long input confirms all that is printed along an axis."""
        there = Axis(axis.input, axis.index, axis.dim, long.sizes[axis.input][axis.dim])
        held = {index: one for index in waiting if (one := self._held(index, axis, long, there)) is not None}
        reasons |= dict.fromkeys((index for index, one in held.items() if len(one.always) > _MOST_LISTED), _TOO_MANY)
        held = {index: one for index, one in held.items() if len(one.always) <= _MOST_LISTED}
        windows = _chosen(list(held.values()), there.size)
        kinds = {(id(one.positions), one.always): one for one in held.values()}
        settled = {kind for kind, one in kinds.items() if one.settled(windows.seen)}
        held = {index: one for index, one in held.items() if (id(one.positions), one.always) in settled}
        if not held:
            return set()
        freeze = _frozen(long.fields)
        regions = _regions(long, there, windows)
        copies = (len(regions) + 1) * long.pixels / sum(prod(ref.shape) for ref in self._run.trace.inputs.values())
        if (reason := self._excess(copies)) is not None:
            self._over = Reason(Cause.LIMIT, f"size, jump and padding were not probed: {reason}")
            reasons |= dict.fromkeys(held, self._over)
            return set()
        return self._probed(long, regions, freeze, held, reasons)

    def _held(self, index: int, axis: Axis, long: LongInput, there: Axis) -> _Held | None:
        """A call on a long input; None if its row prints other numbers there, or if it is another call."""
        calls = long.trace.calls
        own, row = self._run.trace.calls[index], self._rows[index]
        call = calls[index] if index < len(calls) else None
        if call is None or row is None or _key(call) != _key(own) or not call.outputs:
            return None
        reach, other = long.fields.reach(call, call.outputs[0]), long.rows[index]
        if other is None or there not in reach.forms or other.status != row.status:
            return None
        if row.size is None:
            return _Held(call, self._positions(reach, there), _edges(long, there)) if other.size is None else None
        if other.size is None or axis.index >= len(other.size):
            return None
        held = _as_printed(row, other, axis, _Held(call, self._positions(reach, there)), _edges(long, there))
        if row.jump is not None and long.fields is not self._fields and held is None:
            self._resized.add((index, axis))
        same_rule = row.jump is None and other.jump is None and call.outputs[0].shape != own.outputs[0].shape
        if same_rule and self._positions(reach, there).follow_one_rule:
            self._regular.add((index, axis))
        return None if held is not None and (index, axis) in self._resized and held.positions.are_few else held

    def _positions(self, reach: Reach, axis: Axis) -> Positions:
        """The positions of a tensor; those of one field are written out once."""
        forms = {other: reach.forms[other] for other in reach.forms if other.input == axis.input}
        key = (axis, *map(id, forms.values()))
        if key not in self._known:
            others = [one for other, one in forms.items() if other != axis]
            self._known[key] = Positions.of(reach.forms[axis], axis.size, others), forms
        return self._known[key][0]

    def _probed(
        self, long: LongInput, regions: Sequence[Region], freeze: Mapping[int, Freeze], held: Mapping[int, _Held],
        reasons: dict[int, Reason],
    ) -> set[int]:  # fmt: skip
        """The calls whose local fields a probe confirms; contradictions of others are kept."""
        args, kwargs = long.arguments(self._real)
        about = [one.call.index for one in held.values()]
        tokens = {region.input for region in regions if not has_nan(long.trace.inputs[region.input].dtype)}
        changing = calls_to_change(long.fields, tokens).intersection(about)
        probe, found = Probe((), {}), list[Finding]()
        if not changing.issuperset(about):
            look = partial(
                probe_nan, long.trace, self._real.model, args, kwargs, layer_of, regions, freeze=freeze, partial=True
            )
            probe, found = first_uncontradicted(
                look,
                lambda probe: judged(long.trace, long.fields.of_call, probe, "local", about),
                [index for index in about if index not in changing],
            )
        if changing:
            changes = probe_changes(long.trace, self._real.model, args, kwargs, layer_of, regions, partial=True)
            probe = with_changes(long.fields, probe, changes, changing, "local")
            found = judged(long.trace, long.fields.of_call, probe, "local", about, changing)
        seen = set()
        for index, one in held.items():
            finding = found[one.call.index]
            parted = any(
                f.local is not f.strict for f in long.fields.reach(one.call, one.call.outputs[0]).forms.values()
            )
            if parted and (probe.missed or finding.verdict is Verdict.DIFFER):
                reasons[index] = Reason(
                    Cause.NOT_MEASURED, "gates or statistics could not be kept at their clean values in a probe"
                )
            elif finding.verdict is Verdict.MATCH:
                seen.add(index)
            elif finding.verdict is Verdict.DIFFER:
                words = contradiction(long.trace, one.call, long.fields.of_call, probe, form="local")
                self._against[index] = Finding(Verdict.DIFFER, (), words)
            else:
                reasons |= dict.fromkeys([index], next(iter(finding.why), _NOT_SEEN))
        return seen


def _as_printed(
    row: ReceptiveField, other: ReceptiveField, axis: Axis, held: _Held, edges: frozenset[End]
) -> _Held | None:
    """The call, if both rows print the same along the axis and its positions agree with it; else None."""
    i, positions = axis.index, held.positions
    if row.size is None or other.size is None:
        return None
    if row.jump is None or row.padding is None:
        same = other.jump is None and row.size[i] == other.size[i] == positions.exact_size
        return _Held(held.call, positions, positions.every_end) if same else None
    if positions.is_whole and row.jump[i] == row.padding[i] == 0:
        return _Held(held.call, positions, edges) if row.size[i] == axis.size else None
    if other.jump is None or other.padding is None:
        return None
    printed = (row.size[i], row.jump[i], row.padding[i])
    same = printed == (other.size[i], other.jump[i], other.padding[i])
    written_out = positions.size == row.size[i] and positions.padding == row.padding[i]
    return held if same and written_out and positions.advances_by(row.jump[i]) else None


def _edges(long: LongInput, axis: Axis) -> frozenset[End]:
    """The first and last pixel that the network reads, as ends."""
    lo, negative_hi = long.fields.looked_at(axis).tolist()
    return frozenset({("start", lo), ("stop", -negative_hi)})


def _chosen(held: Sequence[_Held], pixels: int) -> CleanWindows:
    """Windows that show the ends of as many calls as possible, in few copies: first those of calls that see most."""
    windows = CleanWindows(pixels)
    for one in sorted(held, key=lambda one: len(one.always)):
        if len(windows.seen.keys() | one.always) <= _MOST_LISTED:
            for end in sorted(one.always):
                if windows.seen.get(end, 0) < one.width:
                    windows.add(end, one.width)
    most = len(windows.copies) + _MOST_COPIES
    asking = [(positions.wanted({}) or {}, positions) for positions in _different(held)]
    votes = Counter(end for ends, _ in asking for end in ends)
    for ends, positions in sorted(asking, key=lambda pair: -min(pair[0].values(), default=0)):
        while ends and (wanted := positions.wanted(windows.seen)) and len(windows.copies) < most:
            best = min(_likely(wanted, votes), key=lambda end: (windows.cost(end, wanted[end]) / votes[end], end))
            windows.add(best, wanted[best])
    return windows


def _likely(wanted: Mapping[End, int], votes: Mapping[End, int]) -> list[End]:
    """Some of many ends: those that most calls want, and of equal ones some from everywhere along the axis."""
    ordered = sorted(wanted, key=lambda end: (-votes[end], end))
    least = votes[ordered[min(len(ordered), _MOST_CANDIDATES) - 1]]
    most = [end for end in ordered if votes[end] > least]
    equal = [end for end in ordered if votes[end] == least]
    return most + equal[:: -(-len(equal) // (_MOST_CANDIDATES - len(most)))]


def _different(held: Sequence[_Held]) -> list[Positions]:
    """The positions of calls that need no ends in any case, each once."""
    kinds = {
        (one.positions.exact.tobytes(), one.positions.endless.tobytes(), one.positions.exact.shape): one.positions
        for one in {id(one.positions): one for one in held if not one.always}.values()
    }
    return list(kinds.values())


def _regions(long: LongInput, axis: Axis, windows: CleanWindows) -> list[Region]:
    """The regions that leave these windows clean."""
    return [_around(axis, long.sizes[axis.input], spans) for spans in windows.copies]


def _around(axis: Axis, shape: Shape, spans: Sequence[Span]) -> Region:
    """All of an input but the spans along an axis."""
    boxes = [box(axis.input, shape, {axis.dim: span}) for span in spans]
    if not boxes:
        return box(axis.input, shape, {})
    return replace(boxes[0], outside=True, others=tuple((one.first, one.last) for one in boxes[1:]))


def _frozen(fields: Fields) -> dict[int, Freeze]:
    return {
        index: Freeze(statistics=True) if gates is STATISTICS else Freeze(gates=gates)
        for index, gates in parting_ops(fields).items()
    }


def _key(call: Call) -> tuple[str, int, str]:
    return call.path, call.number, call.kind


def _sees_all(fields: Fields, index: int) -> bool:
    """Whether, with its gates, an op's result sees all pixels that the rest of its arguments see.

    The strict field, which the probe confirms, says so: a factor computed from less than that is no gate.
    """
    reach = fields.engine.of(fields.trace.ops[index].outputs[0])
    parted = [forms for forms in reach.forms.values() if forms.local is not forms.strict]
    return all(covers(forms.strict.table, forms.local.table.reshape(2, -1).min(1)) for forms in parted)


def _may_be_left_out(fields: Fields, index: int, gates: tuple[int, ...] | None) -> bool:
    """Whether an op computes statistics by its name, or stretches its gates over positions that then see all."""
    op = fields.trace.ops[index]
    if gates is STATISTICS:
        return "norm" in op.packet
    made = {ref.value: maker for maker in fields.trace.ops[:index] for ref in maker.outputs}
    stretched = not op.pointwise or all(_is_stretched(op.inputs[i], op.outputs[0].shape, made) for i in gates or ())
    return stretched and _sees_all(fields, index)


def _is_stretched(ref: TensorRef, shape: Shape, made: Mapping[int, Op]) -> bool:
    """Whether a tensor is smaller than `shape`, or was made as large by repeating what was smaller."""
    if prod(ref.shape) < prod(shape):
        return True
    op = made.get(ref.value)
    return op is not None and any(_is_stretched(one, shape, made) for one in op.inputs if op.pointwise or op.is_view)
