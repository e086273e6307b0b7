"""The built-in reference networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnninspect.targets.providers.base import Model, Provider
from cnninspect.targets.specs import InputSpec
from cnninspect.zoo import Entry


class ZooProvider(Provider):
    """Names of `cnninspect.zoo`."""

    name = "zoo"

    def names(self) -> Sequence[str]:
        """Every network of the zoo."""
        return sorted(_entries())

    def has(self, name: str) -> bool:
        """Whether the zoo has `name`."""
        return name in _entries()

    def factory(self, name: str) -> Callable[..., Any]:
        """The entry's own factory."""
        return _entries()[name].factory

    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The network, or the plain function that computes it."""
        return _entries()[name].factory(**arguments)

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The shapes the entry states, fitted to the arguments."""
        return [InputSpec(shape) for shape in _entries()[name].input_shapes(arguments)]


def _entries() -> Mapping[str, Entry]:
    from cnninspect import zoo

    return zoo.ENTRIES
