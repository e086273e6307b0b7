"""What counters of other libraries see of a run: uses of modules, and torch functions by the names they are reached by.

A counter hooks modules by their type, or replaces functions of torch. `Sight` holds both for one run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Declined
from cnninspect.trace.module_calls import Args, Kwargs
from cnninspect.trace.private_torch import OPS_ROOM
from cnninspect.trace.reached import Reached, reached
from cnninspect.trace.records import Call, TensorRef, Trace

_SETTINGS = (
    "kernel_size", "groups", "mode", "size", "dim", "num_layers", "hidden_size", "input_size", "bidirectional",
    "batch_first", "num_heads", "embed_dim", "proj_size",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A module of the model as a counter meets it that walks over the model.

    `kind` is its class before the first run, which makes another of a lazy layer. `places` is the number of times such
    a walk meets it: once for each module that contains it; `names` also counts the names that it has there. `params`
    are its own parameters' shapes; `all_params` counts the elements of these and of all parameters below it,
    `trainable` those that are trained. `weights` are the shapes of its `weight` and `bias`, also where they are
    computed from parameters.
    """

    path: str
    kind: str
    origin: str
    places: int
    names: int
    leaf: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Shape] = field(default_factory=dict)
    all_params: int = 0
    trainable: int = 0
    weights: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def is_torch(self) -> bool:
        """Whether torch has its class."""
        return self.origin.startswith("torch.nn.")


@dataclass(frozen=True)
class Event:
    """A module that is used (`nn.Conv2d`), or a torch function that runs (`F.conv2d`), as a counter meets it.

    `part` is the module, None for a function. `inputs` are the shapes of the tensors that go in, `output` that of the
    first that comes out, None if there is none; `weight` and `bias` are shapes, or None where there is none. `args` and
    `kwargs` are the arguments. `replaced` means that the function is reached by this name, so that a counter that has
    replaced it sees the call. `via` is the module or function that calls it, else empty. `owner` is the path of the
    innermost module around it whose hooks run, or of the module itself.
    """

    name: str
    call: Call
    part: Part | None
    inputs: tuple[Shape, ...]
    output: Shape | None
    weight: Shape | None = None
    bias: Shape | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    replaced: bool = False
    via: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Sight:
    """What counters meet in a run: the model's modules by their first path, and the events in the order of the run.

    `failed` is why the functions that are reached are not known. `unregistered` is the number of parameter elements
    that no module holds. For a plain function, which no counter takes, `parts` is empty.
    """

    parts: Mapping[str, Part]
    events: Sequence[Event]
    failed: str = ""
    unregistered: int = 0


def sight_of(
    trace: Trace, model: Any, args: Args, kwargs: Kwargs, names: Sequence[str], kinds: Mapping[str, str] | None = None
) -> Sight:
    """What counters meet that replace the functions of these names; the model runs a second time.

    `kinds` holds the classes, by path, of modules that the first run turned into another.
    """
    if not isinstance(model, nn.Module):
        return Sight({}, ())
    parts = parts_of(model, kinds or {})
    try:
        functions = reached(model, args, kwargs, trace, names)
    except Declined as error:
        return Sight(parts, tuple(_events(trace, parts, ())), str(error), trace.unregistered)
    return Sight(parts, tuple(_events(trace, parts, functions)), "", trace.unregistered)


def parts_of(model: nn.Module, kinds: Mapping[str, str]) -> dict[str, Part]:
    """Every module of the model by its first path."""
    places = _places(model, lambda module: list(module.children()))
    names = _places(model, lambda module: [child for child in module._modules.values() if child is not None])
    return {
        path: Part(
            path,
            kinds.get(path, type(module).__name__),
            type(module).__module__,
            places[id(module)],
            names[id(module)],
            not any(True for _ in module.children()),
            {name: getattr(module, name) for name in _SETTINGS if hasattr(module, name)},
            {name: tuple(param.shape) for name, param in module.named_parameters(recurse=False)},
            sum(param.numel() for param in module.parameters()),
            sum(param.numel() for param in module.parameters() if param.requires_grad),
            _weight_shapes(module),
        )
        for path, module in model.named_modules()
    }


def _weight_shapes(module: nn.Module) -> dict[str, Shape]:
    """Shapes of a module's own `weight` and `bias`; spectral and weight norm keep no parameters of these names."""
    own = {**dict(module._parameters.items()), **vars(module)}
    found = {name: own.get(name) for name in ("weight", "bias")}
    return {name: tuple(value.shape) for name, value in found.items() if isinstance(value, torch.Tensor)}


def _places(model: nn.Module, children: Callable[[nn.Module], list[nn.Module]]) -> Counter[int]:
    """For every module the number of ways down to it from the root, by the children of each."""
    inside = {id(module): [id(child) for child in children(module)] for module in model.modules()}
    waiting = Counter(key for keys in inside.values() for key in keys)
    found, ready = Counter({id(model): 1}), [id(model)]
    while ready:
        key = ready.pop()
        for child in inside[key]:
            found[child] += found[key]
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return found


_KERNELS = {"RNNCell": "torch.rnn_cell", "GRUCell": "torch.gru_cell", "LSTMCell": "torch.lstm_cell"}
"""Layer -> the function that it calls by a name which no counter replaces."""


def _events(trace: Trace, parts: Mapping[str, Part], functions: Sequence[Reached]) -> Iterator[Event]:
    inside: dict[int, list[Reached]] = {}
    for each in functions:
        inside.setdefault(each.call, []).append(each)
    for call in trace.calls:
        part, owner = parts.get(call.path), _owner(trace, call, parts)
        here = inside.get(call.index, [])
        if not call.functional and part is not None and not call.direct:
            yield _of_module(call, part)
        if call.layer in _KERNELS and part is not None:
            name = _KERNELS[call.layer]
            yield Event(name, call, part, _shapes(call.inputs), _output(call), via=f"nn.{call.layer}", owner=owner)
        if call.functional and not any(each.own for each in here):
            name = call.kind.removeprefix(OPS_ROOM)
            yield Event(
                name, call, None, _shapes(call.inputs), _output(call), args=call.args, kwargs=call.kwargs, owner=owner,
            )  # fmt: skip
        around = f"nn.{call.kind}" if call.layer is not None and not call.direct else ""
        for each in here:
            yield Event(
                each.name, call, None, _shapes(_tensors(each)), each.output, args=each.args, kwargs=each.kwargs,
                replaced=True, via=each.inside or around, owner=owner,
            )  # fmt: skip


def _of_module(call: Call, part: Part) -> Event:
    kind = part.kind
    return Event(
        f"nn.{kind}" if kind in (call.layer, call.base) else kind, call, part, _shapes(call.inputs), _output(call),
        part.weights.get("weight"), part.weights.get("bias"), call.args, call.kwargs, owner=call.path,
    )  # fmt: skip


def _owner(trace: Trace, call: Call, parts: Mapping[str, Part]) -> str:
    """The path of the innermost module around the call, or of the called module, that a counter has put hooks on."""
    while call.parent is not None and (call.functional or call.direct or call.path not in parts):
        call = trace.calls[call.parent]
    return call.path


def _tensors(each: Reached) -> list[TensorRef]:
    return [value for value in (*each.args, *each.kwargs.values()) if isinstance(value, TensorRef)]


def _shapes(refs: Sequence[TensorRef]) -> tuple[Shape, ...]:
    return tuple(ref.shape for ref in refs)


def _output(call: Call) -> Shape | None:
    return call.outputs[0].shape if call.outputs else None
