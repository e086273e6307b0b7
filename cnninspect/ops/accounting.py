"""All the arithmetic of a run by class of work, multiply-accumulates and everything else, each in a unit of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from cnninspect.ops.base import NoFormula, Work, as_tuple, numel, rule_of
from cnninspect.ops.evaluate import op_macs
from cnninspect.report.quantities import Status
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


def account(trace: Trace) -> list[Tally]:
    """One Tally per call of the trace, in its order: the ops that it ran itself, calls below it excluded."""
    return [tally(trace.ops[index] for index in call.ops) for call in trace.calls]


def tally(ops: Iterable[Op]) -> Tally:
    """The operations of some ops."""
    operations: Counter[Work] = Counter()
    unclassified: Counter[str] = Counter()
    for op in ops:
        rule, number = rule_of(op), operations_of(op)
        if rule is None or number is None:
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


def operations_of(op: Op) -> int | None:
    """How many operations of its class an op does, in the unit of UNITS; None if nothing is known about the op."""
    rule = rule_of(op)
    if rule is None:
        return None
    if rule.work is Work.MAC:
        return op_macs(op)
    if op.is_view or not op.outputs:
        return 0
    if op.packet in _WINDOWS:
        try:
            return _WINDOWS[op.packet](op)
        except NoFormula:
            return None
    if rule.work in (Work.REDUCTION, Work.COMPARISON, Work.NORMALISATION):
        return max(_first_input(op), numel(op.outputs[0].shape))
    return numel(op.outputs[0].shape)


def _first_input(op: Op) -> int:
    return next((numel(ref.shape) for ref in op.inputs), 0)


def _fixed_windows(op: Op) -> int:
    """Output elements times the taps of the kernel, those on padding included."""
    kernel = as_tuple(op.args[1], 3 if "3d" in op.packet else 2)
    return numel(op.outputs[0].shape) * prod(kernel)


def _adaptive_windows(op: Op) -> int:
    """The elements of all windows: along an axis, output i covers floor(i in/out) to ceil((i+1) in/out) - 1.

    Source: torch.nn.AdaptiveAvgPool2d; each output averages the inputs that its share of the axis touches.
    """
    (source, *_), target = op.inputs, op.outputs[0].shape
    axes = 3 if "3d" in op.packet else 2
    covered = [
        sum(-(-(index + 1) * size // out) - index * size // out for index in range(out))
        for size, out in zip(source.shape[-axes:], target[-axes:], strict=True)
    ]
    return numel(target[:-axes]) * prod(covered)


def _added_in(op: Op) -> int:
    """The elements of the tensor that is added in, the last argument."""
    added = [ref for ref in op.args if isinstance(ref, TensorRef)][-1]
    return numel(added.shape)


def _bags(op: Op) -> int:
    """The rows that are looked up, times their length."""
    weight, indices = op.args[0], op.args[1]
    return numel(indices.shape) * int(weight.shape[-1])


def _pairs(op: Op) -> int:
    """Pairs of rows times their length, for the distances of all rows of one matrix to all rows of another."""
    return numel(op.outputs[0].shape) * int(op.args[0].shape[-1])


_WINDOWS: dict[str, Callable[[Op], int]] = {
    **{
        f"aten.{name}": _fixed_windows
        for name in ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d")
    },
    **{
        f"aten.{name}": _adaptive_windows
        for name in ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d")
    },
    **{f"aten.{name}{mark}": _added_in for name in ("scatter_add", "index_add") for mark in ("", "_")},
    **{f"aten.{name}": _bags for name in ("_embedding_bag", "_embedding_bag_forward_only")},
    **{f"aten.{name}": _pairs for name in ("_cdist_forward", "_pdist_forward")},
}
"""Ops that reduce or compare something else than their first input, element by element."""
