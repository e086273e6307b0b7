"""Checks with NaN what a row prints of its field: size, jump, padding and `global`.

The probe of `probe_check.py` sees strict fields inside the image. A row prints the local field on an endless input.
Both agree at positions far enough from the border. On an input that is long enough to have such positions, NaN is put
up to, and just before, the pixels where their fields should start and stop; gates and statistics keep their clean
values. The ends found in this way must determine size, jump and padding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from cnninspect.inspection.long_inputs import LongInput, long_inputs
from cnninspect.inspection.probe_check import Finding, box, contradiction, first_uncontradicted, judged
from cnninspect.measure.base import Run
from cnninspect.measure.nan_probe import Freeze, Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.receptive.fields import STATISTICS, Fields, parting_ops
from cnninspect.receptive.positions import End, Positions
from cnninspect.receptive.reach import Axis, Reach
from cnninspect.receptive.rows import axes_of
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.records import Call

_MOST_ENDS = 24
"""Most ends that are probed along one axis, without those that a single call needs in any case."""

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


_NO_JUMP = Reason(Cause.NOT_MEASURED, "the row prints no jump, and positions written out seem to advance by a rule")


@dataclass(frozen=True)
class _Held:
    """One call on a long input: its positions along the axis, and the ends that must be probed in any case."""

    call: Call
    positions: Positions
    always: frozenset[End] = frozenset()

    def settled(self, seen: set[End]) -> bool:
        """Whether the probed ends determine size, jump and padding."""
        return self.always <= seen if self.always else self.positions.wanted(seen) is None


def check_printed(
    run: Run, real: Run, fields: Fields, rows: Sequence[ReceptiveField | None], found: Sequence[Finding], excess: Excess
) -> list[Finding]:
    """The findings of a strict probe, by call; `match` stays only where the probe also confirms what the row prints.

    `run` is the run of the fields, `real` the same run on the CPU.
    """
    checks = _Checks(run, real, fields, rows, excess)
    for axes in fields.axes.values():
        for axis in axes:
            checks.along(axis, [i for i, finding in enumerate(found) if finding.verdict is Verdict.MATCH])
    return [checks.finding(index, finding) for index, finding in enumerate(found)]


class _Checks:
    """For each row: the reason why its numbers are not confirmed yet, and the contradictions found."""

    def __init__(
        self, run: Run, real: Run, fields: Fields, rows: Sequence[ReceptiveField | None], excess: Excess
    ) -> None:
        self._run, self._real, self._fields, self._rows, self._excess = run, real, fields, rows, excess
        self._open: dict[int, Reason] = {}
        self._against: dict[int, Finding] = {}

    def finding(self, index: int, strict: Finding) -> Finding:
        """The verdict on a call, after all axes."""
        row = self._rows[index]
        if strict.verdict is not Verdict.MATCH or row is None:
            return strict
        if index in self._against:
            return self._against[index]
        if index in self._open or self._lacks_jump(index, row):
            return Finding(Verdict.UNKNOWN, (self._open.get(index, _NO_JUMP),))
        return strict

    def _lacks_jump(self, index: int, row: ReceptiveField) -> bool:
        """Whether a row prints no jump though the positions plainly advance by a rule along every axis."""
        call = self._run.trace.calls[index]
        if row.size is None or row.jump is not None or not call.outputs:
            return False
        reach = self._fields.reach(call, call.outputs[0])
        if not reach.inputs:
            return False
        return all(_positions(reach, axis).is_regular for axis in axes_of(self._fields, reach) if axis in reach.forms)

    def along(self, axis: Axis, calls: Iterable[int]) -> None:
        """Probe the fields of calls along one axis, on longer inputs until all are confirmed or no input is left."""
        waiting = {index for index in calls if self._prints(index, axis)}
        reasons: dict[int, Reason] = {}
        for long in long_inputs(self._run, self._fields, axis, self._rows) if waiting else ():
            waiting -= self._confirmed_on(long, axis, waiting, reasons)
            if not waiting:
                return
        self._open |= {index: reasons.get(index, _NOT_SEEN) for index in waiting}

    def _prints(self, index: int, axis: Axis) -> bool:
        """Whether the row of a call prints numbers along this axis that a strict probe does not check."""
        row, call = self._rows[index], self._run.trace.calls[index]
        reach = self._fields.reach(call, call.outputs[0]) if call.outputs else None
        if row is None or reach is None or not reach.inputs or axis not in axes_of(self._fields, reach):
            return False
        return row.size is not None or reach.forms[axis].local is not reach.forms[axis].strict

    def _confirmed_on(self, long: LongInput, axis: Axis, waiting: set[int], reasons: dict[int, Reason]) -> set[int]:
        """The calls for which a probe of a long input confirms all that is printed along an axis."""
        there = Axis(axis.input, axis.index, axis.dim, long.sizes[axis.input][axis.dim])
        held = {index: one for index in waiting if (one := self._held(index, axis, long, there)) is not None}
        reasons |= dict.fromkeys((index for index, one in held.items() if len(one.always) > _MOST_LISTED), _TOO_MANY)
        held = {index: one for index, one in held.items() if len(one.always) <= _MOST_LISTED}
        ends = _chosen(list(held.values()))
        held = {index: one for index, one in held.items() if one.settled(ends)}
        if not held:
            return set()
        freeze = _frozen(long.fields)
        regions = _regions(long, there, ends, list(held.values()))
        copies = (len(regions) + 1) * long.pixels / sum(prod(ref.shape) for ref in self._run.trace.inputs.values())
        if (reason := self._excess(copies)) is not None:
            reasons |= dict.fromkeys(held, Reason(Cause.LIMIT, f"size, jump and padding were not probed: {reason}"))
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
            return _Held(call, _positions(reach, there), _edges(long, there)) if other.size is None else None
        if other.size is None or axis.index >= len(other.size):
            return None
        return _as_printed(row, other, axis, _Held(call, _positions(reach, there)), _edges(long, there))

    def _probed(
        self, long: LongInput, regions: Sequence[Region], freeze: Mapping[int, Freeze], held: Mapping[int, _Held],
        reasons: dict[int, Reason],
    ) -> set[int]:  # fmt: skip
        """The calls whose local fields a probe confirms; contradictions of others are kept."""
        args, kwargs = long.arguments(self._real)
        look = partial(
            probe_nan, long.trace, self._real.model, args, kwargs, layer_of, regions, freeze=freeze, partial=True
        )
        probe, found = first_uncontradicted(
            look,
            lambda probe: judged(long.trace, long.fields.of_call, probe, form="local"),
            [one.call.index for one in held.values()],
        )
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


def _positions(reach: Reach, there: Axis) -> Positions:
    others = [forms for axis, forms in reach.forms.items() if axis.input == there.input and axis != there]
    return Positions.of(reach.forms[there], there.size, others)


def _edges(long: LongInput, axis: Axis) -> frozenset[End]:
    """The first and last pixel that the network reads, as ends."""
    lo, negative_hi = long.fields.looked_at(axis).tolist()
    return frozenset({("start", lo), ("stop", -negative_hi)})


def _chosen(held: Sequence[_Held]) -> set[End]:
    """Ends that determine as many calls as possible: first those that most calls need, then those near the border."""
    seen: set[End] = set()
    for one in sorted(held, key=lambda one: len(one.always)):
        if len(seen | one.always) <= _MOST_LISTED:
            seen |= one.always
    most = len(seen) + _MOST_ENDS
    asking = {id(one): one for one in _different(held) if not one.always}
    wanted = {key: one.positions.wanted(seen) for key, one in asking.items()}
    while len(seen) < most:
        votes = Counter(end for ends in wanted.values() for end in ends or ())
        if not votes:
            break
        best = max(votes, key=lambda end: (votes[end], end[1] if end[0] == "stop" else -end[1]))
        seen.add(best)
        for key, ends in wanted.items():
            if ends and best in ends:
                wanted[key] = asking[key].positions.wanted(seen)
    return seen


def _different(held: Sequence[_Held]) -> list[_Held]:
    """One of all that have the same positions."""
    kinds = {
        (one.positions.exact.tobytes(), one.positions.endless.tobytes(), one.positions.exact.shape): one for one in held
    }
    return list(kinds.values())


def _regions(long: LongInput, axis: Axis, ends: set[End], held: Sequence[_Held]) -> list[Region]:
    """Two regions for each end or pair of ends: NaN just up to the end, and just not.

    A start p and a stop q share two regions: NaN outside p..q-1, and NaN outside p+1..q. A field that starts at p and
    stops before q reacts only to the second, one that stops at q and starts after p only to the first. So a pair tells
    as much as its two ends do alone, unless a field starts at p and reaches q.
    """
    always = frozenset[End]().union(*(one.always for one in held))
    widest = max((one.positions.widest for one in held if not one.always), default=0)
    paired = _paired(ends - always, widest)
    alone = ends - {("start", p) for p, _ in paired} - {("stop", q) for _, q in paired}
    boxes = {kept for p, q in paired for kept in ((p, q - 1), (p + 1, q))}
    boxes |= {(first, axis.size - 1) for side, p in alone if side == "start" for first in (p, p + 1)}
    boxes |= {(0, last) for side, q in alone if side == "stop" for last in (q - 1, q)}
    shape = long.sizes[axis.input]
    kept = sorted(boxes - {(0, axis.size - 1)})
    return [replace(box(axis.input, shape, {axis.dim: span}), outside=True) for span in kept]


def _paired(ends: Iterable[End], apart: int) -> list[tuple[int, int]]:
    """As many pairs of a start and a stop as there are with at least so many pixels from one to the other."""
    starts = sorted(pixel for side, pixel in ends if side == "start")
    found: list[tuple[int, int]] = []
    for stop in sorted(pixel for side, pixel in ends if side == "stop"):
        if len(found) < len(starts) and stop - starts[len(found)] >= apart:
            found.append((starts[len(found)], stop))
    return found


def _frozen(fields: Fields) -> dict[int, Freeze]:
    return {
        index: Freeze(statistics=True) if gates is STATISTICS else Freeze(gates=gates)
        for index, gates in parting_ops(fields).items()
    }


def _key(call: Call) -> tuple[str, int, str]:
    return call.path, call.number, call.kind
