"""Which values of a run are worked out from which."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.trace.records import TensorRef, Trace

Key = tuple[bool, int]


class Dataflow:
    """Values are told apart, but those of a storage that is written in place count as one: a view may change it."""

    def __init__(self, trace: Trace):
        self._trace = trace
        self._written = {ref.storage for op in trace.ops if op.writes for ref in op.outputs}

    def key(self, ref: TensorRef) -> Key:
        """What stands for a tensor's contents."""
        shared = ref.storage in self._written
        return shared, ref.storage if shared else ref.value

    def leading_to_outputs(self, carries: Callable[[Key], bool] = lambda _: True) -> set[int]:
        """The ops that an output of the run depends on, through values that `carries` holds of."""
        wanted = {self.key(ref) for ref in self._trace.outputs}
        ops = set()
        for op in reversed(self._trace.ops):
            if any(key in wanted and carries(key) for key in map(self.key, op.outputs)):
                ops.add(op.index)
                wanted |= {self.key(ref) for ref in op.inputs}
        return ops
