"""One step of a receptive field: from the field of what goes in to that of what comes out.

The engine works with the positions that every element reads. Where the textbook's closed form (r + (k - 1)*d*j for a
window, the union for branches that meet) gives the engine's number it is the derivation; elsewhere words say by which
rule the number arises.

Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cnninspect.explain.document import Derivation, Formula
from cnninspect.explain.expression import (
    Expression,
    Number,
    Operation,
    Symbol,
    evaluate,
    floored,
    minus,
    plus,
    quotient,
    times,
)
from cnninspect.explain.recorded import HYPER, called_by_places
from cnninspect.ops.rules import each
from cnninspect.receptive.fields import Fields, name_of
from cnninspect.receptive.rows import field_of, places_of
from cnninspect.report.rows import ReceptiveField, Row, axis_names
from cnninspect.trace.records import Call, TensorRef, Trace

SOURCE = 'Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks"'


@dataclass(frozen=True)
class Run:
    """One run: the field of every value, and the calls that put each value out, in the order in which they began."""

    fields: Fields
    made: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, fields: Fields) -> Run:
        """The run that these fields are of."""
        made: dict[int, list[int]] = {}
        for call in fields.trace.calls:
            for ref in call.outputs:
                made.setdefault(ref.value, []).append(call.index)
        return cls(fields, made)

    @property
    def trace(self) -> Trace:
        """The run, written down."""
        return self.fields.trace

    def layouts(self, call: Call) -> dict[tuple[int, ...], tuple[str, ...]]:
        """The names of the dimensions of what goes into a call, by its shape, where the axes of the image tell them."""
        found: dict[tuple[int, ...], tuple[str, ...]] = {}
        first = next((len(ref.shape) for ref in self.trace.inputs.values()), 0)
        for ref in call.inputs:
            reach = self.fields.engine.at(ref, _before(call, self.trace))
            places = places_of(self.fields, reach)
            if called := called_by_places(len(ref.shape), places, with_batch=first == len(places) + 2):
                found.setdefault(tuple(ref.shape), called)
        return found


@dataclass(frozen=True)
class Branch:
    """Something that goes into a layer: what made it, its field, and the dimension along which each axis lies."""

    name: str
    value: int
    field: ReceptiveField
    rank: int
    places: tuple[int | None, ...]


@dataclass(frozen=True)
class Step:
    """A closed form: size and jump along one axis, and why they are so."""

    size: Expression
    jump: Expression
    words: str


def field_derivations(row: Row, call: Call, run: Run) -> Iterator[Derivation]:
    """One derivation for each axis of the row's field; none for a row without one."""
    found = row.receptive_field
    if found is None:
        return
    if found.size is None:
        words = _MAP_ENDS if found.cause == row.label and not row.computes else _without_size(found)
        yield Derivation("receptive_field", "r", found.extent, verdict=found.verdict, words=words)
        return
    branches = list(_branches(call, run))
    sizes = [tuple(size) if isinstance(size, list) else size for size in found.size]
    for axis, (size, jump) in enumerate(zip(sizes, found.jump or (None,) * len(found.size), strict=True)):
        yield _along(row, axis, size, jump, branches)


_MAP_ENDS = "the map ends here: its positions become features"
"""Said of a flatten: each of its outputs alone may see less than the whole input."""


def beyond_gates(found: ReceptiveField, axis: int) -> str:
    """What a local field leaves out along an axis, and the layer from which on that is all of it; empty if nothing."""
    if found.size is None:
        return ""
    if found.cause is not None:
        return f"with gates and statistics, every output depends on the whole input since {found.cause}"
    since = found.global_along[axis] if found.global_along else None
    along = axis_names(len(found.size))[axis]
    return "" if since is None else f"with gates and statistics, every output depends on all {along} since {since}"


def _without_size(found: ReceptiveField) -> str:
    if found.is_global:
        by = f" since {found.cause}" if found.cause else ""
        return f"every output depends on the whole input{by}"
    return "; ".join(map(str, found.why)) or (
        f"{found.cause} has no rule" if found.cause else "nothing is known about it"
    )


def _along(row: Row, axis: int, size: Any, jump: Any, branches: Sequence[Branch]) -> Derivation:
    """The derivation along one axis: the first closed form that gives the engine's numbers."""
    found = row.receptive_field
    assert found is not None, "only rows with a field come here"
    for step in _steps(row, axis, branches):
        if evaluate(step.size) == size and jump is not None and evaluate(step.jump) == Fraction(jump):
            return Derivation(
                "receptive_field", "r", size, Formula("r", step.size, size), axis, verdict=found.verdict,
                source=SOURCE, words=step.words, jump=Formula("j", step.jump, evaluate(step.jump)),
            )  # fmt: skip
    words = _by_branch(row, axis, size, branches) or _by_positions(size, found)
    return Derivation("receptive_field", "r", size, None, axis, verdict=found.verdict, words=words)


