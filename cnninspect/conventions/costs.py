"""The names that stand in the costs of the table, each with its value for one use; NoCost where there is none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

from cnninspect.conventions.sight import Event, Part
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Declined
from cnninspect.trace.records import TensorRef, tensors


class NoCost(Declined):
    """The table does not describe this use, or the library fails there; the text says why."""


@dataclass(frozen=True)
class Use:
    """One use of a module or function, with its arguments by the names of the library's own rule for it.

    `inputs` are the shapes of the tensors among the arguments, in the order of the rule's signature.
    """

    event: Event
    inputs: tuple[Shape, ...]
    named: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the module, with the hyper-parameters that the trace has; or the arguments of a function."""
        if self.event.part is None:
            return self.named
        return {**self.event.part.settings, **self.event.call.hyperparameters}

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        if not self.inputs:
            raise NoCost("its input is given by name, where the counter looks for the first argument")
        return self.inputs[0]

    @property
    def output(self) -> Shape:
        """The shape of the output."""
        if self.event.output is None:
            raise NoCost("it returns no tensor")
        return self.event.output

    def shape(self, name: str) -> Shape | None:
        """The shape of an argument or parameter; None if it is not there."""
        if self.event.part is not None:
            return {"weight": self.event.weight, "bias": self.event.bias}.get(name)
        value = self.named.get(name)
        return value.shape if isinstance(value, TensorRef) else None

    @property
    def weight(self) -> Shape:
        """The shape of the weight."""
        found = self.shape("weight")
        if found is None:
            raise NoCost("its weight is not seen")
        return found


def use_of(event: Event, signature: str | None, *, positional: bool) -> Use:
    """The use with its arguments by the names of `signature`; NoCost if they do not fit it.

    `positional` means that the counter knows only the positional arguments of a module.
    """
    if event.part is not None:
        given = tuple(ref.shape for ref in tensors(event.args)) if positional else event.inputs
        return Use(event, event.inputs if event.via else given, {})
    if signature is None:
        return Use(event, event.inputs, event.kwargs)
    try:
        bound = _signature(signature).bind(*event.args, **event.kwargs)
    except TypeError as error:
        raise NoCost(f"the counter's rule does not take these arguments: {error}") from None
    bound.apply_defaults()
    named = bound.arguments
    return Use(event, tuple(value.shape for value in _flat(named) if isinstance(value, TensorRef)), named)


def _flat(named: Mapping[str, Any]) -> list[Any]:
    """The arguments in the order of the signature, those of `*args` and `**kwargs` among them."""
    found: list[Any] = []
    for name, value in named.items():
        found += value if name == "args" else value.values() if name == "kwargs" else [value]
    return found


@cache
def _signature(text: str) -> inspect.Signature:
    return inspect.signature(eval(f"lambda {text}: None"))


def _kernel(use: Use) -> int:
    return prod(use.weight[2:])


def _batched(use: Use) -> None:
    if len(use.input) < len(use.weight):
        raise NoCost("its input has no batch dimension")


def _macs(use: Use) -> int:
    """Multiply-accumulates of a convolution, a transposed one or a linear layer, from the shape of its weight."""
    weight = use.weight
    if len(weight) < 2:
        raise NoCost("its weight is a vector")
    if len(weight) > 2:
        _batched(use)
    if "ranspose" in use.event.name:
        return prod(use.input) * prod(weight[1:])
    return prod(use.output) * prod(weight[1:])


