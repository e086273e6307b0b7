"""The catalogue: it loads every family, tells which layer a module is, and whether a subclass does as it declares.

The trace asks `layer_of` of every module that it meets. A Conv2d subclass may declare one stride and use another.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from cnninspect.ops.registry import FUNCTIONS, MODULES, Formula, Use, rule_of, sequences_of
from cnninspect.receptive.knowledge import Knowledge
from cnninspect.report.reasons import Cause, Reason, ask
from cnninspect.trace.records import Call, Layer, TensorRef, Trace

FAMILIES = (
    "convolution",
    "pooling",
    "adaptive_pooling",
    "resampling",
    "normalization",
    "elementwise",
    "attention",
    "recurrent",
    "linear",
    "embedding",
    "indexing",
    "matmul",
    "linalg",
    "reductions",
    "scans",
    "views",
    "slicing",
    "movement",
    "masks",
    "blocks",
    "creation",
)
"""The files of this room that hold one family of layers and ops each."""

_HARMLESS = {
    "__init__", "extra_repr", "__repr__", "reset_parameters", "_reset_parameters", "__module__", "__doc__",
    "__qualname__", "__annotations__", "__constants__", "__parameters__", "__setstate__", "__dict__", "__weakref__",
    "__firstlineno__", "__static_attributes__", "__orig_bases__", "_version",
}  # fmt: skip


@cache
def load() -> None:
    """Import the file of every family; each registers what it knows."""
    for family in FAMILIES:
        import_module(f"cnninspect.ops.{family}")


load()

KNOWLEDGE = Knowledge(rule_of, sequences_of)
"""The answers of the registry to the engine of receptive fields."""


def layer_of(module: Any) -> Layer:
    """The layer whose formula holds for `module`, with its hyper-parameters.

    A subclass of a known layer that changes what it computes (any method of the layer but its constructor), an
    instance whose `forward` was replaced or that has a hook to run before it, and a layer whose parameters are not the
    ones its formula counts (weight_norm, parametrizations) are not that layer: `name` is None and their own calls are
    looked at.
    """
    known, changed = _known_base(type(module))  # type: ignore[arg-type]
    if known is None:
        return Layer()
    formula = MODULES[known]
    hyper = {name: plain(getattr(module, name)) for name in formula.hyperparameters if hasattr(module, name)}
    replaced = "forward" in vars(module) or module._forward_pre_hooks
    if changed or replaced or not _has_its_roles(module, formula, hyper):
        return Layer(None, known, hyper)
    return Layer(known, None, hyper)


def declared_weights(module: Any) -> int | None:
    """The weights of a quantised layer of torch or of a subclass of a layer, by the formula of the layer of its name.

    None for other modules. A quantised Linear is no nn.Linear, but has its hyper-parameters; its bias is a method.
    """
    known = (cls.__name__ for cls in type(module).__mro__ if cls.__module__.startswith("torch."))
    name = next((each for each in known if each in MODULES), None)
    if name is None:
        return None
    formula = MODULES[name]
    # Quantised recurrent layers have no projections, and no attribute that says so.
    hyper = {"proj_size": 0, **{each: plain(getattr(module, each)) for each in formula.hyperparameters
                                if hasattr(module, each)}}  # fmt: skip
    counts = ask(f"the formula of {name}", formula.params, Use((), hyper))
    bias = getattr(module, "bias", None)
    bias = bias() if callable(bias) and not hasattr(bias, "shape") else bias
    has_bias = bias is not None and bias is not False
    if isinstance(counts, Reason):
        return None
    return sum(number for role, number in counts.items() if has_bias or not role.startswith("bias"))


def plain(value: Any) -> Any:
    """A hyper-parameter as plain data: numbers, strings, tuples; a module or function by its name."""
    if isinstance(value, (int, float, str, bool, type(None))):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(plain(item) for item in value)
    return getattr(value, "__name__", type(value).__name__)


@cache
def _known_base(cls: type) -> tuple[str | None, bool]:
    """The nearest base class with a formula, torch.nn's or a plug-in's, and whether a subclass changes it."""
    changed = False
    for base in cls.__mro__:
        if (full_name := f"{base.__module__}.{base.__qualname__}") in MODULES:
            return full_name, changed
        if base.__module__.startswith(("torch.nn.modules", "torch.nn.utils", "torch.nn.attention")):
            if base.__name__ in MODULES:
                return base.__name__, changed
            if base.__name__ == "Module":
                break
        changed = changed or any(name not in _HARMLESS for name in vars(base))
    return None, False


def _has_its_roles(module: Any, formula: Formula, hyper: dict[str, Any]) -> bool:
    """Whether the parameters are plainly those that the formula counts for these hyper-parameters."""
    names = {name for name, _ in module.named_parameters(recurse=False)}
    if getattr(module, "parametrizations", None):
        return False
    if formula.roles is not None:
        return names <= set(formula.roles)
    counts = ask(f"the formula of {type(module).__name__}", formula.params, Use((), hyper))
    # One that fails is the module's formula all the same: the call's numbers are unknown, and the error is named.
    return counts.cause is Cause.FAILED if isinstance(counts, Reason) else names <= set(counts)


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
