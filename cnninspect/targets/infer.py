"""Infer the input of a model that nobody describes, from its first layer."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn

from cnninspect.errors import UsageError
from cnninspect.quantities import Shape
from cnninspect.targets.providers import Model
from cnninspect.targets.specs import InputSpec
from cnninspect.targets.target import Target

SPATIAL: dict[int, Shape] = {1: (224,), 2: (224, 224), 3: (64, 64, 64)}
"""The map that is assumed for convolutions of one, two and three dimensions."""
TOKENS = 16


def infer_inputs(target: Target, model: Model) -> tuple[Sequence[InputSpec], tuple[str, ...]]:
    """([the input that the first layer takes], a note that says so); UsageError where that cannot be told."""
    names = _required(model)
    if isinstance(model, nn.Module) and len(names) <= 1:
        for path, layer in model.named_modules():
            spec = _spec(layer)
            if spec is not None:
                return [spec], (_note(spec, path, layer),)
            if isinstance(layer, nn.MultiheadAttention):
                break
    raise UsageError(_request(target, names))


def _spec(layer: nn.Module) -> InputSpec | None:
    """The input that fits a layer, None for one that fits any or is not known."""
    if isinstance(layer, nn.modules.conv._ConvNd) and layer.in_channels:
        return InputSpec((1, layer.in_channels, *SPATIAL[len(layer.kernel_size)]))
    if isinstance(layer, nn.Linear) and layer.in_features:
        return InputSpec((1, layer.in_features))
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        return InputSpec((1, TOKENS), "int64")
    if isinstance(layer, nn.RNNBase):
        return InputSpec((1, TOKENS, layer.input_size) if layer.batch_first else (TOKENS, 1, layer.input_size))
    return None


def _note(spec: InputSpec, path: str, layer: nn.Module) -> str:
    place = f"`{path}` ({type(layer).__name__})" if path else type(layer).__name__
    return f"input {spec} is inferred from the first layer, {place}. Give --input if the model takes another one."


def _required(model: Model) -> list[str]:
    """The names of the arguments that the forward cannot do without."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _request(target: Target, names: Sequence[str]) -> str:
    takes = f" ({', '.join(names)})" if names else ""
    each = " for each of them, in this order" if len(names) > 1 else ""
    return f"nothing says what input {target.name} takes{takes}. Give --input SHAPE[:DTYPE]{each}, such as --input 1x3x224x224."
