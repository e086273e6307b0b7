"""Networks of diffusers: by class name, or from a folder's `config.json`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from cnninspect.errors import LoadError, UsageError, error_text, nearest
from cnninspect.report.quantities import Shape
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.providers.base import Model
from cnninspect.targets.providers.folders import class_in, settings_in
from cnninspect.targets.providers.named_inputs import TOKENS, Shapes, Sizes, required_in, specs_of
from cnninspect.targets.providers.package import PackageProvider

LATENT = 64
"""Side of a latent image where the configuration states none: that of a picture of 512x512 at an eighth."""
PACKED = 256
"""Tokens of a network that takes its latent image as a sequence."""
MOMENTS = 9
"""Frames of a video: one, and eight more, which causal codecs can halve three times."""


class DiffusersProvider(PackageProvider):
    """Names of classes, such as `UNet2DConditionModel`, and folders with a `config.json` that holds `_class_name`."""

    name = "diffusers"

    def names(self) -> Sequence[str]:
        """Every network."""
        homes = self.module()._class_to_module
        return sorted(name for name, home in homes.items() if home.startswith("models") and _is_class_name(name))

    def has(self, name: str) -> bool:
        """Whether the package has a network of this name, or the folder a configuration."""
        return Path(name).is_dir() or name in self.names()

    def factory(self, name: str) -> Callable[..., Any]:
        """The class, whose arguments are its configuration; those of a folder are its defaults."""
        network = self._class(name)
        written = self._written(name, network)
        own = [
            each.replace(kind=each.KEYWORD_ONLY, default=written.get(each.name, each.default))
            for each in list(inspect.signature(network.__init__).parameters.values())[1:]
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        ]
        build = partial(network)
        build.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        return build

    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The class with the arguments of the folder and of the caller."""
        network = self._class(name)
        model: Model = network(**{**self._written(name, network), **arguments})
        return model

    def inputs_of(self, model: Any) -> list[tuple[InputSpec, ...]]:
        """What the configuration, the first layer and the signature of the forward say; several shapes of a video."""
        config = {key: value for key, value in dict(model.config).items() if not key.startswith("_")}
        parameters = inspect.signature(model.forward).parameters
        needed, found = required_in(model.forward), []
        for latent in _latents(Sizes(config), model):
            known = _known(latent)
            if needed - known.keys():
                return []
            specs = specs_of(parameters, known, Sizes(config), known)
            found += [specs] if specs else []
        return found

    def _class(self, name: str) -> Any:
        folder = name if Path(name).is_dir() else None
        name = name if folder is None else class_in(folder, "_class_name")
        if name not in self.names():
            near = ", ".join(nearest(name, self.names()))
            hint = f"Nearest: {near}." if near else "Name the code that builds it, as file.py:attr."
            raise UsageError(f"{folder}/config.json names {name}, which this diffusers does not have. {hint}")
        try:
            network = getattr(self.module(), name)
        except Exception as error:
            raise LoadError(f"diffusers cannot provide {name}: {error_text(error)}. Install what it needs.") from error
        if not (inspect.isclass(network) and issubclass(network, nn.Module)) or network.forward is nn.Module.forward:
            raise UsageError(f"diffusers:{name} is no network. `cnninspect models diffusers:` lists them.")
        return network

    def _written(self, name: str, network: Any) -> dict[str, Any]:
        """The arguments in a folder's configuration; empty for the name of a class."""
        if not Path(name).is_dir():
            return {}
        known = inspect.signature(network.__init__).parameters
        return {key: value for key, value in settings_in(name).items() if key in known}


def _is_class_name(name: str) -> bool:
    return (name[:1].isupper() and not name.startswith(("Auto", "ModelMixin"))) or name.startswith("Autoencoder")


def _latents(sizes: Sizes, model: nn.Module) -> list[Shape]:
    """The shapes that a latent image or video may have, the one of the first layer that takes it first."""
    channels = sizes.number("in_channels", "num_channels", "latent_channels", default=4)
    side = sizes.number("sample_size", "input_size", "sample_height", default=LATENT)
    width = sizes.number("sample_width", default=side)
    shapes: dict[int, Shape] = {
        0: (1, PACKED, channels),
        1: (1, channels, sizes.number("sample_size", default=16_384)),
        2: (1, channels, side, width),
        3: (1, channels, MOMENTS, side, width),
    }
    first = next((axes for layer in model.modules() if (axes := _axes(layer, channels)) is not None), 2)
    return [shapes.pop(first), *((1, MOMENTS, channels, side, width), shapes.get(3, (1, channels, side, width)))]


def _axes(layer: nn.Module, channels: int) -> int | None:
    """The spatial axes of a layer that takes so many channels, 0 for a linear one; None for other layers."""
    if isinstance(layer, nn.modules.conv._ConvNd) and layer.in_channels == channels:
        return len(layer.kernel_size)
    return 0 if isinstance(layer, nn.Linear) and layer.in_features == channels else None


def _known(latent: Shape) -> Shapes:
    """The parameters of a forward that are known by their names, for this shape of the latent image."""
    return {
        **dict.fromkeys(("sample", "hidden_states", "x", "z"), ("latent", lambda _: latent, None)),
        **dict.fromkeys(("timestep", "timestep_r", "timestep_ratio"), ("time", lambda _: (1,), None)),
        "encoder_hidden_states": ("text", _text_features, None),
        "pooled_projections": ("text", _pooled("pooled_projection_dim"), None),
        "proj_embedding": ("text", _pooled("embedding_dim"), None),
        "class_labels": ("label", _label, "int64"),
        "guidance": ("time", lambda sizes: (1,) if sizes.get("guidance_embeds") else None, None),
        "img_ids": ("place", lambda sizes: _places(sizes, latent[1]), None),
        "txt_ids": ("place", lambda sizes: _places(sizes, TOKENS), None),
        "controlnet_cond": ("image", lambda sizes: _condition(sizes, latent), None),
        "added_time_ids": ("time", lambda sizes: (1, 3) if sizes.get("projection_class_embeddings_input_dim") else None,
                           None),
    }  # fmt: skip


def _text_features(sizes: Sizes) -> Shape | None:
    names = ("encoder_hid_dim", "caption_channels", "cross_attention_dim", "joint_attention_dim", "text_dim",
             "text_embed_dim", "cap_feat_dim", "embedding_dim")  # fmt: skip
    width = sizes.number(*names, default=0)
    return (1, TOKENS, width) if width else None


def _pooled(name: str) -> Callable[[Sizes], Shape | None]:
    return lambda sizes: (1, sizes.number(name, default=0)) if sizes.get(name) else None


def _label(sizes: Sizes) -> Shape | None:
    """One class for a network that is told a class, and no text."""
    classes = sizes.get("num_class_embeds", "num_embeds_ada_norm")
    return (1,) if classes and not _text_features(sizes) else None


def _places(sizes: Sizes, count: int) -> Shape | None:
    axes = sizes.get("axes_dims_rope")
    return (count, len(axes)) if axes else None


def _condition(sizes: Sizes, latent: Shape) -> Shape:
    """A picture for a latent image at an eighth of its size."""
    return (1, sizes.number("conditioning_channels", default=3), *(8 * side for side in latent[2:]))
