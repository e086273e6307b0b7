"""What a counter is: an independent measurement of the work in a run, one entry in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class Run:
    """One run of a model: the trace of it, and what it takes to run it again on the same device."""

    trace: Trace
    model: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    device: str


@dataclass(frozen=True)
class Count:
    """What one counter found for one call, in MACs, calls below it excluded.

    `value` sums the ops that the counter has a formula for; `missed` names those it has none for, in order of
    first appearance. A value of None means that the counter could not attribute anything to this call.
    """

    value: int | None
    missed: tuple[str, ...] = ()


Measure = Callable[[Run], list[Count]]
"""One Count per call of the trace, in its order."""


@dataclass(frozen=True)
class MacCounter:
    """A registered counter. `needs_kernels` is True for one that cannot run on the meta device."""

    name: str
    measure: Measure
    needs_kernels: bool = False


COUNTERS: dict[str, MacCounter] = {}


def counter(name: str, *, needs_kernels: bool = False) -> Callable[[Measure], Measure]:
    """Register a counter under the name it has in reports; entering a name twice is an error."""

    def enter(measure: Measure) -> Measure:
        if name in COUNTERS:
            raise ValueError(f"a counter called {name!r} exists already")
        COUNTERS[name] = MacCounter(name, measure, needs_kernels)
        return measure

    return enter


def count(run: Run) -> dict[str, list[Count]]:
    """What every counter that can work on this run's device found."""
    usable = [entry for entry in COUNTERS.values() if run.device != "meta" or not entry.needs_kernels]
    return {entry.name: entry.measure(run) for entry in usable}
