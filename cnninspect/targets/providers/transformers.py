"""Architectures of transformers: by class name with their default configuration, or from a folder's `config.json`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cnninspect.errors import LoadError, UsageError, error_text, nearest
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.providers.base import Model
from cnninspect.targets.providers.folders import class_in, settings_in
from cnninspect.targets.providers.named_inputs import inputs_by_name
from cnninspect.targets.providers.package import PackageProvider, offline, quiet


class TransformersProvider(PackageProvider):
    """Names of classes, such as `ResNetForImageClassification`, and folders with a `config.json`."""

    name = "transformers"

    def names(self) -> Sequence[str]:
        """Every network, without the abstract bases."""
        return sorted(name for name, module in self._homes().items() if _is_network(name, module))

    def fits(self, name: str) -> bool:
        """Whether a name is spelt like a class: the package is not imported for other names."""
        return name[:1].isupper() and "." not in name

    def has(self, name: str) -> bool:
        """Whether the package has a network of this name, or the folder a configuration."""
        return Path(name).is_dir() or ".modeling_" in self._homes().get(name, "")

    def factory(self, name: str) -> Callable[..., Any]:
        """`build` with the configuration as its one argument: that of the folder, or the default one."""
        default = settings_in(name) if Path(name).is_dir() else self._default(self._class(name))

        def build(**arguments: Any) -> Model:
            return self.build(name, arguments)

        parameter = inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=default)
        build.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
        return build

    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The class with its configuration; backbones get random weights, too."""
        network = self._class(name)
        config = arguments.get("config")
        if config is None:
            config = settings_in(name) if Path(name).is_dir() else self._default(network)
        if isinstance(config, Mapping):
            config = self._configured(network, config, settings_in(name) if Path(name).is_dir() else {})
        _without_weights(config)
        model: Model = network(config)
        return model

    def inputs_of(self, model: Any) -> list[tuple[InputSpec, ...]]:
        """What the configuration, the main input's name and the signature of the forward say."""
        stated = getattr(model, "input_modalities", ())
        modalities = [stated] if isinstance(stated, str) else list(stated or ())
        return inputs_by_name(model.forward, model.config.to_dict(), model.main_input_name, modalities)

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002
        """What the folder says of its weights that the report does not hold for."""
        if not Path(name).is_dir():
            return ()
        settings, found = settings_in(name), []
        dtype = settings.get("dtype") or settings.get("torch_dtype")
        if dtype not in (None, "float32"):
            found.append(f"{name}/config.json states weights in {dtype}; --dtype {dtype} builds them so.")
        if "quantization_config" in settings:
            found.append(f"{name}/config.json states quantised weights; the report is on the network without it.")
        return found

    def _homes(self) -> Mapping[str, str]:
        """Class -> the module of the package that defines it; none is imported."""
        homes: Mapping[str, str] = self.module()._class_to_module
        return homes

    def _class(self, name: str) -> Any:
        if Path(name).is_dir():
            name = self._class_of_folder(name)
        network: Any = None
        try:
            with offline(), quiet():
                network = getattr(self.module(), name)
        except (ImportError, AttributeError) as error:
            raise LoadError(
                f"transformers cannot provide {name}: {error_text(error)}. Install what it asks for."
            ) from error
        if getattr(network, "config_class", None) is None:
            raise UsageError(
                f"transformers:{name} is no network with a configuration. `cnninspect models transformers:` lists them."
            )
        if network.forward is nn.Module.forward:
            home = self._homes()[name]
            others = [each for each, module in self._homes().items() if module == home and _is_network(each, module)]
            raise UsageError(f"{name} is an abstract base, which has no forward. Name one of {', '.join(others)}.")
        return network

    def _class_of_folder(self, folder: str) -> str:
        """The class that `architectures` names, or else the base network of the `model_type`."""
        settings = settings_in(folder)
        kind = settings.get("model_type")
        known = self.module("transformers.models.auto.modeling_auto").MODEL_MAPPING_NAMES
        default = known.get(kind)
        name = class_in(folder, "architectures", default[0] if isinstance(default, tuple) else default)
        if not self.has(name):
            near = nearest(name, self.names())
            hint = f"Nearest: {', '.join(near)}." if near else "Name the code that builds it, as file.py:attr."
            raise UsageError(f"{folder}/config.json names {name}, which this transformers does not have. {hint}")
        return name

    def _default(self, network: Any) -> Any:
        try:
            with offline(), quiet():
                return network.config_class()
        except Exception as error:
            raise UsageError(
                f"{network.__name__} has no default configuration ({error_text(error)}). "
                f"Name a folder with its config.json instead."
            ) from error

    def _configured(self, network: Any, settings: Mapping[str, Any], written: Mapping[str, Any]) -> Any:
        """The configuration for settings; UsageError for one that is not `written` in a file and means nothing."""
        kind = network.config_class
        try:
            config = kind.from_dict(dict(settings))
            usual = kind()
        except Exception as error:
            raise LoadError(f"the configuration does not fit {kind.__name__}: {error_text(error)}. Mend it.") from error
        for key in settings.keys() - written.keys():
            if not hasattr(usual, key):
                near = ", ".join(nearest(key, usual.to_dict()) or list(usual.to_dict())[:12])
                raise UsageError(f"--arg config.{key}: {kind.__name__} has no {key!r}. It has {near}.")
        return config


def _is_network(name: str, module: str) -> bool:
    """Whether a class is a network by the file that defines it; the abstract bases all have one word in common."""
    return ".modeling_" in module and name[:1].isupper() and "pretrained" not in name.lower()


def _without_weights(config: Any) -> None:
    """Switches off, in all parts of the configuration, that a backbone fetches its weights."""
    if getattr(config, "use_pretrained_backbone", False):
        config.use_pretrained_backbone = False
    for part in vars(config).values():
        if hasattr(part, "to_dict") and hasattr(part, "model_type"):
            _without_weights(part)
