"""Behind masks, and for tokens, the probe changes numbers: NaN passes a product with 0, and tokens hold none."""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np

from cnninspect.inspection.probe_check import Form, predicted
from cnninspect.measure.masks import Mask, Masks, compressed
from cnninspect.measure.nan_probe import Probe
from cnninspect.receptive.fields import Field, Fields
from cnninspect.trace.records import Call, TensorRef


def calls_to_change(reach: Fields, tokens: Iterable[str]) -> set[int]:
    """The calls, by index, that return something behind a mask or computed from tokens, given by the inputs' names."""
    masked, of_tokens = reach.engine.masked, frozenset(tokens)

    def is_one(call: int) -> bool:
        refs = reach.trace.calls[call].outputs
        fields = reach.of_call(reach.trace.calls[call])
        return any(ref.value in masked for ref in refs) or any(field.inputs & of_tokens for field in fields)

    return {call.index for call in reach.trace.calls if is_one(call.index)}


def with_changes(reach: Fields, nan: Probe, changes: Probe, changing: Container[int], form: Form = "strict") -> Probe:
    """One probe of the regions of `changes`: what changed in the calls `changing`, what turned NaN in the others.

    The regions of `nan` are the first of those; a call that cannot hold NaN has changed or not. Where some feature of a
    position that may react has changed, the whole position counts: others may be 0 before and after.
    """
    masks: Masks = {}
    for index, changed in changes.masks.items():
        if index in changing:
            masks[index] = _of_call(reach, reach.trace.calls[index], changed, changes, form)
        else:
            both = zip(nan.masks.get(index, (None,) * len(changed)), changed, strict=True)
            masks[index] = tuple(b if a is None or b is None else _joined(a, b, nan, changes) for a, b in both)
    return Probe(changes.regions, masks, nan.ended or changes.ended, nan.missed)


def _of_call(
    reach: Fields, call: Call, changed: tuple[Mask | None, ...], probe: Probe, form: Form
) -> tuple[Mask | None, ...]:
    parts = zip(changed, reach.of_call(call), call.outputs, probe.infinite[call.index], strict=True)
    return tuple(
        mask
        if mask is None or infinite is None or not field.is_known
        else _of_positions(mask, field, _features(reach, call, ref), _low(reach, call, ref) & ~infinite, probe, form)
        for mask, field, ref, infinite in parts
    )


def _features(reach: Fields, call: Call, ref: TensorRef) -> tuple[int, ...]:
    """The dimensions of a result that hold features along every axis, and are not as long as an axis."""
    forms = reach.reach(call, ref).forms
    sizes = {axis.size for axes in reach.axes.values() for axis in axes}
    return tuple(
        dim
        for dim, size in enumerate(ref.shape)
        if size not in sizes and all(one.endless.holds_features(dim) for one in forms.values())
    )


def _low(reach: Fields, call: Call, ref: TensorRef) -> Mask:
    """The elements to which a low number was added, in which a change is lost if they are not infinite."""
    blank = reach.reach(call, ref).blank
    return np.zeros((1,) * len(ref.shape), dtype=bool) if blank is None or blank.value == 0 else blank.mask


def _of_positions(changed: Mask, field: Field, features: tuple[int, ...], low: Mask, probe: Probe, form: Form) -> Mask:
    found = []
    every = np.broadcast_to(changed, (len(probe.regions), *changed.shape[1:]))
    for region, mask in zip(probe.regions, every, strict=True):
        may, _ = predicted(field, region, form)
        found.append(mask | ((mask.any(features, keepdims=True) | low) & may))
    return compressed(np.stack(np.broadcast_arrays(*found)))


def _joined(nan: Mask, changed: Mask, first: Probe, both: Probe) -> Mask:
    """The masks of the regions of `first`, and behind them those of the others that `both` has."""
    rest = np.broadcast_to(changed, (len(both.regions), *changed.shape[1:]))[len(first.regions) :]
    shape = np.broadcast_shapes(nan.shape[1:], rest.shape[1:])
    nan = np.broadcast_to(nan, (len(first.regions), *shape))
    return compressed(np.concatenate([nan, np.broadcast_to(rest, (len(rest), *shape))]))
