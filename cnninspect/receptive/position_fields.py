"""The receptive field of one position of a layer's output, and the nested fields of the layers before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import Table
from cnninspect.receptive.fields import Fields
from cnninspect.receptive.forms import Forms
from cnninspect.receptive.reach import Axis, Reach
from cnninspect.receptive.rows import along
from cnninspect.trace.records import Call, Trace

Ends = tuple[int, int]
"""First and last pixel."""

MOST_NESTED = 8
"""Regions that can be told apart at a glance."""

_ENOUGH = 2
"""Nested fields that are enough to show: with fewer, the layers inside the stages are shown too."""


@dataclass(frozen=True)
class Span:
    """The field of a position along one axis; None where it depends on no pixel.

    `local` and `strict` lie in the image, as in fields.Field; `endless` is the local field on an input without ends.
    `whole`: the position sees all pixels that the network reads, and nothing lies beyond the ends.
    """

    axis: Axis
    local: Ends | None
    strict: Ends | None
    endless: Ends | None
    whole: bool = False


@dataclass(frozen=True)
class PositionField:
    """The field of the position `at` of a call's first output, all channels together.

    `positions` are the sizes of the output's dimensions that hold positions, `at` has an index for each: row and column
    for [N, C, H, W], none for a vector of features.
    """

    call: Call
    positions: tuple[int, ...]
    at: tuple[int, ...]
    spans: tuple[Span, ...]

    @property
    def is_global(self) -> bool:
        """Whether the position sees all of every input that it depends on."""
        return all(span.whole for span in self.spans)


def field_at(fields: Fields, call: Call, at: Sequence[int] | None = None) -> PositionField:
    """The field of a position of a call's output, by default of the centre.

    Raises ValueError for a position that the output does not have and for a field that is unknown.
    """
    reach = _known(fields, call)
    places = place_dims(reach)
    positions = tuple(reach.shape[dim] for dim in places)
    where = tuple(size // 2 for size in positions) if at is None else tuple(at)
    _check(where, positions)
    return PositionField(call, positions, where, tuple(_spans(fields, reach, places, where)))


def nested(fields: Fields, goal: PositionField) -> list[PositionField]:
    """The fields of the layers that lead to `goal`, around its centre, from small to large; `goal` is the last.

    At most MOST_NESTED of them: those of whole stages of the network where these are enough.
    """
    growing = _ascending(one for one in _on_the_way(fields, goal) if _is_less(one, goal))
    levels = ([one for one in growing if one.call.depth <= depth] for depth in count(1))
    chosen = [*next(level for level in levels if len(level) >= min(_ENOUGH, len(growing))), goal]
    steps = np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_NESTED)).round()
    return [chosen[int(step)] for step in steps]


def outermost(trace: Trace, call: Call) -> Call:
    """The outermost of the calls that a call is part of, other than the network's own, that return the same tensor."""
    found, parent = call, call.parent
    while parent:
        outer = trace.calls[parent]
        found = outer if [ref.value for ref in outer.outputs[:1]] == [call.outputs[0].value] else found
        parent = outer.parent
    return found


def _known(fields: Fields, call: Call) -> Reach:
    if not call.outputs:
        raise ValueError("it returns no tensor")
    reach = fields.reach(call, call.outputs[0])
    if not reach.is_known:
        why = f": {reach.why}" if reach.why is not None else f", because of {reach.unknown or reach.data_dependent}"
        raise ValueError(f"its receptive field is not known{why}")
    if not reach.forms:
        raise ValueError(
            "it depends on no input that has spatial axes; `cnninspect rf TARGET --ops all` shows which layers do"
        )
    return reach


def place_dims(reach: Reach) -> tuple[int, ...]:
    """The dimensions that hold positions: some field moves along them, and they hold no features."""
    return tuple(
        dim
        for dim in range(len(reach.shape))
        if any(_runs(forms, dim) and not forms.endless.holds_features(dim) for forms in reach.forms.values())
    )


def _runs(forms: Forms, dim: int) -> bool:
    advances = any(digit.step for digit in forms.endless.dims[dim])
    return advances or forms.endless.varies(dim) or forms.local.varies(dim)


