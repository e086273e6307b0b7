"""Receptive fields against the NaN probe: the regions to probe, and one verdict per call.

The probe sets slabs and single pixels to NaN. An output element reacts to the slab of all rows up to p exactly if its
field starts at p or before, even if the field has holes: for slabs the prediction must be exact. A single pixel may lie
in a hole: for pixels, no element outside the prediction may react.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from cnninspect.measure.masks import Mask
from cnninspect.measure.nan_probe import Probe, Region
from cnninspect.ops.registry import rule_of
from cnninspect.receptive.fields import Field, Ints
from cnninspect.receptive.reach import Axis
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import Cause, Reason, ask
from cnninspect.trace.records import Call, Dataflow, Key, Op, TensorRef, Trace

FieldsOf = Callable[[Call], Sequence[Field]]
"""The field of each tensor that a call returned, as it was when the call ended."""

Form = Literal["strict", "local"]


_LOST = "other numbers there change nothing here: a mask that the field does not know, or rounding"

_GARBAGE = Reason(Cause.NOT_MEASURED, "its memory holds no values yet, and may hold NaN of another tensor")


class Finding(NamedTuple):
    """The verdict of a probe on one call, with the reasons if it is unknown and the contradiction if it differs."""

    verdict: Verdict
    why: tuple[Reason, ...] = ()
    against: str | None = None


def regions_to_probe(
    trace: Trace,
    axes: Mapping[str, Sequence[Axis]],
    edges: Mapping[Axis, tuple[int, int]] | None = None,
    *,
    tokens: bool = False,
) -> list[Region]:
    """For each floating input: two slabs along each of its spatial `axes`, the centre pixel and a corner pixel.

    `edges` are the first and last pixel that the network reads along an axis: they add two slabs, which a global field
    must see, and which contain the corner pixel. An input without spatial axes becomes NaN as a whole. With `tokens`
    for each input that holds none: integers with an axis.
    """
    found = []
    for name, ref in trace.inputs.items():
        if (has_nan(ref.dtype) if not tokens else _holds_tokens(ref, axes.get(name, ()))) and 0 not in ref.shape:
            found += [box(name, ref.shape, spans) for spans in _spans(axes.get(name, ()), edges or {})]
    return found


def _holds_tokens(ref: TensorRef, axes: Sequence[Axis]) -> bool:
    return bool(axes) and ref.dtype in ("int32", "int64")


def _spans(axes: Sequence[Axis], edges: Mapping[Axis, tuple[int, int]]) -> Iterator[dict[int, tuple[int, int]]]:
    """First and last index by dimension of the input; other dimensions are taken whole."""
    for axis in axes:
        yield {axis.dim: (0, axis.size // 3)}
        yield {axis.dim: (axis.size // 2, axis.size - 1)}
        if axis in edges:
            yield {axis.dim: (0, edges[axis][0])}
            yield {axis.dim: (edges[axis][1], axis.size - 1)}
    yield {axis.dim: (axis.size // 2, axis.size // 2) for axis in axes}
    if axes and not edges:
        yield {axis.dim: (axis.size - 1, axis.size - 1) for axis in axes}


def box(name: str, shape: tuple[int, ...], spans: Mapping[int, tuple[int, int]]) -> Region:
    """The region of an input of this shape: the given spans, and all indices of the other dimensions."""
    ends = [spans.get(dim, (0, size - 1)) for dim, size in enumerate(shape)]
    return Region(name, tuple(first for first, _ in ends), tuple(last for _, last in ends))


def judged(
    trace: Trace,
    fields_of: FieldsOf,
    probe: Probe,
    form: Form = "strict",
    about: Container[int] | None = None,
    changed: Container[int] = (),
) -> list[Finding]:
    """One finding per call: whether the elements that reacted are those that the field (of this form) predicts.

    `differ`: in any output an element reacted that must not, or one that must react did not. Otherwise the verdict is
    that of the first output, whose field stands in the row; a pool's indices cannot hold NaN. `unknown`: the field is
    not known, there is no mask, or elements did not react because an op swallowed NaN before them. `not_run`: the
    call returned no tensor, or nothing was probed, or it is not in `about`. The masks of the calls `changed` say where
    numbers changed: there an element that did not react is `unknown`.
    """
    swallowed = _swallowed(trace)
    filled = {(op.call, ref.storage) for op in trace.ops if op.writes for ref in op.outputs}
    made = [(op.call, ref) for op in trace.ops if "empty" in op.packet for ref in op.outputs]
    garbage = {(call, ref.value) for call, ref in made if (call, ref.storage) not in filled}

    def finding(call: Call) -> Finding:
        if about is not None and call.index not in about:
            return Finding(Verdict.NOT_RUN)
        if any((call.index, ref.value) in garbage for ref in call.outputs[:1]):
            return Finding(Verdict.UNKNOWN, (_GARBAGE,))
        lost = dict.fromkeys((ref.value for ref in call.outputs), _LOST) if call.index in changed else swallowed
        return _finding(call, fields_of, probe, lost, form)

    return [finding(call) for call in trace.calls]


def first_uncontradicted(
    look: Callable[..., Probe], judge: Callable[[Probe], list[Finding]], about: Sequence[int] | None = None
) -> tuple[Probe, list[Finding]]:
    """(probe, findings) of the fastest way of probing that contradicts no call of `about` (default all), or the last.

    oneDNN's recurrent layers may swallow NaN, and a forward may read one sample of its batch. Neither is an error of
    the field, so a contradiction is checked again without oneDNN, then without the batch.
    """
    for how in ({"onednn": True}, {}, {"batched": False}):
        probe = look(**how)
        found = judge(probe)
        if not any(found[i].verdict is Verdict.DIFFER for i in (range(len(found)) if about is None else about)):
            break
    return probe, found


def reacts_to_all(probe: Probe, call: Call) -> bool:
    """Whether every element of a call's first output reacted to every region."""
    mask = next(iter(probe.masks.get(call.index, ())), None)
    return mask is not None and bool(mask.all())


