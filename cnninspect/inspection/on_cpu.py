"""Measurements that need real kernels: runs the untouched model on the CPU, for the NaN probe and for fvcore.

Without --probe, a network that takes too much time or memory there is not run, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cnninspect.errors import message_of
from cnninspect.inspection.changes import calls_to_change, with_changes
from cnninspect.inspection.named_axes import doubtful_axes
from cnninspect.inspection.printed_check import check_printed
from cnninspect.inspection.probe_check import (
    Finding,
    Probed,
    contradiction,
    first_uncontradicted,
    judged,
    may_be_map,
    misses_an_end,
    places,
    reacts_to_all,
    regions_to_probe,
    seems_gated,
)
from cnninspect.inspection.run import shortage
from cnninspect.measure import count
from cnninspect.measure.base import Count, Progress, Run
from cnninspect.measure.change_probe import probe_changes
from cnninspect.measure.masks import either
from cnninspect.measure.memory import held_bytes, inference_peak
from cnninspect.measure.nan_probe import AT_ONCE, Probe, Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.receptive.fields import Fields, name_of
from cnninspect.receptive.reach import Axis, Reach
from cnninspect.receptive.rows import axes_of, listed_beside, row_fields
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import Cause, Reason, distinct
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.records import Call, Trace

MOST_MACS = 500 * 10**9
"""Most multiply-accumulates, without --probe, of a run and of all probes together: half a minute on two cores."""

MOST_BYTES = 4 * 2**30
"""Most bytes of a run without --probe: parameters, buffers, inputs and the activations alive at once."""

_MOST_DRAWS = 3
"""Most times that the numbers of a region are changed: what one change leaves as it is, another may not."""

_ALL = "nothing is measured on the CPU, neither by fvcore nor with NaN"
_FIELDS = "receptive fields are not probed on the CPU"


_POSITIONS = Reason(
    Cause.NOT_MEASURED,
    "the row says that the field moves along none of its positions, and in the probe some outputs react where others do"
    " not: features of one position, or positions?",
)

_ENDS = Reason(
    Cause.NOT_MEASURED,
    "the row says that every output sees all pixels, and in the probe some do not react to NaN at an end of the input",
)

_CHANNELS = Reason(
    Cause.NOT_MEASURED,
    "the row takes a dimension beside the positions for more positions, and in the probe all its indices react alike:"
    " more positions, or channels?",
)


_GATED = Reason(
    Cause.NOT_MEASURED,
    "the row leaves nothing out along an axis, where in the probe a factor or summand with one value for all positions"
    " makes them see everything: a gate?",
)

_ALL_OF_IT = Reason(
    Cause.NOT_MEASURED, "the row prints the size of the input and no jump, along every axis: is the field global?"
)

_NOT_FIRST = Reason(
    Cause.NOT_MEASURED,
    "the row names a call that sees less than everything, or one behind another that sees everything",
)


Edges = dict[Axis, tuple[int, int]]
"""The first and the last pixel that the network reads along each axis; none if no row sees, or may see, all pixels."""


@dataclass(frozen=True)
class Maps:
    """The calls, by index, whose output is a feature map in the probe, and those that may be one for all it shows."""

    shown: frozenset[int] = frozenset()
    possible: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Measured:
    """The results of both runs: counts, the field of every call (with its verdict if it was probed), notes and maps."""

    counts: dict[str, list[Count]]
    fields: Sequence[ReceptiveField | None]
    notes: tuple[str, ...] = ()
    maps: Maps = Maps()


@dataclass(frozen=True)
class Cost:
    """MACs and bytes of a forward pass with some copies of the input."""

    macs: int
    nbytes: int

    @classmethod
    def of(cls, trace: Trace, macs: int, copies: float, before: float = 0) -> Cost:
        """The cost when one copy takes `macs`, and `before` copies ran already."""
        held = held_bytes(trace)
        fixed = held["parameters"] + held["buffers"]
        at_once = min(copies, 1 + AT_ONCE)
        return cls(
            int(macs * (before + copies)), int(fixed + (held["inputs"] + inference_peak(trace).nbytes) * at_once)
        )

    @property
    def excess(self) -> str | None:
        """The limit that the cost exceeds, in words; None if it exceeds none."""
        if self.macs > MOST_MACS:
            return f"it takes {self.macs:,} multiply-accumulates, more than {MOST_MACS:,}"
        if self.nbytes > MOST_BYTES:
            return f"it takes {self.nbytes:,} bytes, more than {MOST_BYTES:,}"
        return None


def measure(
    run: Run, on_cpu: Callable[[], Run], reach: Fields, macs: int, progress: Progress, *, limited: bool
) -> Measured:
    """The results when the model of `run`, which takes `macs`, runs on the CPU too.

    `on_cpu` builds the model and inputs there. With `limited`, a part that costs too much is left out, and a note says
    which and why. An error of the model's code on the CPU becomes a note; the numbers of the first run are kept.
    """
    fields = row_fields(reach)
    edges = _edges(reach, fields)
    regions = regions_to_probe(run.trace, reach.axes, edges)
    tokens = regions_to_probe(run.trace, reach.axes, edges, tokens=True)

    spent: list[float] = []

    def excess(copies: float) -> str | None:
        reason = Cost.of(run.trace, macs, copies, sum(spent)).excess if limited else None
        spent.extend([copies] if reason is None else [])
        return reason

    once = Cost.of(run.trace, macs, 1)
    if limited and once.excess is not None:
        return Measured(count(run), fields, (_left_out(_ALL, once.excess),))
    if run.device == "meta" and (short := shortage(once.nbytes)):
        note = f"{_ALL}: the run takes {short}. Use a machine with more memory, or --dtype bfloat16."
        return Measured(count(run), fields if limited else _unprobed(fields, NO_ROOM), (note,))
    try:
        real = on_cpu()
    except Exception as error:
        return Measured(count(run), _unprobed(fields), (_failed(_ALL, error),))
    progress("counting on the CPU")
    counts = count(run, real)
    if not regions and not tokens:
        return Measured(counts, fields)
    if (reason := excess(1 + len(regions) + len(tokens))) is not None:
        return Measured(counts, fields, (_left_out(_FIELDS, reason),))
    progress("probing receptive fields with NaN")
    try:
        probe, found = _probed(real, reach, fields, regions, tokens, edges)
        found = check_printed(run, real, reach, fields, found, excess)
        if (doubt := doubtful_axes(run.trace, reach.axes)) is not None:
            found = [Finding(Verdict.UNKNOWN, (doubt,)) if one.verdict is Verdict.MATCH else one for one in found]
    except Exception as error:
        return Measured(counts, _unprobed(fields), (_failed(_FIELDS, error),))
    judged_fields = [
        None
        if field is None
        else replace(field, verdict=finding.verdict, found=finding.against, why=distinct((*field.why, *finding.why)))
        for field, finding in zip(fields, found, strict=True)
    ]
    ended = distinct(reason for finding in found for reason in finding.why if reason.cause is Cause.LIMIT)
    notes = tuple(f"some receptive fields are not probed: {why}." for why in ended)
    return Measured(counts, judged_fields, notes, _maps(reach, fields, probe))


def _maps(reach: Fields, fields: Sequence[ReceptiveField | None], probe: Probe) -> Maps:
    """The calls whose first output is a feature map, or may be one, as the probe shows."""
    found = {
        call.index: places(probe, call, [axis for axis in _axes(reach, seen) if axis.size > 1])
        for call, field in zip(reach.trace.calls, fields, strict=True)
        if field is not None and (seen := reach.reach(call, call.outputs[0])).inputs
    }
    return Maps(
        frozenset(index for index, dims in found.items() if dims and all(one.own for one in dims.values())),
        frozenset(index for index, dims in found.items() if may_be_map(dims)),
    )


def _axes(fields: Fields, reach: Reach) -> tuple[Axis, ...]:
    """The axes of a row; of one whose field is not known, those of the first input that it depends on."""
    if reach.is_known:
        return axes_of(fields, reach)
    return next((axes for name, axes in fields.axes.items() if axes and name in reach.inputs), ())


def _edges(reach: Fields, fields: Sequence[ReceptiveField | None]) -> Edges:
    """Axis -> first and last pixel that the network reads; empty if no row sees, or may see, all pixels."""
    mixed = any(forms.cause is not None for one in reach.engine.reaches.values() for forms in one.forms.values())
    if not mixed and not any(field is not None and _sees_all(field) for field in fields):
        return {}
    looked_at = {axis: reach.looked_at(axis).tolist() for axes in reach.axes.values() for axis in axes}
    return {axis: (max(lo, 0), min(-negative_hi, axis.size - 1)) for axis, (lo, negative_hi) in looked_at.items()}


def _sees_all(field: ReceptiveField) -> bool:
    """Whether every output sees all pixels, along one axis at least."""
    sizes = zip(field.size or (), field.jump or (), field.image or (), strict=False)
    return field.is_global or _stands_still(field) or any(jump == 0 and size == pixels for size, jump, pixels in sizes)


def _probed(
    run: Run,
    reach: Fields,
    fields: Sequence[ReceptiveField | None],
    regions: Sequence[Region],
    tokens: Sequence[Region],
    edges: Edges,
) -> tuple[Probe, list[Finding]]:
    """A strict probe and its findings: with NaN, and with other numbers behind masks and for tokens."""
    changing = calls_to_change(reach, {region.input for region in tokens})
    about = [call.index for call in run.trace.calls if call.index not in changing]
    probe, found = Probe((), {}), [Finding(Verdict.NOT_RUN)] * len(run.trace.calls)
    if regions:
        look = partial(probe_nan, run.trace, run.model, run.args, run.kwargs, layer_of, regions)
        probe, found = first_uncontradicted(look, lambda probe: judged(run.trace, reach.of_call, probe), about)
    if changing:
        nan, masks = probe, dict[int, Any]()
        for draw in range(_MOST_DRAWS):
            changes = probe_changes(
                run.trace, run.model, run.args, run.kwargs, layer_of, [*regions, *tokens], draw=draw
            )
            if masks and changes.ended:
                break
            masks = either(masks, changes.masks)
            probe = with_changes(reach, nan, replace(changes, masks=masks), changing)
            found = judged(run.trace, reach.of_call, probe, changed=changing)
            if not any(found[index].verdict is Verdict.UNKNOWN for index in changing):
                break
    probed = Probed(run.trace, probe)
    held = [
        finding if field is None else _held_against(finding, field, call, reach, probed, edges)
        for finding, field, call in zip(found, fields, run.trace.calls, strict=True)
    ]
    sure = [field if one.verdict is Verdict.MATCH else None for field, one in zip(fields, held, strict=True)]
    late = _naming_others(sure, probed)
    held = [
        Finding(Verdict.UNKNOWN, (_NOT_FIRST,)) if i in late and one.verdict is Verdict.MATCH else one
        for i, one in enumerate(held)
    ]
    # A container returns what a call in it made: a doubt about the one is a doubt about the other.
    doubts = {
        call.outputs[0].value: after
        for call, before, after in zip(run.trace.calls, found, held, strict=True)
        if before.verdict is Verdict.MATCH and after.verdict is Verdict.UNKNOWN
    }
    return probe, [
        doubts.get(call.outputs[0].value, finding) if finding.verdict is Verdict.MATCH and call.outputs else finding
        for call, finding in zip(run.trace.calls, held, strict=True)
    ]


def _held_against(
    finding: Finding, field: ReceptiveField, call: Call, reach: Fields, probed: Probed, edges: Edges
) -> Finding:
    """The finding, or a contradiction of the row by the probe: of its field, its axes, its size or `global`."""
    trace, probe = probed.trace, probed.probe
    if finding.verdict is Verdict.DIFFER:
        return finding._replace(against=contradiction(trace, call, reach.of_call, probe))
    own = reach.reach(call, call.outputs[0])
    if field.size is not None and len(field.size) != len(field.image or ()):
        return Finding(Verdict.DIFFER, (), f"the input has {len(field.image or ())} axes")
    axes = axes_of(reach, own)
    jumps = field.jump or (None,) * len(axes)
    sees = [(None, 0)] * len(axes) if field.size is None else list(zip(field.size, jumps, strict=False))
    still = [
        axis for axis, (size, jump) in zip(axes, sees, strict=False) if jump == 0 or (not jump and size == axis.size)
    ]
    found = places(probe, call, axes) if finding.verdict is Verdict.MATCH else {}
    if any(found[axis].own or (field.is_global and found[axis].shared) for axis in still if axis in found):
        return Finding(Verdict.UNKNOWN, (_POSITIONS,))
    if found and any(
        listed_beside(own.forms[axis].endless) - dims.own for axis, dims in found.items() if axis in own.forms
    ):
        return Finding(Verdict.UNKNOWN, (_CHANNELS,))
    whole = [
        axis for axis, (size, jump) in zip(axes, sees, strict=False) if size is None or (not jump and size == axis.size)
    ]
    if finding.verdict is Verdict.MATCH and whole and own.inputs:
        parts = [own.forms[axis].endless for axis in axes]
        features = [dim for dim in range(len(own.shape)) if all(part.holds_features(dim) for part in parts)]
        if misses_an_end(probe, call, {axis: edges[axis] for axis in axes if axis in edges}, features, whole):
            return Finding(Verdict.UNKNOWN, (_ENDS,))
    if finding.verdict is Verdict.MATCH and any(
        axis in own.forms
        and (axis in whole or own.forms[axis].local is own.forms[axis].strict)
        and seems_gated(probed, call, axes, axis)
        for axis in axes
    ):
        return Finding(Verdict.UNKNOWN, (_GATED,))
    if finding.verdict is not Verdict.MATCH or not field.size:
        return finding
    if not own.inputs and any(field.size):
        return Finding(Verdict.DIFFER, (), "NaN in no input reaches any output: the size of the field is 0")
    mixed = [forms.cause is not None for forms in own.forms.values()]
    if not field.cause and (_stands_still(field) or (mixed and all(mixed))) and reacts_to_all(probe, call):
        return Finding(Verdict.DIFFER, (), "NaN in either end of the input reaches every output: the field is global")
    return Finding(Verdict.UNKNOWN, (_ALL_OF_IT,)) if own.inputs and len(whole) == len(axes) else finding


def _stands_still(field: ReceptiveField) -> bool:
    """Whether a row prints a field that moves along no axis: one that covers all that the network reads is global."""
    return bool(field.jump) and not any(field.jump or ())


def _naming_others(fields: Sequence[ReceptiveField | None], probed: Probed) -> set[int]:
    """The calls whose global row names a call that is not the first, on the way to it, whose result sees all."""
    calls = probed.trace.calls
    makers = {ref.value: one for one in calls if one.index not in probed.trace.children for ref in one.outputs}
    seeing = {
        one.index
        for one in calls
        if (field := fields[one.index]) is not None and field.is_global and reacts_to_all(probed.probe, one)
    }
    named: dict[str, list[Call]] = {}
    for one in calls:
        named.setdefault(name_of(one), []).append(one)

    def before(call: Call) -> list[Call]:
        """The calls that made the arguments of a call, those of which every element sees all."""
        found = (makers.get(ref.value) for ref in call.inputs)
        return [one for one in found if one is not None and one.index in seeing and one.index < call.index]

    first: dict[int, int] = {}
    for call in calls:
        if call.index in seeing and call.index not in probed.trace.children:
            first[call.index] = min((first[one.index] for one in before(call)), default=call.index)

    def is_wrong(call: Call, cause: str | None) -> bool:
        last = next((makers[ref.value] for ref in call.outputs[:1] if ref.value in makers), None)
        if last is not None and last.index in first:
            if name_of(calls[first[last.index]]) == cause:
                return False
            if any(name_of(one) == cause for one in _all_before(last, before)):
                return True
        others = named.get(cause or "", ())
        return not any(_is_global(fields[one.index]) or reacts_to_all(probed.probe, one) for one in others)

    return {
        call.index
        for call in calls
        if (field := fields[call.index]) is not None and field.is_global and is_wrong(call, field.cause)
    }


def _all_before(call: Call, before: Callable[[Call], Sequence[Call]]) -> Iterator[Call]:
    """A call, and all that lead to it by `before`."""
    seen, waiting = {call.index}, [call]
    while waiting:
        one = waiting.pop()
        yield one
        new = [other for other in before(one) if other.index not in seen]
        seen.update(other.index for other in new)
        waiting += new


def _is_global(field: ReceptiveField | None) -> bool:
    return field is not None and (field.is_global or field.cause is not None)


def _left_out(what: str, reason: str) -> str:
    return f"{what}: {reason}. --probe does it all the same."


FAILS = Reason(
    Cause.NOT_MEASURED,
    "nothing is probed: the model fails on the CPU, with NaN in its input, or with more samples in it",
)
NO_ROOM = Reason(Cause.LIMIT, "the model does not fit the free memory of the CPU, so nothing is probed")


def _unprobed(fields: Sequence[ReceptiveField | None], why: Reason = FAILS) -> list[ReceptiveField | None]:
    """The fields with a verdict that is not known: the probe was asked for, and there is none."""
    return [field and replace(field, verdict=Verdict.UNKNOWN, why=distinct((*field.why, why))) for field in fields]


def _failed(what: str, error: Exception) -> str:
    return f"{what}: the model fails there ({message_of(error) or type(error).__name__})."
