"""Effects that an op's arguments do not show: writes through other views, and numbers that Python code has read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnninspect.receptive.reach import Reach
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.names import AS_NUMBERS
from cnninspect.trace.records import Call, Op, TensorRef, Trace


@dataclass(frozen=True, slots=True)
class View:
    """Where a view came from: result `position` of `op`, applied to the value `of`."""

    of: int
    op: Op
    position: int


class Aliases:
    """Which values are views of which, and under which value a tensor's contents go on after an in-place op."""

    def __init__(self) -> None:
        self.views: dict[int, View] = {}
        self._families: dict[int, list[int]] = {}
        self._renewed: dict[int, int] = {}
        self._sources: set[int] = set()

    def add(self, op: Op) -> None:
        """Note the results of an op that share the storage of one of its arguments."""
        sources = {ref.storage: ref.value for ref in reversed(op.inputs)}
        for position, output in enumerate(op.outputs):
            if output.storage in sources:
                self.views[output.value] = View(sources[output.storage], op, position)
                self._sources.add(sources[output.storage])
                self._families.setdefault(output.storage, []).append(output.value)

    def renew(self, old: int, new: TensorRef) -> None:
        """The tensor that was `old` holds `new` contents; no later op asks for the old ones."""
        self._renewed[old] = new.value
        if old in self.views:
            self.views[new.value] = self.views[old]
            family = self._families[new.storage]
            self._families[new.storage] = [*(value for value in family if value != old), new.value]
        if old in self._sources:
            self._sources.add(new.value)

    def latest(self, value: int) -> int:
        """The value under which a tensor's contents stand now."""
        found = value
        while found in self._renewed:
            found = self._renewed[found]
        if found != value:
            self._renewed[value] = found  # A shorter way for the next time: a buffer may be written at every time step.
        return found

    def others(self, ref: TensorRef, is_used: Callable[[int], bool]) -> list[int]:
        """The views that share the storage of a tensor, apart from itself.

        A view that is not used any more, and of which no view was taken, is forgotten: a loop that writes one row of a
        buffer at each step leaves one behind each time.
        """
        family = [value for value in self._families.get(ref.storage, ()) if value in self._sources or is_used(value)]
        if family or ref.storage in self._families:
            self._families[ref.storage] = family
        return [value for value in family if value != ref.value]


class ReadOut:
    """Numbers that Python code has read from tensors, by `.item()` or `.tolist()`, and that depend on inputs.

    After such a read, calls that are given a number, and new constants, may depend on those inputs in ways that no op
    shows; their field is unknown. So are the results of a call that reads by itself, as `x[i]` does with a tensor `i`
    without dimensions. A bool that is read only chooses which ops run. The field describes the ops that ran, so reading
    a bool makes nothing unknown, but for a number that is made of it.

    `how` is the first read, `item` for one; None before there is any. `inputs` are those that were read.
    """

    def __init__(self, trace: Trace):
        self.how: str | None = None
        self.inputs: frozenset[str] = frozenset()
        self._reads = deque(trace.read_out)
        self._ops = trace.ops
        self._reading: set[int] = set()

    def note(self, ops: int, reach_of: Callable[[TensorRef], Reach]) -> None:
        """Note the reads that happened before the op of this index."""
        while self._reads and self._reads[0][0] <= ops:
            before, how, ref = self._reads.popleft()
            known = reach_of(ref)
            only_chooses = ref.dtype == "bool" and not ref.shape and how not in AS_NUMBERS.values()
            if (known.inputs or not known.is_known) and not only_chooses:
                self.how = self.how or how
                self.inputs |= known.inputs
                if before and ref in self._ops[before - 1].inputs:
                    self._reading.add(self._ops[before - 1].call)

    def may_enter(self, call: Call) -> bool:
        """Whether a call was given a number after numbers had been read, or read some itself."""
        return self.how is not None and (call.index in self._reading or _holds_number((call.args, call.kwargs)))

    @property
    def why(self) -> Reason:
        """The reason why values made after the read are unknown."""
        return Reason(Cause.READ_BY_DATA, f"Python code has read values that depend on an input ({self.how})")


def _holds_number(tree: Any) -> bool:
    """Whether a number stands among the arguments of a call, on its own or in a slice."""
    if isinstance(tree, slice):
        return _holds_number((tree.start, tree.stop, tree.step))
    if isinstance(tree, (tuple, list)) and not isinstance(tree, TensorRef):
        return any(map(_holds_number, tree))
    if isinstance(tree, Mapping):
        return any(map(_holds_number, tree.values()))
    return isinstance(tree, (int, float, complex)) and not isinstance(tree, bool)
