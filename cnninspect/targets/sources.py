"""The ways a target can come by its model: from a provider, a factory, an instance or a plain function."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from torch import nn

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.construct import ConstructionFailed, construct
from cnninspect.targets.placing import copied, is_on
from cnninspect.targets.providers import Model, Provider
from cnninspect.targets.signatures import check_arguments, check_complete, fixed, takes, tensor_parameters
from cnninspect.targets.specs import Given, InputSpec

Around = Callable[[], AbstractContextManager[None]]


class Source(ABC):
    """Where a target's model comes from."""

    @abstractmethod
    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """(the model on the device, notes for the report); raises LoadError."""

    def default_inputs(self) -> Sequence[InputSpec] | Given:
        """The inputs that come with the model; empty where none do."""
        return ()


class Provided(Source):
    """A name that a provider knows."""

    def __init__(self, provider: Provider, name: str, arguments: Mapping[str, Any]):
        self.provider, self.name, self.arguments = provider, name, arguments

    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """The provider's model."""
        make = partial(self.provider.build, self.name, self.arguments)
        factory = self.provider.factory(self.name)
        model, notes = _constructed(make, factory, f"{self.provider.name}:{self.name}", device, dtype)
        return model, [*self.provider.notes(self.name, self.arguments), *notes]

    def default_inputs(self) -> Sequence[InputSpec]:
        """The provider's inputs."""
        return self.provider.default_inputs(self.name, self.arguments)


class Made(Source):
    """What a class or factory returns; `around` is entered while it runs."""

    def __init__(self, factory: Callable[..., Any], name: str, arguments: Mapping[str, Any], around: Around):
        self.factory, self.name, self.arguments, self.around = factory, name, arguments, around

    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """The module or function that the factory returns."""
        with self.around():
            return _constructed(partial(self.factory, **self.arguments), self.factory, self.name, device, dtype)


class Instance(Source):
    """A module that exists already; it is never changed."""

    def __init__(self, module: nn.Module):
        self.module = module

    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """The module itself if it is on the device, or else a copy there."""
        if is_on(self.module, device, dtype):
            return self.module, ()
        return copied(self.module, device, dtype), ()


class Function(Source):
    """A plain function of tensors, with its other arguments fixed."""

    def __init__(self, function: Callable[..., Any], name: str, arguments: Mapping[str, Any]):
        self.function = fixed(function, arguments) if arguments else function
        tensors = ", ".join(tensor_parameters(function, arguments))
        self.note = f"{name} is taken as a function of tensors ({tensors})."

    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """The function."""
        return self.function, [self.note]


def source_of(thing: Any, name: str, arguments: Mapping[str, Any], around: Around = contextlib.nullcontext) -> Source:
    """How to get a model out of `thing`: a module, a class, a factory or a function of tensors.

    Raises UsageError for arguments it does not take, LoadError for a thing that is no model.
    """
    if isinstance(thing, nn.Module):
        if arguments:
            raise UsageError(f"{name} is a model that is built already and takes no --arg.")
        return Instance(thing)
    if not callable(thing):
        raise LoadError(
            f"{name} is of type {type(thing).__name__}; a model is a Module, a class, a factory or a function."
        )
    check_arguments(thing, name, arguments)
    if tensor_parameters(thing, arguments):
        return Function(thing, name, arguments)
    check_complete(thing, name, arguments)
    return Made(thing, name, arguments, around)


def _constructed(
    make: Callable[[], Any], factory: Callable[..., Any], name: str, device: str, dtype: str | None
) -> tuple[Model, Sequence[str]]:
    try:
        model, notes = construct(make, device, dtype)
    except ConstructionFailed as failure:
        reason = str(failure.cause).split("\n")[0].rstrip(".")
        kind = type(failure.cause).__name__
        raise LoadError(f"{name} cannot be built: {kind}: {reason}. {takes(factory)}") from failure.cause
    if not callable(model):
        raise LoadError(
            f"{name} returned a {type(model).__name__}, which is neither a Module nor a function of tensors."
        )
    return model, notes
