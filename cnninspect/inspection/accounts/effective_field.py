"""The effective receptive field of one position: where its influence lies within the theoretical field.

Source: Luo, Li, Urtasun and Zemel, Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
NIPS 2016. The pixels with more than 1 - 95.45 % of the centre's influence are its effective field (section 3); the
largest influence stands for the centre's, since with strides the centre may have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnninspect.errors import RunError, UsageError, error_text
from cnninspect.inspection.accounts import Addition, Inspected
from cnninspect.inspection.accounts.nested_fields import NestedFields
from cnninspect.measure.influence import Array, Influence, NoInfluence, measure_influence
from cnninspect.ops.catalogue import layer_of
from cnninspect.receptive.fields import name_of
from cnninspect.receptive.position_fields import PositionField, Span, field_at, place_dims
from cnninspect.report.document import FieldStudy, Report
from cnninspect.report.parts import EffectiveField, EffectiveInput, InfluenceRegion
from cnninspect.report.quantities import Verdict

LEAST = 1 - 0.9545
"""The least influence of a pixel in the effective field, as a part of the largest. Source: Luo et al. 2016, sec. 3."""

SHARES = (0.5, 0.9, 0.9545)
"""The shares of all influence for which the size of a box is reported; the last is that of two standard deviations."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EffectiveFields:
    """As NestedFields, with the effective field of the layer's position from this many runs.

    Inputs are normally distributed numbers, or `as_given`.
    """

    layer: str | None = None
    at: Sequence[int] | None = None
    samples: int = 16
    as_given: bool = False
    needs_kernels: ClassVar[bool] = True

    def __call__(self, inspected: Inspected) -> Addition:
        """The report becomes a FieldStudy with an effective field.

        Raises UsageError for a layer without positions, RunError if no gradient arrives at the input.
        """
        chosen = NestedFields(self.layer, self.at)
        call = chosen.chosen(inspected)
        if call is None:
            raise UsageError("--effective: no layer of this network has a spatial map. Use rf without --effective.")
        nested = chosen(inspected).parts
        goal = field_at(inspected.reach, call, self.at) if call.outputs else None
        if goal is None or not goal.positions:
            raise UsageError(f"{name_of(call)}: its output has no spatial positions. {_step(inspected)}")
        effective = self._measured(inspected, goal)

        def study(report: Report) -> Report:
            found = nested(report)
            assert isinstance(found, FieldStudy), "NestedFields makes it one"
            return replace(found, effective=effective)

        return Addition(parts=study)

    def _measured(self, inspected: Inspected, goal: PositionField) -> EffectiveField:
        call, samples = goal.call, 1 if self.as_given else self.samples
        dims = place_dims(inspected.reach.reach(call, call.outputs[0]))
        at = dict(zip(dims, goal.at, strict=True))
        try:
            found = measure_influence(
                inspected.run, layer_of, call, at, samples, as_given=self.as_given, progress=inspected.progress
            )
            inputs = _inputs(goal, found)
        except NoInfluence as reason:
            raise RunError(f"{name_of(call)}: {reason}. Use rf without --effective, which needs no gradient.") from None
        except Exception as error:
            text = error_text(error)
            raise RunError(f"{name_of(call)}: its gradient failed: {text}. Use rf without --effective.") from error
        return EffectiveField(samples, not self.as_given, inputs)


def _step(inspected: Inspected) -> str:
    last = NestedFields().chosen(inspected)
    name = "" if last is None else f" such as {name_of(last)},"
    return f"Name a layer with a map,{name} or use rf without --effective."


def _inputs(goal: PositionField, found: Mapping[str, Influence]) -> tuple[EffectiveInput, ...]:
    """The effective field in each input that has a gradient and of which the position sees something."""
    names = [name for name in dict.fromkeys(span.axis.input for span in goal.spans) if name in found]
    spans = {name: [span for span in goal.spans if span.axis.input == name] for name in names}
    seen = {name: of_input for name, of_input in spans.items() if all(span.local for span in of_input)}
    if not seen:
        raise NoInfluence("no gradient leads from it to an input with spatial axes")
    return tuple(_statistics(name, of_input, found[name]) for name, of_input in seen.items())


