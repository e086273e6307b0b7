"""The networks that every mutant is tried on: a sample of each layer, function and op, and some whole networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import nn

from tests.measure.models import Recurrent, Upsampling
from tests.ops.samples import FunctionSample, function_samples, make, module_samples
from tests.receptive import blocks

PER_KIND = 3
"""Samples taken of each kind of layer, spread over its grid."""

T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """A network to inspect: `build` makes the model and its positional and keyword inputs, on the CPU.

    `probed` says that NaN checks its receptive fields; without it they are `not_run`, which claims nothing.
    """

    name: str
    build: Callable[[], tuple[Any, tuple[Any, ...], dict[str, Any]]]
    probed: bool = False


def networks() -> list[Network]:
    """All of them, whole networks first."""
    return [*_whole(), *_modules(), *_functions(), *_ops(), *_fields()]


def _modules() -> list[Network]:
    spread = _spread(module_samples(), lambda sample: sample.kind, PER_KIND)
    return [Network(f"layer {sample.id}", replace(sample, device="cpu").build) for sample in spread]


def _spread(samples: Sequence[T], kind: Callable[[T], str], most: int) -> list[T]:
    """At most so many samples of each kind, far from each other in the list."""
    kinds: dict[str, list[T]] = {}
    for sample in samples:
        kinds.setdefault(kind(sample), []).append(sample)
    return [one for found in kinds.values() for one in found[:: -(-len(found) // most)]]


def _functions() -> list[Network]:
    spread = _spread(function_samples(), lambda sample: sample.name, 1)
    return [Network(f"function {sample.id}", _Bound(replace(sample, device="cpu"))) for sample in spread]


@dataclass(frozen=True)
class _Bound:
    """A function's sample as a module that holds its weights."""

    sample: FunctionSample

    def __call__(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        function, args, weights = self.sample.build()
        module = _Calling(function)
        for index, weight in enumerate(weights):
            module.register_parameter(f"weight{index}", nn.Parameter(weight.detach()))
        held = list(module.parameters())
        module.function = lambda *inputs: self.sample.function(*inputs, *held)  # type: ignore[assignment]
        return module, args, {}


class _Calling(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def _ops() -> list[Network]:
    """Every sample of an op that runs on the CPU, as a module that calls it."""
    from tests.ops.aten.test_rules import SAMPLES

    found = []
    for sample in _spread(SAMPLES, lambda sample: sample.packet, 1):
        if sample.results is None and "." not in sample.name:

            def build(sample: Any = sample) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
                function = getattr(torch.ops.aten, sample.name)
                args = tuple(make(value, "cpu") for value in sample.args)
                return _Calling(function), args, {name: make(value, "cpu") for name, value in sample.kwargs.items()}

            found.append(Network(f"op {sample.id}", build))
    return found


def _fields() -> list[Network]:
    """The samples of receptive-field rules, each behind a convolution that mixes neighbours."""
    from tests.receptive.samples_computing import SAMPLES

    def build(sample: Any) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        torch.manual_seed(0)
        return _Calling(sample.function), (torch.rand(sample.shape),), {}

    return [
        Network(f"field {sample.id} {index}", lambda s=sample: build(s), True) for index, sample in enumerate(SAMPLES)
    ]


def _whole() -> list[Network]:
    """Networks in which layers follow each other, as most steps of the algebra of fields need."""
    made: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
        "strided convolutions": (_strided, (1, 3, 64, 64)),
        "dilated, with uneven padding": (_dilated, (1, 3, 48, 40)),
        "residual block": (_residual, (1, 4, 40, 40)),
        "branches of different strides": (_branches, (1, 4, 40, 40)),
        "squeeze and excitation": (_gated, (1, 4, 32, 32)),
        "decoder": (_decoder, (1, 2, 24, 24)),
        "sequence": (_sequence, (2, 4, 64)),
        "volume": (_volume, (1, 2, 12, 12, 12)),
        "patches and attention": (_attention, (1, 3, 32, 32)),
        "windows": (_windows, (1, 4, 16, 16)),
        "shuffles": (_shuffles, (1, 8, 24, 24)),
        "recurrent": (Recurrent, (1, 3, 8, 32)),
        "upsampling": (Upsampling, (1, 3, 24, 24)),
    }
    return [Network(f"network {name}", _Seeded(make_, shape), True) for name, (make_, shape) in made.items()]


@dataclass(frozen=True)
class _Seeded:
    """A network with the same weights every time, and a random input."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]

    def __call__(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        torch.manual_seed(0)
        return self.make().eval(), (torch.rand(self.shape),), {}


def _strided() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.AvgPool2d(2), nn.Conv2d(6, 4, (1, 3)), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


def _dilated() -> nn.Module:
    return nn.Sequential(
        nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(3, 4, 3, dilation=2), nn.ReflectionPad2d(1), nn.Conv2d(4, 4, 2),
        nn.Conv2d(4, 4, 3, dilation=(3, 2), padding="same"), nn.MaxPool2d(2, 2, dilation=2, ceil_mode=True),
    )  # fmt: skip


def _residual() -> nn.Module:
    main = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1))
    return nn.Sequential(blocks.Add(main, nn.Conv2d(4, 4, 1, 2)), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))


def _branches() -> nn.Module:
    wide = nn.Sequential(nn.Conv2d(4, 4, 5, 2, 2), nn.Upsample(scale_factor=2))
    return nn.Sequential(blocks.Cat(nn.Conv2d(4, 4, 3, padding=1), wide, nn.MaxPool2d(3, 1, 1)), nn.Conv2d(12, 4, 1))


def _gated() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), blocks.Gate(4), nn.Conv2d(4, 4, 3, 2, 1))


def _decoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.ConvTranspose2d(4, 2, 3, 3, output_padding=1),
        nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.Conv2d(2, 2, 3, padding=1),
    )  # fmt: skip


def _sequence() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(4, 6, 3, padding=2, dilation=2), nn.MaxPool1d(2), nn.Conv1d(6, 4, 5, 3), nn.InstanceNorm1d(4),
        nn.AvgPool1d(2, ceil_mode=True),
    )  # fmt: skip


def _volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 3, 3, padding=1), nn.MaxPool3d(2), nn.Conv3d(3, 2, (1, 2, 3)), nn.AvgPool3d(2))


def _attention() -> nn.Module:
    tokens = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.Flatten(2), blocks.Method("transpose", 1, 2))
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(tokens, nn.LayerNorm(8), layer, nn.Linear(8, 3))


def _windows() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), blocks.Patches(4, 2), nn.Conv2d(16, 8, 1))


def _shuffles() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.ChannelShuffle(2), nn.PixelUnshuffle(2), nn.Conv2d(32, 16, 1),
        nn.PixelShuffle(2), blocks.Crop((1, -2, 1), (2, None, 2)),
    )  # fmt: skip
