"""Where receptive fields meet the NaN probe: which regions to probe, and one verdict per call.

The probe spoils slabs and single pixels. An element reacts to the slab of all rows up to p exactly if its field starts
at p or before, whether the field has holes or not, so slabs have to be predicted exactly. A single pixel may fall into
a hole: it must not reach any element outside the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cnninspect.measure.nan_probe import Mask, Probe, Region
from cnninspect.ops.registry import rule_of
from cnninspect.receptive.fields import Axis, Field
from cnninspect.report.quantities import Verdict
from cnninspect.trace.records import Call, Op, Trace

FieldsOf = Callable[[Call], Sequence[Field]]
"""The field of each tensor that a call returned, as it was when the call ended."""


def regions_to_probe(trace: Trace, axes: Mapping[str, Sequence[Axis]]) -> list[Region]:
    """For each floating input: two slabs along each of its spatial `axes`, the centre pixel and a corner pixel.

    An input without spatial axes is spoiled as a whole.
    """
    found = []
    for name, ref in trace.inputs.items():
        if _has_nan(ref.dtype) and 0 not in ref.shape:
            found += [_box(name, ref.shape, spans) for spans in _spans(axes.get(name, ()))]
    return found


def _spans(axes: Sequence[Axis]) -> Iterator[dict[int, tuple[int, int]]]:
    """First and last index by dimension of the input; other dimensions are taken whole."""
    for axis in axes:
        yield {axis.dim: (0, axis.size // 3)}
        yield {axis.dim: (axis.size // 2, axis.size - 1)}
    yield {axis.dim: (axis.size // 2, axis.size // 2) for axis in axes}
    if axes:
        yield {axis.dim: (axis.size - 1, axis.size - 1) for axis in axes}


def _box(name: str, shape: tuple[int, ...], spans: Mapping[int, tuple[int, int]]) -> Region:
    ends = [spans.get(dim, (0, size - 1)) for dim, size in enumerate(shape)]
    return Region(name, tuple(first for first, _ in ends), tuple(last for _, last in ends))


def check_fields(trace: Trace, fields_of: FieldsOf, probe: Probe) -> list[Verdict]:
    """One verdict per call: whether what reacted is what the strict fields predict.

    `differ`: an element of any output reacted that must not, or one did not react that must. Otherwise the verdict is
    that on the first output, whose field stands in the row; a pool's indices cannot hold NaN. `unknown`: the field is
    not known, the probe cannot tell, or elements did not react because NaN was swallowed on the way. `not_run`: the
    call returned no tensor, or nothing was probed.
    """
    swallowed = _swallowed(trace)
    return [_verdict(call, fields_of, probe, swallowed) for call in trace.calls]


def contradiction(trace: Trace, call: Call, fields_of: FieldsOf, probe: Probe) -> str:
    """The first thing that a probe found against the field of a call, in words; empty if there is none."""
    for field, mask in zip(fields_of(call), probe.masks[call.index], strict=True):
        for region, reacted in () if mask is None else _by_region(mask, probe.regions):
            predicted, exact = _predicted(field, region)
            too_far, missed = reacted & ~predicted, predicted & ~reacted
            if too_far.any():
                return f"{_where(region, trace)} reaches {_element(too_far)}, which the field leaves out"
            if exact and missed.any():
                return f"{_where(region, trace)} does not reach {_element(missed)}, which the field says it does"
    return ""


def _where(region: Region, trace: Trace) -> str:
    """A region by the dimensions of its input that it cuts."""
    spans = zip(region.first, region.last, trace.inputs[region.input].shape, strict=True)
    cut = [
        f" {first}..{last} of dimension {dim},"
        for dim, (first, last, size) in enumerate(spans)
        if last - first + 1 < size
    ]
    return f"NaN in input {region.input},{''.join(cut)}"


def _element(mask: Mask) -> str:
    """The first element of a mask, along dimensions of size 1 the first of all that are alike."""
    return f"output [{', '.join(str(index) for index in np.argwhere(mask)[0])}]"


def _verdict(call: Call, fields_of: FieldsOf, probe: Probe, swallowed: set[int]) -> Verdict:
    if not probe.regions:
        return Verdict.NOT_RUN
    masks = probe.masks.get(call.index, (None,) * len(call.outputs))
    found = [
        Verdict.UNKNOWN if mask is None else _compare(field, mask, probe.regions, ref.value in swallowed)
        for ref, field, mask in zip(call.outputs, fields_of(call), masks, strict=True)
    ]
    return Verdict.DIFFER if Verdict.DIFFER in found else next(iter(found), Verdict.NOT_RUN)


def _compare(field: Field, mask: Mask, regions: tuple[Region, ...], swallowed: bool) -> Verdict:
    if not field.is_known:
        return Verdict.UNKNOWN
    missed = False
    for region, reacted in _by_region(mask, regions):
        predicted, exact = _predicted(field, region)
        if (reacted & ~predicted).any():
            return Verdict.DIFFER
        missed |= exact and bool((predicted & ~reacted).any())
    if missed:
        return Verdict.UNKNOWN if swallowed else Verdict.DIFFER
    return Verdict.MATCH


def _by_region(mask: Mask, regions: tuple[Region, ...]) -> Iterator[tuple[Region, Mask]]:
    """Which elements reacted to each region."""
    return zip(regions, np.broadcast_to(mask, (len(regions), *mask.shape[1:])), strict=True)


def _predicted(field: Field, region: Region) -> tuple[Mask, bool]:
    """Which elements the region may reach, and whether exactly those: holes play no part where it is a slab."""
    seen = np.full((1,) * len(field.shape), region.input in field.inputs)
    cut, exact = 0, True
    for axis, interval in field.strict.items():
        if axis.input == region.input:
            first, last = region.first[axis.dim], region.last[axis.dim]
            seen = seen & (interval.lo <= interval.hi) & (interval.lo <= last) & (interval.hi >= first)
            cut += (first, last) != (0, axis.size - 1)
            exact &= first == 0 or last == axis.size - 1
    return seen, exact and cut <= 1


def _swallowed(trace: Trace) -> set[int]:
    """The values on whose way from the input NaN may have become a number.

    Ops say so in their registration; so does every op that makes integers or booleans of floating point.
    """
    tainted: set[int] = set()
    storages: set[int] = set()
    for op in trace.ops:
        rule = rule_of(op)
        doubtful = (rule is not None and rule.swallows_nan) or _reads(op, tainted, storages)
        for ref in op.outputs:
            if doubtful or (not _has_nan(ref.dtype) and any(_has_nan(source.dtype) for source in op.inputs)):
                tainted.add(ref.value)
                if op.writes:
                    storages.add(ref.storage)
    return tainted


def _reads(op: Op, values: set[int], storages: set[int]) -> bool:
    return any(ref.value in values or ref.storage in storages for ref in op.inputs)


def _has_nan(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "complex"))