def _positions(use: Use) -> int:
    """Positions of a convolution's output in all samples, by the formula for equal padding on both sides.

    `padding='same'` with an even kernel pads one side more, which the formula does not see.
    """
    _batched(use)
    found = use.input[0]
    named = use.settings["padding"] == "same"
    for axis, (size, kernel) in enumerate(zip(use.input[2:], use.weight[2:], strict=True)):
        stride, dilation = _along(use, "stride", axis), _along(use, "dilation", axis)
        padding = dilation * (kernel - 1) // 2 if named else _along(use, "padding", axis)
        found *= (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return found


def _along(use: Use, name: str, axis: int) -> int:
    value = use.settings[name]
    if value == "valid":
        return 0
    if isinstance(value, list):
        raise NoCost(f"its {name} is a list, where the counter's rule takes a tuple")
    return int(value[axis if len(value) > 1 else 0]) if isinstance(value, tuple) else int(value)


# --- attention and recurrent layers -------------------------------------------------------------------------------


def _attention(use: Use) -> dict[str, int]:
    """Sizes of a MultiheadAttention, from its three inputs."""
    settings = use.settings
    if len(use.event.args) != 3 or len(use.inputs) < 3:
        raise NoCost("the counter's rule takes query, key and value by position and nothing else")
    if len(use.input) != 3:
        raise NoCost("its input has no batch dimension")
    axis = 1 if settings["batch_first"] else 0
    (queries, width), (keys, kdim), (values, vdim) = ((shape[axis], shape[2]) for shape in use.inputs[:3])
    batch = use.input[1 - axis]
    return {
        "batch": batch, "queries": queries, "keys": keys, "values": values, "width": width, "kdim": kdim,
        "vdim": vdim, "heads": settings["num_heads"],
    }  # fmt: skip


def _batch(use: Use) -> int:
    if use.event.name.endswith("MultiheadAttention"):
        return _attention(use)["batch"]
    return use.input[0] if use.input else 1


def _stack(use: Use) -> list[tuple[int, int, int]]:
    """For every layer of a recurrent module its input size, hidden size and number of directions."""
    settings = use.settings
    if settings.get("proj_size"):
        raise NoCost("it projects the hidden state")
    hidden, directions = settings["hidden_size"], 1 + bool(settings.get("bidirectional"))
    first = [(settings["input_size"], hidden, directions)]
    return first + [(hidden * directions, hidden, directions)] * (settings.get("num_layers", 1) - 1)


def _steps(use: Use) -> int:
    """Steps of a recurrent layer in all samples; of a cell, the samples."""
    rank = 2 if "num_layers" not in use.settings else 3
    if len(use.input) != rank:
        raise NoCost("its input has no batch dimension, or is packed")
    return prod(use.input[:-1])


def _gates(use: Use) -> int:
    return next(gates for kind, gates in (("rnn", 1), ("gru", 3), ("lstm", 4)) if kind in use.event.name.lower())


def _recurrent_bias(use: Use) -> bool:
    part = use.event.part
    return part is not None and any(name.startswith("bias_ih") for name in part.params)


def _bias(use: Use) -> int:
    name = use.event.name
    if name.startswith(("nn.RNN", "nn.GRU", "nn.LSTM")):
        return int(_recurrent_bias(use))
    if name == "nn.MultiheadAttention":
        return int(use.event.part is not None and "in_proj_bias" in use.event.part.params)
    return int(use.shape("bias") is not None)


# --- windows and sizes --------------------------------------------------------------------------------------------


def _given(use: Use) -> int:
    if not use.event.args or not isinstance(use.event.args[0], TensorRef):
        raise NoCost("its first argument is no tensor, where the counter looks for the input")
    return 1


def _features(use: Use) -> int:
    axis = use.settings.get("dim")
    return use.input[axis] if axis is not None else 1


def _window(use: Use) -> float:
    """Input elements of an adaptive pool for each output element: sizes divided, whole or not."""
    found = 1.0
    for size, out in zip(use.input[2:], use.output[2:], strict=True):
        found *= size / out
    return found


def _near_window(use: Use) -> int:
    pairs = zip(use.input[2:], use.output[2:], strict=True)
    return prod(size // out if size % out == 0 else size % out + 1 for size, out in pairs)


def _written_kernel(use: Use) -> int:
    kernel = use.settings.get("kernel_size", 1)
    return prod(kernel) if isinstance(kernel, tuple) else kernel


def _resized(use: Use, position: int, name: str) -> Any:
    """The argument `size` or `scale_factor` of an interpolation, given by position or by name."""
    args, kwargs = use.event.args, use.event.kwargs
    found = kwargs.get(name)
    return args[position] if found is None and len(args) > position else found


def _size(use: Use) -> int:
    """The product of the sizes that an interpolation is asked for; 0 if it is asked for a scale."""
    if not use.event.args:
        raise NoCost("its input is given by name, where the counter looks for the first argument")
    size = _resized(use, 1, "size")
    return 0 if size is None else prod(size) if isinstance(size, (tuple, list)) else int(size)


def _scale(use: Use) -> float:
    """The factor by which an interpolation multiplies the number of elements."""
    factor = _resized(use, 2, "scale_factor")
    dims = len(use.input) - 2
    if not isinstance(factor, (tuple, list)):
        return float(factor) ** dims
    if len(factor) != dims:
        raise NoCost("one factor in a list stands for all dimensions")
    return float(prod(factor))


def _scaled(use: Use) -> int:
    """Elements of an interpolation by a scale, where several factors are cut to whole numbers."""
    factor, dims = _resized(use, 2, "scale_factor"), len(use.input) - 2
    if isinstance(factor, tuple) and len(factor) == dims:
        return prod(use.input) * prod(int(each) for each in factor)
    found = prod(use.input) * _one_scale(use) ** dims
    if not found.is_integer():
        raise NoCost("it counts a part of an element")
    return int(found)


def _one_scale(use: Use) -> float:
    factor = _resized(use, 2, "scale_factor")
    if isinstance(factor, (tuple, list)):
        raise NoCost("the counter fails for several scale factors")
    return float(factor)


def _sized(use: Use) -> bool:
    return _resized(use, 1, "size") is not None


def _unscaled(use: Use) -> int:
    """The elements of the input, where the counter drops the scale; it fails for other tuples than of batch length."""
    factor = _resized(use, 2, "scale_factor")
    if not (isinstance(factor, tuple) and len(factor) == use.input[0]):
        _one_scale(use)
    return prod(use.input)


# --- products and sums --------------------------------------------------------------------------------------------


def _product(use: Use) -> int:
    """MACs of a matrix product: the elements of the first operand times the last size of the second."""
    first, second = use.inputs[-2:]
    return prod(first) * second[-1]


def _matched(use: Use) -> int:
    """The same for a counter that fails where the second operand is a vector."""
    if len(use.inputs[-1]) < 2:
        raise NoCost("the counter fails where the second operand is a vector")
    return _product(use)


def _scores(use: Use) -> int:
    """MACs of both products of attention."""
    if len(use.event.args) < 3:
        raise NoCost("query, key and value are given by name, where the counter takes q, k and v")
    queries, keys, values = use.inputs[:3]
    return prod(queries[:-1]) * keys[-2] * (queries[-1] + values[-1])


def _from_left(use: Use) -> int:
    """Elements of a sum or product, where shapes are compared from the first dimension on, and not from the last."""
    shapes = [shape.shape if isinstance(shape, TensorRef) else () for shape in _operands(use)]
    rank = max(map(len, shapes))
    return prod(max(shape[axis] if axis < len(shape) else 1 for shape in shapes) for axis in range(rank))


def _operands(use: Use) -> tuple[Any, Any]:
    return use.named["input"], use.named["other"]


def _einsum(use: Use) -> int:
    """FLOPs of an einsum along numpy's best path, as numpy prints them: with four digits."""
    try:
        import numpy as np
    except ImportError:
        raise NoCost("the counter asks numpy for the best path, which is not installed") from None
    equation, *operands = use.event.args
    if not isinstance(equation, str) or not all(isinstance(each, TensorRef) for each in operands):
        raise NoCost("the counter takes the equation and then one tensor after the other")
    found = np.einsum_path(equation.replace(" ", ""), *(np.broadcast_to(0.0, o.shape) for o in operands),
                           optimize="optimal")[1]  # fmt: skip
    line = next(line for line in found.split("\n") if "optimized flop" in line.lower())
    return int(float(line.split(":")[-1]))


def _normed(use: Use) -> int:
    if not 2 <= len(use.input) <= 5:
        raise NoCost("the counter fails for inputs of fewer than two and more than five dimensions")
    return prod(use.input)


# --- parameters of a module ---------------------------------------------------------------------------------------


def _params_named(part: Part | None, word: str) -> int:
    """Elements of the parameter called `weight` or `bias`."""
    return prod(part.params[word]) if part is not None and word in part.params else 0


def _other_params(part: Part | None) -> int:
    """Elements of the parameters in whose names these words stand with others."""
    params = {} if part is None else part.params
    return sum(
        prod(shape) for name, shape in params.items()
        if name not in ("weight", "bias") and ("weight" in name or "bias" in name)
    )  # fmt: skip


def _trained(use: Use) -> int:
    return int(bool(use.named.get("training", False)))


NAMES: dict[str, Callable[[Use], Any]] = {
    "inputs": lambda u: prod(u.input),
    "outputs": lambda u: prod(u.output),
    "macs": _macs,
    "bias": _bias,
    "given": _given,
    "affine": lambda u: int(u.shape("weight") is not None),
    "kernel": _kernel,
    "weight": lambda u: u.weight,
    "groups": lambda u: u.settings["groups"],
    "trained": _trained,
    "normed": _normed,
    "in_channels": lambda u: u.input[1],
    "in_features": lambda u: u.weight[1],
    "features": _features,
    "window": _window,
    "near_window": _near_window,
    "written_kernel": _written_kernel,
    "mode": lambda u: str(u.settings["mode"]),
    "antialias": lambda u: bool(u.settings.get("antialias")),
    "size": _size,
    "sized": _sized,
    "scale": _scale,
    "scaled": _scaled,
    "unscaled": _unscaled,
    "rank": lambda u: len(u.input),
    "batch": _batch,
    "product": _product,
    "matched": _matched,
    "attention": _scores,
    "from_left": _from_left,
    "broadcast": lambda u: prod(u.output),
    "einsum": _einsum,
    "beta": lambda u: u.named.get("beta", 1),
    "spots": _positions,
    "stack": _stack,
    "steps": _steps,
    "directions": lambda u: 1 + bool(u.settings.get("bidirectional")),
    "gates": _gates,
    "named_padding": lambda u: isinstance(u.settings["padding"], str),
    "positions": lambda u: prod(u.output[:1] + u.output[2:]),
    "first_axis": lambda u: u.output[0] if u.output else 0,
    "two_axes": lambda u: prod(u.output[:2]),
    "weight_size": lambda u: _params_named(u.event.part, "weight"),
    "bias_size": lambda u: _params_named(u.event.part, "bias"),
    "other_weights": lambda u: _other_params(u.event.part),
    **{
        name: lambda u, name=name: _attention(u)[name]  # type: ignore[misc]
        for name in ("queries", "keys", "values", "width", "kdim", "vdim", "heads")
    },
}
"""Name in a cost -> its value for one use."""
