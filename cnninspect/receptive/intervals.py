"""The fields of a whole trace: what probes, tests, tables and pictures read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

import numpy as np

from cnninspect.receptive.axes import of_inputs
from cnninspect.receptive.digits import Table
from cnninspect.receptive.engine import Engine
from cnninspect.receptive.fields import Axis, Field, Interval
from cnninspect.receptive.knowledge import Knowledge
from cnninspect.receptive.maps import Map
from cnninspect.receptive.reach import Reach
from cnninspect.trace.records import Call, TensorRef, Trace


class Fields(Mapping[int, Field]):
    """The Field of every value that the ops of a trace made, by its value id; computed when asked for.

    `axes` are the spatial axes of every input, by its name; the ops tell them where they are not given.
    """

    def __init__(self, trace: Trace, knowledge: Knowledge, axes: Mapping[str, tuple[Axis, ...]] | None = None):
        self.trace = trace
        self.axes = of_inputs(trace, knowledge) if axes is None else axes
        self.engine = Engine(trace, self.axes, knowledge)
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
        return self.engine.at(ref, self._last_op(call))

    def looked_at(self, axis: Axis) -> Table:
        """`lo` and `-hi` of the pixels that the network looks at: what its first op with a window sees."""
        return self.engine.looked_at.get(axis, np.array([0, 1 - axis.size], dtype=np.int32))

    def label(self, op: int) -> str:
        """How messages name the call that an op belongs to: `layer1.0.se.avgpool`, `layer1.0 torch.cat`."""
        return label(self.trace.calls[self.trace.ops[op].call])

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
    """A call by its label and, after the first, by which use it is: `layer1.0.relu call 1`."""
    return f"{label(call)} call {call.number}" if call.number else label(call)


def _interval(part: Map) -> Interval:
    lo, negative_hi = part.dense().astype(np.int64)
    return Interval(lo, -negative_hi)
