"""The formulas of one call, called with recorded numbers: its sizes, parameters and multiply-accumulates as trees.

A call without a formula of its own, or whose formula declines, is worked out by the rules of the ATen ops it ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnninspect.explain.recorded import Layouts, Names, called_by_rank, with_names
from cnninspect.ops.evaluate import use_of
from cnninspect.ops.registry import FUNCTIONS, MODULES, Formula, OpRule, rule_of
from cnninspect.report.reasons import Reason, ask
from cnninspect.trace.records import Call, Op, State, TensorRef, Trace
from cnninspect.trace.trees import map_leaves

Sizes = tuple[Any, ...]
"""The dimensions of a tensor, as recorded numbers where they follow from something."""


@dataclass(frozen=True)
class Recordings:
    """What the formulas say about one call, in numbers that carry their trees; None where they say nothing.

    `params` holds the count for each role that the formula knows, `held` the parameters that the call has by role.
    `reason` says what the count of multiply-accumulates rests on.
    """

    names: Names
    inputs: tuple[Sizes, ...] = ()
    shapes: tuple[Sizes, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[str, State | TensorRef | None] = field(default_factory=dict)
    macs: Any = None
    source: str = ""
    reason: str = ""
    hyper: Mapping[str, Any] = field(default_factory=dict)
    formula: str = ""


def recordings_of(call: Call, trace: Trace, layouts: Layouts) -> Recordings:
    """What is known of a call: by its formula, or by its ops. `layouts` name the dimensions of its inputs."""
    formula = formula_of(call)
    found = None if formula is None or call.known_by_ops_alone else _by_formula(call, formula, layouts)
    return _by_ops(call, trace, layouts) if found is None else found


def formula_of(call: Call) -> Formula | None:
    """The formula of a known layer or function."""
    if call.layer is not None:
        return MODULES[call.layer]
    return FUNCTIONS[call.kind][0] if call.functional and call.kind in FUNCTIONS else None


def _by_formula(call: Call, formula: Formula, layouts: Layouts) -> Recordings | None:
    """The numbers of a formula, None where it declines."""
    plain = use_of(call, formula)
    if isinstance(plain, Reason):
        return None
    names = Names()
    use = with_names(plain, formula, names, layouts)
    what = f"the formula of {call.kind}"
    shapes, params, macs = ask(what, formula.output, use), ask(what, formula.params, use), ask(what, formula.macs, use)
    if isinstance(shapes, Reason) or isinstance(params, Reason) or isinstance(macs, Reason):
        return None
    return Recordings(
        names, use.inputs, shapes, params, plain.state, macs, formula.source, _reason(formula.macs), use.hyper,
        formula.name,
    )  # fmt: skip


def _reason(macs: Any) -> str:
    """What the docstring of a formula says after the formula itself: why it is so."""
    first = " ".join((macs.__doc__ or "").strip().split("\n\n")[0].split())
    return first.partition(": ")[2].rstrip(".")


# --- by the ops that ran ------------------------------------------------------------------------------------------


def _by_ops(call: Call, trace: Trace, layouts: Layouts) -> Recordings:
    """The sizes of the results by the rules of the ops, from the sizes of what goes in; and the sum of their MACs."""
    names = Names()
    known = _input_sizes(call, names, layouts)
    inputs = tuple(known[ref.value] for ref in call.inputs)
    macs: Any = 0
    sources: dict[str, None] = {}
    for op in (trace.ops[index] for index in call.ops):
        rule = rule_of(op)
        count = None if rule is None else _macs(op, rule, known)
        macs = None if macs is None or count is None else macs + count
        if rule is not None:
            known.update(_results(op, rule, known))
            sources[rule.source] = None
    shapes = tuple(known.get(ref.value) for ref in call.outputs)
    whole = None if None in shapes else tuple(sizes for sizes in shapes if sizes is not None)
    return Recordings(names, inputs, whole, macs=macs, source="; ".join(sources))


def _input_sizes(call: Call, names: Names, layouts: Layouts) -> dict[int, Sizes]:
    """The dimensions of the inputs under the names of their rank."""
    shapes = [ref.shape for ref in call.inputs]
    called = called_by_rank(shapes, layouts)
    return {
        ref.value: tuple(names.number(name, size) for name, size in zip(dims, ref.shape, strict=True))
        for ref, dims in zip(call.inputs, called, strict=True)
    }


def _with_sizes(op: Op, known: Mapping[int, Sizes]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of an op, with the recorded sizes of its tensors."""

    def change(_: str, ref: TensorRef) -> TensorRef:
        return replace(ref, shape=known.get(ref.value, ref.shape))

    return map_leaves(tuple(op.args), TensorRef, change), map_leaves(dict(op.kwargs), TensorRef, change)


def _macs(op: Op, rule: OpRule, known: Mapping[int, Sizes]) -> Any:
    """The multiply-accumulates of an op, None where its rule has no answer."""
    if rule.macs is None:
        return 0
    args, kwargs = _with_sizes(op, known)
    found = ask(op.packet, rule.macs, *args, **kwargs)
    return None if isinstance(found, Reason) else found


def _results(op: Op, rule: OpRule, known: Mapping[int, Sizes]) -> dict[int, Sizes]:
    """The sizes of an op's results, as far as its rule gives them and they are right."""
    args, kwargs = _with_sizes(op, known)
    shapes = ask(op.packet, rule.output, *args, **kwargs)
    if isinstance(shapes, Reason):
        return {}
    pairs = zip(op.outputs, shapes, strict=False)
    return {ref.value: tuple(shape) for ref, shape in pairs if tuple(shape) == tuple(ref.shape)}
