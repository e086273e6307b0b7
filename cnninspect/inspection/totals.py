"""The totals of a report: sums over leaf rows, each parameter storage once, and the memory figures."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from cnninspect.inspection.findings import Findings
from cnninspect.measure.memory import held_bytes, inference_peak, taken_apart
from cnninspect.report.field import ReceptiveField
from cnninspect.report.quantities import Quantity, Unit, in_flops, item_size
from cnninspect.report.verdicts import judge
from cnninspect.trace.records import Call, State, TensorRef, Trace


def totals(findings: Findings, field: ReceptiveField) -> dict[str, Quantity | ReceptiveField]:
    """The contract's totals; beside them the other Keras-style memory figures, and what is alive at once at most."""
    trace = findings.trace
    macs = findings.numbers[0].macs
    params_bytes = _bytes_of_states(trace.parameters)
    activations = _activation_bytes(findings)
    inputs = sum(prod(ref.shape) * item_size(ref.dtype) for ref in trace.inputs.values())
    total = (params_bytes.value or 0) + (activations.value or 0) + inputs
    return {
        "params": _all_params(findings),
        "trainable_params": _declared({name: state for name, state in trace.parameters.items() if state.trainable}),
        "buffers": _declared(trace.buffers, Unit.ELEMENTS),
        "macs": macs,
        "flops": in_flops(macs),
        "neurons": findings.numbers[0].neurons,
        "params_bytes": params_bytes,
        "activation_bytes": activations,
        "input_bytes": judge(Unit.BYTES, inputs, {"hooks": inputs}),
        "total_bytes": judge(Unit.BYTES, total, {"storage": total}),
        **_peaks(trace),
        "receptive_field": field,
    }


def _all_params(findings: Findings) -> Quantity:
    """Every parameter of the model once, used or not: the rows' closed forms and the declared shapes of the rest."""
    trace = findings.trace
    measured = sum(state.fresh for state in trace.parameters.values())
    used = findings.estimates[0].params
    idle = sum(trace.unread.values())
    return judge(Unit.PARAMS, None if used is None else used + idle, {"storage": measured})


def _declared(states: Mapping[str, State], unit: Unit = Unit.PARAMS) -> Quantity:
    """Elements by declared shape against elements in storage."""
    analytic = sum(prod(state.shape) for state in states.values())
    return judge(unit, analytic, {"storage": sum(state.fresh for state in states.values())})


def _bytes_of_states(states: Mapping[str, State]) -> Quantity:
    analytic = sum(prod(state.shape) * item_size(state.dtype) for state in states.values())
    return judge(
        Unit.BYTES, analytic, {"storage": sum(state.fresh * item_size(state.dtype) for state in states.values())}
    )


def _activation_bytes(findings: Findings) -> Quantity:
    """Keras-style: the outputs of layers with parameters, twice (forward and backward pass)."""
    calls = [call for call in findings.trace.calls if findings.is_leaf(call) and _has_params(call, findings)]
    measured = 2 * sum(prod(ref.shape) * item_size(ref.dtype) for call in calls for ref in call.outputs)
    analytic: int | None = 0
    for call in calls:
        for ref, shape in zip(call.outputs, findings.estimates[call.index].shapes, strict=False):
            analytic = None if shape is None or analytic is None else analytic + prod(shape) * item_size(ref.dtype)
    return judge(Unit.BYTES, None if analytic is None else 2 * analytic, {"hooks": measured})


def _peaks(trace: Trace) -> dict[str, Quantity]:
    """What a device must hold for a forward pass: activations at the fullest moment, and what is there all the time.

    A reason says where this is true of meta alone.
    """
    activations = inference_peak(trace).nbytes
    parts = {**held_bytes(trace), "activations": activations}
    reasons = {"storages": "meta takes recurrent layers apart, --device cpu measures a kernel's"}
    reasons = reasons if taken_apart(trace) else {}
    measured = {"storages": activations}
    return {
        "peak_activation_bytes": Quantity(activations, Unit.BYTES, measured=measured, reasons=reasons),
        "peak_memory": Quantity(sum(parts.values()), Unit.BYTES, reasons=reasons, parts=parts),
    }


def _has_params(call: Call, findings: Findings) -> bool:
    """Whether this leaf computes with parameters; a second use of a shared layer has outputs too."""
    held: list[TensorRef] = call.inputs if call.functional else []
    reads = any(ref.state in findings.trace.parameters for ref in held)
    return bool(call.state) or (reads and findings.estimates[call.index].computes)
