"""The networks that every mutant is tried on: a sample of each layer, function and op, and some whole networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from tests.measure.models import Recurrent, Upsampling
from tests.ops.samples import FunctionSample, function_samples, make, module_samples
from tests.receptive import blocks, test_zeros
from tests.receptive.test_masks import (
    TOKENS,
    Decoder,
    causal,
    causal_by_a_buffer,
    causal_by_positions,
    retention,
    window,
    window_by_hand,
)

PER_KIND = 3
"""Samples taken of each kind of layer, spread over its grid."""

T = TypeVar("T")


@dataclass(frozen=True)
class Network:
    """A network to inspect: `build` makes the model and its positional and keyword inputs, on the CPU.

    `accounts` says that gradients, memory, operations and bytes moved are accounted for as well.
    """

    name: str
    build: Callable[[], tuple[Any, tuple[Any, ...], dict[str, Any]]]
    accounts: bool = False


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
    from tests.receptive.samples_computing import SAMPLES as COMPUTING
    from tests.receptive.samples_mixing import SAMPLES as MIXING

    def build(sample: Any) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        torch.manual_seed(0)
        return _Calling(sample.function), (torch.rand(sample.shape),), {}

    return [
        Network(f"field {sample.id} {index}", lambda s=sample: build(s))
        for index, sample in enumerate((*COMPUTING, *MIXING))
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
        "grouped volume": (_grouped_volume, (1, 4, 9, 11, 13)),
        "transposed, with output padding": (_transposed, (1, 2, 11, 14)),
        "strides greater than kernels": (_skipping, (1, 2, 37, 31)),
        "adaptive pools": (_adaptive, (1, 2, 13, 17)),
        "unfold and fold": (_folding, (1, 2, 12, 15)),
        "aligned corners": (_aligned, (1, 2, 7, 9)),
        "cubic and exact nearest": (_cubic, (1, 2, 9, 12)),
        "joins of different depth": (_joins, (1, 4, 24, 20)),
        "cropped skip": (_cropped, (1, 2, 28, 28)),
        "two layers in both directions": (_bidirectional, (2, 9, 6)),
        "steps first": (_steps_first, (9, 2, 6)),
        "attention with own projections": (_projected, (2, 7, 8)),
        "unbatched": (_unbatched, (3, 12, 10)),
        "positions and steps": (_positions, (1, 3, 16, 12)),
        "gate over one axis": (_axis_gate, (1, 4, 12, 18)),
        "statistics of columns": (_Columns, (1, 4, 14, 18)),
        "cells step by step": (_Cells, (2, 4, 6)),
        "fewer keys than queries": (_FewKeys, (2, 6, 8)),
        "antialiased": (_Antialiased, (1, 2, 24, 18)),
        "distances and a bag": (_Distances, (1, 5, 6)),
        "losses of a map": (_Losses, (2, 3, 6, 5)),
    }
    found = [Network(f"network {name}", _Seeded(make_, shape), True) for name, (make_, shape) in made.items()]
    of_tokens = (causal, causal_by_a_buffer, causal_by_positions, retention, window, window_by_hand)
    size = (1, TOKENS)
    followed = {name: mix for name, (mix, _) in (test_zeros.FOLLOWED | test_zeros.ONE_FOR_ALL).items()}
    found += [
        Network(f"network mixing, {kind}, {name}", _Seeded(partial(test_zeros.Mixing, mix), (1, 6, 8)))
        for kind, mixes in (
            ("triangles", test_zeros.TRIANGLES),
            ("zeros", followed),
            ("lost zeros", test_zeros.LOST),
            ("dense", test_zeros.DENSE),
        )
        for name, mix in mixes.items()
    ]
    found.append(Network("network masked kernels", _Seeded(test_zeros.masked_convolutions, (1, 3, 24, 24)), True))
    return found + [
        Network(f"network tokens, {attend.__name__}", _Seeded(partial(Decoder, attend), size, tokens=True), True)
        for attend in of_tokens
    ]


@dataclass(frozen=True)
class _Seeded:
    """A network with the same weights every time, and a random input, of numbers or of tokens."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    tokens: bool = False

    def __call__(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        torch.manual_seed(0)
        model = self.make().eval()
        return model, (torch.randint(0, 30, self.shape) if self.tokens else torch.rand(self.shape),), {}


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


def _grouped_volume() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(4, 6, (3, 1, 2), (2, 1, 1), (1, 0, 2), (1, 1, 3), groups=2), nn.MaxPool3d(2, 2, 1, ceil_mode=True),
        nn.ConvTranspose3d(6, 4, (2, 3, 1), (2, 1, 2), (0, 1, 0), (1, 0, 1), groups=2), nn.AdaptiveAvgPool3d((3, 2, 2)),
    )  # fmt: skip


def _transposed() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(2, 4, (3, 4), (2, 3), (1, 0), (1, 2), groups=2, dilation=(2, 1)), nn.Conv2d(4, 4, (2, 5)),
        nn.ConvTranspose2d(4, 2, 3, (1, 2), bias=False),
    )  # fmt: skip


def _skipping() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 2, (3, 4)), nn.Conv2d(4, 4, (1, 2), (2, 1)), nn.AvgPool2d(1, (2, 3)))


def _adaptive() -> nn.Module:
    heads = (nn.AdaptiveAvgPool2d((5, 6)), nn.AdaptiveMaxPool2d((5, 6)))
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), blocks.Cat(*heads), nn.AdaptiveAvgPool2d((2, None)))


def _folding() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.Unfold((2, 3), (2, 1), 1, (2, 1)), nn.Fold((10, 13), (2, 3), (2, 1), 1, (2, 1))
    )  # fmt: skip


