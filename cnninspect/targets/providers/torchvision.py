"""torchvision's models, with the arguments of their published weights, but without the weights."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from cnninspect.errors import UsageError
from cnninspect.report.quantities import Shape
from cnninspect.targets import torchvision_ops
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.providers.base import Model, Provider

SAMPLE_SIZE = 512
FRAMES = 16
"""torchvision publishes the operations of a model for an image of 512x512, or 16 such frames, after its transforms."""

DOWNLOADING = ("weights", "weights_backbone", "pretrained", "pretrained_backbone")


class TorchvisionProvider(Provider):
    """The names of `torchvision.models.list_models`, without quantized models."""

    name = "torchvision"

    def names(self) -> Sequence[str]:
        """Every registered model whose weights are floating point numbers."""
        models = _models()
        return [name for name in models.list_models() if _task(models.get_model_builder(name)) != "quantization"]

    def has(self, name: str) -> bool:
        """Whether the name is registered, with the same case of letters; torchvision itself ignores case."""
        return name in _models().list_models()

    def factory(self, name: str) -> Callable[..., Any]:
        """`build` with the arguments of torchvision's builder and of the model class that it passes the rest on to."""

        def build(**arguments: Any) -> Model:
            return self.build(name, arguments)

        build.__signature__ = _signature(_builder(name))  # type: ignore[attr-defined]
        return build

    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model with the arguments of its published weights; the caller's arguments override them."""
        builder = _builder(name)
        for argument in DOWNLOADING:
            if arguments.get(argument):
                raise UsageError(
                    f"--arg {argument} would download weights, which no number of the report needs. Leave it out."
                )
        model: Model = _call(builder, {**_published_arguments(name), **arguments})
        return model

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The shapes that the transforms of the published weights give for a sample image, video or pair of images."""
        size = arguments.get("image_size")
        listed = _task(_builder(name)) == "detection"
        shapes = [shape if size is None else (*shape[:-2], size, size) for shape in _transformed_shapes(name)]
        return [InputSpec(shape, listed=listed) for shape in shapes]

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:
        """Which arguments come from the published weights."""
        published = {key: value for key, value in _published_arguments(name).items() if key not in arguments}
        stated = ", ".join(f"{key}={value}" for key, value in published.items())
        return [f"{name} is built as published by {_weights(name)}: {stated}."] if published else []


def _models() -> Any:
    torchvision_ops.import_torchvision()
    import torchvision.models

    return torchvision.models


def _builder(name: str) -> Callable[..., Any]:
    builder: Callable[..., Any] = _models().get_model_builder(name)
    if _task(builder) == "quantization":
        raise UsageError(
            f"torchvision:{name} holds quantized operators, which have no formulas here. "
            f"Its floating point form is torchvision:{name.removeprefix('quantized_')}."
        )
    return builder


def _task(builder: Callable[..., Any]) -> str:
    """The folder torchvision keeps the model in: "models" for classification, "segmentation", "video"..."""
    return builder.__module__.split(".")[-2]


def _weights(name: str) -> Any:
    """The entry of the weight enum that torchvision calls the default."""
    return _models().get_model_weights(name).DEFAULT


@cache
def _published_arguments(name: str) -> Mapping[str, Any]:
    """The arguments with which the model has as many parameters as its weight entry states.

    A builder sets some arguments only if weights are given: the auxiliary classifier, the image size. They are found
    by building candidates on meta until the number of parameters fits.
    """
    choices = _choices(name)
    if not choices:
        return {}
    published = _weights(name).meta["num_params"]
    candidates = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    return next((candidate for candidate in [{}, *candidates] if _count(name, candidate) == published), {})


def _choices(name: str) -> dict[str, Sequence[Any]]:
    """The values to try for each argument that published weights may decide."""
    builder = _builder(name)
    for parameters in (_parameters(builder), _parameters(_model_class(builder))):
        choices: dict[str, Sequence[Any]] = {key: (True, False) for key in parameters if key.startswith("aux_")}
        if "image_size" in parameters:
            choices["image_size"] = _weights(name).meta["min_size"][:1]
        if choices:
            return choices
    return {}


def _signature(builder: Callable[..., Any]) -> inspect.Signature:
    """The optional arguments of a builder and of its model class, weights apart."""
    found = {**_parameters(_model_class(builder)), **_parameters(builder)}
    kept = [
        parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in found.items()
        if parameter.default is not parameter.empty and name not in (*DOWNLOADING, "progress")
    ]
    return inspect.Signature([*kept, inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD)])


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _model_class(builder: Callable[..., Any]) -> Callable[..., Any]:
    """The class that a builder says it returns."""
    annotation = inspect.signature(builder).return_annotation
    return annotation if inspect.isclass(annotation) else builder


def _count(name: str, arguments: Mapping[str, Any]) -> int:
    """The parameters of the model built with `arguments`."""
    import torch

    with torch.device("meta"):
        model = _call(_builder(name), arguments)
    return sum(parameter.numel() for parameter in model.parameters())


def _call(builder: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """The builder's model, without weights and without its warnings about their initialisation."""
    without = {key: None for key in _parameters(builder) if key in ("weights", "weights_backbone")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return builder(**{**without, **arguments})


def _transformed_shapes(name: str) -> list[Shape]:
    """The shapes after the published transforms of a sample image, video or pair, by the model's task."""
    import torch

    task = _task(_builder(name))
    frames = (1, FRAMES) if task == "video" else () if task == "detection" else (1,)
    sample = torch.zeros(*frames, 3, SAMPLE_SIZE, SAMPLE_SIZE, dtype=torch.uint8, device="cpu")
    transform = _weights(name).transforms()
    images = transform(*[sample] * len(inspect.signature(transform.forward).parameters))
    return [tuple(image.shape) for image in (images if isinstance(images, tuple) else (images,))]