def misses_an_end(
    probe: Probe, call: Call, edges: Mapping[Axis, tuple[int, int]], features: Sequence[int], whole: Container[Axis]
) -> bool:  # fmt: skip
    """Whether a position of a call's first output reacts to some region, but not to the first or last pixel read.

    Elements that differ in dimensions of `features` alone are one position. Only axes of `whole` are looked at.
    """
    mask = next(iter(probe.masks.get(call.index, ())), None)
    if mask is None:
        return False
    ends = [(axis.input, axis.dim, span) for axis, (lo, hi) in edges.items() if axis in whole
            for span in ((0, lo), (hi, axis.size - 1))]  # fmt: skip
    reacted = [(region, one.any(tuple(features), keepdims=True)) for region, one in _by_region(mask, probe.regions)]
    seen = np.logical_or.reduce([one for _, one in reacted])
    return any(
        bool((seen & ~one).any())
        for region, one in reacted
        for name, dim, span in ends
        if region.input == name and (region.first[dim], region.last[dim]) == span and _cuts_one(region, edges)
    )


@dataclass(frozen=True)
class Probed:
    """A run and a probe of it, with what the check of each row asks of both."""

    trace: Trace
    probe: Probe

    @cached_property
    def flow(self) -> Dataflow:
        """The dependencies between the values of the run."""
        return Dataflow(self.trace)

    @cached_property
    def following(self) -> set[Key]:
        """The keys of the inputs, and of all values that are computed from one of them."""
        return self.flow.following_inputs()

    @cached_property
    def makers(self) -> dict[int, Call]:
        """Value -> the last call that returned it as its first output."""
        return {call.outputs[0].value: call for call in self.trace.calls if call.outputs}

    def moving_dims(self, ref: TensorRef, axis: Axis) -> set[int]:
        """The dimensions of a tensor along which its field moves along an axis, of an input or a call's result."""
        if self.trace.inputs[axis.input].value == ref.value:
            return {axis.dim}
        found = places(self.probe, self.makers[ref.value], [axis]) if ref.value in self.makers else {}
        return found[axis].own if axis in found else set()


def seems_gated(probed: Probed, call: Call, axes: Sequence[Axis], axis: Axis) -> bool:
    """Whether a factor or summand with one value for all positions along an axis may let a call's result see them all.

    That is so where every element reacts to every slab along the axis, an argument of the call moves along it, and an
    op normalises it or brings it together with a tensor that has size 1 in the dimensions where it moves, or with the
    weights of a window that slides over it.
    """
    mask = next(iter(probed.probe.masks.get(call.index, ())), None)
    reacted = () if mask is None else _by_region(mask, probed.probe.regions)
    slabs = [one for region, one in reacted if _along(region, axes) == [axis]]
    if call.index in probed.trace.children or not slabs or not all(one.all() for one in slabs):
        return False
    stretched = dict[int, TensorRef]()
    for op in (probed.trace.ops[index] for index in call.ops):
        parts = [stretched.get(ref.value, ref) for ref in op.inputs]
        if _is_stretch(op):
            stretched[op.outputs[0].value] = op.inputs[0]
        normed = [x for x in parts if "norm" in op.packet and x.shape == op.outputs[0].shape]
        if any(probed.moving_dims(x, axis) for x in normed):
            return True
        for x, gate in permutations(parts, 2):
            slides = "conv" in op.packet
            joins = (op.pointwise or slides) and probed.flow.key(gate) in probed.following
            dims = [dim - len(x.shape) for dim in (probed.moving_dims(x, axis) if joins else ())]
            if dims and (slides or all(-dim > len(gate.shape) or gate.shape[dim] == 1 for dim in dims)):
                return True
    return False


