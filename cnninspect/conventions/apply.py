"""Applies a convention to a run: the number that the library would print, and what it is made of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from types import CodeType
from typing import Any

from cnninspect.conventions.sight import Event, Part, events
from cnninspect.conventions.table import Convention, Costs, Params, Work
from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class Term:
    """A part of a number: one class of work in one use, with the expression of its cost.

    `once` is its value, `times` how often it is added; `by_module` says that a hook on a module counts it.
    """

    event: Event
    work: Work
    cost: str
    once: int
    times: int = 1
    by_module: bool = False

    @property
    def value(self) -> int:
        """What it adds to the number."""
        return self.once * self.times


@dataclass(frozen=True)
class Applied:
    """The number of a convention for one run; `unknown` is why there is none.

    `samples` is the batch size by which the sum over modules is divided, 1 where it is not.
    """

    convention: Convention
    terms: tuple[Term, ...]
    params: int | None
    unknown: str = ""
    samples: int = 1

    @property
    def total(self) -> int | None:
        """The number that the library prints; None if the table does not describe a part of it."""
        if self.unknown:
            return None
        hooked = sum(term.value for term in self.terms if term.by_module)
        return int(hooked / self.samples) + sum(term.value for term in self.terms if not term.by_module)

    @property
    def by_work(self) -> dict[Work, int]:
        """The number by class of work."""
        return {work: found for work in Work if (found := sum(t.value for t in self.terms if t.work is work))}


def apply(convention: Convention, trace: Trace, parts: Mapping[str, Part]) -> Applied:
    """What `convention` makes of a run. Libraries take modules only, so that a function has no number."""
    if not parts:
        return Applied(convention, (), None, f"{convention.name} takes modules, not functions")
    seen = list(events(trace, parts))
    terms: list[Term] = []
    unknown: dict[str, None] = {}
    for event in seen:
        try:
            terms += _terms(convention, event, parts)
        except (IndexError, ValueError, KeyError, TypeError, ZeroDivisionError):
            unknown[f"{event.name} with these inputs"] = None  # the table knows batches of feature maps, for one
        if _is_unknown(convention, event):
            unknown[event.name] = None
    why = f"the table does not say how {convention.name} counts {', '.join(unknown)}" if unknown else ""
    samples = seen[0].inputs[0][0] if convention.per_sample and seen[0].inputs and seen[0].inputs[0] else 1
    return Applied(convention, tuple(terms), _params(convention, seen, parts), why, samples)


def _is_unknown(convention: Convention, event: Event) -> bool:
    timm = event.part is not None and event.name == "Attention" and event.part.origin.startswith("timm.")
    by_name = event.name == "nn.MultiheadAttention" and len([a for a in event.call.args[:3] if a is not None]) < 3
    needs_three = by_name and event.name in convention.modules  # its hook unpacks three positional inputs
    # Interpolation by areas calls an adaptive pool, a function of its own.
    by_areas = event.name == "F.interpolate" and event.name in convention.functions and _mode(event) == "area"
    timm_unknown = timm and "timm.Attention" in convention.unknown
    return event.name in convention.unknown or needs_three or timm_unknown or by_areas


def _terms(convention: Convention, event: Event, parts: Mapping[str, Part]) -> Iterator[Term]:
    costs, by_module = _costs(convention, event)
    if not costs:
        return
    owner = parts.get(event.call.path)
    once = owner is None or (convention.per_sample and not by_module)  # functions then are no part of any module
    times = 1 if once or owner is None else owner.places**convention.shared
    for work, cost in costs.items():
        code, names = _compiled(cost)
        value = int(eval(code, {"__builtins__": _BUILTINS, **{name: NAMES[name](event) for name in names}}))
        if value:
            yield Term(event, work, cost, value, times, by_module)


_BUILTINS = {"int": int, "sum": sum, "max": max}


def _costs(convention: Convention, event: Event) -> tuple[Costs, bool]:
    """The costs of a use, and whether they are those of a module."""
    if event.call.functional or event.via:
        return convention.functions.get(event.name, {}), False
    name = event.name
    if convention.subclasses and name not in convention.modules:
        name = f"nn.{event.call.layer or event.call.base}"
    if event.part is not None and event.part.leaf and convention.leaves:
        return next(costs for word, costs in convention.leaves.items() if word in event.call.kind), True
    return convention.modules.get(name, {}), True


@cache
def _compiled(cost: str) -> tuple[CodeType, tuple[str, ...]]:
    """The code of a cost, and the names that it takes from the use."""
    tree = ast.parse(cost, mode="eval")
    names = dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return compile(tree, cost, "eval"), tuple(name for name in names if name in NAMES)


def _kernel(event: Event) -> int:
    if event.weight is None:
        raise ValueError("a weight that is not seen")
    return prod(event.weight[2:])


def _macs(event: Event) -> int:
    """Multiply-accumulates of a convolution, a transposed one or a linear layer, from the shape of its weight."""
    weight = event.weight or ()
    if len(weight) < 2 or len(event.inputs[0]) < len(weight) > 2:
        raise ValueError("a vector for a weight, a weight that is not seen, or a convolution without a batch")
    if "ranspose" in event.name:
        return prod(event.inputs[0]) * prod(weight[1:])
    return prod(event.output) * prod(weight[1:])


def _batch(event: Event) -> int:
    if event.name.endswith("MultiheadAttention"):
        return _attention(event)["batch"]
    return event.inputs[0][0] if event.inputs and event.inputs[0] else 1


def _attention(event: Event) -> dict[str, int]:
    """Sizes of a MultiheadAttention, from its three inputs."""
    settings = event.settings
    axis = 1 if settings["batch_first"] else 0
    (queries, width), (keys, kdim), (values, vdim) = ((shape[axis], shape[2]) for shape in event.inputs[:3])
    batch = event.inputs[0][1 - axis]
    return {
        "batch": batch, "queries": queries, "keys": keys, "values": values, "width": width, "kdim": kdim,
        "vdim": vdim, "heads": settings["num_heads"],
    }  # fmt: skip


def _stack(event: Event) -> list[tuple[int, int, int]]:
    """For every layer of a recurrent module its input size, hidden size and number of directions."""
    settings = event.settings
    if settings.get("proj_size"):
        raise ValueError("projections of the hidden state")
    hidden, directions = settings["hidden_size"], 1 + bool(settings["bidirectional"])
    first = [(settings["input_size"], hidden, directions)]
    return first + [(hidden * directions, hidden, directions)] * (settings["num_layers"] - 1)


def _steps(event: Event) -> int:
    batch, length, _ = event.inputs[0]  # a ValueError without a batch
    return batch * length


def _features(event: Event) -> int:
    axis = event.settings.get("dim")
    return event.inputs[0][axis] if axis is not None and event.inputs else 1


def _window(event: Event) -> float:
    """Input elements of an adaptive pool for each output element: sizes divided, whole or not."""
    found = 1.0
    for size, out in zip(event.inputs[0][2:], event.output[2:], strict=True):
        found *= size / out
    return found


def _near_window(event: Event) -> int:
    pairs = zip(event.inputs[0][2:], event.output[2:], strict=True)
    return prod(size // out if size % out == 0 else size % out + 1 for size, out in pairs)


def _written_kernel(event: Event) -> int:
    kernel = event.settings.get("kernel_size", 1)
    return prod(kernel) if isinstance(kernel, tuple) else kernel


def _product(event: Event) -> int:
    """MACs of a matrix product: the elements of the first operand times the last size of the second."""
    first, second = event.inputs[-2:]
    return prod(first) * second[-1]


def _scores(event: Event) -> int:
    """MACs of both products of attention."""
    queries, keys, values = event.inputs[:3]
    return prod(queries[:-1]) * keys[-2] * (queries[-1] + values[-1])


def _size(event: Event) -> int:
    """The product of the sizes that an interpolation is asked for; 0 if it is asked for a scale."""
    settings = event.settings
    size = settings.get("size", event.call.args[1] if len(event.call.args) > 1 else None)
    return 0 if size is None else prod(size) if isinstance(size, (tuple, list)) else int(size)


def _params_named(event: Event, word: str, *, plain: bool = True) -> int:
    """Elements of the parameters called `weight` or `bias`, or whose names contain one of these words."""
    params = {} if event.part is None else event.part.params
    if plain:
        return prod(params[word]) if word in params else 0
    return sum(
        prod(shape) for name, shape in params.items()
        if name not in ("weight", "bias") and ("weight" in name or "bias" in name)
    )  # fmt: skip


def _bias(event: Event) -> int:
    if event.name in ("nn.RNN", "nn.GRU", "nn.LSTM"):
        return int("bias_ih_l0" in (event.part.params if event.part is not None else ()))
    if event.name == "nn.MultiheadAttention":
        return int("in_proj_bias" in (event.part.params if event.part is not None else ()))
    return int(event.bias is not None)


def _padding(event: Event) -> Any:
    """The padding of a convolution: sizes, or `same` or `valid`."""
    return _setting(event, "padding", 4, 0)


def _setting(event: Event, name: str, position: int, default: Any) -> Any:
    """A setting of a module, or an argument of a function at its position or by its name."""
    call = event.call
    if event.part is not None:
        return call.hyperparameters.get(name, event.settings.get(name, default))
    return call.args[position] if len(call.args) > position else call.kwargs.get(name, default)


def _mode(event: Event) -> str:
    return str(_setting(event, "mode", 3, "nearest"))


def _trained(event: Event) -> int:
    """1 if a batch norm takes the mean and variance of the batch."""
    if event.part is not None:
        return int(event.call.training or event.settings.get("running_mean", 0) is None)
    return int(bool(_setting(event, "training", 5, False)))


def _broadcast(event: Event) -> int:
    return prod(event.output)


def _shrunk(event: Event) -> int:
    """Positions that the size of a convolution's output gives for the input of a transposed convolution, per sample."""
    found = event.inputs[0][0]
    for axis, (size, kernel) in enumerate(zip(event.inputs[0][2:], (event.weight or ())[2:], strict=True)):
        stride, padding, dilation = (_along(_setting(event, *each), axis) for each in _CONV_DEFAULTS)
        found *= (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return found


_CONV_DEFAULTS = (("stride", 3, 1), ("padding", 4, 0), ("dilation", 7, 1))


def _along(value: Any, axis: int) -> int:
    return int(value[axis]) if isinstance(value, (tuple, list)) else int(value)


def _of_attention(name: str) -> Callable[[Event], Any]:
    return lambda event: _attention(event)[name]


NAMES: dict[str, Callable[[Event], Any]] = {
    "inputs": lambda e: prod(e.inputs[0]) if e.inputs else 0,
    "outputs": lambda e: prod(e.output),
    "macs": _macs,
    "bias": _bias,
    "affine": lambda e: int(e.weight is not None),
    "kernel": _kernel,
    "weight": lambda e: e.weight,
    "groups": lambda e: _setting(e, "groups", 6, 1),
    "trained": _trained,
    "in_channels": lambda e: e.inputs[0][1],
    "in_features": lambda e: (e.weight or ())[1],
    "features": _features,
    "window": _window,
    "near_window": _near_window,
    "written_kernel": _written_kernel,
    "mode": _mode,
    "size": _size,
    "rank": lambda e: len(e.inputs[0]),
    "batch": _batch,
    "product": _product,
    "attention": _scores,
    "broadcast": _broadcast,
    "shrunk": _shrunk,
    "stack": _stack,
    "steps": _steps,
    "directions": lambda e: 1 + bool(e.settings.get("bidirectional")),
    "gates": lambda e: {"nn.RNN": 1, "nn.GRU": 3, "nn.LSTM": 4}[e.name],
    "named_padding": lambda e: isinstance(_padding(e), str),
    "positions": lambda e: prod(e.output[:1] + e.output[2:]),
    "first_axis": lambda e: e.output[0] if e.output else 0,
    "two_axes": lambda e: prod(e.output[:2]),
    "weight_size": lambda e: _params_named(e, "weight"),
    "bias_size": lambda e: _params_named(e, "bias"),
    "other_weights": lambda e: _params_named(e, "", plain=False),
    **{name: _of_attention(name) for name in ("queries", "keys", "values", "width", "kdim", "vdim", "heads")},
}
"""Name in a cost -> its value for one use."""


def _params(convention: Convention, seen: Sequence[Event], parts: Mapping[str, Part]) -> int | None:
    if convention.params is Params.HOOKED:
        hooked = {*convention.modules, *convention.unknown}
        ran = {e.part.path: e.part for e in seen if e.part is not None and e.name in hooked and not e.via}
        return sum(part.all_params * part.places for part in ran.values())
    if convention.params is Params.EACH_MODULE:
        if any(part.places > 1 and part.all_params for part in parts.values()):
            return None  # what it does then depends on where containers first appear in its table
        return sum(prod(shape) for part in parts.values() for shape in part.params.values())
    return parts[""].trainable if convention.params is Params.TRAINABLE else parts[""].all_params
