"""What a counter is: an independent measurement of the work in a trace, one entry in a registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class Count:
    """What one counter found for one call, in MACs.

    `value` sums the ops that the counter has a formula for; `missed` names those it has none for, in order of
    first appearance. None means the counter saw nothing of this call.
    """

    value: int | None
    missed: tuple[str, ...] = ()


Counter = Callable[[Trace], list[Count]]
"""One Count per call of the trace; calls that contain others carry only what they do themselves."""

COUNTERS: dict[str, Counter] = {}


def counter(name: str) -> Callable[[Counter], Counter]:
    """Register a counter under the name it has in reports; entering a name twice is an error."""

    def enter(function: Counter) -> Counter:
        if name in COUNTERS:
            raise ValueError(f"a counter called {name!r} exists already")
        COUNTERS[name] = function
        return function

    return enter
