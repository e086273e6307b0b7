"""Counters: independent measurements of the work in a run, each a registry entry, and why one may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import inf
from typing import Any, Protocol

from cnninspect.report.reasons import failure
from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class Run:
    """One run of a model: the trace of it, and what it takes to run it again on the same device."""

    trace: Trace
    model: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    device: str


class Progress(Protocol):
    """A callable that is called when a step of a run begins; for a step of known length, again as it proceeds."""

    def __call__(self, step: str, done: int = 0, of: int = 0) -> None:
        """Report that `step` runs, and that `done` of its `of` parts are finished (0 if unknown)."""


def silent(step: str, done: int = 0, of: int = 0) -> None:
    """A Progress that shows nothing."""


@dataclass(frozen=True)
class Skip:
    """Work that a counter left out.

    `op` is the counter's own name of an op, empty for work that is no single op. `reason` says in words which work it
    is or why it was left out; without one the counter has no formula for the op.
    """

    op: str
    reason: str = ""

    def __str__(self) -> str:
        return self.reason or self.op


@dataclass(frozen=True)
class Count:
    """What one counter found for one call, in MACs, calls below it excluded.

    `value` sums the ops that the counter has a formula for; `missed` holds what it left out, in order of first
    appearance; the name of an op stands for its Skip. `by_op` splits `value` by the counter's own names of ops. A value
    of None means that the counter could not attribute anything to this call.
    """

    value: int | None
    missed: Sequence[Skip | str] = ()
    by_op: Mapping[str, int] = field(default_factory=dict)

    @property
    def skips(self) -> tuple[Skip, ...]:
        """`missed`, each as a Skip."""
        return tuple(Skip(entry) if isinstance(entry, str) else entry for entry in self.missed)


def with_calls_below(trace: Trace, counts: Sequence[Count]) -> list[int | None]:
    """For every call of the trace what a counter found in it and in all calls below it.

    What a counter cannot attribute to a call stands with the nearest call around it that it can: the sum is None for a
    call to which nothing can be attributed, as a part of its work may stand further out.
    """
    sums = [count.value or 0 for count in counts]
    for call in reversed(trace.calls):
        if call.parent is not None:
            sums[call.parent] += sums[call.index]
    return [None if count.value is None else whole for whole, count in zip(sums, counts, strict=True)]


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
    """A registered counter.

    `needs_kernels` is True for one that cannot run on the meta device. `package` is the top-level module that it needs;
    where that is not installed, the counter is left out.
    """

    name: str
    measure: Measure
    needs_kernels: bool = False
    package: str | None = None
    convention: Convention = field(default_factory=Convention)


COUNTERS: dict[str, MacCounter] = {}


def counter(
    name: str, *, needs_kernels: bool = False, package: str | None = None, convention: Convention | None = None
) -> Callable[[Measure], Measure]:
    """Register a counter under the name it has in reports; entering a name twice is an error."""

    def enter(measure: Measure) -> Measure:
        if name in COUNTERS:
            raise ValueError(f"a counter called {name!r} exists already")
        COUNTERS[name] = MacCounter(name, measure, needs_kernels, package, convention or Convention())
        return measure

    return enter


def count(run: Run, with_kernels: Run | None = None) -> dict[str, list[Count]]:
    """What every counter found that can work on this run's device, or else on that of the same run `with_kernels`.

    One that raises, or does not return a Count for each call, has a value of None everywhere, with the reason.
    """
    real = run if run.device != "meta" else with_kernels
    found = {}
    for entry in COUNTERS.values():
        used = real if entry.needs_kernels else run
        if used is not None and entry.name not in left_out():
            found[entry.name] = _found(entry, used)
    return found


def left_out() -> dict[str, str]:
    """The counters whose package is not installed, with a sentence about each."""
    return {
        name: f"{name} does not count here, since {entry.package} is not installed: `pip install {entry.package}`."
        for name, entry in COUNTERS.items()
        if entry.package is not None and find_spec(entry.package) is None
    }


def _found(entry: MacCounter, run: Run) -> list[Count]:
    calls = len(run.trace.calls)
    try:
        counts = list(entry.measure(run))
        if len(counts) == calls and all(isinstance(count, Count) for count in counts):
            return counts
        reason = f"it returned {len(counts)} results, not a Count for each of the {calls} calls"
    except Exception as error:
        reason = str(failure("the counter", error))
    return [Count(None, (Skip("", reason),))] * calls


MULTIPLYING = {
    **{name: name for name in ("scaled_dot_product_attention", "inner", "tensordot", "cdist")},
    **{name: name for name in ("linalg_multi_dot", "chain_matmul")},
    **{name: f"matrix times vector ({name})" for name in ("mv", "addmv")},
    **{name: f"product of vectors ({name})" for name in ("dot", "vdot")},
    **{name: f"batched matrix products ({name})" for name in ("baddbmm", "addbmm")},
    **dict.fromkeys(("lstm", "lstm_cell"), "lstm"),
    **dict.fromkeys(("gru", "gru_cell"), "gru"),
    **dict.fromkeys(("rnn_tanh", "rnn_relu", "rnn_tanh_cell", "rnn_relu_cell"), "rnn"),
    **dict.fromkeys(("bilinear", "_trilinear"), "bilinear"),
    **dict.fromkeys(("matrix_power", "linalg_matrix_power"), "matrix_power"),
    **dict.fromkeys(("cov", "corrcoef"), "covariances"),
    **dict.fromkeys(("embedding_bag", "_embedding_bag"), "weights in embedding_bag"),
    "_scaled_dot_product_flash_attention_for_cpu": "fused attention on cpu",
    "_convolution_mode": "convolution with padding='same' or 'valid'",
    "_euclidean_dist": "cdist",
}
"""Ops of torch that multiply and accumulate, among those that some counter has no formula for, with the name to say."""

_FOREIGN = ("PythonOp", "CallFunction")
"""Nodes of torch.jit that run code of the user's own."""

