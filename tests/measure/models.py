"""Twenty models of different families, with inputs small enough to run on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnninspect.measure.base import Run
from cnninspect.ops.catalogue import layer_of
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.recorder import record


class Recurrent(nn.Module):
    """A convolution whose rows are read by a stacked bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.lstm = nn.LSTM(32, 8, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.conv(x).flatten(0, 1))[0]


class Upsampling(nn.Module):
    """Transposed, grouped and depthwise convolutions, interpolation, group and instance norms."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, groups=1), nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3, groups=8),
            nn.ConvTranspose2d(8, 6, 4, stride=2, groups=2), nn.InstanceNorm2d(6),
            nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d(4),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def torchvision_model(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import_torchvision()
        from torchvision.models import get_model

        return get_model(name, weights=None, **options)

    return build


def timm_model(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import_torchvision()
        import timm

        return timm.create_model(name, pretrained=False, **options)

    return build


def encoder() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(2),
        nn.TransformerEncoder(nn.TransformerEncoderLayer(1024, 4, 64, batch_first=True), 2, enable_nested_tensor=False),
    )


Model = tuple[Callable[[], nn.Module], tuple[int, ...]]

FAMILIES: dict[str, Model] = {
    "alexnet": (torchvision_model("alexnet"), (1, 3, 64, 64)),
    "vgg": (torchvision_model("vgg11_bn"), (1, 3, 32, 32)),
    "resnet": (torchvision_model("resnet18"), (2, 3, 32, 32)),
    "resnext": (torchvision_model("resnext50_32x4d"), (1, 3, 32, 32)),
    "densenet": (torchvision_model("densenet121"), (1, 3, 32, 32)),
    "googlenet": (torchvision_model("googlenet", init_weights=False), (1, 3, 32, 32)),
    "squeezenet": (torchvision_model("squeezenet1_1"), (1, 3, 32, 32)),
    "mobilenet": (torchvision_model("mobilenet_v3_small"), (1, 3, 32, 32)),
    "shufflenet": (torchvision_model("shufflenet_v2_x0_5"), (1, 3, 32, 32)),
    "mnasnet": (torchvision_model("mnasnet0_5"), (1, 3, 32, 32)),
    "efficientnet": (torchvision_model("efficientnet_b0"), (1, 3, 32, 32)),
    "convnext": (torchvision_model("convnext_tiny"), (1, 3, 32, 32)),
    "swin": (torchvision_model("swin_t"), (1, 3, 64, 64)),
    "segmentation": (torchvision_model("lraspp_mobilenet_v3_large", weights_backbone=None), (1, 3, 32, 32)),
    "video": (torchvision_model("r2plus1d_18"), (1, 3, 4, 32, 32)),
    "vit": (timm_model("vit_tiny_patch16_224", depth=2), (1, 3, 224, 224)),
    "mixer": (timm_model("gmixer_12_224"), (1, 3, 224, 224)),
    "ghostnet": (timm_model("ghostnet_050"), (1, 3, 32, 32)),
    "encoder": (encoder, (1, 3, 32, 32)),
    "lstm": (Recurrent, (1, 3, 32, 32)),
    "upsampling": (Upsampling, (1, 3, 16, 16)),
}


ALIKE = {"vgg", "resnext", "shufflenet", "mnasnet", "efficientnet", "ghostnet", "googlenet", "video", "mixer"}
"""Families whose layers others have too."""


def families() -> list[Any]:
    """The families as parameters of a test; those that are like others are run by the sweep only."""
    return [pytest.param(name, marks=pytest.mark.sweep if name in ALIKE else ()) for name in FAMILIES]


class _Constant(TorchFunctionMode):
    """Fill parameters with one number: no counter looks at values, and random ones take most of the time."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return (args[0] if args else kwargs["tensor"]).data.fill_(0.01)
        return func(*args, **(kwargs or {}))


def built(family: str, device: str) -> tuple[nn.Module, torch.Tensor]:
    """A model of the family in eval mode and an input for it."""
    build, shape = FAMILIES[family]
    with torch.device(device), _Constant():
        return build().eval(), torch.rand(shape)


@cache
def meta_run(family: str) -> Run:
    """One recorded run of a family's model on meta."""
    model, x = built(family, "meta")
    return run_of(model, x, device="meta")


def run_of(model: Callable[..., Any], *args: Any, device: str = "cpu", training: bool = False, **kwargs: Any) -> Run:
    """One recorded run of a model or function."""
    trace = record(model, args, kwargs, layer_of, device=device, training=training)
    return Run(trace, model, args, kwargs, device)
