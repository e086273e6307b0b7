"""The same run by ATen op: how often each ran, its class of work, what it multiplies, computes and moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected
from cnninspect.inspection.accounts.operations import UNCOUNTED
from cnninspect.inspection.accounts.speed import traffic_of
from cnninspect.measure.base import Count
from cnninspect.measure.explain import explain
from cnninspect.ops.accounting import operations_of
from cnninspect.ops.evaluate import multiplies, op_macs
from cnninspect.ops.registry import rule_of
from cnninspect.report.quantities import Quantity, Status, Unit, in_flops, judge, one_sided
from cnninspect.report.reasons import Reason, distinct
from cnninspect.report.rows import Row
from cnninspect.report.sums import with_ratios
from cnninspect.trace.records import Op


@dataclass(frozen=True)
class ByOp:
    """Rows for ops, beside those for layers."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`ops` in the document: a row for every ATen op that ran, in the order of their first run."""
        ran: dict[str, list[Op]] = {}
        for op in inspected.trace.ops:
            ran.setdefault(op.packet, []).append(op)
        counts = {name: found for name, found in inspected.findings.counts.items() if _names_them(found, ran)}
        rows = tuple(_row(packet, ops, counts) for packet, ops in ran.items())
        return Addition(parts=lambda report: replace(report, ops=rows))


def _names_them(counts: Sequence[Count], ran: Mapping[str, Sequence[Op]]) -> bool:
    """Whether a counter calls the ops that it counts by their ATen names."""
    return any(op in ran for count in counts for op in count.by_op)


def _row(packet: str, ops: Sequence[Op], counts: Mapping[str, Sequence[Count]]) -> Row:
    macs, (first, *_) = _macs(packet, ops, counts), ops
    rule = rule_of(first)
    work = Quantity(rule.work.value, Unit.CLASS) if rule is not None else Quantity(None, Unit.CLASS, Status.UNKNOWN)
    row = Row(
        path="", call=0, kind=packet, depth=0, leaf=True, functional=True, hyperparameters={}, input_shapes=(),
        output_shape=None, params=None, macs=macs, flops=in_flops(macs), neurons=None, receptive_field=None,
        computes=rule is None or rule.work.computes,
        extra={
            "calls": one_sided(Unit.CALLS, "the run alone says how often an op runs", measured={"trace": len(ops)}),
            "work": work,
            "operations": _operations(ops),
            "bytes_moved": traffic_of(ops),
        },
    )  # fmt: skip
    return with_ratios(row)


def _macs(packet: str, ops: Sequence[Op], counts: Mapping[str, Sequence[Count]]) -> Quantity:
    """By the op's rule, against every counter."""
    found = [op_macs(op) for op in ops]
    least = sum(number for number in found if not isinstance(number, Reason))
    why = _reasons(found)
    status = Status.EXACT if not why else Status.LOWER_BOUND if least else Status.UNKNOWN
    analytic = None if status is Status.UNKNOWN else least
    measured: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for name, own in counts.items():
        count = _count_of(packet, own)
        if count is not None and not (analytic is None and count.missed):
            measured[name] = count.value or 0
            reason = explain(name, count, least, multiplies) if count.value != analytic else None
            reasons |= {name: reason} if reason else {}
    return judge(Unit.MACS, analytic, measured, status=status, reasons=reasons, why=why)


def _count_of(packet: str, counts: Sequence[Count]) -> Count | None:
    """What a counter found for one op in all calls; None if it knows no op of this name."""
    by_op = Counter[str]()
    for count in counts:
        by_op.update({packet: count.by_op[packet]} if packet in count.by_op else {})
    missed = any(packet == skip.op for count in counts for skip in count.skips)
    if packet not in by_op and not missed:
        return None
    return Count(by_op[packet], (packet,) if missed else (), by_op)


def _operations(ops: Sequence[Op]) -> Quantity:
    """Operations of the op's own class of work."""
    found = [operations_of(op) for op in ops]
    why = _reasons(found)
    known = [number for number in found if not isinstance(number, Reason)]
    if not known:
        return Quantity(None, Unit.OPERATIONS, Status.UNKNOWN, why=why)
    status = Status.LOWER_BOUND if why else Status.EXACT
    number = one_sided(Unit.OPERATIONS, UNCOUNTED, analytic=sum(known), status=status)
    return replace(number, why=(*number.why, *why))


def _reasons(found: Sequence[int | Reason]) -> tuple[Reason, ...]:
    return distinct(number for number in found if isinstance(number, Reason))
