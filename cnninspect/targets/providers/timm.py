"""timm's models, with random weights."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnninspect.errors import MissingPackage, UsageError
from cnninspect.targets import torchvision_ops
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.providers.base import Model, Provider


class TimmProvider(Provider):
    """Names that `timm.list_models` knows, with or without the tag of their weights: `resnet50`, `resnet50.a1_in1k`."""

    name = "timm"

    def names(self) -> Sequence[str]:
        """Every architecture."""
        return list(_timm().list_models())

    def has(self, name: str) -> bool:
        """Whether timm has the architecture; names with a remote source (`hf-hub:...`) are not accepted."""
        return ":" not in name and bool(_timm().is_model(name))

    def factory(self, name: str) -> Callable[..., Any]:
        """`build`, whose arguments depend on the model's class and are checked there."""
        return lambda **arguments: self.build(name, arguments)

    def build(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The model from `timm.create_model`."""
        for argument in ("pretrained", "checkpoint_path"):
            if arguments.get(argument):
                raise UsageError(
                    f"--arg {argument} would download weights, which no number of the report needs. Leave it out."
                )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: Model = _timm().create_model(name, **{**arguments, "pretrained": False})
        return model

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """The input size of the model's own configuration, with the caller's channels and image size."""
        channels, *size = _timm().get_pretrained_cfg(name).input_size
        requested = arguments.get("img_size", size)
        height, width = (requested, requested) if isinstance(requested, int) else requested
        return [InputSpec((1, arguments.get("in_chans", channels), height, width))]


def _timm() -> Any:
    from cnninspect.trace.private_torch import compiler_not_imported

    torchvision_ops.import_torchvision()
    try:
        with compiler_not_imported():
            return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise MissingPackage("timm is not installed. `python -m pip install torchvision timm` brings it.") from None
