"""The providers of models by name; one file each."""

from __future__ import annotations

from collections.abc import Mapping

from cnninspect.targets.providers.base import Model, Provider
from cnninspect.targets.providers.plugins import plugins
from cnninspect.targets.providers.timm import TimmProvider
from cnninspect.targets.providers.torchvision import TorchvisionProvider
from cnninspect.targets.providers.zoo import ZooProvider

__all__ = ["Model", "Provider", "bare_name_providers", "providers"]


def bare_name_providers() -> list[Provider]:
    """The providers that a name without a prefix is looked up in, in this order."""
    return [ZooProvider(), TorchvisionProvider(), TimmProvider()]


def providers() -> Mapping[str, Provider]:
    """Every provider by name, plug-ins last."""
    return {provider.name: provider for provider in [*bare_name_providers(), *plugins()]}
