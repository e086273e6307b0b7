"""Rows of the report: the field of each call's output as size, jump and padding.

These are the numbers for an input without ends, as papers publish them. Where there are none (branches that advance at
different rates, positions listed one by one) the sizes are the exact ones inside the image, without jump and padding.

Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod

from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import NOTHING, Table
from cnninspect.receptive.fields import Fields
from cnninspect.receptive.forms import Forms, covers
from cnninspect.receptive.reach import Axis, Reach
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.records import Call, TensorRef, Trace


@dataclass(frozen=True, slots=True)
class AxisField:
    """The field of a row along one axis. `whole`: every output sees all pixels that the network reads."""

    size: int | list[int]
    jump: int | str | None
    padding: int | None
    whole: bool = False


def row_fields(fields: Fields) -> list[ReceptiveField | None]:
    """One ReceptiveField per call, by the call's index: that of its first output.

    None for a call that returns no tensor, or that depends only on inputs without spatial axes.
    """
    rows: list[ReceptiveField | None] = []
    known: dict[int, ReceptiveField | None] = {}
    for call in fields.trace.calls:
        row = None
        if call.outputs:
            reach = fields.reach(call, call.outputs[0])
            if id(reach) not in known:
                known[id(reach)] = field_of(fields, reach, call.outputs[0])
            row = known[id(reach)]
        rows.append(row)
    return rows


@dataclass(frozen=True)
class LastMap:
    """The call whose row stands for the network, and what has to hold so that it may.

    `call` is None if no output is a map. `later` are the calls after it that lead to the network's output and have
    a dimension for each axis: no probe may see a map there. From `rank` dimensions on (more than the input has axes, or
    as many as the map has) their rows have to be right, too. `overwritten` is true if what the call put out is written
    in place later, so that no row shows the field of the network's last map.
    """

    call: Call | None = None
    later: tuple[Call, ...] = ()
    rank: int = 0
    overwritten: bool = False


def last_map(fields: Fields) -> LastMap:
    """The last call whose output is still a feature map, among those that lead to the network's first output.

    In a feature map every input axis has a dimension of its own. An output whose field is unknown counts as a map if it
    has enough dimensions: the field of an earlier layer must not stand in for it.
    """
    trace = fields.trace
    needed = {ref.value for ref in trace.outputs[:1]}
    for op in reversed(trace.ops):
        # What depends on no input, such as a map that is set to 0 at the end, leads back to none.
        if any(ref.value in needed and fields.depends(ref) for ref in op.outputs):
            needed.update(ref.value for ref in op.inputs)
    later: list[Call] = []
    for call in _latest_first(fields):
        if not call.outputs or call.outputs[0].value not in needed:
            continue
        ref = call.outputs[0]
        final, own = fields.engine.of(ref).within_limits(), fields.reach(call, ref)
        if _may_be_map(fields, final, ref):
            rank = min(len(ref.shape), _axes_seen(fields, own) + 1)
            shown = field_of(fields, final, ref)
            around = _returning(trace, call, ref)
            whole = next((one for one in around if field_of(fields, fields.reach(one, ref), ref) == shown), None)
            return LastMap(call, overwritten=True) if whole is None else LastMap(whole, tuple(later), rank)
        if 0 < _axes_seen(fields, own) <= len(ref.shape):
            later.append(call)
    return LastMap()


def _returning(trace: Trace, call: Call, ref: TensorRef) -> Iterator[Call]:
    """The call, and those that it is part of, from the inside out, as far as they return a tensor first."""
    around: Call | None = call
    while around is not None:
        if around.outputs and around.outputs[0].value == ref.value:
            yield around
        around = None if around.parent is None else trace.calls[around.parent]


def _latest_first(fields: Fields) -> list[Call]:
    """The calls, that of the last result first; of several that return one result the innermost first."""
    made = fields.engine.made
    return sorted(
        fields.trace.calls,
        key=lambda call: (made.get(call.outputs[0].value, -1) if call.outputs else -1, call.index),
        reverse=True,
    )


def _axes_seen(fields: Fields, reach: Reach) -> int:
    """The number of axes of the input that a tensor depends on."""
    counts = (len(axes) for name, axes in fields.axes.items() if name in reach.inputs or not reach.inputs)
    return max(counts, default=0)


def _may_be_map(fields: Fields, reach: Reach, ref: TensorRef) -> bool:
    return _is_map(fields, reach) if reach.is_known else 0 < _axes_seen(fields, reach) < len(ref.shape)


def field_of(fields: Fields, reach: Reach, ref: TensorRef) -> ReceptiveField | None:
    """The field, as rows print it, of the tensor `ref`, whose reach is `reach`."""
    if not reach.is_known:
        if not any(axes for name, axes in fields.axes.items() if name in reach.inputs or not reach.inputs):
            return None
        why = () if reach.why is None else (reach.why,)
        return ReceptiveField(status=Status.UNKNOWN, cause=reach.unknown or reach.data_dependent, why=why)
    axes = axes_of(fields, reach)
    if not axes:
        return None
    image = tuple(axis.size for axis in axes)
    if not reach.inputs:
        return ReceptiveField((0,) * len(axes), status=Status.EXACT, image=image)
    reach = reach.made()  # A table of pairs is large: it lives as long as its row is worked out.
    found = [along(fields, axis, reach.forms[axis]) for axis in axes]
    if all(one.whole for one in found):
        cause = _label_of_all(fields, [reach.forms[axis].cause for axis in axes]) or _first_global(fields, ref)
        return ReceptiveField(status=Status.EXACT, cause=cause, image=image)
    size = tuple(one.size for one in found)
    jump, padding = tuple(one.jump for one in found), tuple(one.padding for one in found)
    cause, along_axes = _causes(fields, reach, axes)
    row = ReceptiveField(size, jump, padding, Status.EXACT, cause, image=image, global_along=along_axes)
    if all(one.jump is not None for one in found):
        return row
    inside = tuple(
        one.size if one.jump is None else _sizes(_over_features(reach.forms[axis].local).table)
        for one, axis in zip(found, axes, strict=True)
    )
    return replace(row, size=inside, jump=None, padding=None)


def _causes(fields: Fields, reach: Reach, axes: tuple[Axis, ...]) -> tuple[str | None, tuple[str | None, ...]]:
    """What makes the strict field of a row global: along all axes, or else by axis where the row leaves it out."""
    causes = [reach.forms[axis].cause for axis in axes]
    strictly = [
        cause if cause is not None and _is_strictly_global(fields, axis, reach.forms[axis]) else None
        for axis, cause in zip(axes, causes, strict=True)
    ]
    if (cause := _label_of_all(fields, strictly)) is not None:
        return cause, ()
    along_axes = tuple(
        None if by is None or _sees_all(fields, axis, reach.forms[axis].local) else fields.label(by)
        for axis, by in zip(axes, strictly, strict=True)
    )
    return None, along_axes if any(along_axes) else ()


def axes_of(fields: Fields, reach: Reach) -> tuple[Axis, ...]:
    """The axes of the first input that the row depends on; without any, those of the first input that has axes."""
    spatial = [axes for axes in fields.axes.values() if axes]
    own = [axes for axes in spatial if axes[0] in reach.forms]
    if reach.inputs:
        return own[0] if own else ()
    return spatial[0] if spatial else ()


def along(fields: Fields, axis: Axis, forms: Forms) -> AxisField:
    """Size, jump and padding along one axis, over all channels of a position together."""
    places = _over_features(forms.endless)
    if (part := seen_in_part(fields, axis, forms)) is not None:
        return AxisField(_sizes(part.table), None, None)
    if not places.advances and _is_global(places.table, fields.looked_at(axis)):
        return AxisField(axis.size, 0, 0, whole=True)
    varies = any(places.varies(dim) for dim in range(len(places.dims)))
    if _sees_something(places.table) and (places.advances or not varies):
        return AxisField(_sizes(places.table), _jump(places), _padding(places))
    return AxisField(_sizes(_over_features(forms.local).table), None, None)


def seen_in_part(fields: Fields, axis: Axis, forms: Forms) -> Bounds | None:
    """The strict bounds where a gate or statistics of a part of the map, such as a tile, tell them from the local ones.

    Papers leave out what sees all of the map, and the row names it as the cause; a part that is seen counts.
    """
    hull = fields.looked_at(axis)
    if forms.local is forms.strict or _is_global(forms.strict.table, hull):
        return None
    strict = _over_features(forms.strict)
    return None if _is_global(strict.table, hull) or strict.equals(_over_features(forms.local)) else strict


def _sees_something(table: Table) -> bool:
    """Whether some element depends on a pixel: behind a mask, and of a class token, none may."""
    return bool((table < NOTHING // 2).any())


def _is_global(table: Table, hull: Table) -> bool:
    """Whether some element depends on a pixel, and each that does sees all of `hull`."""
    return _sees_something(table) and covers(table, hull)


def _over_features(part: Bounds) -> Bounds:
    """The hull over all dimensions but those of positions: the channels of a position together."""
    return part.reduced(filter(part.holds_features, range(len(part.dims))))


def _sizes(table: Table) -> int | list[int]:
    """The size, or [min, max]; 0 where an element depends on nothing."""
    sizes = (1 - table.sum(0)).clip(min=0)
    least, most = int(sizes.min()), int(sizes.max())
    return least if least == most else [least, most]


def _jump(places: Bounds) -> int | str:
    """Input pixels from one position to the next, on average; the finest where several dimensions hold positions."""
    rates = []
    for dim in range(len(places.dims)):
        axis, own = places.own(dim)
        if own and own[0].step:
            rates.append(Fraction(abs(own[0].step), places.table.shape[axis] * prod(digit.size for digit in own[1:])))
    jump = min(rates, default=Fraction(0))
    return jump.numerator if jump.denominator == 1 else str(jump)


def _padding(places: Bounds) -> int:
    """Pixels before the image that the field of the first position covers."""
    lo = int(places.table[(0,) * places.table.ndim])
    return -lo if lo < NOTHING // 2 else 0


def _label_of_all(fields: Fields, causes: Sequence[int | None]) -> str | None:
    """The label of the first call from which on there is a cause along every axis."""
    known = [cause for cause in causes if cause is not None]
    return fields.label(max(known)) if len(known) == len(causes) else None


def _is_strictly_global(fields: Fields, axis: Axis, forms: Forms) -> bool:
    """Whether each position that sees a pixel sees all of them in some channel, counting gates and statistics."""
    return _sees_all(fields, axis, forms.strict)


def _sees_all(fields: Fields, axis: Axis, part: Bounds) -> bool:
    return _is_global(_over_features(part).table, fields.looked_at(axis))


def _first_global(fields: Fields, ref: TensorRef) -> str | None:
    """The label of the first call on the way to `ref` whose every output sees all pixels that the network reads.

    For fields that are global though no op mixed positions: a feature map of a single position that is flattened.
    """
    made = fields.engine.made
    seen: set[int] = set()
    waiting = [ref]
    while waiting:
        op = made.get(waiting.pop().value)
        if op is not None and op not in seen:
            seen.add(op)
            waiting += [source for source in fields.trace.ops[op].inputs if _is_whole(fields, source)]
    return fields.label(min(seen)) if seen else None


def _is_whole(fields: Fields, ref: TensorRef) -> bool:
    """Whether every element of a tensor sees all pixels that the network reads."""
    reach = fields.engine.of(ref).within_limits().made()
    return bool(reach.forms) and all(along(fields, axis, forms).whole for axis, forms in reach.forms.items())


def _is_map(fields: Fields, reach: Reach) -> bool:
    """Whether each axis of the row has a dimension of its own along which the field moves; a global one does not."""
    axes = axes_of(fields, reach) if reach.inputs else ()
    reach = reach.made()
    if all(along(fields, axis, reach.forms[axis]).whole for axis in axes):
        return False
    moving = [_moving(reach.forms[axis].endless) for axis in axes if axis.size > 1]
    apart = len(frozenset().union(*moving)) == sum(map(len, moving))
    ways = sum(len(set(dims)) == len(dims) for dims in product(*moving))
    return bool(moving) and all(moving) and (apart or ways == 1)


def places_of(fields: Fields, reach: Reach) -> tuple[int | None, ...]:
    """The dimension along which each axis of the input lies; None for an axis that lies along none or several."""
    axes = axes_of(fields, reach) if reach.inputs and reach.is_known else ()
    moving = [_moving(reach.forms[axis].endless) for axis in axes]
    return tuple(min(dims) if len(dims) == 1 else None for dims in moving)


def _moving(part: Bounds) -> frozenset[int]:
    """The dimensions of positions along which the field advances; if it advances along none, those where it differs."""
    places = [dim for dim in range(len(part.dims)) if not part.holds_features(dim)]
    advancing = frozenset(dim for dim in places if any(digit.step for digit in part.dims[dim]))
    return advancing or frozenset(filter(part.varies, places))


def listed_beside(part: Bounds) -> set[int]:
    """The dimensions of positions that follow no rule, where the field advances by one along another dimension."""
    places = {dim for dim in range(len(part.dims)) if part.varies(dim) and not part.holds_features(dim)}
    advancing = {dim for dim in places if any(digit.step for digit in part.dims[dim])}
    return places - advancing if advancing else set()
