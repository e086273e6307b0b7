"""All the arithmetic of a run by class of work, the bytes that its ops move, and the MACs of its backward pass.

A product is linear in each operand, and its gradient with respect to one operand is a product of the same size: a
convolution or matrix product that takes m multiply-accumulates forward takes m for each operand that needs a gradient.
The first layer needs none for the input of the run, a frozen layer none for its weight.

Source: Goodfellow, Bengio & Courville, "Deep Learning", 6.5.6; Dumoulin & Visin 2016, section 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from cnninspect.ops.evaluate import op_macs
from cnninspect.ops.registry import Work, rule_of
from cnninspect.ops.rules import numel
from cnninspect.report.quantities import Status
from cnninspect.report.reasons import Reason, ask
from cnninspect.trace.records import Dataflow, Key, Op, TensorRef, Trace
from cnninspect.trace.trees import map_leaves

UNITS: Mapping[Work, str] = {
    Work.MAC: "multiply-accumulates",
    Work.ELEMENTWISE: "output elements, one operation each whatever the function",
    Work.REDUCTION: "elements added up, those of overlapping windows once per window",
    Work.NORMALISATION: "elements normalised",
    Work.TRANSFORM: "operations of Fourier transforms by convention: 5 N log2 N for N complex points, half for real",
    Work.COMPARISON: "elements compared, those of overlapping windows once per window",
    Work.MOVEMENT: "elements copied; a view copies none",
    Work.CREATION: "elements created",
}
"""What one operation of each class is. The addition of a bias inside a fused op is part of that op and not counted."""


@dataclass(frozen=True)
class Tally:
    """Operations by class of work, and how often each op ran that no class or count is known for."""

    operations: Mapping[Work, int] = field(default_factory=dict)
    unclassified: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Exact, or a lower bound with anything unclassified."""
        return Status.LOWER_BOUND if self.unclassified else Status.EXACT

    @property
    def element_operations(self) -> int:
        """All arithmetic that is no multiply-accumulate, in element operations of whatever class."""
        return sum(number for work, number in self.operations.items() if work.computes and work is not Work.MAC)


def tallies_of(trace: Trace) -> list[Tally]:
    """One Tally per call of the trace, in its order: the ops that it ran itself, calls below it excluded."""
    return [tally(trace.ops[index] for index in call.ops) for call in trace.calls]


