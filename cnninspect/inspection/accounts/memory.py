"""Memory: bytes of outputs, peaks in inference and in training, and the state of an optimizer.

All are measured in the run or sums over its parameters; on CUDA the allocator's peaks stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected, attempted, inclusive
from cnninspect.inspection.findings import Findings
from cnninspect.inspection.totals import ONE_SOURCE, SHAPELESS, bytes_of, trainable
from cnninspect.measure.base import Run
from cnninspect.measure.memory import (
    TrainingMemory,
    held_bytes,
    inference_allocation,
    inference_peak,
    optimizer_bytes,
    own_outputs,
    parameter_bytes,
    real_bytes,
    training_allocation,
    training_memory,
)
from cnninspect.ops.evaluate import Estimate
from cnninspect.report.parts import MemoryDetails, Peak
from cnninspect.report.quantities import Quantity, Status, Unit, item_size, judge, one_sided
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.records import TensorRef, Trace

HOOKS = "hooks"
ROUNDED = "the allocator rounds up and holds what kernels use inside"
NO_STEP = "no step of an optimizer is made: its state is that of torch.optim's documentation"
UNKNOWN = Quantity(None, Unit.BYTES, Status.UNKNOWN, why=(Reason(Cause.FAILED, "the training step failed"),))


@dataclass(frozen=True)
class Memory:
    """`optimizer` is one of OPTIMIZER_STATES."""

    optimizer: str = "sgd"
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`output_bytes` of every row; in total also gradients, the optimizer's state and the peaks."""
        trace, outputs = inspected.trace, _outputs(inspected)
        optimizer = _optimizer(trace, self.optimizer)
        inspected.progress("running a training step")
        found, notes = attempted("a training step", lambda: _training_step(inspected.run))
        step, allocated = found or (None, None)
        peak = None if step is None else _peak(step.peak, allocated)
        totals = {
            "output_bytes": outputs[0],
            "gradient_bytes": _gradients(inspected.findings, step),
            "optimizer_bytes": optimizer,
            **_inference(inspected),
            "training_kept_bytes": UNKNOWN if step is None else _peak(step.kept, None),
            "training_peak_bytes": peak or UNKNOWN,
            "training_memory": _training_memory(trace, optimizer, peak),
        }
        details = MemoryDetails(self.optimizer, _peak_at(trace))
        rows = [{"output_bytes": number} for number in outputs]
        return Addition(rows, totals, lambda report: replace(report, memory=details), notes=notes)


def _outputs(inspected: Inspected) -> list[Quantity]:
    """Bytes of the outputs of every leaf; for a container those of all leaves in it."""
    findings = inspected.findings
    own = [
        _output(own, findings.estimates[call.index]) if findings.is_leaf(call) else judge(Unit.BYTES, 0, {HOOKS: 0})
        for call, own in zip(inspected.trace.calls, own_outputs(inspected.trace), strict=True)
    ]
    return inclusive(inspected.trace, Unit.BYTES, own)


def _output(own: Mapping[int, TensorRef], estimate: Estimate) -> Quantity:
    """Bytes of some of a call's outputs, by their place: of the shapes that formulas give against those of tensors."""
    shapes = {place: shape for place, shape in enumerate(estimate.shapes) if shape is not None}
    known = own.keys() <= shapes.keys()
    analytic = sum(prod(shapes[place]) * item_size(ref.dtype) for place, ref in own.items()) if known else None
    judged = judge(Unit.BYTES, analytic, {HOOKS: sum(real_bytes(ref) for ref in own.values())})
    return judged if known else replace(judged, why=(Reason(Cause.NO_FORMULA, SHAPELESS),))


def _gradients(findings: Findings, step: TrainingMemory | None) -> Quantity:
    """Gradients have the size of the parameters that require one; a parameter that the outputs ignore gets none."""
    trained = trainable(findings.trace)
    declared = bytes_of(trained, findings.held.trainable, findings)
    parts = parameter_bytes(findings.trace, trainable_only=True)
    if step is None or step.gradients is None or declared.analytic is None:
        return replace(declared, parts=parts)
    without = len(trained) - step.gradients_of
    reasons = {"backward": f"{without} parameter{'s' if without > 1 else ''} without a gradient"} if without > 0 else {}
    measured = {**declared.measured, "backward": step.gradients}
    return replace(judge(Unit.BYTES, declared.analytic, measured, reasons=reasons), parts=parts)


def _optimizer(trace: Trace, optimizer: str) -> Quantity:
    parts = optimizer_bytes(trace, optimizer)
    return one_sided(Unit.BYTES, NO_STEP, analytic=sum(parts.values()), parts=parts)


def _inference(inspected: Inspected) -> dict[str, Quantity]:
    """The allocator's word on the peak of inference, where there is an allocator."""
    allocated = inference_allocation(inspected.run)
    if allocated is None:
        return {}
    return {"peak_activation_bytes": _peak(inference_peak(inspected.trace).nbytes, allocated)}


def _training_step(run: Run) -> tuple[TrainingMemory, int | None]:
    """What a training step takes by its storages and, on a device with an allocator, by that."""
    return training_memory(run), training_allocation(run)


def _peak(nbytes: int, allocated: int | None) -> Quantity:
    measured = {"storages": nbytes, **({} if allocated is None else {"allocator": allocated})}
    found = one_sided(Unit.BYTES, ONE_SOURCE, measured=measured)
    return replace(found, reasons={} if allocated is None else {"allocator": ROUNDED})


def _training_memory(trace: Trace, optimizer: Quantity, peak: Quantity | None) -> Quantity:
    """Bytes that a device holds in a training step: states, inputs, optimizer, activations and gradients."""
    if peak is None:
        return UNKNOWN
    parts = {**held_bytes(trace), "optimizer": optimizer.value, "activations and gradients": peak.value}
    return Quantity(sum(parts.values()), Unit.BYTES, parts=parts, why=(Reason(Cause.NOT_MEASURED, NO_STEP),))


def _peak_at(trace: Trace) -> Peak | None:
    """The call and op at which most is alive in inference."""
    peak = inference_peak(trace)
    if peak.op is None or peak.call is None:
        return None
    call = trace.calls[peak.call]
    return Peak(call.path, call.number, call.kind, trace.ops[peak.op].packet)
