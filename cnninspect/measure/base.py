"""What a counter is: an independent measurement of the work in a run, one entry in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
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
    first appearance. `by_op` splits `value` by the counter's own names of ops. A value of None means that the counter
    could not attribute anything to this call.
    """

    value: int | None
    missed: tuple[str, ...] = ()
    by_op: Mapping[str, int] = field(default_factory=dict)


Measure = Callable[[Run], list[Count]]
"""One Count per call of the trace, in its order."""


@dataclass(frozen=True)
class Inexact:
    """An op that a counter estimates: in words how, and the least and greatest ratio to the true count."""

    words: str
    least: float
    greatest: float = inf


@dataclass(frozen=True)
class Convention:
    """How a counter counts, by its own names of ops.

    `unit` says what a multiply-accumulate is for it, and `own` turns MACs into its unit. `other` names the class of
    work of every op that it counts though it multiplies and accumulates nothing. `uncounted` is the sentence about an
    op without a formula.
    """

    unit: str = "counts a MAC as one MAC"
    own: Callable[[int], int] = int
    other: Mapping[str, str] = field(default_factory=dict)
    inexact: Mapping[str, Inexact] = field(default_factory=dict)
    uncounted: str = "{counter} does not count {work}"


@dataclass(frozen=True)
class MacCounter:
    """A registered counter. `needs_kernels` is True for one that cannot run on the meta device."""

    name: str
    measure: Measure
    needs_kernels: bool = False
    convention: Convention = field(default_factory=Convention)


COUNTERS: dict[str, MacCounter] = {}


def counter(
    name: str, *, needs_kernels: bool = False, convention: Convention | None = None
) -> Callable[[Measure], Measure]:
    """Register a counter under the name it has in reports; entering a name twice is an error."""

    def enter(measure: Measure) -> Measure:
        if name in COUNTERS:
            raise ValueError(f"a counter called {name!r} exists already")
        COUNTERS[name] = MacCounter(name, measure, needs_kernels, convention or Convention())
        return measure

    return enter


def count(run: Run, with_kernels: Run | None = None) -> dict[str, list[Count]]:
    """What every counter found that can work on this run's device, or else on that of the same run `with_kernels`."""
    real = run if run.device != "meta" else with_kernels
    found = {}
    for entry in COUNTERS.values():
        used = real if entry.needs_kernels else run
        if used is not None:
            found[entry.name] = entry.measure(used)
    return found
