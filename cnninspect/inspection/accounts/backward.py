"""Multiply-accumulates of the gradients, by formula and counted in a real backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected, attempted, inclusive
from cnninspect.measure.backward import CONVENTION, OWN_FUNCTION, WITHOUT_GRADIENTS, backward_macs
from cnninspect.measure.base import Count, explain, with_calls_below
from cnninspect.ops.accounting import BackwardMacs, backward
from cnninspect.ops.evaluate import multiplies
from cnninspect.report.quantities import Quantity, Status, Unit, judge, one_sided
from cnninspect.trace.records import Trace

COUNTER = "torch"

NOT_APART = "torch counted these gradients together with those of the call around"


@dataclass(frozen=True)
class Backward:
    """A backward pass from all outputs of the run, to the parameters and, `of_inputs`, to the floating inputs too."""

    of_inputs: bool = False

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`backward_macs` of every row and in total, in parts for gradients of inputs and of weights."""
        inspected.progress("running the backward pass")
        trace = inspected.trace
        found, notes = attempted("the backward pass", lambda: backward_macs(inspected.run, of_inputs=self.of_inputs))
        counts = found or [Count(None)] * len(trace.calls)
        off = {call.index for call in trace.calls if WITHOUT_GRADIENTS in counts[call.index].skips}
        numbers = _numbers(_judged(backward(trace, off, of_inputs=self.of_inputs), counts, trace), counts, trace)
        notes += tuple(f"{name} works gradients out in code of its own: no formula covers it." for name in _own(counts))
        if self.of_inputs:
            notes += ("the backward pass works out the gradients of the inputs too.",)
        return Addition([{"backward_macs": number} for number in numbers], {"backward_macs": numbers[0]}, notes=notes)


def _numbers(own: Sequence[Quantity], counts: Sequence[Count], trace: Trace) -> list[Quantity]:
    """For every call the gradients of it and of all calls below it."""
    whole = zip(inclusive(trace, Unit.MACS, own), with_calls_below(trace, counts), strict=True)
    return [replace(number, measured={} if found is None else {COUNTER: found}) for number, found in whole]


def _judged(formulas: Sequence[BackwardMacs], counts: Sequence[Count], trace: Trace) -> list[Quantity]:
    """Every call's own gradients by formula against what torch counted for them.

    Calls that the backward pass could not tell apart are judged together with the one around them that it could.
    """
    owner = _owners(counts, trace)
    beyond = _beyond_formulas(counts, trace)
    together = [BackwardMacs()] * len(formulas)
    for index, part in enumerate(formulas):
        together[owner[index]] += part
    judged = {index: _judge(together[index], counts[index], index in beyond) for index in set(owner)}
    return [_own_part(part, judged[owner[index]], owner[index] == index) for index, part in enumerate(formulas)]


def _owners(counts: Sequence[Count], trace: Trace) -> list[int]:
    """For every call the innermost one around it that torch counted for."""
    owner: list[int] = []
    for call in trace.calls:
        own = counts[call.index].value is not None or call.parent is None
        owner.append(call.index if own else owner[call.parent or 0])
    return owner


def _beyond_formulas(counts: Sequence[Count], trace: Trace) -> set[int]:
    """The calls whose gradients the model's own code or a function transform may work out, and all below them."""
    found: set[int] = set()
    for call in trace.calls:
        if call.parent in found or call.transformed or _own([counts[call.index]]):
            found.add(call.index)
    return found


def _own(counts: Sequence[Count]) -> dict[str, None]:
    """The names of gradients that the model's own code works out."""
    missed = dict.fromkeys(skip.op for count in counts for skip in count.skips)
    return {op.removeprefix(OWN_FUNCTION): None for op in missed if op.startswith(OWN_FUNCTION)}


def _judge(part: BackwardMacs, count: Count, beyond: bool) -> Quantity:
    """The formula's number against torch's; one that differs where the gradients may be `beyond` formulas is void."""
    differs = count.value != part.total
    analytic = None if (part.missing and not part.total) or (beyond and differs) else part.total
    status = Status.UNKNOWN if analytic is None else part.status
    reason = explain(COUNTER, count, part.total, multiplies, CONVENTION) if differs and analytic is not None else None
    measured = {} if count.value is None else {COUNTER: count.value}
    judged = judge(Unit.MACS, analytic, measured, status=status, reasons={COUNTER: reason} if reason else {})
    # Gradients that torch alone saw did run: they are no less than that.
    return replace(judged, status=Status.LOWER_BOUND) if judged.analytic is None and judged.value else judged


def _own_part(part: BackwardMacs, judged: Quantity, is_owner: bool) -> Quantity:
    """A call's part of what was judged; the verdict stands with the owner, for which alone torch counted."""
    parts = {"inputs": part.inputs, "weights": part.weights} if part.total else {}
    if judged.analytic is None:
        return replace(judged, parts=parts) if is_owner else Quantity(None, Unit.MACS, Status.UNKNOWN, why=judged.why)
    if not is_owner:
        return one_sided(Unit.MACS, NOT_APART, analytic=part.total, status=part.status, parts=parts)
    return replace(judged, value=part.total, analytic=part.total, status=part.status, parts=parts)
