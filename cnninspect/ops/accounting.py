"""All the arithmetic of a run by class of work, each in a unit of its own, and the bytes that its ops move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cnninspect.ops.evaluate import op_macs
from cnninspect.ops.registry import Work, rule_of
from cnninspect.ops.shapes import numel
from cnninspect.report.quantities import Status
from cnninspect.report.reasons import Reason, ask
from cnninspect.trace.records import Op, TensorRef, Trace

UNITS: Mapping[Work, str] = {
    Work.MAC: "multiply-accumulates",
    Work.ELEMENTWISE: "output elements, one operation each whatever the function",
    Work.REDUCTION: "elements added up, those of overlapping windows once per window",
    Work.NORMALISATION: "elements normalised",
    Work.COMPARISON: "elements compared, those of overlapping windows once per window",
    Work.MOVEMENT: "elements copied; a view copies none",
    Work.CREATION: "elements created",
}
"""What one operation of each class is. The addition of a bias inside a fused op is part of that op and not counted."""


@dataclass(frozen=True)
class Tally:
    """Operations by class of work, and how often each op ran that no class or count is known for."""

    operations: Mapping[Work, int] = field(default_factory=dict)
    unclassified: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Exact, or a lower bound with anything unclassified."""
        return Status.LOWER_BOUND if self.unclassified else Status.EXACT

    @property
    def element_operations(self) -> int:
        """All arithmetic that is no multiply-accumulate, in element operations of whatever class."""
        return sum(number for work, number in self.operations.items() if work.computes and work is not Work.MAC)


def tallies_of(trace: Trace) -> list[Tally]:
    """One Tally per call of the trace, in its order: the ops that it ran itself, calls below it excluded."""
    return [tally(trace.ops[index] for index in call.ops) for call in trace.calls]


def tally(ops: Iterable[Op]) -> Tally:
    """The operations of some ops."""
    operations: Counter[Work] = Counter()
    unclassified: Counter[str] = Counter()
    for op in ops:
        rule, number = rule_of(op), operations_of(op)
        if rule is None or isinstance(number, Reason):
            unclassified[op.packet] += 1
        else:
            operations[rule.work] += number
    return Tally(operations, unclassified)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of some tallies."""
    operations: Counter[Work] = Counter()
    unclassified: Counter[str] = Counter()
    for part in tallies:
        operations.update(part.operations)
        unclassified.update(part.unclassified)
    return Tally(operations, unclassified)


def operations_of(op: Op) -> int | Reason:
    """How many operations of its class an op does, in the unit of UNITS, or why that is not known."""
    rule = rule_of(op)
    if rule is None or rule.work is Work.MAC:
        return op_macs(op)
    if op.is_view or not op.outputs:
        return 0
    if rule.operations is not None:
        return ask(f"the rule of {op.packet}", rule.operations, op)
    if rule.work in (Work.REDUCTION, Work.COMPARISON, Work.NORMALISATION):
        return max(_first_input(op), numel(op.outputs[0].shape))
    return numel(op.outputs[0].shape)


def _first_input(op: Op) -> int:
    return next((numel(ref.shape) for ref in op.inputs), 0)


# --- bytes ---------------------------------------------------------------------------------------------------------


def moved_bytes(op: Op) -> int | None:
    """Bytes that an op moves to and from memory if nothing stays in a cache; None if nothing is known about the op.

    It reads every tensor that goes in once and writes every result once. An op that only moves data (copy, look-up,
    concatenation) reads as much as it writes, whatever the size of the table it looks into; one that creates data
    reads nothing; a view moves nothing.

    Source: Williams, Waterman & Patterson 2009, "Roofline"; the compulsory traffic of each op on its own.
    """
    rule = rule_of(op)
    if rule is None:
        return None
    if op.is_view:
        return 0
    written = _bytes(op.outputs)
    if rule.work is Work.CREATION:
        return written
    return 2 * written if rule.work is Work.MOVEMENT else _bytes(op.inputs) + written


def _bytes(refs: Iterable[TensorRef]) -> int:
    """Bytes of all tensors, each once however often the op takes it."""
    return sum({ref.value: ref.nbytes for ref in refs}.values())
