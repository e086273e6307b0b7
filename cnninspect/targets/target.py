"""The resolved target: what the user typed, where it comes from, and how to build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnninspect.targets.providers import Model
from cnninspect.targets.sources import Source
from cnninspect.targets.specs import Given, InputSpec, parameter_dtype


@dataclass
class Target:
    """A model that can be built, on any device and as often as wanted.

    `provider` is a provider's name, or "module", "file", "archive" or "object". `arguments` and `notes` are for the
    report: the arguments as plain data, and what is to be said about the latest build. `origin` is the file that the
    model, its class or its factory is from and its name there, where a file or function was given.
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
    """`value` as JSON can hold it: containers and literals stay, other things are written as Python writes them."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", repr(value))
