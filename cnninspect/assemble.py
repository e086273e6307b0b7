"""Join what the formulas say with what the counters found: one row per call, each number with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from math import prod

from cnninspect.counters.base import Count
from cnninspect.counters.explain import explain
from cnninspect.formulas.base import FUNCTIONS
from cnninspect.formulas.evaluate import Estimate, multiplies
from cnninspect.quantities import Quantity, Shape, Status, Unit, Verdict, in_flops, total_status
from cnninspect.report import ReceptiveField, Row
from cnninspect.trace.records import Call, Trace
from cnninspect.verdicts import judge, worst


@dataclass(frozen=True)
class Findings:
    """Everything that is known about one run, before it is judged."""

    trace: Trace
    estimates: Sequence[Estimate]
    counts: Mapping[str, Sequence[Count]]
    fields: Sequence[ReceptiveField | None]
    batch: int = 1

    def is_leaf(self, call: Call) -> bool:
        """Whether no row lies below this call."""
        return call.index not in self.trace.children

    @cached_property
    def calls_below(self) -> dict[int, list[int]]:
        """For every call the calls at or below it, in order."""
        found: dict[int, list[int]] = {call.index: [] for call in self.trace.calls}
        for call in self.trace.calls:
            above: int | None = call.index
            while above is not None:
                found[above].append(call.index)
                above = self.trace.calls[above].parent
        return found

    @cached_property
    def leaves_below(self) -> dict[int, list[int]]:
        """For every call the leaf calls at or below it, in order."""
        leaves = {call.index for call in self.trace.calls if self.is_leaf(call)}
        return {index: [below for below in calls if below in leaves] for index, calls in self.calls_below.items()}


def rows(findings: Findings) -> tuple[Row, ...]:
    """One row per call of the trace, in the order in which they started."""
    return tuple(_row(call, findings) for call in findings.trace.calls)


def _row(call: Call, findings: Findings) -> Row:
    estimate = findings.estimates[call.index]
    has_output = bool(call.outputs)
    macs = macs_of(call, findings) if has_output else None
    return Row(
        path=call.path,
        call=call.number,
        kind=call.kind,
        depth=call.depth,
        leaf=findings.is_leaf(call),
        functional=call.functional,
        hyperparameters=call.hyperparameters or estimate.hyper,
        input_shapes=tuple(ref.shape for ref in call.inputs),
        output_shape=_shape(call, estimate) if has_output else None,
        params=params_of(call, findings) if has_output else None,
        macs=macs,
        flops=None if macs is None else in_flops(macs),
        neurons=neurons_of(call, findings) if has_output else None,
        receptive_field=findings.fields[call.index] if has_output else None,
        computes=estimate.computes,
        layer_like=not call.functional or call.kind in FUNCTIONS or estimate.computes,
        parent=call.parent,
    )


def _shape(call: Call, estimate: Estimate) -> Quantity:
    measured = tuple(ref.shape for ref in call.outputs)
    known = len(estimate.shapes) == len(measured) and None not in estimate.shapes
    return judge(Unit.SHAPE, estimate.shapes if known else None, {"hooks": measured})


def params_of(call: Call, findings: Findings) -> Quantity:
    """Parameters at their first use: the closed forms against the elements of the storages that were read."""
    measured = sum(first_read(findings.trace.calls[index]) for index in findings.leaves_below[call.index])
    return judge(Unit.PARAMS, findings.estimates[call.index].params, {"storage": measured})


def first_read(call: Call) -> int:
    """Elements of parameters that a leaf call is the first to read."""
    read_by_function = sum(ref.fresh for ref in call.inputs) if call.functional else 0
    return read_by_function + sum(state.fresh for state in call.state.values())


def macs_of(call: Call, findings: Findings) -> Quantity:
    """The formula's multiply-accumulates against every counter's, of one leaf or of all leaves below a container."""
    if findings.is_leaf(call):
        return _leaf_macs(call, findings)
    estimate = findings.estimates[call.index]
    parts = [_leaf_macs(findings.trace.calls[index], findings) for index in findings.leaves_below[call.index]]
    measured = _sum_measured(call, findings)
    whole = judge(Unit.MACS, estimate.macs, measured, status=estimate.status)
    if call.base is not None and whole.verdict is Verdict.DIFFER:
        return whole
    verdict = worst(part.verdict for part in parts)
    return Quantity(whole.value, Unit.MACS, estimate.status, estimate.macs, measured, verdict, _all_reasons(parts))


def _sum_measured(call: Call, findings: Findings) -> dict[str, int]:
    """What each counter found in this call and below; a counter that could attribute nothing to any is left out."""
    below = findings.calls_below[call.index]
    found = {name: [counts[index].value for index in below] for name, counts in findings.counts.items()}
    return {
        name: sum(value or 0 for value in values)
        for name, values in found.items()
        if any(value is not None for value in values)
    }


def _all_reasons(parts: Sequence[Quantity]) -> dict[str, str]:
    """Every reason that holds in some part, once."""
    single: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, reason in part.reasons.items():
            single.setdefault(name, {}).update(dict.fromkeys(reason.split("; ")))
    return {name: "; ".join(reasons) for name, reasons in single.items()}


def _leaf_macs(call: Call, findings: Findings) -> Quantity:
    estimate = findings.estimates[call.index]
    counts = {name: found[call.index] for name, found in findings.counts.items()}
    measured = {name: count.value for name, count in counts.items() if count.value is not None}
    reasons: dict[str, str] = {}
    for name, count in counts.items():
        if estimate.macs is not None and (reason := explain(name, count, estimate.macs, multiplies)):
            reasons[name] = reason
    return judge(Unit.MACS, estimate.macs, measured, status=estimate.status, reasons=reasons)


def neurons_of(call: Call, findings: Findings) -> Quantity:
    """Output elements per sample of a leaf that computes, 0 for one that moves data; sums for containers.

    Indices and masks, which have no floating dtype, are no neurons.
    """
    measured: list[Shape] = []
    predicted: list[Shape | None] = []
    for index in findings.leaves_below[call.index]:
        estimate = findings.estimates[index]
        outputs = findings.trace.calls[index].outputs if estimate.computes else ()
        for ref, shape in zip_longest(outputs, estimate.shapes[: len(outputs)]):
            if ref.dtype.startswith(("float", "bfloat", "complex")):
                measured.append(ref.shape)
                predicted.append(shape)
    known = [shape for shape in predicted if shape is not None]
    analytic = _elements(known, findings.batch) if len(known) == len(predicted) else None
    return judge(Unit.ELEMENTS, analytic, {"hooks": _elements(measured, findings.batch)})


def _elements(shapes: Sequence[Shape], batch: int) -> int:
    """Elements per sample; a tensor whose size the batch does not divide is not made of samples."""
    return sum(prod(shape) // batch if prod(shape) % batch == 0 else prod(shape) for shape in shapes)


def sum_status(parts: Sequence[Quantity]) -> Status:
    """The status of the sum of some rows' numbers."""
    return total_status([part.status for part in parts])