def _is_stretch(op: Op) -> bool:
    """Whether an op repeats elements without a copy: a view that has more elements than its input."""
    sources, results = op.inputs[:2], op.outputs[:1]
    if len(sources) != 1 or not results or results[0].storage != sources[0].storage:
        return False
    return prod(results[0].shape) > prod(sources[0].shape)


def _cuts_one(region: Region, edges: Mapping[Axis, tuple[int, int]]) -> bool:
    """Whether a region takes a part of one axis alone."""
    return sum(_cuts(region, axis) for axis in edges if axis.input == region.input) <= 1


class Places(NamedTuple):
    """The dimensions of an output that hold the positions along one axis alone, and all along which elements differ.

    `own` are the former, `differing` the latter, as a probe shows them with slabs along this axis. `shared` hold
    positions along several axes, as those of the windows of `unfold` do: no parts of equal size are alike.
    """

    own: set[int]
    differing: set[int]
    shared: set[int]


def places(probe: Probe, call: Call, axes: Sequence[Axis]) -> dict[Axis, Places]:
    """The dimensions of a call's first output that hold positions along each axis, as far as the probe shows.

    Slabs along the axis, and along no other, make some indices of such a dimension react and others not. Where the same
    comes again in each of several equal parts (the channels of a flattened map) the dimension holds features.
    """
    mask = next(iter(probe.masks.get(call.index, ())), None)
    if mask is None:
        return {}
    slabs: dict[Axis, list[Mask]] = {}
    for region, reacted in _by_region(mask, probe.regions):
        cut = _along(region, axes)
        if len(cut) == 1:
            slabs.setdefault(cut[0], []).append(reacted)
    whole = {axis: _profiles(found) for axis, found in slabs.items()}
    live = [np.concatenate(of_dim).any(0) for of_dim in zip(*whole.values(), strict=True)]
    profiles = {axis: [one[:, at] for one, at in zip(own, live, strict=True)] for axis, own in whole.items()}
    rank = len(live)
    together = [np.concatenate([profiles[axis][dim] for axis in profiles]) for dim in range(rank)] if profiles else []
    found = {}
    for axis in axes:
        moving = {dim for dim, profile in enumerate(profiles.get(axis, ())) if not _repeats(profile)}
        others = [other for a, other in profiles.items() if a != axis]
        own = {dim for dim in moving if all(_is_constant(other[dim]) for other in others)}
        varied = {dim for dim, profile in enumerate(profiles.get(axis, ())) if not _is_constant(profile)}
        shared = {dim for dim in varied - own if not _repeats(together[dim])}
        found[axis] = Places(own, _differing(slabs.get(axis, ())), shared)
    return found


def may_be_map(found: Mapping[Axis, Places]) -> bool:
    """Whether each axis could have a dimension of its own, for all that a probe shows."""
    ways = product(*(sorted(one.differing) for one in found.values()))
    return bool(found) and any(len(set(dims)) == len(found) for dims in ways)


def _along(region: Region, axes: Sequence[Axis]) -> list[Axis]:
    """The axes along which a region takes a part of its input."""
    return [axis for axis in axes if axis.input == region.input and _cuts(region, axis)]


def _cuts(region: Region, axis: Axis) -> bool:
    return (region.first[axis.dim], region.last[axis.dim]) != (0, axis.size - 1)


def _profiles(slabs: Sequence[Mask]) -> list[Mask]:
    """For each dimension which of its indices react to each slab, anywhere along the other dimensions."""
    rank = slabs[0].ndim
    return [
        np.stack([slab.any(tuple(other for other in range(rank) if other != dim)) for slab in slabs])
        for dim in range(rank)
    ]


def _differing(slabs: Sequence[Mask]) -> set[int]:
    """The dimensions along which some elements react to a slab and others do not."""
    return {
        dim for slab in slabs for dim, size in enumerate(slab.shape) if size > 1 and (slab != slab.take([0], dim)).any()
    }


