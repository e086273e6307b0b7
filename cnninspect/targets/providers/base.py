"""The interface of providers of models, and the providers that other packages add."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cnninspect.errors import LoadError, error_text
from cnninspect.targets.grammar import BUILT_IN, InputSpec, parse_input
from cnninspect.targets.loading import errors_as

Model = Callable[..., Any]
"""An nn.Module, or a plain function of tensors."""


class Provider(ABC):
    """A collection of models by name; every method may raise MissingPackage."""

    name: str

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The names to list, sorted; nothing is built."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether `build` knows `name`."""

    @abstractmethod
    def factory(self, name: str) -> Callable[..., Any]:
        """A callable whose signature has the arguments of `name`, as far as they are known."""

    @abstractmethod
    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model with random weights, on torch's current default device and dtype.

        Raises UsageError for an argument that would download weights.
        """

    @abstractmethod
    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The inputs that the model's authors use, batch size 1; empty if they are not known."""

    def inputs_of(self, model: Any) -> Sequence[Sequence[InputSpec]]:  # noqa: ARG002 - for those who override
        """The inputs that follow from the network itself, the likeliest first; asked where no default is known."""
        return ()

    def check(self, arguments: Mapping[str, Any]) -> None:  # noqa: B027 - few arguments are refused by their name
        """Raises UsageError for an argument that would fetch weights or run foreign code."""

    def fits(self, name: str) -> bool:  # noqa: ARG002
        """Whether a name without a prefix may be one of these; a provider that it does not fit is not asked."""
        return True

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - for those who override
        """Notes for the report on how the model is built."""
        return ()


GROUP = "cnninspect.models"


class PluginProvider(Provider):
    """The provider that an entry point in the group `cnninspect.models` adds.

    The entry point's name is the provider's: with `acme = "acme_nets.inspect"`, `acme:NAME` is a target. It loads a
    module, a class (called without arguments) or an object with

        names() -> sequence of the names it knows
        build(name, **arguments) -> an nn.Module with random weights, or a plain function of tensors
        inputs(name, **arguments) -> sequence of inputs, batch first (optional)
        inputs_of(model) -> the same, from the network that was built (optional)

    An input is a shape, (1, 3, 64, 64), or the text of an `--input`, "1x77:int64". `build` runs with torch's default
    device set, often to meta.
    """

    def __init__(self, entry_point: EntryPoint):
        self.name = entry_point.name
        self._entry_point = entry_point

    def names(self) -> Sequence[str]:
        """The names that the plug-in lists, sorted."""
        with self._errors_named("list its names"):
            return sorted(str(name) for name in self._plugin.names())

    def has(self, name: str) -> bool:
        """Whether the plug-in lists `name`."""
        return name in self.names()

    def factory(self, name: str) -> Callable[..., Any]:
        """The plug-in's own `build`, for this name."""
        return partial(self._plugin.build, name)

    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model that the plug-in builds."""
        model: Model = self._plugin.build(name, **arguments)
        return model

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The inputs that the plug-in gives for these arguments; empty if it gives none."""
        if not hasattr(self._plugin, "inputs"):
            return ()
        with self._errors_named(f"say what inputs {name} takes"):
            return _specs(self._plugin.inputs(name, **arguments))

    def inputs_of(self, model: Any) -> Sequence[Sequence[InputSpec]]:
        """The inputs that the plug-in gives for the model; empty if it gives none."""
        if not hasattr(self._plugin, "inputs_of"):
            return ()
        with self._errors_named("say what inputs the network takes"):
            return [_specs(self._plugin.inputs_of(model))]

    def _errors_named(self, task: str) -> AbstractContextManager[None]:
        """A context that turns every error of the plug-in into a LoadError with its name."""
        return errors_as(
            lambda error: LoadError(
                f"the provider {self.name!r} ({self._entry_point.value}) cannot {task}: "
                f"{error_text(error)}. Repair or remove its package."
            )
        )

    @cached_property
    def _plugin(self) -> Any:
        with self._errors_named("be loaded"):
            loaded = self._entry_point.load()
            plugin = loaded() if inspect.isclass(loaded) else loaded
        for method in ("names", "build"):
            if not callable(getattr(plugin, method, None)):
                raise LoadError(f"the provider {self.name!r} ({self._entry_point.value}) has no function `{method}`.")
        return plugin


def _specs(stated: Iterable[Any]) -> list[InputSpec]:
    return [parse_input(item) if isinstance(item, str) else InputSpec(tuple(item)) for item in stated]


def plugins() -> list[PluginProvider]:
    """The installed plug-ins; a built-in provider's name cannot be taken."""
    return [PluginProvider(point) for point in entry_points(group=GROUP) if point.name not in BUILT_IN]
