"""The built-in networks, small enough to be checked by hand. Importing this module does not import torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cnninspect.report.quantities import Shape

Factory = Callable[..., Callable[..., Any]]


@dataclass(frozen=True)
class Deferred:
    """A factory given as `package.module:attribute`, imported when it is called or its signature is read."""

    where: str

    def load(self) -> Factory:
        """The factory itself."""
        module, attribute = self.where.split(":")
        factory: Factory = getattr(import_module(module), attribute)
        return factory

    def __call__(self, **arguments: Any) -> Callable[..., Any]:
        """The network built with `arguments`."""
        return self.load()(**arguments)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.load())


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    `factory` takes the network's own arguments by keyword and returns an nn.Module, or a plain function of tensors.
    `inputs` are the shapes of the default inputs, batch first, float32. A name in place of a size stands for the value
    of that argument of the factory.
    """

    name: str
    factory: Factory
    inputs: tuple[tuple[int | str, ...], ...]
    description: str

    def input_shapes(self, arguments: Mapping[str, Any] | None = None) -> tuple[Shape, ...]:
        """The shapes of the default inputs of the network that is built with `arguments`."""
        parameters = inspect.signature(self.factory).parameters
        values = {name: parameter.default for name, parameter in parameters.items()} | dict(arguments or {})
        return tuple(tuple(size if isinstance(size, int) else values[size] for size in shape) for shape in self.inputs)


_Shape = tuple[int | str, ...]

_TINY: _Shape = (1, "in_channels", 28, 28)
_SMALL: _Shape = (1, "in_channels", 32, 32)
_MEDIUM: _Shape = (1, "in_channels", 64, 64)
_LARGE: _Shape = (1, "in_channels", 224, 224)
_SIZED: _Shape = (1, "in_channels", "size", "size")
_SIXTY_FOUR: _Shape = (64, "in_channels", "size", "size")
_GREY: _Shape = (1, "NIC", 32, 32)
_RGB: _Shape = (1, 3, 64, 64)
_MOBILENET: _Shape = (1, "m", 14, 14)


def _entry(name: str, where: str, shape: _Shape, description: str) -> Entry:
    return Entry(name, Deferred(f"cnninspect.zoo.{where}"), (shape,), description)


_NETWORKS = (
    _entry("nethw", "plain:NetHW", _SIZED, "three conv + pool stages and one linear layer"),
    _entry("small-cnn", "plain:SmallCNN", _SMALL, "three convolutions and two max pools"),
    _entry("small-fcnn", "plain:SmallFCNN", _SIZED, "the maps of small-cnn from fully connected layers"),
    _entry("pool-upsample", "plain:PoolUpsample", _GREY, "autoencoder: max pools down, upsampling up"),
    _entry("conv-transpose", "plain:ConvTranspose", _GREY, "autoencoder: strided convs down, transposed up"),
    _entry("custom-alexnet", "plain:CustomAlexNet", _LARGE, "AlexNet with activations and pools as functions"),
    _entry("ciresan", "residual:Ciresan", _TINY, "seven convolutions for MNIST"),
    _entry("ciresan-residual", "residual:CiresanResidual", _TINY, "ciresan with three residual additions"),
    _entry("three-layer-functional", "few_layers:functional", _SIXTY_FOUR, "three layers as a function of tensors"),
    _entry("three-layer-module", "few_layers:ThreeLayer", _SIXTY_FOUR, "three layers as an nn.Module"),
    _entry("three-layer-sequential", "few_layers:sequential", _SIXTY_FOUR, "three layers as an nn.Sequential"),
    _entry("plain32", "residual:plain32", _SMALL, "32 pre-activation layers without shortcuts"),
    _entry("resnet32", "residual:resnet32", _SMALL, "plain32 with shortcuts"),
    _entry("resnet47", "residual:resnet47", _SMALL, "47 layers in bottleneck blocks with shortcuts"),
    _entry("upsample-nearest", "few_layers:nearest", _RGB, "nearest-neighbour upsampling"),
    _entry("upsample-bilinear", "few_layers:bilinear", _RGB, "bilinear upsampling"),
    _entry("upsample-bilinear-corners", "few_layers:bilinear_corners", _RGB, "bilinear upsampling, corners aligned"),
    _entry("max-unpool", "few_layers:MaxUnpool", _RGB, "max pool, and its inverse from the indices"),
    _entry("conv-transpose-4", "few_layers:transposed_4", (1, "channels", 64, 64), "4x4 kernel that doubles the map"),
    _entry("conv-transpose-rect", "few_layers:transposed_rect", (1, "in_channels", 50, 100), "axes that differ"),
    _entry("pixel-shuffle", "few_layers:pixel_shuffle", (1, 27, 64, 64), "channels become pixels"),
    _entry("conv-regular", "few_layers:regular", _MOBILENET, "one convolution"),
    _entry("conv-separable", "few_layers:separable", _MOBILENET, "depthwise and pointwise convolution in its place"),
    _entry("conv-stack", "few_layers:ConvStack", (1, "channels", 32, 32), "two stacked 3x3 convolutions"),
    _entry("conv-5x5", "few_layers:one_5x5", (1, "channels", 32, 32), "one 5x5 convolution"),
    _entry("lenet5", "plain:LeNet5", _SMALL, "LeNet-5 with average pools and a full C3"),
    _entry("unet-small", "plain:UNetSmall", _MEDIUM, "U-Net: joins by concatenation"),
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in _NETWORKS}
"""Every network of the zoo by its name."""