def _is_constant(profile: Mask) -> bool:
    return not profile.size or bool((profile == profile[:, :1]).all())


def _repeats(profile: Mask) -> bool:
    """Whether the columns are the same in each of several parts of equal size; a single column is."""
    size = profile.shape[1]
    parts = (profile.reshape(len(profile), -1, part) for part in range(1, size) if size % part == 0)
    return size <= 1 or any((blocks == blocks[:, :1]).all() for blocks in parts)


def contradiction(trace: Trace, call: Call, fields_of: FieldsOf, probe: Probe, form: Form = "strict") -> str:
    """The first contradiction between a probe and the field of a call, in words; empty if there is none."""
    for field, mask in zip(fields_of(call), probe.masks[call.index], strict=True):
        for region, reacted in () if mask is None else _by_region(mask, probe.regions):
            may, must = predicted(field, region, form)
            too_far, missed = reacted & ~may, must & ~reacted
            if too_far.any():
                return f"{_where(region, trace)} reaches {_element(too_far)}, which the field leaves out"
            if missed.any():
                return f"{_where(region, trace)} does not reach {_element(missed)}, which the field says it does"
    return ""


def _where(region: Region, trace: Trace) -> str:
    """A region in words: the spans of the dimensions of which it takes a part."""
    cut = []
    for dim, size in enumerate(trace.inputs[region.input].shape):
        spans = sorted({(first[dim], last[dim]) for first, last in region.boxes} - {(0, size - 1)})
        if spans:
            cut.append(f" {' and '.join(f'{first}..{last}' for first, last in spans)} of dimension {dim},")
    return f"NaN in input {region.input},{' all but' if region.outside else ''}{''.join(cut)}"


def _element(mask: Mask) -> str:
    """The first element of a mask, in words."""
    return f"output [{', '.join(str(index) for index in np.argwhere(mask)[0])}]"


def _finding(call: Call, fields_of: FieldsOf, probe: Probe, swallowed: Mapping[int, str], form: Form) -> Finding:
    if not probe.regions and probe.ended is None:
        return Finding(Verdict.NOT_RUN)
    masks = probe.masks.get(call.index, (None,) * len(call.outputs))
    why = _cannot_tell(probe, call)
    found = [
        _compare(field, mask, probe, why, swallowed.get(ref.value), form)
        for ref, field, mask in zip(call.outputs, fields_of(call), masks, strict=True)
    ]
    differing = next((finding for finding in found if finding.verdict is Verdict.DIFFER), None)
    return differing or next(iter(found), Finding(Verdict.NOT_RUN))


def _compare(
    field: Field, mask: Mask | None, probe: Probe, without_mask: Reason, swallowed: str | None, form: Form
) -> Finding:
    if not field.is_known:
        return Finding(Verdict.UNKNOWN)
    if mask is None:
        return Finding(Verdict.UNKNOWN, (without_mask,))
    missed = False
    for region, reacted in _by_region(mask, probe.regions):
        may, must = predicted(field, region, form)
        if (reacted & ~may).any():
            return Finding(Verdict.DIFFER)
        missed |= bool((must & ~reacted).any())
    empty = _sees_nothing(field, form) if swallowed is _LOST else _is_empty(field, form)
    if swallowed and (missed or empty):
        return Finding(Verdict.UNKNOWN, (Reason(Cause.NOT_MEASURED, swallowed),))
    return Finding(Verdict.DIFFER if missed else Verdict.MATCH)


def _sees_nothing(field: Field, form: Form) -> bool:
    """Whether no element is said to see a pixel, of a tensor that is computed from an input."""
    found = (field.strict if form == "strict" else field.local).values()
    return bool(field.inputs) and all(bool((interval.lo > interval.hi).all()) for interval in found)


def _is_empty(field: Field, form: Form) -> bool:
    """Whether some element is said to see no pixel: one that does not react shows that only if no NaN is swallowed."""
    if not field.inputs:
        return True
    found = (field.strict if form == "strict" else field.local).values()
    return any(bool((interval.lo > interval.hi).any()) for interval in found)


def _cannot_tell(probe: Probe, call: Call) -> Reason:
    """Why there is no mask of a tensor that the call returns, if there is none."""
    if probe.ended is not None:
        return Reason(Cause.LIMIT, f"with NaN in its input the network ran on: {probe.ended}")
    if call.index not in probe.masks:
        return Reason(Cause.NOT_MEASURED, "with NaN in its input, or with a batch, the network makes other calls")
    return Reason(
        Cause.NOT_MEASURED,
        "no probe is possible: its output holds no floating point, or NaN without a probe",
    )


