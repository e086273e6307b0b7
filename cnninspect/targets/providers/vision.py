"""Networks of four packages for images: segmentation_models_pytorch, open_clip, MONAI and ultralytics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.providers.base import Model
from cnninspect.targets.providers.package import PackageProvider, without_weights


class _Classes(PackageProvider):
    """The network classes of one module, by their own names."""

    home: str
    """The module."""
    usual: ClassVar[Mapping[str, Any]] = {}
    """Values for required arguments, by their names."""

    def names(self) -> Sequence[str]:
        """Every class of the module that is a network; a second name for one is left out."""
        found = vars(self.module(self.home))
        return sorted(name for name, each in found.items() if _is_network(each) and each.__name__ == name)

    def has(self, name: str) -> bool:
        """Whether the module has a network of this name."""
        return _is_network(getattr(self.module(self.home), name, None))

    def factory(self, name: str) -> Callable[..., Any]:
        """The class; required arguments that are known by their names have a default."""
        kind = getattr(self.module(self.home), name)
        own = [
            each.replace(kind=each.KEYWORD_ONLY, default=self.usual.get(each.name, each.empty))
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
            else each
            for each in inspect.signature(kind).parameters.values()
        ]
        build = partial(kind)
        build.__signature__ = inspect.Signature(sorted(own, key=lambda each: each.kind))  # type: ignore[attr-defined]
        return build

    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The class with the usual values, the caller's arguments, and no weights."""
        kind = getattr(self.module(self.home), name)
        model: Model = kind(**without_weights(kind, {**self._filled(name), **arguments}))
        return model

    def notes(self, name: str, arguments: Mapping[str, Any]) -> Sequence[str]:
        """Which required arguments were filled in."""
        filled = {key: value for key, value in self._filled(name).items() if key not in arguments}
        shown = ", ".join(f"{key}={value}" for key, value in filled.items())
        return [f"{name} is built with {shown}; --arg gives others."] if filled else []

    def _filled(self, name: str) -> dict[str, Any]:
        """The usual values of the arguments that the class requires."""
        parameters = inspect.signature(getattr(self.module(self.home), name)).parameters
        return {key: self.usual[key] for key, each in parameters.items()
                if each.default is each.empty and key in self.usual}  # fmt: skip


class SegmentationProvider(_Classes):
    """Architectures such as `Unet`, with any encoder: `--arg encoder_name=resnet34`."""

    name = "smp"
    home = "segmentation_models_pytorch"


class MonaiProvider(_Classes):
    """Networks of MONAI, of volumes where the class leaves the number of dimensions open."""

    name = "monai"
    home = "monai.networks.nets"
    usual: ClassVar[Mapping[str, Any]] = {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "num_classes": 2,
        "classes": 2,
        "n_classes": 2,
        "channels": (16, 32, 64),
        "strides": (2, 2, 2),
        "img_size": (96, 96, 96),
        "image_size": (96, 96, 96),
        "input_image_size": (96, 96, 96),
        "in_shape": (1, 96, 96, 96),
        "out_shape": (1, 96, 96, 96),
        "patch_size": (16, 16, 16),
        "kernel_size": (3, 3, 3),
        "upsample_kernel_size": (2, 2),
        "latent_shape": (16,),
        "latent_size": 16,
        "start_shape": (16, 12, 12, 12),
        "num_channel_initial": 16,
        "depth": 3,
        "extract_levels": (0, 1, 2, 3),
    }

    def default_inputs(self, name: str, arguments: Mapping[str, Any]) -> Sequence[InputSpec]:
        """[N, C, ...] with the channels, dimensions and sizes that the network is built for; empty if unknown."""
        parameters = inspect.signature(getattr(self.module(self.home), name)).parameters
        defaults = {key: each.default for key, each in parameters.items() if each.default is not each.empty}
        known = {**defaults, **self._filled(name), **arguments}
        if shape := known.get("in_shape"):
            return [InputSpec((1, *shape))]
        if "in_channels" not in known:
            return ()
        dims = int(known.get("spatial_dims") or 3)
        size = known.get("img_size") or known.get("image_size") or known.get("input_image_size") or 96
        sides = [size] * dims if isinstance(size, int) else list(size)[-dims:]
        return [InputSpec((1, int(known["in_channels"]), *sides))]


