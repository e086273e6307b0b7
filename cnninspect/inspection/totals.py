"""The totals of a report: sums over leaf rows, each parameter storage once, and the memory figures.

The analytic side comes from formulas and declared shapes, the measured side from the storages that exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from math import prod

from cnninspect.inspection.findings import Findings
from cnninspect.measure.memory import held_bytes, inference_peak, real_bytes
from cnninspect.measure.storages import Held
from cnninspect.ops.evaluate import MADE_ANEW, PACKED
from cnninspect.ops.registry import fused_kinds
from cnninspect.report.quantities import Quantity, Status, Unit, in_flops, item_size, judge, one_sided
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField
from cnninspect.report.sums import total_of
from cnninspect.trace.records import Call, State, TensorRef, Trace, takes_packed

STORAGE = "storage"
"""The counter that walks the storages of the model's own tensors."""

NOT_LISTED = "a plain function does not list its tensors, so their storages are not walked"
SHARED = "tensors share a part of their storage: declared shapes do not say how much they hold together"
UNWALKED = "the memory of a tensor cannot be walked (a sparse one?)"
SHAPELESS = "no formula gives the output shape of a layer with parameters"
ONE_SOURCE = "lifetimes of storages are measured; no formula gives the peak"


def totals(findings: Findings, field: ReceptiveField) -> dict[str, Quantity | ReceptiveField]:
    """The contract's totals, the other Keras-style memory figures, and the peaks of memory."""
    trace, held = findings.trace, findings.held
    macs, of_model = findings.whole.macs, held_totals(findings)
    activations = _activation_bytes(findings)
    inputs = sum(prod(ref.shape) * item_size(ref.dtype) for ref in trace.inputs.values())
    input_bytes = judge(Unit.BYTES, inputs, {STORAGE: held.input_bytes})
    return {
        **{name: number for name, number in of_model.items() if name != "params_bytes"},
        "macs": macs,
        "flops": in_flops(macs),
        "neurons": findings.whole.neurons,
        "params_bytes": of_model["params_bytes"],
        "activation_bytes": activations,
        "input_bytes": input_bytes,
        "total_bytes": _together([of_model["params_bytes"], activations, input_bytes]),
        **_peaks(trace, packed=held.packed),
        "receptive_field": field,
    }


def held_totals(findings: Findings) -> dict[str, Quantity]:
    """The totals of a model that need no run: its parameters and buffers."""
    trace, held = findings.trace, findings.held
    return {
        "params": _all_params(findings),
        "trainable_params": _elements(Unit.PARAMS, trainable(trace), held.trainable, findings),
        "buffers": _elements(Unit.ELEMENTS, trace.buffers.values(), held.buffers, findings),
        "params_bytes": bytes_of(trace.parameters.values(), held.parameters, findings),
    }


def trainable(trace: Trace) -> list[State]:
    """The parameters that require a gradient."""
    return [state for state in trace.parameters.values() if state.trainable]


def _all_params(findings: Findings) -> Quantity:
    """Every parameter once, used or not: the sum of the formulas and of unread parameters, judged against storages.

    A plain function has the parameters that its ops read.
    """
    used = findings.whole.params
    if not findings.held.of_module:
        return used
    analytic = None if used.analytic is None else used.analytic + sum(findings.trace.unread.values())
    held = findings.held.parameters
    return _against(Unit.PARAMS, analytic, None if held is None else held.elements, findings, used.why)


def _elements(unit: Unit, states: Iterable[State], held: Held | None, findings: Findings) -> Quantity:
    """Elements by declared shape against those of the storages."""
    whole = _unshared(states)
    declared = None if whole is None else sum(state.elements for state in whole)
    return _against(unit, declared, None if held is None else held.elements, findings)


def bytes_of(states: Iterable[State], held: Held | None, findings: Findings) -> Quantity:
    """Bytes by declared shape and dtype against those of the storages."""
    whole = _unshared(states)
    declared = None if whole is None else sum(state.elements * item_size(state.dtype) for state in whole)
    return _against(Unit.BYTES, declared, None if held is None else held.nbytes, findings)


