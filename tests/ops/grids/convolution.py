"""Samples of convolutions and transposed convolutions."""

from __future__ import annotations

import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid, param

_CHANNELS = {"in_channels": [4], "out_channels": [6]}
_PER_AXIS = {"stride": [1, 2], "dilation": [1, 3], "groups": [1, 2]}

MODULES = [
    *grid("Conv1d", (2, 4, 15), (4, 15), **_CHANNELS, **_PER_AXIS, kernel_size=[1, 4], padding=[0, 2, "valid"]),
    *grid("Conv1d", (2, 4, 15), **_CHANNELS, kernel_size=[4], padding=["same"], padding_mode=["zeros", "reflect"]),
    *grid("Conv2d", (2, 4, 15, 12), (4, 15, 12), **_CHANNELS, **_PER_AXIS, kernel_size=[3, (2, 4)], padding=[(0, 2)]),
    *grid("Conv2d", (1, 4, 9, 9), **_CHANNELS, kernel_size=[3], padding=[1], padding_mode=["circular", "replicate"]),
    *grid("Conv2d", (1, 4, 9, 9), in_channels=[4], out_channels=[8], kernel_size=[3], groups=[4], bias=[True, False]),
    *grid(
        "Conv3d", (2, 4, 9, 8, 7), (4, 9, 8, 7), **_CHANNELS, **_PER_AXIS, kernel_size=[(1, 2, 3)], padding=[(1, 0, 2)]
    ),
    *grid("ConvTranspose1d", (2, 4, 5), (4, 5), **_CHANNELS, **_PER_AXIS, kernel_size=[4], padding=[0, 2]),
    *grid("ConvTranspose2d", (2, 4, 5, 6), **_CHANNELS, kernel_size=[3], stride=[3], output_padding=[0, 2, (1, 2)]),
    *grid("ConvTranspose2d", (4, 5, 6), **_CHANNELS, kernel_size=[(3, 5)], stride=[(2, 1)], padding=[(1, 2)]),
    *grid(
        "ConvTranspose3d", (1, 4, 3, 4, 5), **_CHANNELS, kernel_size=[2], stride=[2], groups=[1, 2], bias=[True, False]
    ),
    ModuleSample(
        "ConvTranspose2d",
        ((1, 4, 5, 5),),
        {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "stride": 2},
        {"output_size": [12, 11]},
    ),
]

FUNCTIONS = [
    FunctionSample("F.conv1d", lambda x, w: F.conv1d(x, w, None, 2, 1), ((2, 4, 15), param(6, 4, 3))),
    FunctionSample(
        "F.conv2d", lambda x, w, b: F.conv2d(x, w, b, padding="same"), ((1, 4, 9, 9), param(6, 4, 3, 3), param(6))
    ),
    FunctionSample("F.conv2d", lambda x, w: F.conv2d(x, w, groups=2), ((4, 9, 9), param(6, 2, 3, 3))),
    FunctionSample("F.conv3d", lambda x, w: F.conv3d(x, w, dilation=2), ((1, 4, 9, 9, 9), param(6, 4, 3, 2, 1))),
    FunctionSample("F.conv_transpose1d", lambda x, w: F.conv_transpose1d(x, w, stride=2), ((2, 4, 5), param(4, 6, 3))),
    FunctionSample(
        "F.conv_transpose2d",
        lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1, 2),
        ((2, 4, 5, 5), param(4, 3, 3, 3)),
    ),
    FunctionSample(
        "F.conv_transpose3d", lambda x, w: F.conv_transpose3d(x, w), ((1, 4, 3, 3, 3), param(4, 6, 2, 2, 2))
    ),
]
