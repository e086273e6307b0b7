"""Layers that declare one thing and do another: a Conv2d subclass that changes the stride in its forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnninspect.ops.registry import FUNCTIONS, MODULES, Use
from cnninspect.report.reasons import Reason, ask
from cnninspect.trace.records import Call, TensorRef, Trace


def contradictions(call: Call, trace: Trace) -> dict[str, tuple[Any, Any]]:
    """Hyper-parameters that a subclass of a known layer declares, and the other values its own forward uses.

    Looks at the functional calls of the layer's family that this call makes with the module's own weight; with a
    weight that is computed, at the only such call. Empty if `call` is no such subclass, keeps its word, or ran under a
    function transform, which changes the shapes that it sees.
    """
    if call.base is None or call.transformed:
        return {}
    formula = MODULES[call.base]
    uses = [use for use in _functional_uses(call, trace) if use[0] is formula]
    own = [use for _, use in uses if _own_weight(use, call)]
    used = own or ([use for _, use in uses] if len(uses) == 1 else [])
    found: dict[str, tuple[Any, Any]] = {}
    for use in used:
        for name, value in use.hyper.items():
            declared = call.hyperparameters.get(name)
            if declared is not None and not same_setting(declared, value):
                found[name] = (declared, value)
    return found


def _functional_uses(call: Call, trace: Trace) -> Iterator[tuple[Any, Use]]:
    for index in trace.children.get(call.index, []):
        child = trace.calls[index]
        if child.functional and child.kind in FUNCTIONS:
            formula, adapter = FUNCTIONS[child.kind]
            use = ask(f"the formula of {child.kind}", adapter, *child.args, **child.kwargs)
            if not isinstance(use, Reason):
                yield formula, use


def _own_weight(use: Use, call: Call) -> bool:
    weight = use.state.get("weight")
    prefix = f"{call.path}." if call.path else ""
    return isinstance(weight, TensorRef) and weight.state == f"{prefix}weight"


def same_setting(declared: Any, used: Any) -> bool:
    """Whether two hyper-parameters say the same, each of them once for all axes or per axis."""
    first, second = (tuple(value) if isinstance(value, (tuple, list)) else (value,) for value in (declared, used))
    if len(first) == 1 or len(second) == 1:
        return set(first) == set(second)
    return first == second
