"""Join what the formulas say with what the counters found: one row per call, each number with its verdict."""

from __future__ import annotations

from cnninspect.inspection.findings import Findings
from cnninspect.ops.evaluate import Estimate
from cnninspect.ops.registry import FUNCTIONS
from cnninspect.report.quantities import Quantity, Unit, in_flops, judge
from cnninspect.report.rows import Row
from cnninspect.trace.records import Call


def rows(findings: Findings) -> tuple[Row, ...]:
    """One row per call of the trace, in the order in which they started."""
    return tuple(_row(call, findings) for call in findings.trace.calls)


def _row(call: Call, findings: Findings) -> Row:
    """The row of one call; a call without a tensor output has no numbers."""
    estimate = findings.estimates[call.index]
    numbers = findings.numbers[call.index] if call.outputs else None
    return Row(
        path=call.path,
        call=call.number,
        kind=call.kind,
        depth=call.depth,
        leaf=findings.is_leaf(call),
        functional=call.functional,
        hyperparameters=call.hyperparameters or estimate.hyper,
        input_shapes=tuple(ref.shape for ref in call.inputs),
        output_shape=_shape(call, estimate) if call.outputs else None,
        params=None if numbers is None else numbers.params,
        macs=None if numbers is None else numbers.macs,
        flops=None if numbers is None else in_flops(numbers.macs),
        neurons=None if numbers is None else numbers.neurons,
        receptive_field=findings.fields[call.index] if call.outputs else None,
        computes=estimate.computes,
        layer_like=not call.functional or _is_function_of_a_layer(call) or estimate.computes,
        parent=call.parent,
        where=call.where,
    )


def _is_function_of_a_layer(call: Call) -> bool:
    return call.kind in FUNCTIONS and FUNCTIONS[call.kind][0].layer_like


def _shape(call: Call, estimate: Estimate) -> Quantity:
    measured = tuple(ref.shape for ref in call.outputs)
    known = len(estimate.shapes) == len(measured) and None not in estimate.shapes
    why = () if known else estimate.why.shapes
    return judge(Unit.SHAPE, estimate.shapes if known else None, {"hooks": measured}, why=why)
