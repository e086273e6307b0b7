"""The graph of a run: for every call the calls whose results it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.trace.records import Call, Op, TensorRef, Trace

Sources = tuple[int, ...]
"""Calls by index; -1 is the first input of the run, -2 the second."""


@dataclass(frozen=True)
class Links:
    """`edges` are pairs (source, reader), each once, in the order of the readers; `outputs` are the sources of those.

    Readers are calls without calls below them, sources are such calls or inputs. `passing` are the calls that return a
    tensor as they got it: a reader of theirs reads the same tensor as a reader of what they read.
    """

    edges: tuple[tuple[int, int], ...]
    outputs: Sources
    passing: Sources


def links(trace: Trace) -> Links:
    """The links between the calls of a run.

    An op that writes in place is the source of whatever reads that storage later, since it read the earlier contents.
    A call that returns its argument as it is (`Identity`, dropout in evaluation) is the source of whatever reads that
    tensor later: the run does not tell whether the code names the result or the argument. Ops outside such calls are
    no nodes: their results have the sources of what they read.
    """
    made = _Made(trace)
    edges: dict[tuple[int, int], None] = {}
    passing: dict[int, None] = {}
    for event in _events(trace):
        reader, reads, writes = _parts(event)
        is_node = not trace.children.get(reader)
        sources = _once(source for ref in reads for source in made.sources(ref))
        if is_node:
            edges |= {(source, reader): None for source in sources if source != reader}
        if isinstance(event, Call):
            passing[reader] = None
        made.note(event.outputs, (reader,) if is_node else sources, writes=writes)
    outputs = _once(source for ref in trace.outputs for source in made.sources(ref))
    return Links(tuple(edges), outputs, tuple(passing))


class _Made:
    """The sources of every value, and of what was written last to every storage."""

    def __init__(self, trace: Trace):
        self._time = 0
        self._values: dict[int, tuple[int, Sources]] = {}
        self._written: dict[int, tuple[int, Sources]] = {}
        for index, ref in enumerate(trace.inputs.values()):
            self._values[ref.value] = (0, (-1 - index,))

    def sources(self, ref: TensorRef) -> Sources:
        """The sources of a tensor: of its value, or of what was written to its storage since."""
        nothing: tuple[int, Sources] = (-1, ())
        value, storage = self._values.get(ref.value, nothing), self._written.get(ref.storage, nothing)
        return max(value, storage, key=lambda made: made[0])[1]

    def note(self, outputs: Sequence[TensorRef], sources: Sources, *, writes: bool) -> None:
        """Stores that these tensors come from these sources."""
        self._time += 1
        for ref in outputs:
            self._values[ref.value] = (self._time, sources)
            if writes:
                self._written[ref.storage] = (self._time, sources)


def _events(trace: Trace) -> Iterator[Op | Call]:
    """The ops of a run and, at their time, the calls that ran none and have no calls below them."""
    idle = (call for call in trace.calls if not call.ops and not trace.children.get(call.index))
    waiting = next(idle, None)
    for op in trace.ops:
        while waiting is not None and waiting.index < op.call:
            yield waiting
            waiting = next(idle, None)
        yield op
    if waiting is not None:
        yield waiting
    yield from idle


def _parts(event: Op | Call) -> tuple[int, Sequence[TensorRef], bool]:
    """The call, the tensors that it reads or hands on, and whether it writes in place."""
    if isinstance(event, Op):
        return event.call, event.inputs, bool(event.writes)
    return event.index, [*event.inputs, *event.outputs], False


def _once(sources: Iterator[int]) -> Sources:
    return tuple(dict.fromkeys(sources))
