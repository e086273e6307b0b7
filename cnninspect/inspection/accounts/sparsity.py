"""The account of zeros: elements of parameters that are not 0, and the MACs that such elements take part in.

In a convolution and in a matrix product every element of the weight takes part in equally many multiply-accumulates:
one for each output position of each sample, or for each row of the other operand. So
`effective = macs / elements of the weight x those that are not 0`, which is a whole number. A product of activations
alone has no weight, and all of its MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import nn

from cnninspect.inspection.accounts import Addition, Inspected, in_all, inclusive
from cnninspect.measure.sparsity import NonZero, nonzero
from cnninspect.ops.accounting import operands_of
from cnninspect.ops.evaluate import PACKED, op_macs
from cnninspect.ops.rules import numel
from cnninspect.report.quantities import Quantity, Status, Unit, judge, one_sided
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.sums import total_of
from cnninspect.trace.records import Call, Dataflow, Op, TensorRef, Trace

UNIFORM = frozenset(f"aten.{name}" for name in (
    "convolution", "_convolution", "mm", "bmm", "addmm", "addmm_", "baddbmm", "baddbmm_", "addbmm", "addbmm_", "mv",
    "addmv", "addmv_", "_addmm_activation", "dot", "vdot",
))  # fmt: skip
"""Ops in which every element of an operand takes part in equally many MACs."""

BITS = "bits"
"""The counter that looks at the bits of the weights in memory."""

_AGREE = "torch counts other MACs in this row"
_Two = tuple[int, int]
"""A count by torch's zeros, and by those of the bits."""


@dataclass(frozen=True)
class NonZeros:
    """Adds the elements that are not 0, and effective MACs."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`nonzero` and `effective_macs` of every row and in total."""
        inspected.progress("counting zeros")
        known = _known(inspected)
        trace = inspected.trace
        if isinstance(known, Reason):
            own = [_unknown(Unit.PARAMS, known) for _ in trace.calls], [_unknown(Unit.MACS, known) for _ in trace.calls]
        else:
            work = _Work(trace, known, inspected.run.model)
            counts = inspected.findings.counts.get("torch", ())
            own = (
                [work.read_by(call) for call in trace.calls],
                [_effective(work.of(call), counts[call.index].value if counts else None) for call in trace.calls],
            )
        rows, effective = inclusive(trace, Unit.PARAMS, own[0]), inclusive(trace, Unit.MACS, own[1])
        whole = _unknown(Unit.PARAMS, known) if isinstance(known, Reason) else _of_all(trace, known)
        notes = (f"zeros unknown: {known}.",) if isinstance(known, Reason) else _notes(known, trace, own[1])
        return Addition(
            [{"nonzero": params, "effective_macs": macs} for params, macs in zip(rows, effective, strict=True)],
            {"nonzero": whole, "effective_macs": in_all(trace, Unit.MACS, effective)},
            notes=notes,
        )


def _known(inspected: Inspected) -> Mapping[str, NonZero] | Reason:
    """The zeros of every weight of a model with values, or why there is none."""
    if inspected.findings.held.packed:
        return Reason(Cause.NOT_COVERED, PACKED)
    model = inspected.with_values()
    if isinstance(model, str):
        return Reason(Cause.NOT_MEASURED, model)
    return nonzero(model) if isinstance(model, nn.Module) else Reason(Cause.NOT_COVERED, "a function lists no weights")


def _unknown(unit: Unit, why: Reason) -> Quantity:
    return Quantity(None, unit, Status.UNKNOWN, why=(why,))


def _of_all(trace: Trace, known: Mapping[str, NonZero]) -> Quantity:
    """The elements of all parameters that are not 0, and in `parts` those that are."""
    each = [_of_parameter(name, state.fresh, known) for name, state in trace.parameters.items()]
    whole = total_of(Unit.PARAMS, each) if each else Quantity(0, Unit.PARAMS, analytic=0)
    elements = sum(state.fresh for state in trace.parameters.values())
    parts = {"zero": elements - whole.value} if whole.status is Status.EXACT else {}
    return Quantity(
        whole.value, whole.unit, whole.status, whole.analytic, whole.measured, whole.verdict, parts=parts, why=whole.why
    )


def _of_parameter(name: str, elements: int, known: Mapping[str, NonZero]) -> Quantity:
    """The elements of a parameter that are not 0; unknown of a part of one, unless it has no 0."""
    found = known.get(name)
    if found is None or found.by_torch is None or found.by_bits is None:
        why = f"{name}: {found.why}" if found is not None else f"{name} is not in the model with values"
        return _unknown(Unit.PARAMS, Reason(Cause.NOT_MEASURED, why))
    if elements == found.elements:
        return judge(Unit.PARAMS, found.by_torch, {BITS: found.by_bits})
    if found.by_torch == found.by_bits == found.elements:
        return judge(Unit.PARAMS, elements, {BITS: elements})
    why = f"a part of {name} is used, and which of its zeros are in it is not known"
    return _unknown(Unit.PARAMS, Reason(Cause.NOT_COVERED, why))