def _statistics(name: str, spans: Sequence[Span], influence: Influence) -> EffectiveInput:
    absolute, squared = (_on_axes(each, spans) for each in (influence.absolute, influence.squared))
    total = absolute.sum()
    if not np.isfinite(total):
        raise NoInfluence("its gradient is not a finite number")
    if not total:
        raise NoInfluence("its gradient is 0 at every pixel: units that are switched off, or weights that are 0")
    inside, reachable = _box(absolute.shape, [s.local for s in spans]), _box(absolute.shape, [s.strict for s in spans])
    masks = {"theoretical": inside, "effective": absolute > LEAST * absolute.max()}
    masks.update((f"{100 * share:.4g} %", _centred(absolute, spans, share)) for share in SHARES)
    last = absolute.sum(tuple(range(absolute.ndim - 2)))
    return EffectiveInput(
        name,
        absolute.shape,
        _deviation(absolute),
        _deviation(squared),
        tuple(_region(label, mask, absolute) for label, mask in masks.items()),
        _nested(last / last.max()),
        _verdict(absolute[~reachable]),
    )


def _verdict(outside: Array) -> Verdict:
    """Whether the pixels that the theoretical field leaves out have no influence; `not_run` if it leaves out none."""
    if not outside.size:
        return Verdict.NOT_RUN
    return Verdict.DIFFER if outside.any() else Verdict.MATCH


def _on_axes(influence: Array, spans: Sequence[Span]) -> Array:
    """The influence summed over all dimensions without positions: channels and the batch."""
    dims = [span.axis.dim for span in spans]
    moved = np.moveaxis(influence, dims, range(len(dims)))
    summed: Array = moved.reshape(*moved.shape[: len(dims)], -1).sum(-1)
    return summed


def _box(shape: Sequence[int], ends: Sequence[tuple[int, int] | None]) -> Mask:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(first, last + 1) for first, last in filter(None, ends))] = True
    return mask


def _centred(absolute: Array, spans: Sequence[Span], share: float) -> Mask:
    """The smallest box with this share of all influence that has the centre and the proportions of the field."""
    distance = np.zeros(absolute.shape)
    for axis, span in enumerate(spans):
        first, last = _around(span)
        steps = abs(np.arange(absolute.shape[axis]) - (first + last) / 2) / (last - first + 1)
        distance = np.maximum(distance, np.expand_dims(steps, [d for d in range(len(spans)) if d != axis]))
    order = np.argsort(distance, axis=None)
    within = np.cumsum(absolute.ravel()[order])
    reached = min(int(np.searchsorted(within, share * within[-1])), len(order) - 1)
    found: Mask = distance <= distance.ravel()[order[reached]]
    return found


def _around(span: Span) -> tuple[int, int]:
    """The ends of the field without borders; those in the input where the two are not one place, as after a roll."""
    assert span.local is not None, "the position sees something"
    first, last = span.endless or span.local
    is_one = (max(first, 0), min(last, span.axis.size - 1)) == span.local
    return (first, last) if is_one else span.local


def _region(name: str, mask: Mask, absolute: Array) -> InfluenceRegion:
    places = np.argwhere(mask)
    box = tuple((int(first), int(last)) for first, last in zip(places.min(0), places.max(0), strict=True))
    return InfluenceRegion(name, box, len(places), _rounded(absolute[mask].sum() / absolute.sum()))


def _deviation(influence: Array) -> tuple[float, ...]:
    """The standard deviation of a distribution over pixels, along each axis."""
    found = []
    for axis in range(influence.ndim):
        weights = influence.sum(tuple(other for other in range(influence.ndim) if other != axis))
        pixels = np.arange(len(weights))
        mean = np.average(pixels, weights=weights)
        found.append(_rounded(np.sqrt(np.average((pixels - mean) ** 2, weights=weights))))
    return tuple(found)


def _nested(array: Array) -> tuple[Any, ...]:
    return tuple(_nested(line) if line.ndim else _rounded(line, 3) for line in array)


def _rounded(value: float, digits: int = 6) -> float:
    """The value with this many digits."""
    return float(f"{float(value):.{digits}g}")
