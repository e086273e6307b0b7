"""What every provider of models by name can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnninspect.targets.grammar import InputSpec

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
        """A callable with the signature of `name`: it says which arguments there are, as far as that is known."""

    @abstractmethod
    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model with random weights, on the device and with the dtype that are torch's default now.

        Raises UsageError for an argument that would fetch weights.
        """

    @abstractmethod
    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The inputs of the model as its authors use it, batch size 1; empty where they are not known."""

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - for those who override
        """What the report must say about how `build` builds it."""
        return ()