def _effective(found: tuple[int, _Two] | Reason, counted: int | None) -> Quantity:
    """Effective MACs by our formulas and torch's zeros, against torch's MACs and the zeros by bits."""
    if isinstance(found, Reason):
        return _unknown(Unit.MACS, found)
    macs, (by_torch, by_bits) = found
    if counted == macs or not macs:
        return judge(Unit.MACS, by_torch, {BITS: by_bits})
    return one_sided(Unit.MACS, _AGREE, analytic=by_torch)


def _notes(known: Mapping[str, NonZero], trace: Trace, macs: Sequence[Quantity]) -> tuple[str, ...]:
    """Each reason of an unknown once, with its rows; and which weights were looked at."""
    rows: dict[str, list[str]] = {}
    for call, number in zip(trace.calls, macs, strict=True):
        for reason in number.why if number.status is Status.UNKNOWN else ():
            rows.setdefault(str(reason), []).append(call.path or f"({call.kind})")
    found = [f"effective MACs unknown in {', '.join(dict.fromkeys(paths[:3]))}: {why}." for why, paths in rows.items()]
    if trace.device == "meta" and any(each.by_torch not in (None, each.elements) for each in known.values()):
        found.append("zeros are those of the weights as the model is built here, on the CPU.")
    return tuple(found)


class _Work:
    """What every call multiplies: whole weights, parts of them, or activations."""

    def __init__(self, trace: Trace, known: Mapping[str, NonZero], model: Any):
        self.trace, self.known, self.model = trace, known, model
        self._flow = Dataflow(trace)

    @cached_property
    def _from_inputs(self) -> Callable[[TensorRef], bool]:
        keys = self._flow.following_inputs()
        return lambda ref: self._flow.key(ref) in keys

    def read_by(self, call: Call) -> Quantity:
        """The elements that are not 0 of the parameters that this call is the first to read."""
        states = [(state.name, state.fresh) for state in call.state.values() if state.fresh]
        if call.functional:
            states += [(str(ref.state), ref.fresh) for ref in call.inputs if ref.fresh]
        parts = [_of_parameter(name, fresh, self.known) for name, fresh in states]
        return total_of(Unit.PARAMS, parts) if parts else Quantity(0, Unit.PARAMS, analytic=0)

    def of(self, call: Call) -> tuple[int, _Two] | Reason:
        """(MACs, effective MACs by torch and by bits) of the call's own ops, or why they are not known."""
        macs, by_torch, by_bits = 0, 0, 0
        for op in (self.trace.ops[index] for index in call.ops):
            count = op_macs(op)
            if isinstance(count, Reason):
                return count
            if count:
                share = self._share(op, count)
                if isinstance(share, Reason):
                    return share
                macs, by_torch, by_bits = macs + count, by_torch + share[0], by_bits + share[1]
        return macs, (by_torch, by_bits)

    def _share(self, op: Op, macs: int) -> _Two | Reason:
        """The MACs of one op in which its weight is not 0."""
        operands = operands_of(op)
        if isinstance(operands, Reason):
            return operands
        fixed = [ref for ref in operands if not self._from_inputs(ref)]
        weights = [ref for ref in fixed if ref.state is not None] or fixed
        if not weights:
            return macs, macs
        if len(weights) > 1:
            return Reason(Cause.NOT_COVERED, f"{op.packet} multiplies two weights")
        if op.packet not in UNIFORM:
            return Reason(Cause.NOT_COVERED, f"elements of a weight take part in unequally many MACs of {op.packet}")
        found = self._zeros_of(weights[0], op)
        if isinstance(found, Reason):
            return found
        each, rest = divmod(macs, found.elements)
        if rest or found.by_torch is None or found.by_bits is None:
            return Reason(Cause.NOT_MEASURED, found.why or f"{op.packet} does not take every element equally often")
        return each * found.by_torch, each * found.by_bits

    def _zeros_of(self, ref: TensorRef, op: Op) -> NonZero | Reason:
        """The zeros of the weight that an op takes: a whole parameter or buffer, or what its layer computes of one."""
        elements = numel(ref.shape) // ref.repeats
        name = ref.state if ref.state is not None else self._computed(op)
        found = None if name is None else self.known.get(name)
        if found is None:
            return Reason(Cause.NOT_COVERED, "a weight is computed by the model's own code: its zeros are not known")
        if self._flow.key(ref)[0]:
            return Reason(Cause.NOT_COVERED, f"{name} is written during the run: its zeros may be others then")
        if found.elements == elements:
            return found
        if found.by_torch == found.by_bits == found.elements:
            return NonZero(elements, elements, elements)
        return Reason(Cause.NOT_COVERED, f"a part of {name} is used, and which of its zeros are in it is not known")

    def _computed(self, op: Op) -> str | None:
        """The name of the weight that a layer of torch computes from a mask or a parametrization."""
        path = self.trace.calls[op.call].path
        if isinstance(self.model, torch.jit.ScriptModule):
            return None
        try:
            module = self.model.get_submodule(path)
        except AttributeError:
            return None
        if isinstance(module, torch.jit.ScriptModule):
            return None
        forward = getattr(type(module).forward, "__module__", "")
        return f"{path}.weight".lstrip(".") if forward.startswith("torch.nn.modules") else None
