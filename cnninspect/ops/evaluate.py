"""Evaluate formulas over a trace: for every call the output shapes, parameters and MACs that it should have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, TypeVar

from cnninspect.ops.declared import contradictions
from cnninspect.ops.registry import FUNCTIONS, MODULES, OPS, Formula, NoFormula, Use, rule_of
from cnninspect.ops.shapes import numel
from cnninspect.report.quantities import Shape, Status, item_size, total_status
from cnninspect.trace.records import Call, Op, TensorRef, Trace

Shapes = tuple[Shape | None, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Estimate:
    """The analytic numbers of one call; None where no formula answers.

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


def _leaf(call: Call, trace: Trace, predicted: dict[int, Shape | None]) -> Estimate:
    """A known layer or a functional call: by its own formula, or else by the ATen ops it ran.

    Under a function transform only the ops know what there is to do: a formula would see one sample of many.
    """
    if call.transformed:
        return _by_ops(call, trace, predicted)
    try:
        if call.layer is not None:
            formula = MODULES[call.layer]
            return _by_formula(call, formula, module_use(call, formula), trace)
        if call.kind in FUNCTIONS:
            formula, adapter = FUNCTIONS[call.kind]
            bound = _bound(adapter, *call.args, **call.kwargs)
            use = replace(bound, training=call.training, kind=call.kind)
            return _by_formula(call, formula, use, trace)
    except NoFormula:
        pass
    return _by_ops(call, trace, predicted)


def module_use(call: Call, formula: Formula) -> Use:
    """The Use of a module call: hyper-parameters and parameters from the module, shapes from the call."""
    use = Use(tuple(ref.shape for ref in call.inputs), call.hyperparameters, call.state, call.training, call.kind)
    return use if formula.bind is None else _bound(formula.bind, use, *call.args, **call.kwargs)


def _bound(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """What a formula says of a call's arguments; NoFormula also where its signature does not take them (`out=`).

    Nor does it take a number where it wants a tensor.
    """
    try:
        return function(*args, **kwargs)
    except (TypeError, AttributeError) as error:
        raise NoFormula(str(error)) from error


def _by_formula(call: Call, formula: Formula, use: Use, trace: Trace) -> Estimate:
    return Estimate(
        shapes=formula.output(use),
        params=_fresh_params(call, formula, use, trace),
        macs=formula.macs(use),
        computes=formula.computes,
        formula=formula.name,
        hyper={} if call.layer is not None else {n: v for n, v in use.hyper.items() if not isinstance(v, TensorRef)},
    )


def _fresh_params(call: Call, formula: Formula, use: Use, trace: Trace) -> int | None:
    """The closed form of every parameter that this call is the first to use; there is none for the rest of one."""
    counts = formula.params(use)
    total = 0
    for role, held in use.state.items():
        if held is None or not held.fresh:
            continue
        if role not in counts or held.fresh < numel(held.shape):
            return None
        total += counts[role]
    if call.functional:
        known = {held.value for held in use.state.values() if isinstance(held, TensorRef)}
        others = _params_read(tuple(ref for ref in call.inputs if ref.value not in known), trace)
        return None if others is None else total + others
    return total


def _params_read(refs: tuple[TensorRef, ...], trace: Trace) -> int | None:
    """Parameters read as they are by an op without parameters of its own (a scale, a token, a position table).

    The declared shape counts when the whole parameter is read, the part's shape when a part is; a part of which
    some was read before has no closed form.
    """
    total = 0
    for ref in refs:
        if not ref.fresh:
            continue
        declared = trace.parameters[ref.state or ""]
        # A view as complex numbers has half as many elements as the parameter.
        part = min(ref.nbytes // item_size(declared.dtype), numel(declared.shape))
        if ref.fresh < part:
            return None
        total += part
    return total


def _by_ops(call: Call, trace: Trace, predicted: dict[int, Shape | None]) -> Estimate:
    """A call without a formula of its own: the rules of the ATen ops it ran, whose results `predicted` gets too.

    Such a result may come out elsewhere: `y[0] = x` returns nothing, and a transform unwraps what is inside it.
    """
    shapes: dict[int, Shape | None] = {ref.value: ref.shape for ref in call.inputs}
    macs, missing, computes = 0, [], False
    for op in (trace.ops[index] for index in call.ops):
        rule = rule_of(op)
        computes = computes or rule is None or rule.work.computes
        count = op_macs(op)
        if count is None:
            missing.append(op.packet)
        macs += count or 0
        results = op_shapes(op)
        shapes.update(zip_longest((ref.value for ref in op.outputs), results[: len(op.outputs)]))
    predicted.update(shapes)
    return Estimate(
        shapes=tuple(shapes.get(ref.value) for ref in call.outputs),
        params=_params_read(tuple(call.inputs), trace) if call.functional else _declared(call),
        macs=macs if macs or not missing else None,
        status=Status.EXACT if not missing else (Status.LOWER_BOUND if macs else Status.UNKNOWN),
        missing=tuple(missing),
        computes=computes,
    )


def _declared(call: Call) -> int:
    return sum(numel(state.shape) for state in call.state.values() if state.fresh)


def op_shapes(op: Op) -> tuple[Shape, ...]:
    """Output shapes of one ATen op by its rule; none where it has no rule or they depend on values."""
    rule = rule_of(op)
    try:
        return () if rule is None else _bound(rule.output, *op.args, **op.kwargs)
    except NoFormula:
        return ()


def op_macs(op: Op) -> int | None:
    """Multiply-accumulates of one ATen op by its rule; None where it has no rule or the rule no answer."""
    rule = rule_of(op)
    if rule is None or rule.macs is None:
        return None if rule is None else 0
    try:
        return _bound(rule.macs, *op.args, **op.kwargs)
    except NoFormula:
        return None


def _as_declared(call: Call, trace: Trace, whole: Estimate) -> Estimate:
    """What a layer should be that declares one thing and does another: the numbers of its declaration."""
    if not contradictions(call, trace):
        return whole
    formula = MODULES[call.base or ""]
    use = module_use(call, formula)
    return replace(whole, shapes=formula.output(use), macs=formula.macs(use), status=Status.EXACT, formula=formula.name)


def multiplies(packet: str) -> bool:
    """Whether an ATen op is known to do multiply-accumulate work."""
    rule = OPS.get(packet)
    return rule is not None and rule.macs is not None


def _container(call: Call, children: list[Estimate], predicted: dict[int, Shape | None]) -> Estimate:
    """The sums over what it called; its output is what one of them put out."""
    macs = [child.macs for child in children if child.macs is not None]
    status = total_status([child.status for child in children])
    unknown = [child for child in children if child.params is None]
    return Estimate(
        shapes=tuple(predicted.get(ref.value) for ref in call.outputs),
        params=None if unknown else sum(child.params or 0 for child in children),
        macs=sum(macs),
        status=status,
        missing=tuple(name for child in children for name in child.missing),
    )
