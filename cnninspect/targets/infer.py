"""Infer the input of a model that nobody describes, from its first layer."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from cnninspect.errors import UsageError
from cnninspect.report.quantities import Shape
from cnninspect.targets.providers import Model
from cnninspect.targets.signatures import required
from cnninspect.targets.specs import InputSpec
from cnninspect.targets.target import Function, Target

SIDES = (224, 32, 28, 64, 96, 128, 227, 256, 299, 384, 512)
"""Image sides to try, the usual one first: a linear layer after the convolutions admits only one."""
VOLUMES = (64, 32, 16)
TOKENS = 16


def infer_inputs(target: Target, model: Model) -> tuple[list[InputSpec], str]:
    """(inputs that the first layer takes, the likeliest first; that layer); UsageError where nothing tells them."""
    found = _first_layer(model) if isinstance(model, nn.Module) and len(required(model.forward)) <= 1 else None
    if found is None:
        raise UsageError(_request(target, model))
    path, layer, candidates = found
    place = f"`{path}` ({type(layer).__name__})" if path else type(layer).__name__
    return candidates, f"the first layer, {place}"


def usual_inputs(model: Model) -> list[InputSpec]:
    """The inputs of usual size that the first layer takes, the likeliest first; none where nothing tells them."""
    found = _first_layer(model) if isinstance(model, nn.Module) else None
    return [] if found is None else found[2]


def _first_layer(model: nn.Module) -> tuple[str, nn.Module, list[InputSpec]] | None:
    """(path, layer, the inputs it could have) of the first layer with weights that fix the size of an input."""
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.MultiheadAttention, nn.modules.lazy.LazyModuleMixin)):
            return None
        candidates = list(_candidates(layer))
        if candidates:
            return path, layer, candidates
    return None


def _candidates(layer: nn.Module) -> Iterator[InputSpec]:
    """The inputs that fit a layer, the likeliest first; none for a layer that takes any."""
    if isinstance(layer, nn.modules.conv._ConvNd):
        axes = len(layer.kernel_size)
        yield from (InputSpec((1, layer.in_channels, *[side] * axes)) for side in (VOLUMES if axes == 3 else SIDES))
    elif isinstance(layer, nn.Linear):
        yield InputSpec((1, layer.in_features))
    elif isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        yield InputSpec((1, TOKENS), "int64")
    elif isinstance(layer, nn.RNNBase):
        shape: Shape = (1, TOKENS) if layer.batch_first else (TOKENS, 1)
        yield InputSpec((*shape, layer.input_size))


def _request(target: Target, model: Model) -> str:
    names = [parameter.name for parameter in required(model.forward if isinstance(model, nn.Module) else model)]
    takes = f" ({', '.join(names)})" if names else ""
    each = " for each of them, in this order" if len(names) > 1 else ""
    doubt = f" {target.source.doubt}".rstrip() if isinstance(target.source, Function) else ""
    return (
        f"nothing says what input {target.name} takes{takes}. "
        f"Give --input SHAPE[:DTYPE]{each}, such as --input 1x3x224x224.{doubt}"
    )
