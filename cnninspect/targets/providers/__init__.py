"""The providers of models by name: the zoo and the list of all names here, the others in one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnninspect.errors import LoadError
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.names import matching
from cnninspect.targets.providers.base import Model, Provider, plugins
from cnninspect.targets.providers.diffusers import DiffusersProvider
from cnninspect.targets.providers.package import PackageProvider
from cnninspect.targets.providers.timm import TimmProvider
from cnninspect.targets.providers.torchvision import TorchvisionProvider
from cnninspect.targets.providers.transformers import TransformersProvider
from cnninspect.targets.providers.vision import (
    MonaiProvider,
    OpenClipProvider,
    SegmentationProvider,
    UltralyticsProvider,
)
from cnninspect.zoo import Entry

__all__ = ["Model", "Provider", "all_names", "bare_name_providers", "names_like", "providers"]


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


def bare_name_providers() -> list[Provider]:
    """The providers that a name without a prefix is looked up in, in this order."""
    return [ZooProvider(), TorchvisionProvider(), TimmProvider(), TransformersProvider()]


def providers() -> Mapping[str, Provider]:
    """Every provider by name, plug-ins last."""
    named = (DiffusersProvider, SegmentationProvider, OpenClipProvider, MonaiProvider, UltralyticsProvider)
    return {each.name: each for each in [*bare_name_providers(), *(kind() for kind in named), *plugins()]}


def names_like(pattern: str, note: Callable[[str], None], of: Sequence[Provider] | None = None) -> list[str]:
    """The names that match the pattern, as `provider:name`; UsageError, with the nearest names, if none does.

    `note` and `of` are those of `all_names`.
    """
    return matching(all_names(pattern, note, of), pattern)


def all_names(pattern: str, note: Callable[[str], None], of: Sequence[Provider] | None = None) -> list[str]:
    """The names of all providers that the pattern may mean, as `provider:name`.

    `note` is called for each provider whose package is missing or broken; an optional one is not missed unless the
    pattern names it. With `of` only these are asked.
    """
    names = []
    for provider in providers().values() if of is None else of:
        if isinstance(provider, PackageProvider) and not (
            provider.installed or pattern.startswith(f"{provider.name}:")
        ):
            continue
        try:
            names += [f"{provider.name}:{name}" for name in provider.names()]
        except LoadError as failure:
            note(str(failure))
    return names