Multiplies = Callable[[str], bool]


def explain(
    name: str,
    count: Count,
    analytic: int,
    multiplies: Multiplies | None = None,
    convention: Convention | None = None,
) -> str | None:
    """The reason why counter `name` found something else than `analytic` MACs; None if no known reason explains it.

    The reason must account for the difference: without the work that multiplies and accumulates nothing the count is
    exact, or it falls short and an op that multiplies was missed, or it lies in the bounds of an estimate.
    `multiplies` may name further ops, beyond those known here, that do multiply-accumulate work; `convention` is the
    registered counter's own unless it is given.
    """
    if count.value is None:
        return None
    convention = convention or COUNTERS[name].convention
    macs = count.value - sum(number for op, number in count.by_op.items() if op in convention.other)
    other, missed = _differences(name, count, multiplies, convention)
    if macs != analytic:
        estimates = [estimate for op, estimate in convention.inexact.items() if count.by_op.get(op)]
        if missed and macs < analytic:
            other += missed
        elif estimates and all(e.least * analytic <= macs <= e.greatest * analytic for e in estimates):
            other += [estimate.words for estimate in estimates]
        else:
            return None
    return "; ".join(other) or None


def doubt(
    name: str,
    count: Count,
    analytic: int,
    multiplies: Multiplies | None = None,
    convention: Convention | None = None,
) -> str | None:
    """Why a count of just `analytic` MACs confirms nothing: it holds other work, or lacks some; None if it does."""
    if count.value != analytic:
        return None
    other, missed = _differences(name, count, multiplies, convention or COUNTERS[name].convention)
    found = "; ".join((*other, *missed))
    return f"{found}, so that its equal number confirms nothing" if found else None


def _differences(
    name: str, count: Count, multiplies: Multiplies | None, convention: Convention
) -> tuple[list[str], list[str]]:
    """What a counter counts besides multiply-accumulates, and in at most one text what it left out."""
    uncounted = ", ".join(dict.fromkeys(_uncounted(count, multiplies)))
    missed = [convention.uncounted.format(counter=name, work=uncounted)] if uncounted else []
    return [f"{name} counts {work}" for work in _other_work(count, convention)], missed


def unit_of(name: str) -> str:
    """What a multiply-accumulate is for a counter: `fvcore counts a MAC as one flop`."""
    return f"{name} {COUNTERS[name].convention.unit}"


def _other_work(count: Count, convention: Convention) -> dict[str, None]:
    """The classes of other work that the counter found something for."""
    counted = [op for op, number in count.by_op.items() if number]
    return dict.fromkeys(convention.other[op] for op in counted if op in convention.other)


def _uncounted(count: Count, multiplies: Multiplies | None) -> Iterator[str]:
    """What the counter left out that may multiply: work it has words for, an op that multiplies or is not torch's."""
    for skip in count.skips:
        namespace, _, name = skip.op.partition(".")
        known = skip.reason or MULTIPLYING.get(name) or MULTIPLYING.get(name.removesuffix("_"))
        if known:
            yield known
        elif namespace not in ("aten", "prim") or name.startswith(_FOREIGN) or (multiplies and multiplies(skip.op)):
            yield skip.op
