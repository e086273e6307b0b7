"""What training adds: multiply-accumulates of the gradients, by formula and in a real backward pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.accounts.base import Addition, Inspected, attempted, inclusive
from cnninspect.counters.backward import CONVENTION, backward_macs
from cnninspect.counters.base import Count
from cnninspect.counters.explain import explain
from cnninspect.formulas.backward import BackwardMacs, backward
from cnninspect.formulas.evaluate import multiplies
from cnninspect.quantities import Quantity, Status, Unit
from cnninspect.verdicts import judge

COUNTER = "torch"


@dataclass(frozen=True)
class Backward:
    """A backward pass from all outputs of the run."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`backward_macs` of every row and in total, in parts for gradients of inputs and of weights."""
        inspected.progress("running the backward pass")
        found, notes = attempted("the backward pass", lambda: backward_macs(inspected.run))
        counts = found or [Count(None)] * len(inspected.trace.calls)
        formulas = backward(inspected.trace)
        own = [_judged(part, count) for part, count in zip(formulas, counts, strict=True)]
        numbers = inclusive(inspected.trace, Unit.MACS, own)
        return Addition([{"backward_macs": number} for number in numbers], {"backward_macs": numbers[0]}, notes=notes)


def _judged(part: BackwardMacs, count: Count) -> Quantity:
    """The call's own gradients by formula against what torch counted for them."""
    analytic = None if part.missing and not part.total else part.total
    status = Status.UNKNOWN if analytic is None else part.status
    differs = analytic is not None and count.value != analytic
    reason = explain(COUNTER, count, part.total, multiplies, CONVENTION) if differs else None
    found = judge(
        Unit.MACS,
        analytic,
        {} if count.value is None else {COUNTER: count.value},
        status=status,
        reasons={COUNTER: reason} if reason else {},
    )
    return replace(found, parts={"inputs": part.inputs, "weights": part.weights} if part.total else {})
