"""What counters of other libraries see of a run: uses of modules, and torch functions that run in them.

A counter hooks modules by their type, or replaces functions of torch. Both are read off the trace: a module that the
trace holds as a whole calls the functions that its own forward calls in torch, as listed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import nn

from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Call, TensorRef, Trace

_SETTINGS = (
    "kernel_size", "groups", "mode", "size", "dim", "num_layers", "hidden_size", "input_size", "bidirectional",
    "batch_first", "num_heads", "embed_dim", "bias_k", "add_zero_attn", "proj_size", "running_mean",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A module of the model as a counter meets it that walks over the model.

    `places` is the number of times such a walk meets it: once for each module that contains it. `params` are its own
    parameters' shapes; `all_params` counts the elements of these and of all parameters below it, `trainable` those that
    are trained. `weights` are the shapes of its `weight` and `bias`, also where they are computed from parameters.
    """

    path: str
    kind: str
    origin: str
    places: int
    leaf: bool
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Shape] = field(default_factory=dict)
    all_params: int = 0
    trainable: int = 0
    weights: Mapping[str, Shape] = field(default_factory=dict)


def parts_of(model: Any) -> dict[str, Part]:
    """Every module of the model by its first path; empty for a function, which no counter takes."""
    if not isinstance(model, nn.Module):
        return {}
    places = _places(model)
    return {
        path: Part(
            path,
            type(module).__name__,
            type(module).__module__,
            places[id(module)],
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
    found = {name: vars(module).get(name, module._parameters.get(name)) for name in ("weight", "bias")}
    return {name: tuple(value.shape) for name, value in found.items() if isinstance(value, torch.Tensor)}


def _places(model: nn.Module) -> Counter[int]:
    """For every module the number of ways down to it from the root; a module that holds it twice counts once."""
    modules = list(model.modules())
    inside = {id(module): {id(child): child for child in module.children()} for module in modules}
    waiting = Counter(key for children in inside.values() for key in children)
    found, ready = Counter({id(model): 1}), [id(model)]
    while ready:
        key = ready.pop()
        for child in inside[key]:
            found[child] += found[key]
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return found


@dataclass(frozen=True)
class Event:
    """A module that is used (`nn.Conv2d`), or a torch function that runs (`F.conv2d`), as a counter meets it.

    `inputs` are the shapes of the tensors that go in, `output` that of the first that comes out; `weight` and `bias`
    are shapes, or None where there is none. `via` is the module whose forward calls this function, else empty.
    """

    name: str
    call: Call
    part: Part | None
    inputs: tuple[Shape, ...]
    output: Shape
    weight: Shape | None = None
    bias: Shape | None = None
    via: str = ""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the module, or the named arguments of the function."""
        return self.call.kwargs if self.part is None else self.part.settings


_FUNCTIONS = {
    **{f"Conv{n}d": f"F.conv{n}d" for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": f"F.conv_transpose{n}d" for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": "F.batch_norm" for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": "F.instance_norm" for n in (1, 2, 3)},
    **{f"{kind}Pool{n}d": f"F.{kind.lower()}_pool{n}d" for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{n}d": f"F.adaptive_{kind.lower()}_pool{n}d" for kind in ("Max", "Avg") for n in (1, 2, 3)},
    "SyncBatchNorm": "F.batch_norm", "Softmax2d": "F.softmax",
    "Linear": "F.linear", "LayerNorm": "F.layer_norm", "GroupNorm": "F.group_norm", "Softmax": "F.softmax",
    "ReLU": "F.relu", "SiLU": "F.silu", "GELU": "F.gelu", "PReLU": "F.prelu", "ELU": "F.elu",
    "LeakyReLU": "F.leaky_relu", "Hardswish": "F.hardswish", "Embedding": "F.embedding",
    **dict.fromkeys(("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"), "F.interpolate"),
}  # fmt: skip
"""Layer -> the function of torch that its forward calls. `nn.ReLU6` calls `hardtanh`, which no counter replaces."""

_PLACES_OF_WEIGHTS = {
    **dict.fromkeys((f"F.conv{n}d" for n in (1, 2, 3)), (1, 2)),
    **dict.fromkeys((f"F.conv_transpose{n}d" for n in (1, 2, 3)), (1, 2)),
    "F.linear": (1, 2), "F.batch_norm": (3, 4), "F.instance_norm": (3, 4), "F.layer_norm": (2, 3),
    "F.group_norm": (2, 3),
}  # fmt: skip
"""Function -> the positions of its arguments `weight` and `bias`."""


def events(trace: Trace, parts: Mapping[str, Part]) -> Iterator[Event]:
    """What counters meet during the run, in the order of the run."""
    for call in trace.calls:
        if call.functional:
            yield _function(call, parts.get(call.path))
            continue
        part = parts.get(call.path)
        weights = {} if part is None else part.weights
        seen = Event(
            f"nn.{call.kind}" if call.kind in (call.layer, call.base) else call.kind,
            call, part, _shapes(call.inputs), _output(call), weights.get("weight"), weights.get("bias"),
        )  # fmt: skip
        yield seen
        if call.layer == "MultiheadAttention":
            yield from _inside_attention(seen)
        elif call.layer in _FUNCTIONS:
            yield Event(
                _FUNCTIONS[call.layer], call, part, seen.inputs, seen.output, seen.weight, seen.bias, f"nn.{call.kind}"
            )


_KEPT = {"TransformerEncoderLayer", "TransformerDecoderLayer"}
"""Modules of torch that keep the function of their activation when they are made, before a counter replaces it."""


def _function(call: Call, owner: Part | None) -> Event:
    weight, bias = (_argument(call, position, name) for position, name in _weights(call.kind))
    return Event(_name(call, owner), call, None, _shapes(call.inputs), _output(call), weight, bias)


def _name(call: Call, owner: Part | None) -> str:
    if call.operator:
        return call.kind.replace(".", ".__") + "__"
    if owner is not None and owner.kind in _KEPT and call.kind in ("F.relu", "F.gelu"):
        return f"{call.kind} kept by {owner.kind}"
    return call.kind.removesuffix("_with_indices")


def _weights(kind: str) -> Iterator[tuple[int, str]]:
    return zip(_PLACES_OF_WEIGHTS.get(kind, (-1, -1)), ("weight", "bias"), strict=True)


def _argument(call: Call, position: int, name: str) -> Shape | None:
    value = call.args[position] if 0 <= position < len(call.args) else call.kwargs.get(name)
    return value.shape if isinstance(value, TensorRef) else None


def _shapes(refs: Sequence[TensorRef]) -> tuple[Shape, ...]:
    return tuple(ref.shape for ref in refs)


def _output(call: Call) -> Shape:
    return call.outputs[0].shape if call.outputs else ()


def _inside_attention(seen: Event) -> Iterator[Event]:
    """The functions that `F.multi_head_attention_forward` calls: projections, and products of matrices or one op.

    With `need_weights` it multiplies the heads' matrices itself, without it calls scaled_dot_product_attention.
    """
    part, call = seen.part, seen.call
    if part is None or len(seen.inputs) < 3:
        return
    heads, width = part.settings["num_heads"], part.settings["embed_dim"]
    batched = len(seen.inputs[0]) == 3
    first = part.settings["batch_first"] or not batched
    batch = seen.inputs[0][0 if first else 1] if batched else 1
    queries, keys = (prod(shape[:-1]) // batch for shape in seen.inputs[:2])
    via = f"nn.{call.kind}"

    def linear(shape: Shape, bias: bool) -> Event:
        out = (*shape[:-1], width)
        return Event("F.linear", call, part, (shape,), out, (width, shape[-1]), (width,) if bias else None, via)

    biased = "in_proj_bias" in part.params
    yield from (linear(shape, biased) for shape in seen.inputs[:3])
    keys += (part.settings["bias_k"] is not None) + bool(part.settings["add_zero_attn"])
    yield from _products(seen, batch * heads, queries, keys, width // heads, via)
    yield linear((*seen.inputs[0][:-1], width), biased)


def _products(seen: Event, count: int, queries: int, keys: int, width: int, via: str) -> Iterator[Event]:
    """The two products of attention, and the softmax between them if it is a function of its own."""
    call, part = seen.call, seen.part
    q, k, scores = (count, queries, width), (count, keys, width), (count, queries, keys)
    needs_weights = call.args[4] if len(call.args) > 4 else call.kwargs.get("need_weights", True)
    if not needs_weights:
        yield Event("F.scaled_dot_product_attention", call, part, (q, k, k), q, via=via)
        return
    padding, mask = (_argument(call, position, name) for position, name in ((3, "key_padding_mask"), (5, "attn_mask")))
    if padding is None and mask is None:
        yield Event("torch.bmm", call, part, (q, (count, width, keys)), scores, via=via)
    else:
        added = (1 if padding is None and len(mask or ()) == 2 else count, 1 if mask is None else queries, keys)
        yield Event("torch.baddbmm", call, part, (added, q, (count, width, keys)), scores, via=via)
    yield Event("F.softmax", call, part, (scores,), scores, via=via)
    yield Event("torch.bmm", call, part, (scores, k), q, via=via)