def _check(at: tuple[int, ...], positions: tuple[int, ...]) -> None:
    size = "x".join(map(str, positions))
    if at and not positions:
        raise ValueError("its output has no spatial positions: leave out --at")
    if len(at) != len(positions):
        numbers = "1 number" if len(positions) == 1 else f"{len(positions)} numbers"
        raise ValueError(f"its map has {size}: give {numbers}, not {len(at)}")
    last = ",".join(str(count - 1) for count in positions)
    if any(not 0 <= index < positions[dim] for dim, index in enumerate(at)):
        raise ValueError(
            f"its map has {size}, from 0 on: {','.join(map(str, at))} lies outside. Its last position is {last}"
        )


def _spans(fields: Fields, reach: Reach, places: Sequence[int], at: Sequence[int]) -> Iterator[Span]:
    for axis, forms in reach.forms.items():
        local, strict = (_ends(_table(part, places), at) for part in (forms.local, forms.strict))
        whole = along(fields, axis, forms).whole
        yield Span(axis, local, strict, local if whole else _ends(_table(forms.endless, places), at), whole)


def _table(part: Bounds, places: Sequence[int]) -> Table:
    """[2, *places]: `lo` and `-hi` over all features, of size 1 along dimensions where nothing varies."""
    others = tuple(1 + dim for dim in range(len(part.dims)) if dim not in places)
    found: Table = part.dense().min(others)
    return found


def _ends(table: Table, at: Sequence[int]) -> Ends | None:
    index = tuple(min(place, size - 1) for place, size in zip(at, table.shape[1:], strict=True))
    lo, negative_hi = (int(bounds[index]) for bounds in table)
    return (lo, -negative_hi) if lo + negative_hi <= 0 else None


def _on_the_way(fields: Fields, goal: PositionField) -> Iterator[PositionField]:
    """A field for each value that leads to `goal`, at the position whose field is centred best on the goal's.

    Of the calls that return the same value the outermost is named.
    """
    leading = _leading_to(fields, goal.call)
    tops: dict[int, Call] = {}
    for call in fields.trace.calls[1:]:
        if call.outputs and call.outputs[0].value in leading:
            tops.setdefault(call.outputs[0].value, call)
    for value in sorted(tops):
        reach = fields.reach(tops[value], tops[value].outputs[0])
        if reach.is_known and reach.forms.keys() == {span.axis for span in goal.spans}:
            found = _centred(fields, reach, tops[value], goal)
            if len(found.positions) == len(goal.positions) or goal.is_global:
                yield found


def _leading_to(fields: Fields, call: Call) -> set[int]:
    """The values that the first output of a call is computed from."""
    needed = {call.outputs[0].value}
    for op in reversed(fields.trace.ops):
        if any(ref.value in needed for ref in op.outputs):
            needed.update(ref.value for ref in op.inputs)
    return needed - {call.outputs[0].value}


def _centred(fields: Fields, reach: Reach, call: Call, goal: PositionField) -> PositionField:
    """The position whose field has its centre nearest to that of `goal`."""
    places = place_dims(reach)
    distance = np.zeros((1,) * len(places))
    for span in goal.spans:
        table = _table(reach.forms[span.axis].endless, places)
        first, last = span.endless or (0, 0)
        distance = distance + abs(table[0] - table[1] - first - last)
    nearest = np.unravel_index(int(distance.argmin()), distance.shape)
    positions = tuple(reach.shape[dim] for dim in places)
    at = tuple(
        int(index) if varying > 1 else size // 2
        for index, varying, size in zip(nearest, distance.shape, positions, strict=True)
    )
    return PositionField(call, positions, at, tuple(_spans(fields, reach, places, at)))


def _extents(one: PositionField) -> list[int]:
    return [span.endless[1] - span.endless[0] + 1 if span.endless else 0 for span in one.spans]


def _is_less(one: PositionField, goal: PositionField) -> bool:
    """Whether a field holds more than a pixel and less than the goal's; a global one holds more than any other."""
    own, most = _extents(one), _extents(goal)
    if goal.is_global:
        return max(own) > 1 and not one.is_global
    return max(own) > 1 and own != most and all(a <= b for a, b in zip(own, most, strict=True))


def _ascending(found: Iterable[PositionField]) -> list[PositionField]:
    """The fields that are larger than all before them; of several of one size, the one least deep in the network."""
    kept: list[PositionField] = []
    for one in found:
        if kept and _extents(one) == _extents(kept[-1]):
            kept[-1] = min(kept[-1], one, key=lambda field: field.call.depth)
        elif not kept or _is_less(kept[-1], one):
            kept.append(one)
    return kept
