"""The interface of providers of models."""

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
        """A callable whose signature has the arguments of `name`, as far as they are known."""

    @abstractmethod
    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model with random weights, on torch's current default device and dtype.

        Raises UsageError for an argument that would download weights.
        """

    @abstractmethod
    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The inputs that the model's authors use, batch size 1; empty if they are not known."""

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - for those who override
        """Notes for the report on how the model is built."""
        return ()