def _by_region(mask: Mask, regions: tuple[Region, ...]) -> Iterator[tuple[Region, Mask]]:
    """Each region with the mask of the elements that reacted to it."""
    return zip(regions, np.broadcast_to(mask, (len(regions), *mask.shape[1:])), strict=True)


def predicted(field: Field, region: Region, form: Form) -> tuple[Mask, Mask]:
    """(mask of the elements that a region may reach, mask of those that must react: all of them for slabs)."""
    if region.outside:
        return _predicted_outside(field, region, form)
    seen = np.full((1,) * len(field.shape), region.input in field.inputs)
    # Whole inputs without axes are only known to be seen or not: an element that a constant stands for sees none.
    cut, exact = 0, region.input in field.inputs and any(axis.input == region.input for axis in field.strict)
    exact |= region.input not in field.inputs
    for axis, interval in (field.strict if form == "strict" else field.local).items():
        if axis.input == region.input:
            first, last = region.first[axis.dim], region.last[axis.dim]
            seen = seen & (interval.lo <= interval.hi) & (interval.lo <= last) & (interval.hi >= first)
            cut += (first, last) != (0, axis.size - 1)
            exact &= first == 0 or last == axis.size - 1
    return seen, seen if exact and cut <= 1 else np.zeros_like(seen)


def _predicted_outside(field: Field, region: Region, form: Form) -> tuple[Mask, Mask]:
    """As `predicted`, for NaN outside boxes.

    An element is not reached if one box holds its whole field. It must react if its first or last pixel along an axis
    lies in no box: those pixels are never holes.
    """
    shape, seen = (1,) * len(field.shape), region.input in field.inputs
    intervals = {axis: one for axis, one in getattr(field, form).items() if axis.input == region.input}
    if not intervals:
        whole = np.full(shape, seen)
        return whole, np.zeros_like(whole)
    sees = np.full(shape, True)
    inside, must = np.full(shape, False), np.full(shape, False)
    for axis, interval in intervals.items():
        sees = sees & (interval.lo <= interval.hi)
        must = must | ~_in_some(interval.lo, region, axis) | ~_in_some(interval.hi, region, axis)
    for first, last in region.boxes:
        held = np.full(shape, True)
        for axis, interval in intervals.items():
            held = held & (interval.lo >= first[axis.dim]) & (interval.hi <= last[axis.dim])
        inside = inside | held
    return ~inside & sees, must & sees


def _in_some(pixels: Ints, region: Region, axis: Axis) -> Mask:
    """Which pixels lie in the span of some box along an axis."""
    found = np.zeros(pixels.shape, dtype=bool)
    for first, last in region.boxes:
        found |= (first[axis.dim] <= pixels) & (pixels <= last[axis.dim])
    return found


def _swallowed(trace: Trace) -> dict[int, str]:
    """Value -> in words, the op between it and the input that may have turned NaN into a number.

    What is computed from constants alone, as the mask of shifted windows, holds no NaN that could be swallowed.
    """
    tainted: dict[int, str] = {}
    storages: dict[int, str] = {}
    flow = Dataflow(trace)
    following = flow.following_inputs()
    for op in trace.ops:
        if not any(flow.key(ref) in following for ref in op.outputs):
            continue
        before = [tainted.get(ref.value) or storages.get(ref.storage) for ref in op.inputs]
        inherited = next(filter(None, before), None)
        for ref in op.outputs:
            why = inherited or _swallows(op, ref)
            if why is not None:
                tainted[ref.value] = why
                if op.writes:
                    storages[ref.storage] = why
    return tainted


def _swallows(op: Op, result: TensorRef) -> str | None:
    """In words, how an op may turn NaN into a number in one of its results; None if it cannot.

    An op's registration says so. Every op may that returns integers or booleans for floating point numbers.
    """
    rule = rule_of(op)
    fact = rule.swallows_nan if rule is not None else False
    answer = ask(f"the registration of {op.packet}", fact, op) if callable(fact) else fact
    if isinstance(answer, Reason):
        return str(answer)
    if isinstance(answer, str):
        return f"{op.packet} {answer}"
    to_integers = not has_nan(result.dtype) and any(has_nan(ref.dtype) for ref in op.inputs)
    return f"{op.packet} may turn NaN into a number" if answer or to_integers else None


def has_nan(dtype: str) -> bool:
    """Whether tensors of a dtype, given by name, can hold NaN."""
    return dtype.startswith(("float", "bfloat", "complex"))