class OpenClipProvider(PackageProvider):
    """Pairs of an image and a text network, by the names of their configurations: `RN50`, `ViT-B-32`."""

    name = "open_clip"

    def names(self) -> Sequence[str]:
        """Every configuration."""
        return sorted(self.module().list_models())

    def has(self, name: str) -> bool:
        """Whether there is a configuration of this name."""
        return name in self.names()

    def factory(self, name: str) -> Callable[..., Any]:
        """`create_model` for this configuration."""
        return partial(self.module().create_model, name)

    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The pair with random weights, also where its configuration names others."""
        create = self.module().create_model
        model: Model = create(name, **without_weights(create, arguments))
        return model

    def inputs_of(self, model: Any) -> list[tuple[InputSpec, ...]]:
        """An image of the stated size and a text of the stated length, if the forward or method takes them."""
        size, length = getattr(model.visual, "image_size", 224), getattr(model, "context_length", 77)
        sides = (size, size) if isinstance(size, int) else tuple(size)
        known = {"image": InputSpec((1, 3, *sides), None, "image"), "text": InputSpec((1, length), "int64", "text")}
        specs = tuple(known[name] for name in inspect.signature(model.forward).parameters if name in known)
        return [specs] if specs else []


class UltralyticsProvider(PackageProvider):
    """Networks that a YAML file of the package describes, with the letter of their scale: `yolo11n.yaml`."""

    name = "ultralytics"
    _KINDS: ClassVar[Mapping[str, str]] = {
        "detect": "DetectionModel",
        "segment": "SegmentationModel",
        "classify": "ClassificationModel",
        "pose": "PoseModel",
        "obb": "OBBModel",
    }
    """What a network is for -> its class in `ultralytics.nn.tasks`."""

    def names(self) -> Sequence[str]:
        """Every file, and one name for each scale that it lists."""
        files = Path(self.module().__file__).parent.glob("cfg/models/**/*.yaml")
        return sorted({name for file in files for name in _scaled(file)})

    def has(self, name: str) -> bool:
        """Whether the package has the file; folders of the user's are not looked at."""
        return name in self.names()

    def factory(self, name: str) -> Callable[..., Any]:  # noqa: ARG002 - all take the same
        """`build` with the channels and the classes."""

        def build(*, ch: int = 3, nc: int | None = None) -> Any:
            """Only its signature is used."""

        return build

    def made(self, name: str, arguments: Mapping[str, Any]) -> Model:
        """The network of the file, in the class for its task."""
        tasks = self.module("ultralytics.nn.tasks")
        settings = tasks.yaml_model_load(name)
        task = tasks.guess_model_task(settings)
        model: Model = getattr(tasks, self._KINDS.get(task, "DetectionModel"))(settings, verbose=False, **arguments)
        return model

    def inputs_of(self, model: Any) -> list[tuple[InputSpec, ...]]:
        """An image of 640x640, for which these networks are described; of 224x224 for those that tell classes."""
        kind, first = type(model).__name__, next(each for each in model.modules() if isinstance(each, nn.Conv2d))
        side = 224 if kind == self._KINDS["classify"] else self.module("ultralytics.utils").DEFAULT_CFG.imgsz
        return [(InputSpec((1, first.in_channels, side, side)),)]


def _scaled(file: Path) -> list[str]:
    """The names of a file: its own, and for each scale one with the letter after the number of its version."""
    block = re.search(r"^scales:.*\n((?:[ \t]+.*\n|\s*#.*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    letters = re.findall(r"^\s+([a-z]):", block[1], re.MULTILINE) if block else []
    scaled = (re.sub(r"(\d+)(?!.*\d)", rf"\g<1>{letter}", file.stem, count=1) for letter in letters)
    return [file.name, *(f"{name}.yaml" for name in scaled)]


def _is_network(thing: Any) -> bool:
    own = inspect.isclass(thing) and issubclass(thing, nn.Module) and not inspect.isabstract(thing)
    return own and thing.forward is not nn.Module.forward
