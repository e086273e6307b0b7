"""The modules of a model that does not run, as a trace without ops: one call for each module, with its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from cnninspect.trace.records import Call, Layer, Trace
from cnninspect.trace.values import Values, is_made

PARAMETER = "Parameter"
"""The kind of a parameter that a module with parts holds itself."""


def declared(model: nn.Module, layer_of: Callable[[nn.Module], Layer], device: str, *, training: bool) -> Trace:
    """The modules in the order in which they were registered, each once; the inside of a known layer is left out.

    A parameter belongs to the first module that has it. A module with parts has a call of the kind PARAMETER below it
    for each of its own.
    """
    values, calls = Values(model), list[Call]()
    _add(model, "", None, values, calls, layer_of, set())
    found = Trace(calls, [], {}, (), device, training, values.parameters, values.buffers)
    found.tied = tuple(values.tied)
    for call in calls:
        if call.parent is not None:
            found.children.setdefault(call.parent, []).append(call.index)
    return found


def _add(
    module: nn.Module,
    path: str,
    parent: int | None,
    values: Values,
    calls: list[Call],
    layer_of: Callable[[nn.Module], Layer],
    seen: set[int],
) -> None:
    """Adds a module and all below it; one that was met before has no second row, as its parameters count once."""
    if id(module) in seen:
        return
    seen.add(id(module))
    layer = layer_of(module)
    call = Call(
        len(calls), path, 0, type(module).__name__, parent, False, layer.name, layer.base, layer.hyperparameters
    )
    calls.append(call)
    parts = (
        [] if layer.name is not None else [(name, part) for name, part in module.named_children() if part is not None]
    )
    if not parts:
        call.state = values.owned(_made(module.named_parameters(remove_duplicate=False)))
        return
    for name, parameter in _made(module.named_parameters(recurse=False)):
        own = Call(len(calls), _join(path, name), 0, PARAMETER, call.index, False)
        own.state = values.owned([(name, parameter)])
        calls.append(own)
    for name, part in parts:
        _add(part, _join(path, name), call.index, values, calls, layer_of, seen)


def _made(named: Iterable[tuple[str, nn.Parameter]]) -> list[tuple[str, nn.Parameter]]:
    """The parameters that have a shape."""
    return [(name, parameter) for name, parameter in named if is_made(parameter)]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