def _aligned() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1), nn.Upsample((10, 5), mode="bilinear", align_corners=True), nn.Conv2d(2, 2, 2)
    )


def _cubic() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.Upsample(scale_factor=2, mode="bicubic"), nn.MaxPool2d(2),
        nn.Upsample(scale_factor=(1.5, 2), mode="nearest-exact"), nn.Upsample(size=(5, 7), mode="bilinear"),
    )  # fmt: skip


def _joins() -> nn.Module:
    deep = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 2), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, 1, 2, 2))
    return nn.Sequential(blocks.Add(deep, nn.Conv2d(4, 4, (1, 3), padding=(0, 1))), nn.AvgPool2d(3, 2))


class _Cropped(nn.Module):
    """The crop and concatenation of the first U-Net, which pads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late, self.up = nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.early(x)
        up = self.up(self.late(F.max_pool2d(early, 2)))
        top, left = ((a - b) // 2 for a, b in zip(early.shape[2:], up.shape[2:], strict=True))
        kept = early[:, :, top : top + up.shape[2], left : left + up.shape[3]]
        return torch.cat([kept, up], 1)


def _cropped() -> nn.Module:
    return nn.Sequential(_Cropped(), nn.Conv2d(6, 2, 3))


class _First(nn.Module):
    """The first output of a layer that returns several; attention takes its input three times."""

    def __init__(self, layer: nn.Module, times: int = 1):
        super().__init__()
        self.layer, self.times = layer, times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(*(x,) * self.times)[0]
        return found


def _bidirectional() -> nn.Module:
    return nn.Sequential(
        _First(nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True, proj_size=3)), _First(nn.GRU(6, 4, bias=False)),
        nn.Linear(4, 2),
    )  # fmt: skip


def _steps_first() -> nn.Module:
    return nn.Sequential(_First(nn.RNN(6, 4, 2, bidirectional=True)), _First(nn.MultiheadAttention(8, 2), 3))


class _Projected(nn.Module):
    """Attention whose keys and values have sizes of their own, with an added zero and learnt keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.values = nn.Linear(8, 6), nn.Linear(8, 5)
        self.attention = nn.MultiheadAttention(
            8, 4, kdim=6, vdim=5, add_bias_kv=True, add_zero_attn=True, batch_first=True
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.attention(x, self.keys(x), self.values(x)[:, :], need_weights=False)[0]
        return found


def _projected() -> nn.Module:
    return _Projected()


def _unbatched() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 2, 2, 2), nn.Conv2d(2, 2, 1)
    )


class _Positions(nn.Module):
    """A learnt embedding of positions added to patches, a class token in front, and one token taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 4, 4)
        self.token, self.place = nn.Parameter(torch.zeros(1, 1, 6)), nn.Embedding(13, 6)
        self.mix, self.head = nn.Conv1d(6, 6, 3, padding=1), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1)
        tokens = tokens + self.place(torch.arange(13))
        return self.head(self.mix(tokens.transpose(1, 2)).transpose(1, 2)[:, 0])


def _positions() -> nn.Module:
    return _Positions()


class _AxisGate(nn.Module):
    """A gate for each row and one for each column."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.columns = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.rows(x.mean(3)).sigmoid().unsqueeze(3)
        return x * rows * self.columns(x.mean(2)).sigmoid().unsqueeze(2)


class _Columns(nn.Module):
    """Statistics over the columns, beside channels without them, then over the rows as well."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
        self.norm = nn.LayerNorm(18)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = self.last(torch.cat([x, self.norm(x)], 1))
        return torch.cat([x, x - x.mean(2, keepdim=True)], 1)


class _Cells(nn.Module):
    """Recurrent cells called once for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.long, self.gated, self.plain = nn.LSTMCell(6, 5), nn.GRUCell(5, 4, bias=False), nn.RNNCell(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, gated, plain, found = None, None, None, []
        for step in x.unbind(1):
            state = self.long(step, state)
            gated = self.gated(state[0], gated)
            plain = self.plain(gated, plain)
            found.append(plain)
        return torch.stack(found, 1)


class _FewKeys(nn.Module):
    """Attention in which several heads of queries share one head of keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.keys = nn.Linear(8, 16), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        queries = self.queries(x).unflatten(2, (4, 4)).transpose(1, 2)
        keys = self.keys(x).unflatten(2, (2, 4)).transpose(1, 2)
        found = F.scaled_dot_product_attention(queries, keys, keys, enable_gqa=True)
        return found.transpose(1, 2).flatten(2)


class _Antialiased(nn.Module):
    """Images made smaller with a filter, as torchvision does."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = F.interpolate(self.first(x), (8, 7), mode="bilinear", antialias=True)
        return self.last(F.interpolate(small, (6, 5), mode="bicubic", antialias=True))


class _Distances(nn.Module):
    """Distances of all pairs of tokens, and a bag of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.mix = nn.EmbeddingBag(7, 6, mode="sum"), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bag = self.bag(torch.tensor([[0, 3], [5, 6]]), per_sample_weights=torch.ones(2, 2))
        tokens = self.mix(x)
        return torch.cdist(tokens, bag[None], p=1.0).sum() + F.pdist(tokens[0]).sum()


class _Losses(nn.Module):
    """Several losses of one map."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.head(x)
        target = torch.ones(x.shape[0], *x.shape[2:], dtype=torch.long)
        parts = [
            F.cross_entropy(scores, target),
            F.smooth_l1_loss(scores, scores.flip(2)),
            F.mse_loss(scores[:, :3], x),
        ]
        return sum(parts) + F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))


def _axis_gate() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), _AxisGate(), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3, 2))
