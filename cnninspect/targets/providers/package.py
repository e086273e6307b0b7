"""What the providers of optional packages share: a late import, no network, and a sentence for a missing package."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from cnninspect.errors import LoadError, MissingPackage, UsageError, error_text
from cnninspect.targets import torchvision_ops
from cnninspect.targets.grammar import OPTIONAL, InputSpec
from cnninspect.targets.providers.base import Model, Provider
from cnninspect.targets.signatures import parameters_of

SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that keep these packages off the network; they read them when they are imported."""

WEIGHTS = ("weights", "weights_backbone", "pretrained", "pretrained_backbone", "encoder_weights", "pretrained_hf",
           "pretrained_image", "pretrained_path", "use_pretrained_backbone")  # fmt: skip
"""Arguments, by their names, that would fetch weights."""

FOREIGN = ("trust_remote_code", "code_revision")
"""Arguments that would run code of a hub."""


class PackageProvider(Provider):
    """Networks of a package that may not be installed; a subclass says how to list, build and feed them."""

    @property
    def package(self) -> str:
        """The name that is imported."""
        return OPTIONAL[self.name][0]

    @property
    def install(self) -> str:
        """The name that pip installs."""
        return OPTIONAL[self.name][1]

    @property
    def installed(self) -> bool:
        """Whether the package can be found; it is not imported."""
        return find_spec(self.package) is not None

    def module(self, name: str | None = None) -> Any:
        """The package, or a module of it; MissingPackage or LoadError if it cannot be imported."""
        if not self.installed:
            raise MissingPackage(f"{self.package} is not installed. `python -m pip install {self.install}` brings it.")
        torchvision_ops.tolerate_missing_operators()
        try:
            with offline(), quiet(), contextlib.redirect_stdout(sys.stderr):
                return importlib.import_module(name or self.package)
        except Exception as error:
            raise LoadError(
                f"{self.package} cannot be imported: {error_text(error)}. Install a version that fits torch."
            ) from error

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises UsageError for an argument that would fetch weights or run code of a hub."""
        check_foreign(arguments)

    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The network with random weights."""
        with offline(), quiet():
            return self.made(name, arguments)

    @abstractmethod
    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The network with random weights, with the network switched off around."""

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:  # noqa: ARG002
        """None: they follow from the network that was built."""
        return ()


def check_foreign(arguments: Mapping[str, Any]) -> None:
    """Raises UsageError for an argument that would fetch weights or run code of a hub."""
    for name, value in arguments.items():
        if name in FOREIGN and value:
            raise UsageError(f"--arg {name} would run code from a hub, which is never done. Leave it out.")
        if name.rpartition(".")[2] in WEIGHTS and value:
            raise UsageError(f"--arg {name} would download weights, which no number of the report needs. Leave it out.")


def no_weights(function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a function that would fetch weights, switched off."""
    return {each.name: False if isinstance(each.default, bool) else None
            for each in parameters_of(function) or [] if each.name in WEIGHTS}  # fmt: skip


def without_weights(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with those that would fetch weights switched off."""
    return {**arguments, **no_weights(function)}


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Switches off the network of these packages, also where huggingface_hub was imported before."""
    before = {name: os.environ.get(name) for name in SWITCHES}
    os.environ.update(SWITCHES)
    hub = sys.modules.get("huggingface_hub.constants")
    was = getattr(hub, "HF_HUB_OFFLINE", None)
    if hub is not None:
        hub.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if hub is not None:
            hub.HF_HUB_OFFLINE = was  # type: ignore[attr-defined]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses warnings about optional parts and initial weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
