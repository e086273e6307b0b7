"""Memory: what layers put out, what is alive at once in inference and in training, what an optimizer keeps.

All are facts of the run or sums over its parameters; on CUDA the allocator's peaks stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected, attempted, inclusive
from cnninspect.measure.allocator import inference_allocation, training_allocation
from cnninspect.measure.memory import held_bytes, inference_peak, optimizer_bytes, output_bytes, parameter_bytes
from cnninspect.measure.training_memory import training_memory
from cnninspect.report.quantities import Quantity, Status, Unit, item_size
from cnninspect.report.verdicts import judge
from cnninspect.trace.records import Trace

ROUNDED = "the allocator rounds up and holds what kernels use inside"
UNKNOWN = Quantity(None, Unit.BYTES, Status.UNKNOWN)


@dataclass(frozen=True)
class Memory:
    """`optimizer` is one of OPTIMIZER_STATES."""

    optimizer: str = "sgd"
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`output_bytes` of every row; in total also gradients, the optimizer's state and the peaks."""
        outputs = _outputs(inspected)
        gradients, optimizer = _gradients(inspected.trace), _by_dtype(optimizer_bytes(inspected.trace, self.optimizer))
        inspected.progress("running a training step")
        steps, notes = _training_step(inspected)
        totals = {
            "output_bytes": outputs[0],
            "gradient_bytes": gradients,
            "optimizer_bytes": optimizer,
            **_inference(inspected),
            **steps,
            "training_memory": _training_memory(inspected.trace, optimizer, steps["training_peak_bytes"]),
        }
        extra = {"memory": {"optimizer": self.optimizer, "peak_at": _peak_at(inspected.trace)}}
        return Addition([{"output_bytes": number} for number in outputs], totals, extra, notes=notes)


def _outputs(inspected: Inspected) -> list[Quantity]:
    """Bytes of the outputs of every leaf; for a container those of all leaves in it."""
    found = zip(inspected.trace.calls, output_bytes(inspected.trace), strict=True)
    own = [nbytes if inspected.findings.is_leaf(call) else 0 for call, nbytes in found]
    return inclusive(inspected.trace, Unit.BYTES, [Quantity(number, Unit.BYTES) for number in own])


def _gradients(trace: Trace) -> Quantity:
    """Gradients have the size of the parameters that require one."""
    trained = [state for state in trace.parameters.values() if state.trainable]
    analytic = sum(prod(state.shape) * item_size(state.dtype) for state in trained)
    by_dtype = parameter_bytes(trace, trainable_only=True)
    found = judge(Unit.BYTES, analytic, {"storage": sum(by_dtype.values())})
    return Quantity(found.value, Unit.BYTES, found.status, analytic, found.measured, found.verdict, parts=by_dtype)


def _by_dtype(parts: Mapping[str, int]) -> Quantity:
    return Quantity(sum(parts.values()), Unit.BYTES, parts=parts)


def _inference(inspected: Inspected) -> dict[str, Quantity]:
    """The allocator's word on the peak of inference, where there is an allocator."""
    allocated = inference_allocation(inspected.run)
    if allocated is None:
        return {}
    return {"peak_activation_bytes": _peak(inference_peak(inspected.trace).nbytes, allocated)}


def _training_step(inspected: Inspected) -> tuple[dict[str, Quantity], tuple[str, ...]]:
    """What a training step keeps and holds at most."""
    run = inspected.run
    found, notes = attempted("a training step", lambda: (training_memory(run), training_allocation(run)))
    if found is None:
        return {"training_kept_bytes": UNKNOWN, "training_peak_bytes": UNKNOWN}, notes
    memory, allocated = found
    kept = Quantity(memory.kept, Unit.BYTES, measured={"storages": memory.kept})
    return {"training_kept_bytes": kept, "training_peak_bytes": _peak(memory.peak, allocated)}, notes


def _peak(nbytes: int, allocated: int | None) -> Quantity:
    measured = {"storages": nbytes, **({} if allocated is None else {"allocator": allocated})}
    return Quantity(nbytes, Unit.BYTES, measured=measured, reasons={} if allocated is None else {"allocator": ROUNDED})


def _training_memory(trace: Trace, optimizer: Quantity, peak: Quantity) -> Quantity:
    """All that a device must hold for a training step."""
    if peak.value is None:
        return UNKNOWN
    parts = {**held_bytes(trace), "optimizer": optimizer.value, "activations and gradients": peak.value}
    return Quantity(sum(parts.values()), Unit.BYTES, parts=parts)


def _peak_at(trace: Trace) -> dict[str, Any] | None:
    """The call and op at which most is alive in inference."""
    peak = inference_peak(trace)
    if peak.op is None or peak.call is None:
        return None
    call = trace.calls[peak.call]
    return {"path": call.path, "call": call.number, "kind": call.kind, "op": trace.ops[peak.op].packet}
