"""Samples of layers that only move values, and of fold."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid

_LINE, _MAP, _VOLUME = (2, 4, 7), (2, 4, 7, 6), (2, 4, 7, 6, 5)
_PADDED = {1: [_LINE, _LINE[1:]], 2: [_MAP, _MAP[1:]], 3: [_VOLUME, _VOLUME[1:]]}

MODULES = [
    *grid("Flatten", _MAP, start_dim=[0, 1, -2], end_dim=[-1, 2]),
    *grid("Flatten", (5,), (2, 0, 3), start_dim=[0]),
    *grid("Unflatten", (2, 12, 3), dim=[1, -2], unflattened_size=[(3, 4), (2, -1), (-1,), [2, 2, 3]]),
    *(
        sample
        for axes, maps in _PADDED.items()
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for sample in grid(f"{kind}Pad{axes}d", *maps, padding=[0, 2, (1, 3) * axes, (-1, 2) * axes])
    ),
    *(
        sample
        for axes, maps in _PADDED.items()
        for sample in grid(f"ConstantPad{axes}d", *maps, padding=[2, (0, -3) * axes], value=[3.5])
    ),
    *grid("PixelShuffle", (2, 36, 5, 4), (36, 5, 4), (2, 3, 36, 5, 4), upscale_factor=[1, 2, 3]),
    *grid("PixelUnshuffle", (2, 3, 12, 6), (3, 12, 6), (5, 2, 3, 12, 6), downscale_factor=[1, 2, 3]),
    *grid("ChannelShuffle", (2, 6, 5), (2, 6, 5, 4), groups=[1, 2, 3]),
    *grid("Unfold", _MAP, _MAP[1:], kernel_size=[2, (3, 2)], stride=[1, (2, 3)], padding=[0, 1], dilation=[1, (2, 1)]),
    *grid("Fold", (2, 12, 20), (12, 20), output_size=[(6, 5)], kernel_size=[2]),
    *grid("Fold", (2, 12, 6), output_size=[5], kernel_size=[(2, 3)], stride=[2], padding=[(0, 1)]),
    *grid("Fold", (2, 12, 6), output_size=[(4, 5)], kernel_size=[2], dilation=[2]),
    ModuleSample("Flatten", (), {}, {"input": _MAP}),
]

FUNCTIONS = [
    FunctionSample("torch.flatten", lambda x: torch.flatten(x), ((),)),
    FunctionSample("torch.flatten", lambda x: torch.flatten(x, 1), (_MAP,)),
    FunctionSample("torch.flatten", lambda x: torch.flatten(x, start_dim=-3, end_dim=-2), (_MAP,)),
    FunctionSample("Tensor.flatten", lambda x: x.flatten(2), (_MAP,)),
    FunctionSample("torch.unflatten", lambda x: torch.unflatten(x, 1, (2, -1)), (_MAP,)),
    FunctionSample("Tensor.unflatten", lambda x: x.unflatten(-1, (3, 2)), (_MAP,)),
    FunctionSample("F.pad", lambda x: F.pad(x, (1, 2, -3, 0)), (_MAP,)),
    FunctionSample("F.pad", lambda x: F.pad(x, [0, 0, 1, 1, 0, 5], value=2.0), (_LINE,)),
    *(
        FunctionSample("F.pad", lambda x, mode=mode: F.pad(x, (1, 2, 3, -1), mode), (_MAP,))
        for mode in ("reflect", "replicate", "circular")
    ),
    FunctionSample("torch.constant_pad_nd", lambda x: torch.constant_pad_nd(x, (1, 2), 0.5), (_MAP,)),
    FunctionSample("F.pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (_MAP,)),
    FunctionSample("F.pixel_unshuffle", lambda x: torch.pixel_unshuffle(x, downscale_factor=2), ((1, 3, 4, 6),)),
    FunctionSample("F.channel_shuffle", lambda x: F.channel_shuffle(x, 2), (_MAP,)),
    FunctionSample("F.native_channel_shuffle", lambda x: F.native_channel_shuffle(x, 2), (_MAP,)),
    FunctionSample("F.unfold", lambda x: F.unfold(x, 3, padding=1, stride=2), (_MAP,)),
    FunctionSample("F.fold", lambda x: F.fold(x, (6, 5), kernel_size=2), ((2, 12, 20),)),
]
