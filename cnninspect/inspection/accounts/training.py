"""What training costs: multiply-accumulates of the gradients, memory, and the state of an optimizer.

The gradients' MACs are those of the formulas, and those counted in a real backward pass. Bytes of outputs, of gradients
and of the optimizer, and the peaks in inference and in training, are measured in the run, or are sums over its
parameters; on CUDA the allocator's peaks stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected, attempted, in_all, inclusive
from cnninspect.inspection.findings import Findings
from cnninspect.inspection.totals import ONE_SOURCE, SHAPELESS, bytes_of, decomposed, trainable
from cnninspect.measure.backward import CONVENTION, OWN_FUNCTION, WITHOUT_GRADIENTS, backward_macs
from cnninspect.measure.base import Count, Run, doubt, explain, with_calls_below
from cnninspect.measure.memory import (
    TrainingMemory,
    gradient_bytes,
    held_bytes,
    inference_allocation,
    inference_peak,
    optimizer_bytes,
    own_outputs,
    real_bytes,
    training_allocation,
    training_memory,
)
from cnninspect.ops.accounting import BackwardMacs, backward
from cnninspect.ops.evaluate import MADE_ANEW, Estimate, keeps_less, multiplies
from cnninspect.report.parts import MemoryDetails, Peak
from cnninspect.report.quantities import Quantity, Status, Unit, item_size, judge, not_confirmed, one_sided
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.records import TensorRef, Trace

COUNTER = "torch"

NOT_APART = "torch counted these gradients together with those of the call around"


@dataclass(frozen=True)
class Backward:
    """Adds the MACs of a backward pass from all outputs to the parameters and, with `of_inputs`, to floating inputs."""

    of_inputs: bool = False

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`backward_macs` of every row and in total, in parts for gradients of inputs and of weights."""
        inspected.progress("running the backward pass")
        trace = inspected.trace
        found, notes = attempted("the backward pass", lambda: backward_macs(inspected.run, of_inputs=self.of_inputs))
        counts = found or [Count(None)] * len(trace.calls)
        off = {call.index for call in trace.calls if WITHOUT_GRADIENTS in counts[call.index].skips}
        numbers = _numbers(_judged(backward(trace, off, of_inputs=self.of_inputs), counts, trace), counts, trace)
        notes += tuple(f"{name} computes gradients in its own code: no formula covers it." for name in _own(counts))
        if self.of_inputs:
            notes += ("the backward pass computes the gradients of the inputs too.",)
        total = {"backward_macs": in_all(trace, Unit.MACS, numbers)}
        return Addition([{"backward_macs": number} for number in numbers], total, notes=notes)


def _numbers(own: Sequence[Quantity], counts: Sequence[Count], trace: Trace) -> list[Quantity]:
    """For every call the gradients of it and of all calls below it."""
    whole = zip(inclusive(trace, Unit.MACS, own), with_calls_below(trace, counts), strict=True)
    return [replace(number, measured={} if found is None else {COUNTER: found}) for number, found in whole]


def _judged(formulas: Sequence[BackwardMacs], counts: Sequence[Count], trace: Trace) -> list[Quantity]:
    """Every call's own gradients: the formula judged against torch's count.

    A call that torch did not count on its own is judged together with the call around it.
    """
    owner = _owners(counts, trace)
    beyond = _beyond_formulas(counts, trace)
    together = [BackwardMacs()] * len(formulas)
    for index, part in enumerate(formulas):
        together[owner[index]] += part
    judged = {index: _judge(together[index], counts[index], index in beyond) for index in set(owner)}
    return [_own_part(part, judged[owner[index]], owner[index] == index) for index, part in enumerate(formulas)]


def _owners(counts: Sequence[Count], trace: Trace) -> list[int]:
    """For every call the innermost one around it that torch counted for."""
    owner: list[int] = []
    for call in trace.calls:
        own = counts[call.index].value is not None or call.parent is None
        owner.append(call.index if own else owner[call.parent or 0])
    return owner


def _beyond_formulas(counts: Sequence[Count], trace: Trace) -> set[int]:
    """The calls whose gradients the model's own code or a function transform may compute, and all below them."""
    found: set[int] = set()
    for call in trace.calls:
        if call.parent in found or call.transformed or _own([counts[call.index]]):
            found.add(call.index)
    return found


def _own(counts: Sequence[Count]) -> dict[str, None]:
    """The names of gradients that the model's own code computes."""
    missed = dict.fromkeys(skip.op for count in counts for skip in count.skips)
    return {op.removeprefix(OWN_FUNCTION): None for op in missed if op.startswith(OWN_FUNCTION)}


def _judge(part: BackwardMacs, count: Count, beyond: bool) -> Quantity:
    """The formula's number judged against torch's; unknown if they differ where gradients may be `beyond` formulas."""
    differs = count.value != part.total
    analytic = None if (part.missing and not part.total) or (beyond and differs) else part.total
    status = Status.UNKNOWN if analytic is None else part.status
    reason = explain(COUNTER, count, part.total, multiplies, CONVENTION) if differs and analytic is not None else None
    measured = {} if count.value is None else {COUNTER: count.value}
    judged = judge(Unit.MACS, analytic, measured, status=status, reasons={COUNTER: reason} if reason else {})
    ran = replace(count, missed=[skip for skip in count.skips if skip != WITHOUT_GRADIENTS])
    chance = None if analytic is None else doubt(COUNTER, ran, analytic, multiplies, CONVENTION)
    judged = not_confirmed(judged, {COUNTER: chance} if chance else {})
    # Gradients that torch alone saw did run: they are no less than that.
    return replace(judged, status=Status.LOWER_BOUND) if judged.analytic is None and judged.value else judged


