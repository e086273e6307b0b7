"""What a reader must know about the totals: ops no formula covers, counters that missed work, parts that never ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cnninspect.inspection.findings import Findings
from cnninspect.inspection.totals import decomposed
from cnninspect.ops.rules import numel
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.reasons import Reason
from cnninspect.report.rows import Uncounted

_LISTED = 3


def uncounted(findings: Findings) -> tuple[Uncounted, ...]:
    """The ops whose multiply-accumulates nobody counted, with their number of calls and rows."""
    calls: dict[str, int] = {}
    where: dict[str, list[str]] = {}
    for call in findings.trace.calls:
        if findings.is_leaf(call):
            for op in findings.estimates[call.index].missing:
                calls[op] = calls.get(op, 0) + 1
                where.setdefault(op, []).append(call.path)
    return tuple(Uncounted(op, number, tuple(dict.fromkeys(where[op]))) for op, number in calls.items())


def notes_of(findings: Findings) -> Iterator[str]:
    """One sentence for each thing that the numbers alone do not say."""
    trace = findings.trace
    if trace.gradients:
        yield "run with gradients on, because the model takes gradients in its forward, or does not run without them."
    unread = [name for name in trace.unread if not any(name.startswith(f"{path}.") for path in trace.never_ran)]
    if trace.never_ran:
        counted = "; totals.params counts their parameters" if len(unread) < len(trace.unread) else ""
        yield f"{_count(trace.never_ran, 'module')} never ran: {_some(trace.never_ran)}{counted}."
    parts = [name for name in unread if trace.unread[name] < numel(trace.parameters[name].shape)]
    if idle := [name for name in unread if name not in parts]:
        yield f"{_count(idle, 'parameter')} not used in this pass: {_some(idle)}; totals.params counts them."
    if parts:
        yield f"{_count(parts, 'parameter')} used only in part: {_some(parts)}; totals.params counts them whole."
    if trace.unregistered:
        yield (
            f"{trace.unregistered:,} elements of parameters are used that the model does not register "
            "(layers in a plain list or dictionary?); they are not counted."
        )
    yield from _unknown(findings)
    if paths := decomposed(trace):
        whole = "--device cpu measures the fused kernel"
        yield f"peak memory of {_some(paths)} is that of the decomposed run on meta; {whole}."
    yield from _failed(findings)
    yield from _explained(findings)


def note_of_masks(masked: Mapping[str, int | None], params: Quantity) -> str | None:
    """What masks set to 0, which params and MACs count all the same; None without masks."""
    zeros = [number for number in masked.values() if number is not None]
    if not masked:
        return None
    some = f"{sum(zeros):,}" if len(zeros) == len(masked) else "some"
    whole = f"{params.value:,}" if isinstance(params.value, int) else "all"
    return (
        f"{some} of {whole} parameters are 0 by masks of torch.nn.utils.prune ({_some(list(masked))}); "
        "params and MACs count them."
    )


def _unknown(findings: Findings) -> Iterator[str]:
    """Why numbers of rows are unknown or a bound: each reason once, with the numbers and the rows that it concerns."""
    numbers: dict[Reason, dict[str, None]] = {}
    paths: dict[Reason, dict[int, str]] = {}
    for call, estimate, field in zip(findings.trace.calls, findings.estimates, findings.fields, strict=True):
        why = {
            "MACs": estimate.why.macs,
            "params": estimate.why.params,
            "output shape": estimate.why.shapes if findings.is_leaf(call) else (),
            "receptive field": field.why if field is not None and field.status is Status.UNKNOWN else (),
        }
        for number, reasons in why.items():
            for reason in reasons:
                numbers.setdefault(reason, {})[number] = None
                paths.setdefault(reason, {})[call.index] = call.path
    for reason, rows in paths.items():
        what = " and ".join(numbers[reason])
        yield f"{what} unknown in {_count(list(rows), 'row')} ({_some(list(rows.values()))}): {reason}."


def _failed(findings: Findings) -> Iterator[str]:
    """Why a counter could not work at all."""
    for name, counts in findings.counts.items():
        if all(count.value is None for count in counts):
            yield f"{name} did not count: {'; '.join(map(str, counts[0].skips))}."


def _explained(findings: Findings) -> Iterator[str]:
    """Where a counter differs for a known reason, and whether another one checks the formula there."""
    rows: dict[tuple[str, bool], list[str]] = {}
    for call in findings.trace.calls:
        if findings.is_leaf(call):
            macs = findings.numbers[call.index].macs
            for reason in macs.reasons.values():
                rows.setdefault((reason, macs.verdict is Verdict.NOT_COUNTED), []).append(call.path)
    for (reason, unchecked), paths in rows.items():
        yield f"{reason}: {_count(paths, 'row')}{' not compared' if unchecked else ''} ({_some(paths)})."


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) > 1 else ''}"


def _some(names: Sequence[str]) -> str:
    items = list(dict.fromkeys(names))
    shown = ", ".join(item or "the root" for item in items[:_LISTED])
    return f"{shown} and {len(items) - _LISTED} more" if len(items) > _LISTED else shown
