"""A target: the user's text, and the source of its model: a provider, a factory, a module or a function."""

from __future__ import annotations

import contextlib
import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from cnninspect.errors import LoadError, UsageError, error_text
from cnninspect.targets.construct import ConstructionError, construct, is_lazy, placed
from cnninspect.targets.grammar import Given, InputSpec, parameter_dtype
from cnninspect.targets.loading import Around
from cnninspect.targets.providers import Model, Provider
from cnninspect.targets.signatures import (
    check_arguments,
    check_complete,
    defaults_of,
    doubt,
    fixed,
    takes,
    tensor_parameters,
)

# How torch says that there is not enough memory, on the CPU and on CUDA.
_NO_ROOM = re.compile("allocate memory|out of memory")

Built = tuple[Model, Sequence[str]]
"""A model, and notes for the report on how it was built."""


class Source(ABC):
    """The source of a target's model."""

    @abstractmethod
    def build(self, device: str, dtype: str | None) -> Built:
        """The model on the device, its floating point parameters in the dtype. Raises UsageError or LoadError."""

    def default_inputs(self) -> Sequence[InputSpec] | Given:
        """The inputs that come with the model; empty where none do."""
        return ()

    def defaults(self) -> Mapping[str, Any]:
        """The arguments of the constructor that have a default, and which; empty where there is none."""
        return {}

    def check_inputs(self, name: str, given: Given) -> None:  # noqa: B027 - most forwards say by their signature
        """Raises UsageError if the model `name` cannot take these inputs although the forward's signature fits."""


class Provided(Source):
    """A name that a provider knows."""

    def __init__(self, provider: Provider, name: str, arguments: Mapping[str, Any]):
        self.provider, self.name, self.arguments = provider, name, arguments

    def build(self, device: str, dtype: str | None) -> Built:
        """The provider's model."""
        make = partial(self.provider.build, self.name, self.arguments)
        label = f"{self.provider.name}:{self.name}"
        model, notes = _constructed(make, self.provider.factory(self.name), label, device, dtype)
        return model, [*self.provider.notes(self.name, self.arguments), *notes]

    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the provider's factory."""
        return defaults_of(self.provider.factory(self.name))

    def default_inputs(self) -> Sequence[InputSpec]:
        """The provider's inputs."""
        return self.provider.default_inputs(self.name, self.arguments)


class Made(Source):
    """The result of a class or factory; `around` is the context in which it runs."""

    def __init__(self, factory: Callable[..., Any], name: str, arguments: Mapping[str, Any], around: Around):
        self.factory, self.name, self.arguments, self.around = factory, name, arguments, around

    def build(self, device: str, dtype: str | None) -> Built:
        """The module or function that the factory returns."""
        with self.around():
            return _constructed(partial(self.factory, **self.arguments), self.factory, self.name, device, dtype)

    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the class or factory."""
        return defaults_of(self.factory)


class Instance(Source):
    """A module that exists already; it is never changed."""

    def __init__(self, module: nn.Module):
        self.module = module

    def build(self, device: str, dtype: str | None) -> Built:
        """The module itself if it is on the device and has no lazy parameters, else a copy."""
        module = copy.deepcopy(self.module) if is_lazy(self.module) else self.module
        return placed(module, device, dtype), ()


class Function(Source):
    """A plain function of tensors, with its other arguments fixed."""

    def __init__(self, function: Callable[..., Any], name: str, arguments: Mapping[str, Any]):
        self.function = fixed(function, arguments) if arguments else function
        tensors = ", ".join(tensor_parameters(function, arguments))
        self.doubt = doubt(function, arguments)
        self.note = f"{name} is taken as a function of tensors ({tensors})."

    def build(self, device: str, dtype: str | None) -> Built:  # noqa: ARG002 - a function is on no device
        """The function."""
        return self.function, [self.note]


def source_of(thing: Any, name: str, arguments: Mapping[str, Any], around: Around = contextlib.nullcontext) -> Source:
    """The source of the model for `thing`: a module, a class, a factory or a function of tensors.

    Raises UsageError for arguments that it does not take, LoadError for an object that is not a model.
    """
    if isinstance(thing, nn.Module):
        if arguments:
            raise UsageError(f"{name} is a model that is built already and takes no --arg.")
        return Instance(thing)
    if not callable(thing):
        kind = type(thing).__name__
        raise LoadError(f"{name} is of type {kind}. A model is an nn.Module, a class, a factory or a function.")
    check_arguments(thing, name, arguments)
    if tensor_parameters(thing, arguments):
        return Function(thing, name, arguments)
    check_complete(thing, name, arguments)
    return Made(thing, name, arguments, around)


def _constructed(
    make: Callable[[], Any], factory: Callable[..., Any], name: str, device: str, dtype: str | None
) -> Built:
    try:
        model, notes = construct(make, device, dtype)
    except ConstructionError as failure:
        reason = error_text(failure.cause)
        no_room = isinstance(failure.cause, MemoryError) or _NO_ROOM.search(reason)
        hint = " A model on --device meta needs no memory." if no_room else takes(factory)
        raise LoadError(f"{name} cannot be built: {reason}.{hint}") from failure.cause
    if not callable(model):
        raise LoadError(f"{name} returned a {type(model).__name__}, neither a Module nor a function of tensors.")
    return model, notes


@dataclass
class Target:
    """A model that can be built on any device, any number of times.

    `provider` is a provider's name, or "module", "file", "archive" or "object". `arguments` (as plain data) and
    `notes` (on the latest build) are for the report. `origin` is the file that defines the model, its class or its
    factory, and its name there; None if it is not known.
    """

    spec: str
    provider: str
    name: str
    arguments: Mapping[str, Any]
    source: Source
    notes: Sequence[str] = field(default=())
    origin: tuple[str, str] | None = None

    def build(self, device: str, dtype: str | None = None) -> Model:
        """The model on the device: an nn.Module or a plain function of tensors. Raises UsageError or LoadError."""
        model, self.notes = self.source.build(device, None if dtype is None else parameter_dtype(dtype))
        return model

    def default_inputs(self) -> Sequence[InputSpec] | Given:
        """The inputs that come with the model; empty for a model without a provider."""
        return self.source.default_inputs()


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: containers and literals are kept, other objects become their name or repr."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", repr(value))