def tally(ops: Iterable[Op]) -> Tally:
    """The operations of some ops."""
    operations: Counter[Work] = Counter()
    unclassified: Counter[str] = Counter()
    for op in ops:
        rule, number = rule_of(op), operations_of(op)
        if rule is None or isinstance(number, Reason):
            unclassified[op.packet] += 1
        else:
            operations[rule.work] += number
    return Tally(operations, unclassified)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of some tallies."""
    operations: Counter[Work] = Counter()
    unclassified: Counter[str] = Counter()
    for part in tallies:
        operations.update(part.operations)
        unclassified.update(part.unclassified)
    return Tally(operations, unclassified)


def operations_of(op: Op) -> int | Reason:
    """How many operations of its class an op does, in the unit of UNITS, or why that is not known."""
    rule = rule_of(op)
    if rule is None or rule.work is Work.MAC:
        return op_macs(op)
    if op.is_view or not op.outputs:
        return 0
    if rule.operations is not None:
        return ask(f"the rule of {op.packet}", rule.operations, op)
    if rule.work in (Work.REDUCTION, Work.COMPARISON, Work.NORMALISATION):
        return max(_first_input(op), numel(op.outputs[0].shape))
    return numel(op.outputs[0].shape)


def _first_input(op: Op) -> int:
    return next((numel(ref.shape) for ref in op.inputs), 0)


# --- bytes ---------------------------------------------------------------------------------------------------------


def moved_bytes(op: Op) -> int | None:
    """Bytes that an op moves to and from memory if nothing stays in a cache; None if nothing is known about the op.

    It reads every tensor that goes in once and writes every result once. An op that only moves data (copy, look-up,
    concatenation) reads as much as it writes, whatever the size of the table it looks into; one that creates data
    reads nothing; a view moves nothing.

    Source: Williams, Waterman & Patterson 2009, "Roofline"; the compulsory traffic of each op on its own.
    """
    rule = rule_of(op)
    if rule is None:
        return None
    if op.is_view:
        return 0
    written = _bytes(op.outputs)
    if rule.work is Work.CREATION:
        return written
    return 2 * written if rule.work is Work.MOVEMENT else _bytes(op.inputs) + written


def _bytes(refs: Iterable[TensorRef]) -> int:
    """Bytes of all tensors, each once however often the op takes it."""
    return sum({ref.value: ref.nbytes for ref in refs}.values())


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
    trace = _with_storages_of_gradients(trace)
    graph = _Graph(trace, without_gradients, of_inputs)
    reached = graph.reached()
    own = ([trace.ops[index] for index in call.ops if index in reached] for call in trace.calls)
    return [_of(ops, graph) for ops in own]


def _of(ops: Iterable[Op], graph: _Graph) -> BackwardMacs:
    inputs, weights = 0, 0
    missing: dict[str, None] = {}
    for op in ops:
        macs, operands = op_macs(op), operands_of(op)
        if isinstance(macs, Reason) or isinstance(operands, Reason):
            missing[op.packet] = None
            continue
        for operand in operands:
            if graph.needs_gradient(operand):
                inputs += macs if not graph.is_weight(operand) else 0
                weights += macs if graph.is_weight(operand) else 0
    return BackwardMacs(inputs, weights, tuple(missing))


def operands_of(op: Op) -> Sequence[TensorRef] | Reason:
    """The tensors that an op multiplies and whose gradients are products, or why their size has no closed form."""
    rule = rule_of(op)
    if rule is None or rule.work is not Work.MAC:
        return ()
    return ask(f"the rule of {op.packet}", rule.operands, op)


def _with_storages_of_gradients(trace: Trace) -> Trace:
    """The trace with a storage of its own for what shares elements with a tensor, but no gradient.

    Writing into `y.detach()` or `y.data` changes no gradient of y. After `y.data = z`, y holds the elements of z and
    passes its gradient to the op that made y, not to z.

    Source: torch.Tensor.detach and torch.autograd, "In-place operations on Tensors".
    """
    apart: dict[int, int] = {}
    ops = [_apart(op, trace, apart) for op in trace.ops]
    return replace(trace, ops=ops, outputs=map_leaves(trace.outputs, TensorRef, partial(_moved, apart)))


def _apart(op: Op, trace: Trace, apart: dict[int, int]) -> Op:
    """The op with storages as in `apart`, to which it adds its results. One that stops gradients loses its argument."""
    call = trace.calls[op.call]
    rule = rule_of(op)
    if call.kind == "Tensor.data =":
        before = _moved(apart, "", call.args[0])
        apart[op.outputs[0].value] = before.storage
        op = replace(op, name="aten.alias.default", args=(before,))
    elif op.is_view and rule is not None and rule.stops_gradient:
        apart |= {ref.value: -ref.value for ref in op.outputs}
        op = replace(op, args=())
    else:
        sources = [ref for ref in op.inputs if ref.value in (op.writes or apart)]
        storages = {ref.storage: apart[ref.value] for ref in sources if ref.value in apart}
        apart |= {ref.value: storages[ref.storage] for ref in op.outputs if ref.storage in storages}
    args, kwargs, outputs = map_leaves((op.args, op.kwargs, op.outputs), TensorRef, partial(_moved, apart))
    return replace(op, args=args, kwargs=kwargs, outputs=outputs)


def _moved(apart: Mapping[int, int], _: str, ref: TensorRef) -> TensorRef:
    return replace(ref, storage=apart[ref.value]) if ref.value in apart else ref


class _Graph:
    """Which tensors need a gradient: what depends on a trainable parameter, or on an input whose gradient is wanted."""

    def __init__(self, trace: Trace, without_gradients: Collection[int], of_inputs: bool):
        self._trace = trace
        self._without = without_gradients
        self._flow = Dataflow(trace)
        wanted = trace.inputs.values() if of_inputs else ()
        self._depends: set[Key] = {self._flow.key(ref) for ref in wanted if ref.dtype.startswith(_FLOATING)}
        self._weights = {value for value, is_weight in trace.leaves.items() if is_weight}
        for op in trace.ops:
            if op.is_view and any(ref.value in self._weights for ref in op.inputs):
                self._weights |= {ref.value for ref in op.outputs}
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
        return ref.value in self._trace.leaves or self._flow.key(ref) in self._depends

    def is_weight(self, ref: TensorRef) -> bool:
        """Whether a tensor is a parameter, registered or not, or a view of one."""
        return ref.state is not None or ref.value in self._weights

    def reached(self) -> set[int]:
        """The ops that the backward pass goes through."""
        return self._flow.leading_to_outputs(self._depends.__contains__)
