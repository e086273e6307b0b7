"""Multiply-accumulates of the backward pass, from the ops of the forward pass.

A product is linear in each operand, and its gradient with respect to one operand is a product of the same size: a
convolution or matrix product that takes m multiply-accumulates forward takes m for each operand that needs a gradient.
The first layer needs none for the input of the run, a frozen layer none for its weight.

Source: Goodfellow, Bengio & Courville, "Deep Learning", 6.5.6; Dumoulin & Visin 2016, section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cnninspect.ops.evaluate import op_macs
from cnninspect.ops.registry import Work, rule_of
from cnninspect.report.quantities import Status
from cnninspect.report.reasons import Reason, ask
from cnninspect.trace.dataflow import Dataflow, Key
from cnninspect.trace.records import Op, TensorRef, Trace

_FLOATING = ("float", "bfloat", "complex")


@dataclass(frozen=True)
class BackwardMacs:
    """Multiply-accumulates of the gradients that a call's own ops pass on, calls below it excluded.

    `inputs` are those of gradients of activations, `weights` of parameters. `missing` names ops without a formula.
    """

    inputs: int = 0
    weights: int = 0
    missing: tuple[str, ...] = ()

    def __add__(self, other: BackwardMacs) -> BackwardMacs:
        return BackwardMacs(self.inputs + other.inputs, self.weights + other.weights, self.missing + other.missing)

    @property
    def total(self) -> int:
        """Multiply-accumulates of both kinds of gradients."""
        return self.inputs + self.weights

    @property
    def status(self) -> Status:
        """Exact, or a lower bound with an op missing."""
        return Status.LOWER_BOUND if self.missing else Status.EXACT


def backward(trace: Trace, without_gradients: Collection[int] = (), *, of_inputs: bool = False) -> list[BackwardMacs]:
    """One BackwardMacs per call of the trace, in its order, for a backward pass from all outputs of the run.

    `without_gradients` are the calls that the model makes with gradients switched off, as a run in training shows.
    `of_inputs` wants the gradients of the model's floating inputs too: a first convolution then costs its forward MACs
    once more.
    """
    graph = _Graph(trace, without_gradients, of_inputs)
    reached = graph.reached()
    own = ([trace.ops[index] for index in call.ops if index in reached] for call in trace.calls)
    return [_of(ops, graph) for ops in own]


def _of(ops: Iterable[Op], graph: _Graph) -> BackwardMacs:
    inputs, weights = 0, 0
    missing: dict[str, None] = {}
    for op in ops:
        macs, operands = op_macs(op), _operands(op)
        if isinstance(macs, Reason) or isinstance(operands, Reason):
            missing[op.packet] = None
            continue
        for operand in operands:
            if graph.needs_gradient(operand):
                inputs += macs if operand.state is None else 0
                weights += macs if operand.state is not None else 0
    return BackwardMacs(inputs, weights, tuple(missing))


def _operands(op: Op) -> Sequence[TensorRef] | Reason:
    """The tensors that an op multiplies and whose gradients are products, or why their size has no closed form."""
    rule = rule_of(op)
    if rule is None or rule.work is not Work.MAC:
        return ()
    return ask(f"the rule of {op.packet}", rule.operands, op)


class _Graph:
    """Which tensors need a gradient: what depends on a trainable parameter, or on an input whose gradient is wanted."""

    def __init__(self, trace: Trace, without_gradients: Collection[int], of_inputs: bool):
        self._trace = trace
        self._without = without_gradients
        self._flow = Dataflow(trace)
        wanted = trace.inputs.values() if of_inputs else ()
        self._depends: set[Key] = {self._flow.key(ref) for ref in wanted if ref.dtype.startswith(_FLOATING)}
        for op in trace.ops:
            if not self._stops(op) and any(self.needs_gradient(ref) for ref in op.inputs):
                self._depends |= {self._flow.key(ref) for ref in op.outputs if ref.dtype.startswith(_FLOATING)}

    def _stops(self, op: Op) -> bool:
        """Whether no gradient passes: what `torch.autograd.grad` returns has one only if it is asked to."""
        call = self._trace.calls[op.call]
        rule = rule_of(op)
        if (rule is not None and rule.stops_gradient) or op.call in self._without:
            return True
        return call.kind == "torch.autograd.grad" and not call.kwargs.get("create_graph")

    def needs_gradient(self, ref: TensorRef) -> bool:
        """Whether autograd works out a gradient for this tensor where an output depends on it."""
        if ref.state is not None and ref.state in self._trace.parameters:
            return self._trace.parameters[ref.state].trainable
        return self._flow.key(ref) in self._depends

    def reached(self) -> set[int]:
        """The ops that the backward pass goes through."""
        return self._flow.leading_to_outputs(self._depends.__contains__)