def _own_part(part: BackwardMacs, judged: Quantity, is_owner: bool) -> Quantity:
    """A call's part of a judged number; the verdict is that of the owner, the call for which torch counted."""
    parts = {"inputs": part.inputs, "weights": part.weights} if part.total else {}
    if judged.analytic is None:
        return replace(judged, parts=parts) if is_owner else Quantity(None, Unit.MACS, Status.UNKNOWN, why=judged.why)
    if not is_owner:
        return one_sided(Unit.MACS, NOT_APART, analytic=part.total, status=part.status, parts=parts)
    return replace(judged, value=part.total, analytic=part.total, status=part.status, parts=parts)


HOOKS = "hooks"
HELD = "storages"
MORE_OR_LESS = "fused kernels of attention keep less, those of recurrent layers more; --device cpu measures the CPU's"
OF_META = "those of the ops that meta runs: kernels of a device may keep others"
_LISTED = 3
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
        paths = _otherwise_on_devices(trace)
        notes += _note_of_kernels(paths)
        of_meta = {HELD: MORE_OR_LESS if paths else OF_META} if trace.device == "meta" else {}
        peak = None if step is None else _peak(step.peak, allocated, of_meta)
        totals = {
            "output_bytes": in_all(trace, Unit.BYTES, outputs),
            "gradient_bytes": _gradients(inspected.findings, step),
            "optimizer_bytes": optimizer,
            **_inference(inspected),
            "training_kept_bytes": UNKNOWN if step is None else _peak(step.kept, None, of_meta),
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
    """Bytes of gradients: those of the parameters that require one. A parameter that no output depends on gets none."""
    trained = trainable(findings.trace)
    declared = bytes_of(trained, findings.held.trainable, findings)
    parts = gradient_bytes(findings.trace)
    shared = findings.trace.tied or any(state.fresh != prod(state.shape) for state in trained)
    trained += findings.trace.tied
    if declared.analytic is not None and shared:
        # Parameters share elements, or repeat them: storages do not say what their gradients take.
        declared = one_sided(Unit.BYTES, ONE_SOURCE, analytic=sum(parts.values()))
    if step is None or step.gradients is None or declared.analytic is None:
        return replace(declared, parts=parts)
    without = len(trained) - step.gradients_of
    reasons = {"backward": f"{without} parameter{'s' if without > 1 else ''} without a gradient"} if without > 0 else {}
    measured = {**declared.measured, "backward": step.gradients}
    return replace(judge(Unit.BYTES, declared.analytic, measured, reasons=reasons), parts=parts)


def _optimizer(trace: Trace, optimizer: str) -> Quantity:
    if trace.made_anew:
        return Quantity(None, Unit.BYTES, Status.UNKNOWN, why=(Reason(Cause.NOT_COVERED, MADE_ANEW),))
    parts = optimizer_bytes(trace, optimizer)
    return one_sided(Unit.BYTES, NO_STEP, analytic=sum(parts.values()), parts=parts)


def _inference(inspected: Inspected) -> dict[str, Quantity]:
    """The peak of inference, compared with the allocator's own; empty on a device without one."""
    allocated = inference_allocation(inspected.run)
    if allocated is None:
        return {}
    return {"peak_activation_bytes": _peak(inference_peak(inspected.trace).nbytes, allocated)}


def _training_step(run: Run) -> tuple[TrainingMemory, int | None]:
    """What a training step takes by its storages and, on a device with an allocator, by that."""
    return training_memory(run), training_allocation(run)


def _peak(nbytes: int, allocated: int | None, reasons: Mapping[str, str] | None = None) -> Quantity:
    measured = {HELD: nbytes, **({} if allocated is None else {"allocator": allocated})}
    found = one_sided(Unit.BYTES, ONE_SOURCE, measured=measured)
    return replace(found, reasons={**(reasons or {}), **({} if allocated is None else {"allocator": ROUNDED})})


def _otherwise_on_devices(trace: Trace) -> list[str]:
    """The paths of attention and recurrent layers, for which a real device has kernels that meta runs op by op."""
    attention = [call.path for call in trace.calls if keeps_less(call)] if trace.device == "meta" else []
    return list(dict.fromkeys([*attention, *decomposed(trace)]))


def _note_of_kernels(paths: Sequence[str]) -> tuple[str, ...]:
    if not paths:
        return ()
    shown = ", ".join(path or "the root" for path in paths[:_LISTED])
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return (f"training memory of {shown}{more} is that of the ops that meta runs: {MORE_OR_LESS}.",)


def _training_memory(trace: Trace, optimizer: Quantity, peak: Quantity | None) -> Quantity:
    """Bytes that a device holds in a training step: states, inputs, optimizer, activations and gradients."""
    if peak is None:
        return UNKNOWN
    if optimizer.value is None:
        return optimizer
    parts = {**held_bytes(trace), "optimizer": optimizer.value, "activations and gradients": peak.value}
    return Quantity(sum(parts.values()), Unit.BYTES, parts=parts, why=(Reason(Cause.NOT_MEASURED, NO_STEP),))


def _peak_at(trace: Trace) -> Peak | None:
    """The call and op at which most is alive in inference."""
    peak = inference_peak(trace)
    if peak.op is None or peak.call is None:
        return None
    call = trace.calls[peak.call]
    return Peak(call.path, call.number, call.kind, trace.ops[peak.op].packet)