def _by_branch(row: Row, axis: int, size: Any, branches: Sequence[Branch]) -> str:
    """Why the field of a layer with one input depends on the position: its input's does, or its windows overlap so."""
    if len(branches) != 1 or not isinstance(size, tuple):
        return ""
    source = branches[0].field
    if source.size is not None and len(source.size) > axis and source.size[axis] in (size, list(size)):
        return f"that of its input: from {min(size)} to {max(size)} pixels, depending on the position"
    if not _is_plain(source, axis) or "output_padding" not in row.hyperparameters:
        return ""
    own = _own_axis(row, axis, branches[0])
    k, s, d = (_setting(row, name, own) for name in ("kernel_size", "stride", "dilation"))
    if k is None or s is None or d is None or d.value != 1:
        return ""
    r, j = int(_size(source, axis, "rin").value), Fraction(_jump(source, axis, "jin").value)
    windows = [int(k.value) // int(s.value), -(int(k.value) // -int(s.value))]
    if [r + (count - 1) * j for count in windows] != sorted(size):
        return ""
    least, most = windows
    return (
        f"an output lies under {least} or {most} windows, for k/s = {k.value}/{s.value}: "
        f"{r} + {least - 1}*{j} = {min(size)} or {r} + {most - 1}*{j} = {max(size)} pixels"
    )


def _by_positions(size: Any, found: ReceptiveField) -> str:
    if found.status.value == "exact" and size == 0:
        return "it depends on no pixel of the input"
    if isinstance(size, tuple):
        return f"no closed form: it depends on the position, from {min(size)} to {max(size)} pixels"
    return "no closed form: it is the hull of what each output position reads"


# --- what goes in ---------------------------------------------------------------------------------------------------


def _branches(call: Call, run: Run) -> Iterator[Branch]:
    """The inputs of a call that depend on the network's input, each with its field."""
    seen: set[int] = set()
    for ref in call.inputs:
        reach = run.fields.engine.at(ref, _before(call, run.trace))
        found = field_of(run.fields, reach, ref) if reach.inputs else None
        if found is not None and found.size is not None and ref.value not in seen:
            seen.add(ref.value)
            yield Branch(_maker(ref, call, run), ref.value, found, len(ref.shape), places_of(run.fields, reach))


def way_to(index: int, axis: int, run: Run, leaves: Collection[int]) -> Iterator[int]:
    """The leaf calls on the way to a call, the last first; where branches meet, through the one that sees the most."""
    at: int | None = index
    while at is not None:
        yield at
        plain = [branch for branch in _branches(run.trace.calls[at], run) if _is_plain(branch.field, axis)]
        widest = max(plain, key=lambda branch: int(_size(branch.field, axis, "r").value), default=None)
        made = () if widest is None else run.made.get(widest.value, ())
        at = max((other for other in made if other < at and other in leaves), default=None)


def _before(call: Call, trace: Trace) -> int:
    """The index of the last op that ran before the call."""
    own = call.ops
    inner = call
    while not own and trace.children.get(inner.index):
        inner = trace.calls[trace.children[inner.index][0]]
        own = inner.ops
    return own[0] - 1 if own else len(trace.ops)


def _maker(ref: TensorRef, call: Call, run: Run) -> str:
    """The name of the outermost call that put this tensor out and does not contain `call`; `the input` if none did."""
    above = set()
    index: int | None = call.index
    while index is not None:
        above.add(index)
        index = run.trace.calls[index].parent
    made = (other for other in run.made.get(ref.value, ()) if other < call.index and other not in above)
    first = next(made, None)
    return "the input" if first is None else name_of(run.trace.calls[first])


# --- closed forms ---------------------------------------------------------------------------------------------------


def _steps(row: Row, axis: int, branches: Sequence[Branch]) -> Iterator[Step]:
    """The closed forms that may hold, the likeliest first."""
    known = [branch for branch in branches if _is_plain(branch.field, axis)]
    if len(known) != len(branches) or not known:
        return
    if len(known) > 1:
        yield _joined(known, axis)
        return
    yield from _from_one(row, axis, known[0])


def _is_plain(found: ReceptiveField, axis: int) -> bool:
    return found.size is not None and isinstance(found.size[axis], int) and found.jump is not None


def _from_one(row: Row, axis: int, branch: Branch) -> Iterator[Step]:
    """The closed forms for a layer with one input."""
    r, j = _size(branch.field, axis, "rin"), _jump(branch.field, axis, "jin")
    own = _own_axis(row, axis, branch)
    k, s, d = (_setting(row, name, own) for name in ("kernel_size", "stride", "dilation"))
    if k is not None:
        s = s or Symbol("s", k.value)
        gaps = times(plus(k, Number(-1)), *([] if d is None else [d]), j)
        places = "k - 1" if d is None else "(k - 1)*d"
        yield Step(plus(r, gaps), times(j, s), f"the last tap of the window lies {places} places from the first")
        words = "an output sees the places whose windows cover it, ceil(k/s) of them; s outputs stand for each place"
        yield Step(plus(r, times(floored(quotient(plus(k, Number(-1)), s)), j)), quotient(j, s), words)
    yield Step(r, j, "each output sees what one place of its input sees")
    scale = _setting(row, "scale_factor", own)
    if scale is not None:
        yield Step(r, quotient(j, scale), "each place of the input stands scale times beside itself")
        yield Step(plus(r, j), quotient(j, scale), "an output between two places of its input sees both")
    factor = _setting(row, "upscale_factor", own)
    if factor is not None:
        yield Step(r, quotient(j, factor), "the channels of one place become u places beside each other")


def _own_axis(row: Row, axis: int, branch: Branch) -> tuple[int, int] | None:
    """(the layer's own axis that lies along an axis of the image, how many the layer has); None if none does.

    They are the same but for, say, a Conv2d behind a Conv3d: there the place of the axis in the input tells.
    """
    axes, digit = len(branch.field.size or ()), re.search(r"([123])d", row.kind)
    count = int(digit[1]) if digit else axes
    if count == axes:
        return axis, axes
    place = branch.places[axis]
    index = -1 if place is None else place - branch.rank + count
    return (index, count) if index >= 0 else None


def _setting(row: Row, name: str, own: tuple[int, int] | None) -> Symbol | None:
    """A hyper-parameter along one of the layer's axes, under its symbol; None if the layer has none."""
    value = row.hyperparameters.get(name)
    if value is None or isinstance(value, str) or own is None:
        return None
    axis, axes = own
    # A scale factor is a float in torch, also where it is 2: as a fraction it keeps the jump exact.
    values = [Fraction(one) if isinstance(one, float) else one for one in each(value, axes)]
    values = [int(one) if isinstance(one, Fraction) and one.denominator == 1 else one for one in values]
    known = len(values) == axes and isinstance(values[axis], (int, Fraction))
    same = len(set(values)) == 1
    return Symbol(HYPER[name] + ("" if same else _axis_letter(axis, axes)), values[axis]) if known else None


_AXES = {1: "l", 2: "hw", 3: "dhw"}
"""What the symbols of the axes end in where they have different values."""


def _size(source: ReceptiveField, axis: int, name: str) -> Symbol:
    assert source.size is not None, "asked before"
    return Symbol(name + _suffix(source.size, axis), source.size[axis])


def _suffix(values: Sequence[Any], axis: int) -> str:
    return "" if len(set(map(str, values))) == 1 else f"_{_axis_letter(axis, len(values))}"


def _axis_letter(axis: int, axes: int) -> str:
    """`h` for the height of an image; a number among more axes than depth, height and width."""
    return _AXES[axes][axis] if axes in _AXES else str(axis)


def _jump(source: ReceptiveField, axis: int, name: str) -> Symbol:
    assert source.jump is not None, "asked before"
    exact = Fraction(source.jump[axis])
    return Symbol(name + _suffix(source.jump, axis), exact.numerator if exact.denominator == 1 else exact)


def _joined(branches: Sequence[Branch], axis: int) -> Step:
    """The union of what the branches see: from the first pixel of any to the last of any.

    The first position of a branch sees from p pixels before the image on, r pixels in all.
    """
    sizes = [_size(branch.field, axis, f"r{index}") for index, branch in enumerate(branches, 1)]
    before = [_padding(branch.field, axis, f"p{index}") for index, branch in enumerate(branches, 1)]
    after = [int(size.value) - int(pad.value) for size, pad in zip(sizes, before, strict=True)]
    first = _jump(branches[0].field, axis, "j1")
    widest = [
        index
        for index, pad in enumerate(before)
        if pad.value == max(each.value for each in before) and after[index] == max(after)
    ]
    if widest:
        size = sizes[widest[0]] if len(widest) == len(branches) else Operation("max", tuple(sizes))
        return Step(size, first, _dominance(branches, sizes, widest))
    ends = Operation("max", tuple(plus(size, minus(pad)) for size, pad in zip(sizes, before, strict=True)))
    words = (
        "no branch sees all that the others see: the union reaches from the first pixel of one to the last of another"
    )
    return Step(plus(ends, Operation("max", tuple(before))), first, words)


def _padding(source: ReceptiveField, axis: int, name: str) -> Symbol:
    padding = source.padding or (0,) * 3
    return Symbol(name + _suffix(padding, axis), padding[axis])


def _dominance(branches: Sequence[Branch], sizes: Sequence[Symbol], widest: Sequence[int]) -> str:
    """Which branch covers the others."""
    if len(widest) == len(branches):
        return "all branches see the same: " + " and ".join(branch.name for branch in branches)
    main = widest[0]
    others = [
        f"{branch.name} (r = {size.value})"
        for index, (branch, size) in enumerate(zip(branches, sizes, strict=True))
        if index not in widest
    ]
    return (
        f"the branch through {branches[main].name} (r = {sizes[main].value}) covers that through {' and '.join(others)}"
    )
