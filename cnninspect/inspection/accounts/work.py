"""Accounts of work beside MACs: operations by class, rows for ATen ops, conventions of counters, bytes moved, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected, in_all, inclusive
from cnninspect.measure.base import COUNTERS, Count, MacCounter, doubt, explain
from cnninspect.measure.timing import Clock, Latency, measure_latency
from cnninspect.ops.accounting import UNITS, Tally, moved_bytes, operations_of, tallies_of
from cnninspect.ops.evaluate import multiplies, op_macs
from cnninspect.ops.registry import Work, rule_of
from cnninspect.report.document import Report
from cnninspect.report.parts import CounterConvention, Machine, Timing
from cnninspect.report.quantities import Quantity, Status, Unit, in_flops, judge, not_confirmed, one_sided
from cnninspect.report.reasons import Reason, distinct
from cnninspect.report.rows import Row, Uncounted
from cnninspect.report.sums import intensity, speed, with_ratios
from cnninspect.trace.records import Op, Trace

NO_BYTES = "no counter measures the bytes that kernels move"
NO_SECONDS = "no formula says how long a device takes"
UNCOUNTED = "no counter measures operations beside multiply-accumulates"


@dataclass(frozen=True)
class Operations:
    """Adds the operations that are no multiply-accumulates."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`element_operations` of every row and in total, by class of work, and the ops that have none."""
        tallies = tallies_of(inspected.trace)
        numbers = inclusive(inspected.trace, Unit.OPERATIONS, [_quantity(tally) for tally in tallies])
        classes = {work.value: unit for work, unit in UNITS.items()}
        return Addition(
            rows=[{"element_operations": number} for number in numbers],
            totals={"element_operations": in_all(inspected.trace, Unit.OPERATIONS, numbers)},
            parts=lambda report: replace(report, classes=classes),
            uncounted=_unclassified(inspected.trace, tallies),
        )


def _quantity(tally: Tally) -> Quantity:
    total = tally.element_operations
    parts = {work.value: tally.operations[work] for work in Work if work in tally.operations and _is_other(work)}
    return one_sided(Unit.OPERATIONS, UNCOUNTED, analytic=total, status=tally.status, parts=parts)


def _is_other(work: Work) -> bool:
    return work.computes and work is not Work.MAC


def _unclassified(trace: Trace, tallies: Sequence[Tally]) -> tuple[Uncounted, ...]:
    """Every op without a class or count, with the rows that ran it."""
    calls: dict[str, int] = {}
    rows: dict[str, dict[str, None]] = {}
    for call, tally in zip(trace.calls, tallies, strict=True):
        for op, times in tally.unclassified.items():
            calls[op] = calls.get(op, 0) + times
            rows.setdefault(op, {})[call.path] = None
    return tuple(Uncounted(op, times, tuple(rows[op]), "element_operations") for op, times in calls.items())


@dataclass(frozen=True)
class Conventions:
    """Adds the convention of every registered counter, also of one that did not run."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`counters` in the document: for each its convention, and its own total or why it failed."""
        measured, counts = inspected.findings.whole.macs.measured, inspected.findings.counts
        about = {name: _about(entry, measured.get(name), counts.get(name, ())) for name, entry in COUNTERS.items()}
        return Addition(parts=lambda report: replace(report, counters=about))


def _about(entry: MacCounter, macs: int | None, counts: Sequence[Count]) -> CounterConvention:
    failed = "; ".join(map(str, counts[0].skips)) if counts and all(count.value is None for count in counts) else None
    own_total = None if macs is None else entry.convention.own(macs)
    return CounterConvention(entry.convention.unit, own_total, entry.needs_kernels, failed)


@dataclass(frozen=True)
class ByOp:
    """Adds rows for ATen ops."""

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
    """Whether a counter uses ATen names for the ops that it counts."""
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
    """The MACs of an op by its rule, judged against every counter."""
    found = [op_macs(op) for op in ops]
    least = sum(number for number in found if not isinstance(number, Reason))
    why = _reasons(found)
    status = Status.EXACT if not why else Status.LOWER_BOUND if least else Status.UNKNOWN
    analytic = None if status is Status.UNKNOWN else least
    measured: dict[str, int] = {}
    reasons: dict[str, str] = {}
    doubts: dict[str, str] = {}
    for name, own in counts.items():
        count = _count_of(packet, own)
        if count is not None and not (analytic is None and count.missed):
            measured[name] = count.value or 0
            reason = explain(name, count, least, multiplies) if count.value != analytic else None
            reasons |= {name: reason} if reason else {}
            chance = doubt(name, count, least, multiplies)
            doubts |= {name: chance} if chance else {}
    return not_confirmed(judge(Unit.MACS, analytic, measured, status=status, reasons=reasons, why=why), doubts)


def _count_of(packet: str, counts: Sequence[Count]) -> Count | None:
    """The count of one op over all calls; None if the counter knows no op of this name."""
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


# --- bytes and seconds --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traffic:
    """Adds bytes moved; `peak_flops` and `bandwidth` are limits of the machine, in FLOPs and bytes per second."""

    peak_flops: int | None = None
    bandwidth: int | None = None
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`bytes_moved` of every row and in total."""
        ops = inspected.trace.ops
        own = [traffic_of([ops[index] for index in call.ops]) for call in inspected.trace.calls]
        moved = inclusive(inspected.trace, Unit.BYTES, own)
        whole = in_all(inspected.trace, Unit.BYTES, moved)
        totals = {"bytes_moved": whole, "intensity": intensity(inspected.findings.whole.macs, whole)}
        return Addition([{"bytes_moved": bytes_} for bytes_ in moved], totals, self._with_machine)

    def _with_machine(self, report: Report) -> Report:
        if self.peak_flops is None or self.bandwidth is None:
            return report
        return replace(report, machine=Machine(self.peak_flops, self.bandwidth))


def traffic_of(ops: Sequence[Op]) -> Quantity:
    """Bytes that these ops move; a lower bound if nothing is known about one of them."""
    known = [moved_bytes(op) for op in ops]
    total = sum(number for number in known if number is not None)
    status = Status.LOWER_BOUND if None in known else Status.EXACT
    return one_sided(Unit.BYTES, NO_BYTES, analytic=total, status=status)


@dataclass(frozen=True)
class Time:
    """`repeats` timed runs after `warmup` others; `clock` is the device's own unless it is given."""

    warmup: int = 3
    repeats: int = 20
    clock: Clock | None = None
    needs_kernels: ClassVar[bool] = True

    def __call__(self, inspected: Inspected) -> Addition:
        """`latency` of every row that the timed runs contain, and of the whole model, timed without clocks inside."""

        def progress(done: int, of: int) -> None:
            inspected.progress("timing", done, of)

        timing = measure_latency(
            inspected.run, warmup=self.warmup, repeats=self.repeats, clock=self.clock, progress=progress
        )
        rows = [{} if latency is None else _numbers(latency) for latency in timing.calls]
        totals = _numbers(timing.total)
        totals["flops_per_second"] = speed(inspected.findings.whole.macs, totals["latency"])
        runs = Timing(self.warmup, self.repeats)
        return Addition(rows, totals, lambda report: replace(report, timing=runs))


def _numbers(latency: Latency) -> dict[str, Quantity]:
    """The median, and the distance between the quartiles."""
    return {
        "latency": one_sided(Unit.SECONDS, NO_SECONDS, measured={"clock": latency.median}),
        "latency_spread": one_sided(Unit.SECONDS, NO_SECONDS, measured={"clock": latency.spread}),
    }
