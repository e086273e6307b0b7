"""What the built-in zoo says about one of its networks; nothing here imports torch."""

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
    """A factory named as `package.module:attribute`, imported when it is first called or asked for its signature."""

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
    `inputs` are the shapes of the default inputs, batch first; they are float32. A name among the sizes stands for
    the value of that argument of the factory, so that the input fits the network that was asked for.
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
