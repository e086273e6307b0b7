"""What the engine says about one value of a trace: which input positions each of its elements depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from cnninspect.receptive.axes import of_inputs
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import Mask, Table
from cnninspect.receptive.engine import Engine
from cnninspect.receptive.knowledge import Knowledge
from cnninspect.receptive.reach import Axis, Reach, gates_among
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Call, Op, TensorRef, Trace

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """First and last input pixel that each element of a value depends on along one axis, clipped to the input.

    `lo` and `hi` broadcast against the value: same number of dimensions, size 1 on those they do not vary along.
    An element that depends on no pixel has `lo > hi`.
    """

    lo: Ints
    hi: Ints

    @property
    def size(self) -> Ints:
        """Pixels from first to last, per element; 0 where there is none."""
        return (self.hi - self.lo + 1).clip(min=0)

    def contains(self, pixel: int) -> Mask:
        """For which elements `pixel` lies in the interval."""
        return (self.lo <= pixel) & (pixel <= self.hi)


@dataclass(frozen=True)
class Field:
    """The receptive field of every element of one value.

    `strict` holds the exact dependency; `local` leaves out statistics of normalisation layers and global gates. Both
    have an entry for each axis of each input that some element depends on, and none for other inputs. `inputs` names
    all inputs the value depends on, those without spatial axes included. `cause` names the call that first made the
    strict field global. `unknown` names an op without rule, `data_dependent` one that reads where its data say,
    among those the value was computed by; the intervals then mean nothing.
    """

    shape: Shape
    strict: Mapping[Axis, Interval] = field(default_factory=dict)
    local: Mapping[Axis, Interval] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    cause: str | None = None
    unknown: str | None = None
    data_dependent: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the intervals can be relied on."""
        return self.unknown is None and self.data_dependent is None

    def sees(self, name: str, position: Sequence[int]) -> Mask:
        """Which elements depend on the pixel of input `name` at `position`, as far as intervals can tell.

        One coordinate for each spatial axis. The result broadcasts against the value; where the field has holes it
        is True for some elements that do not depend on the pixel, never False for one that does.
        """
        seen: Mask = np.full((1,) * len(self.shape), name in self.inputs)
        for axis, interval in self.strict.items():
            if axis.input == name:
                seen = seen & interval.contains(position[axis.index])
        return seen


class Fields(Mapping[int, Field]):
    """The Field of every value that the ops of a trace made, by its value id; computed when asked for.

    `axes` are the spatial axes of every input, by its name; the ops tell them where they are not given.
    """

    def __init__(self, trace: Trace, knowledge: Knowledge, axes: Mapping[str, tuple[Axis, ...]] | None = None):
        self.trace = trace
        told, doubt = of_inputs(trace, knowledge) if axes is None else (axes, None)
        self.axes: Mapping[str, tuple[Axis, ...]] = told
        self.engine = Engine(trace, self.axes, knowledge, doubt)
        for op in trace.ops:
            self.engine.run(op)
        self.engine.finish(len(trace.ops))
        self._last_ops = list(accumulate((max(call.ops, default=-1) for call in trace.calls), max))

    def __getitem__(self, value: int) -> Field:
        return self.field(self.engine.reaches[value])

    def __iter__(self) -> Iterator[int]:
        return iter(self.engine.reaches)

    def __len__(self) -> int:
        return len(self.engine.reaches)

    def of_call(self, call: Call) -> list[Field]:
        """The fields of a call's outputs, as they were when the call ended."""
        return [self.field(self.reach(call, ref)) for ref in call.outputs]

    def reach(self, call: Call, ref: TensorRef) -> Reach:
        """The reach of one of a call's outputs, as it was when the call ended."""
        return self.engine.at(ref, self._last_op(call)).within_limits()

    def depends(self, ref: TensorRef) -> bool:
        """Whether a tensor depends on an input; one whose bounds were too large to keep does so as far as is known."""
        known = self.engine.reaches.get(ref.value)
        return known is None or bool(known.inputs)

    def looked_at(self, axis: Axis) -> Table:
        """`lo` and `-hi` of the pixels that the network looks at: what its first op with a window sees."""
        return self.engine.looked_at.get(axis, np.array([0, 1 - axis.size], dtype=np.int32))

    def label(self, op: int) -> str:
        """How messages name the call that an op belongs to: `layer1.0.se.avgpool`, `layer1.0 torch.cat use 2`."""
        return name_of(self.trace.calls[self.trace.ops[op].call])

    def field(self, reach: Reach) -> Field:
        """A reach as plain intervals."""
        causes = [forms.cause for forms in reach.forms.values()]
        known = [cause for cause in causes if cause is not None]
        return Field(
            shape=reach.shape,
            strict={axis: _interval(forms.strict) for axis, forms in reach.forms.items()},
            local={axis: _interval(forms.local) for axis, forms in reach.forms.items()},
            inputs=reach.inputs,
            cause=self.label(max(known)) if known and len(known) == len(causes) else None,
            unknown=reach.unknown,
            data_dependent=reach.data_dependent,
        )

    def _last_op(self, call: Call) -> int:
        """The index of the last op that ran before a call ended; a call may have none of its own."""
        while call.index in self.trace.children:
            call = self.trace.calls[self.trace.children[call.index][-1]]
        return self._last_ops[call.index]


def intervals(trace: Trace, knowledge: Knowledge) -> Fields:
    """The receptive field of every value of a trace."""
    return Fields(trace, knowledge)


def label(call: Call) -> str:
    """A call by its path, and by its name if it is the call of a function."""
    return " ".join(part for part in (call.path, call.kind if call.functional else "") if part) or call.kind


def name_of(call: Call) -> str:
    """A call by its label and, after the first, by which use it is: `layer1.0.relu use 2`."""
    return f"{label(call)} use {call.number + 1}" if call.number else label(call)


def _interval(part: Bounds) -> Interval:
    lo, negative_hi = part.dense().astype(np.int64)
    return Interval(lo, -negative_hi)


STATISTICS = None
"""The op's first result is made with statistics of its first argument."""


def parting_ops(fields: Fields) -> dict[int, tuple[int, ...] | None]:
    """By the index of an op, which of its tensor arguments are gates, counted in order, or STATISTICS."""
    known = fields.engine.reaches
    found: dict[int, tuple[int, ...] | None] = {}
    for op in fields.trace.ops:
        result = known.get(op.outputs[0].value) if op.outputs else None
        if result is None or all(forms.local is forms.strict for forms in result.forms.values()):
            continue
        parts = [known.get(ref.value) for ref in op.inputs]
        gates = _gates(parts, len(result.shape))
        if gates:
            found[op.index] = gates
        elif _computes_statistics(op, parts[0], result):
            found[op.index] = STATISTICS
    return found


def _gates(parts: Sequence[Reach | None], rank: int) -> tuple[int, ...]:
    known = {i: part for i, part in enumerate(parts) if part is not None}
    return tuple(sorted(set().union(*gates_among(known, rank).values())))


def _computes_statistics(op: Op, source: Reach | None, result: Reach) -> bool:
    """Whether an op makes the strict field of its first argument larger and leaves the local one as it is."""
    shared = [axis for axis in result.forms if source is not None and axis in source.forms]
    return source is not None and any(
        not result.forms[axis].strict.equals(source.forms[axis].strict)
        and result.forms[axis].local.equals(source.forms[axis].local)
        for axis in shared
    )
