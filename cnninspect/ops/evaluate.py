"""Evaluate formulas over a trace: for every call the output shapes, parameters and MACs that it should have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cnninspect.ops.catalogue import contradictions
from cnninspect.ops.registry import FUNCTIONS, MODULES, OPS, Formula, Use, rule_of
from cnninspect.ops.rules import numel
from cnninspect.report.quantities import Shape, Status, item_size, total_status
from cnninspect.report.reasons import Cause, Reason, ask, distinct
from cnninspect.trace.records import Call, Op, State, TensorRef, Trace, takes_packed
from cnninspect.trace.trees import map_leaves

Shapes = tuple[Shape | None, ...]
Reasons = tuple[Reason, ...]

MADE_ANEW = "every forward pass makes and registers parameters anew"
PACKED = "quantised layers pack their weights: their elements are no parameters and cannot be listed"


@dataclass(frozen=True)
class Why:
    """Why the numbers of one call are unknown, or a lower bound; the calls below it have reasons of their own."""

    shapes: Reasons = ()
    params: Reasons = ()
    macs: Reasons = ()


@dataclass(frozen=True)
class Estimate:
    """The analytic numbers of one call; None where no formula answers, and `why` then has the reasons.

    `status` qualifies `macs`: with a part unknown, `macs` is the sum of the known parts and a lower bound.
    `missing` names the ATen ops or functions without a formula. `computes` is False if the call only moves data.
    `hyper` are the hyper-parameters that the formula saw, which for a functional call stand in no module.
    """

    shapes: Shapes = ()
    params: int | None = 0
    macs: int | None = 0
    status: Status = Status.EXACT
    missing: tuple[str, ...] = ()
    computes: bool = True
    formula: str | None = None
    hyper: Mapping[str, Any] = field(default_factory=dict)
    why: Why = Why()


def evaluate(trace: Trace) -> list[Estimate]:
    """One Estimate per call of the trace, in its order."""
    estimates: list[Estimate | None] = [None] * len(trace.calls)
    predicted: dict[int, Shape | None] = {ref.value: ref.shape for ref in trace.inputs.values()}
    for call in trace.calls:
        if call.layer is not None or call.functional:
            estimate = _leaf(call, trace, predicted)
            for ref, shape in zip(call.outputs, estimate.shapes, strict=False):
                predicted[ref.value] = shape
            estimates[call.index] = estimate
    for call in reversed(trace.calls):
        if estimates[call.index] is None:
            children = [estimates[child] for child in trace.children.get(call.index, [])]
            whole = _container(call, [child for child in children if child is not None], predicted)
            estimates[call.index] = _as_declared(call, trace, whole)
    return [estimate for estimate in estimates if estimate is not None]


def whole_macs(trace: Trace, estimates: Sequence[Estimate]) -> tuple[int, Status]:
    """The MACs of the whole run, and their status: of the root, and of what its hooks run outside its call."""
    roots = [estimates[call.index] for call in trace.roots]
    return sum(root.macs or 0 for root in roots), total_status([root.status for root in roots])


# --- a call by its own formula --------------------------------------------------------------------------------------


def _leaf(call: Call, trace: Trace, predicted: dict[int, Shape | None]) -> Estimate:
    """A known layer or a functional call: by its formula, or by the ATen ops it ran if there is none or it declines.

    A number whose formula fails is unknown, whatever the ops say. Under a function transform, and of nested
    tensors, only the ops know what there is to do: a formula would see one sample of many, or many for one.
    """
    formula = _formula_of(call)
    if formula is None or call.known_by_ops_alone:
        return _by_ops(call, trace, predicted)
    own, unanswered = _by_formula(call, formula, trace)
    return _by_ops(call, trace, predicted, unanswered) if _declines(unanswered) else own


def _declines(unanswered: Reasons) -> bool:
    """Whether a formula says that it does not cover the call; one that fails says nothing."""
    return bool(unanswered) and all(reason.cause is not Cause.FAILED for reason in unanswered)


def _formula_of(call: Call) -> Formula | None:
    if call.layer is not None:
        return MODULES[call.layer]
    return FUNCTIONS[call.kind][0] if call.kind in FUNCTIONS else None


def use_of(call: Call, formula: Formula) -> Use | Reason:
    """The Use of a call: of a module its hyper-parameters and parameters, of a function its bound arguments."""
    what = f"the formula of {call.kind}"
    if call.functional:
        use = ask(what, FUNCTIONS[call.kind][1], *call.args, **call.kwargs)
        return use if isinstance(use, Reason) else replace(use, training=call.training, kind=call.kind)
    shapes = tuple(ref.shape for ref in call.inputs)
    plain = Use(shapes, call.hyperparameters, call.state, call.training, call.kind)
    return plain if formula.bind is None else ask(what, formula.bind, plain, *call.args, **call.kwargs)


def keeps_less(call: Call) -> bool:
    """Whether a real device may run the call in a kernel that keeps less for the backward pass than meta does."""
    formula = _formula_of(call)
    if formula is None or formula.keeps_less is None:
        return False
    use = use_of(call, formula)
    return isinstance(use, Reason) or formula.keeps_less(use)


def _by_formula(call: Call, formula: Formula, trace: Trace) -> tuple[Estimate, Reasons]:
    """The numbers of a formula, unknown where it has no answer; and the reasons why it has none."""
    use = use_of(call, formula)
    if isinstance(use, Reason):
        return _estimate(call, formula, use, use, use), (use,)
    what = f"the formula of {call.kind}"
    shapes, counts, macs = ask(what, formula.output, use), ask(what, formula.params, use), ask(what, formula.macs, use)
    params = counts if isinstance(counts, Reason) else _fresh_params(call, counts, use, trace)
    hyper = {} if call.layer is not None else {n: v for n, v in use.hyper.items() if not isinstance(v, TensorRef)}
    return _estimate(call, formula, shapes, params, macs, hyper), _reasons(shapes, counts, macs)


def _estimate(
    call: Call,
    formula: Formula,
    shapes: Shapes | Reason,
    params: int | Reason,
    macs: int | Reason,
    hyper: Mapping[str, Any] | None = None,
) -> Estimate:
    return Estimate(
        hyper=hyper or {},
        shapes=(None,) * len(call.outputs) if isinstance(shapes, Reason) else shapes,
        params=None if isinstance(params, Reason) else params,
        macs=None if isinstance(macs, Reason) else macs,
        status=Status.UNKNOWN if isinstance(macs, Reason) else Status.EXACT,
        computes=formula.computes,
        formula=formula.name,
        why=Why(_reasons(shapes), _reasons(params), _reasons(macs)),
    )


def _reasons(*answers: Any) -> Reasons:
    return distinct(answer for answer in answers if isinstance(answer, Reason))


def _fresh_params(call: Call, counts: Mapping[str, int], use: Use, trace: Trace) -> int | Reason:
    """The closed form of every parameter that this call is the first to use; there is none for the rest of one."""
    if trace.reads_made_anew(call):
        return Reason(Cause.NOT_COVERED, MADE_ANEW)
    total = 0
    for role, held in use.state.items():
        if held is None or not held.fresh:
            continue
        if role not in counts:
            return Reason(Cause.NOT_COVERED, f"the formula of {call.kind} counts no parameter called {role}")
        if held.fresh * held.repeats < numel(held.shape):
            return _read_in_part(held)
        total += counts[role] // held.repeats
    if call.functional:
        known = {held.value for held in use.state.values() if isinstance(held, TensorRef)}
        others = _params_read(tuple(ref for ref in call.inputs if ref.value not in known), trace)
        return others if isinstance(others, Reason) else total + others
    return total


def _read_as_they_are(call: Call, trace: Trace) -> int | Reason:
    """Parameters that a function without a formula reads; unknown with packed weights among its arguments."""
    if takes_packed(call):
        return Reason(Cause.NOT_COVERED, PACKED)
    return _params_read(tuple(call.inputs), trace)


def _params_read(refs: tuple[TensorRef, ...], trace: Trace) -> int | Reason:
    """Parameters read as they are by an op without parameters of its own (a scale, a token, a position table).

    The shape of what is read counts, without the dimensions that only repeat it (`expand`); a part of which some was
    read before has no closed form.
    """
    total = 0
    for ref in refs:
        if not ref.fresh:
            continue
        declared = trace.parameters[ref.state or ""]
        # A view as complex numbers has half as many elements as the parameter.
        part = ref.nbytes // item_size(declared.dtype) // ref.repeats
        if ref.fresh < part:
            return _read_in_part(ref)
        total += part
    return total


def _read_in_part(held: State | TensorRef) -> Reason:
    name = held.name if isinstance(held, State) else held.state
    return Reason(Cause.NOT_COVERED, f"a part of {name} was read before: there is no closed form for the rest")


# --- a call by the ops that it ran ----------------------------------------------------------------------------------


def _by_ops(call: Call, trace: Trace, predicted: dict[int, Shape | None], declined: Reasons = ()) -> Estimate:
    """A call by the rules of the ATen ops it ran, whose results `predicted` gets too; `declined` is its formula's word.

    Such a result may come out elsewhere: `y[0] = x` returns nothing, and a transform unwraps what is inside it, such as
    the tangent that an earlier call made.
    """
    shapes: dict[int, Shape | Reason] = {ref.value: ref.shape for ref in call.inputs}
    macs, missing, computes, uncounted = 0, [], False, list[Reason]()
    for op in (trace.ops[index] for index in call.ops):
        rule = rule_of(op)
        computes = computes or rule is None or rule.work.computes
        count = op_macs(op)
        if isinstance(count, Reason):
            missing.append(op.packet)
            uncounted.append(count)
        else:
            macs += count
        shapes.update(_results(op))
    predicted.update({value: None if isinstance(shape, Reason) else shape for value, shape in shapes.items()})
    params = _read_as_they_are(call, trace) if call.functional else _declared(call.state)
    outputs = [
        shapes[ref.value] if ref.value in shapes else predicted.get(ref.value, _no_formula(call.kind))
        for ref in call.outputs
    ]
    own = _reasons(*outputs), _reasons(params), distinct(uncounted)
    return Estimate(
        shapes=tuple(None if isinstance(shape, Reason) else shape for shape in outputs),
        params=None if isinstance(params, Reason) else params,
        macs=macs if macs or not missing else None,
        status=Status.EXACT if not missing else (Status.LOWER_BOUND if macs else Status.UNKNOWN),
        missing=tuple(missing),
        computes=computes,
        why=Why(*((*declined, *reasons) if reasons else () for reasons in own)),
    )


def _declared(states: Mapping[str, State]) -> int | Reason:
    """The declared shapes of the parameters that a layer is the first to read; a Reason where it reads part of one."""
    read = [state for state in states.values() if state.fresh]
    in_part = next((state for state in read if state.fresh < state.elements), None)
    return sum(state.elements for state in read) if in_part is None else _read_in_part(in_part)


def declared_params(call: Call, trace: Trace) -> int | Reason:
    """The parameters of a module that does not run: by the formula of its kind, else by the shapes that it declares."""
    if call.layer is None:
        return _declared(call.state)
    what = f"the formula of {call.kind}"
    use = Use((), call.hyperparameters, call.state, call.training, call.kind)
    counts = ask(what, MODULES[call.layer].params, use)
    if isinstance(counts, Reason):
        return _declared(call.state) if _declines((counts,)) else counts
    return _fresh_params(call, counts, use, trace)


def _results(op: Op) -> dict[int, Shape | Reason]:
    """The shape of every output of an op, or why it is not known."""
    shapes = op_shapes(op)
    if isinstance(shapes, Reason):
        return {ref.value: shapes for ref in op.outputs}
    left_out = Reason(Cause.NOT_COVERED, f"the rule of {op.packet} leaves out this result")
    known = dict(enumerate(shapes))
    return {ref.value: known.get(position, left_out) for position, ref in enumerate(op.outputs)}


def op_shapes(op: Op) -> tuple[Shape, ...] | Reason:
    """Output shapes of one ATen op by its rule; a Reason where it has none or they depend on values."""
    rule = rule_of(op)
    if rule is None:
        return _no_formula(op.packet)
    if any(ref.parts is not None for ref in op.inputs):
        words = "the tensors in a nested one differ in size"
        return Reason(Cause.NOT_COVERED, f"the rule of {op.packet} does not cover this call: {words}")
    return ask(f"the rule of {op.packet}", rule.output, *op.args, **op.kwargs)


def op_macs(op: Op) -> int | Reason:
    """Multiply-accumulates of one ATen op by its rule; a Reason where it has no rule or the rule no answer."""
    rule = rule_of(op)
    if rule is None:
        return _no_formula(op.packet)
    if rule.macs is None:
        return 0
    total = 0
    for args, kwargs in _of_each_part(op):
        count = ask(f"the rule of {op.packet}", rule.macs, *args, **kwargs)
        if isinstance(count, Reason):
            return count
        total += count
    return total


def _of_each_part(op: Op) -> Iterator[tuple[Any, Any]]:
    """The arguments of an op; with nested tensors among them once for each part, on which the op works by itself."""
    parts = [len(ref.parts) for ref in op.inputs if ref.parts is not None]
    if not parts:
        yield op.args, op.kwargs
    for part in range(max(parts, default=0)):
        yield map_leaves((op.args, op.kwargs), TensorRef, partial(_part, part))


def _part(part: int, _: str, ref: TensorRef) -> TensorRef:
    return ref if ref.parts is None else replace(ref, shape=ref.parts[part], parts=None)


def sized_by(op: Op) -> Sequence[TensorRef]:
    """The tensors whose contents decide how many elements an op returns, as those of nonzero do."""
    rule = rule_of(op)
    return rule.sized_by(op) if rule is not None and rule.sized_by is not None else ()


def _no_formula(name: str) -> Reason:
    return Reason(Cause.NO_FORMULA, f"no formula for {name}")


def multiplies(packet: str) -> bool:
    """Whether an ATen op is known to do multiply-accumulate work."""
    rule = OPS.get(packet)
    return rule is not None and rule.macs is not None


# --- containers -----------------------------------------------------------------------------------------------------


def _container(call: Call, children: list[Estimate], predicted: dict[int, Shape | None]) -> Estimate:
    """The sums over what it called; its output is what one of them put out."""
    macs = [child.macs for child in children if child.macs is not None]
    status = total_status([child.status for child in children])
    unknown = [child for child in children if child.params is None]
    shapes = tuple(predicted.get(ref.value) for ref in call.outputs)
    return Estimate(
        shapes=shapes,
        params=None if unknown else sum(child.params or 0 for child in children),
        macs=sum(macs),
        status=status,
        missing=tuple(name for child in children for name in child.missing),
        computes=bool(call.ops) or any(child.computes for child in children),
        why=Why(shapes=distinct(reason for child in children for reason in child.why.shapes) if None in shapes else ()),
    )


def _as_declared(call: Call, trace: Trace, whole: Estimate) -> Estimate:
    """The numbers that a layer declares, where its forward uses other hyper-parameters than it declares."""
    if not contradictions(call, trace):
        return whole
    formula = MODULES[call.base or ""]
    own, unanswered = _by_formula(call, formula, trace)
    if _declines(unanswered):
        return whole
    why = replace(own.why, params=whole.why.params)
    return replace(own, params=whole.params, computes=whole.computes, missing=whole.missing, why=why)