def _unshared(states: Iterable[State]) -> list[State] | None:
    """The states without second names of the same elements; None where some share a part of their elements."""
    found = [state for state in states if state.fresh or not prod(state.shape)]
    return found if all(state.fresh == state.elements for state in found) else None


def _against(
    unit: Unit, declared: int | None, walked: int | None, findings: Findings, why: tuple[Reason, ...] = ()
) -> Quantity:
    """The declared number judged against that of the storages; `why` has the reason if one of them is missing."""
    if not findings.held.of_module:
        return one_sided(unit, NOT_LISTED, analytic=declared)
    if (anew := findings.trace.made_anew) and unit is not Unit.ELEMENTS:
        return Quantity(None, unit, Status.UNKNOWN, why=(Reason(Cause.NOT_COVERED, f"{MADE_ANEW} ({anew[0]})"),))
    if findings.held.packed and unit is not Unit.ELEMENTS:
        return replace(judge(unit, None, {}), why=(Reason(Cause.NOT_COVERED, PACKED),))
    if declared is None:
        why += () if why else (Reason(Cause.NOT_COVERED, SHARED),)
    if walked is None:
        why += (Reason(Cause.NOT_MEASURED, UNWALKED),)
    return replace(judge(unit, declared, {} if walked is None else {STORAGE: walked}), why=why)


def _activation_bytes(findings: Findings) -> Quantity:
    """Keras-style: the outputs of layers with parameters, twice (forward and backward pass)."""
    calls = [call for call in findings.trace.calls if findings.is_leaf(call) and _has_params(call, findings)]
    measured = 2 * sum(real_bytes(ref) for call in calls for ref in call.outputs)
    predicted = [
        (shape, ref.dtype)
        for call in calls
        for ref, shape in zip_longest(call.outputs, findings.estimates[call.index].shapes[: len(call.outputs)])
    ]
    known = [prod(shape) * item_size(dtype) for shape, dtype in predicted if shape is not None]
    if len(known) == len(predicted):
        return judge(Unit.BYTES, 2 * sum(known), {"hooks": measured})
    return replace(judge(Unit.BYTES, None, {"hooks": measured}), why=(Reason(Cause.NO_FORMULA, SHAPELESS),))


def _together(parts: Sequence[Quantity]) -> Quantity:
    """The sum of parts that different counters measured; not measured if one of the parts is not."""
    found = [next(iter(part.measured.values()), None) for part in parts]
    measured = sum(number for number in found if number is not None)
    return replace(total_of(Unit.BYTES, parts), measured={} if None in found else {STORAGE: measured})


def decomposed(trace: Trace) -> list[str]:
    """The paths of layers that ran op by op on meta: their peak memory is not that of a real device."""
    fused = fused_kinds() if trace.device == "meta" else set()
    return [call.path for call in trace.calls if (call.layer or call.kind) in fused]


def _peaks(trace: Trace, *, packed: bool) -> dict[str, Quantity]:
    """Bytes of a forward pass: the peak of activations, and that peak with parameters, buffers and inputs.

    A reason marks peaks that hold only for meta. Packed weights are not measured: `peak_memory` is then a lower bound.
    """
    activations = inference_peak(trace).nbytes
    parts = {**held_bytes(trace), "activations": activations}
    reasons = {"storages": "meta runs recurrent layers op by op; --device cpu measures the fused kernel"}
    reasons = reasons if decomposed(trace) else {}
    peak = one_sided(Unit.BYTES, ONE_SOURCE, measured={"storages": activations})
    memory = one_sided(Unit.BYTES, ONE_SOURCE, measured={"storages": sum(parts.values())}, parts=parts)
    if packed:
        memory = replace(memory, status=Status.LOWER_BOUND, why=(*memory.why, Reason(Cause.NOT_MEASURED, PACKED)))
    return {
        "peak_activation_bytes": replace(peak, reasons=reasons),
        "peak_memory": replace(memory, reasons=reasons),
    }


def _has_params(call: Call, findings: Findings) -> bool:
    """Whether this leaf computes with parameters or packed weights; a second use of a shared layer has outputs too."""
    held: list[TensorRef] = call.inputs if call.functional else []
    reads = any(ref.state in findings.trace.parameters for ref in held)
    return takes_packed(call) or bool(call.state) or (reads and findings.estimates[call.index].computes)
