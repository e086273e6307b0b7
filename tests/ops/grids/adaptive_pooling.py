"""Samples of pooling to a wanted output size."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, grid

_MAPS = {1: [(2, 3, 11), (3, 10)], 2: [(2, 3, 11, 8), (3, 10, 7)], 3: [(2, 3, 7, 8, 9), (3, 9, 8, 7)]}
_SIZES = {1: [1, 4, (3,)], 2: [1, (4, None), (None, 3), (5, 13)], 3: [2, (1, None, 4)]}
_INDICES = {"return_indices": [False, True]}

MODULES = [
    *(
        sample
        for axes, maps in _MAPS.items()
        for sample in [
            *grid(f"AdaptiveAvgPool{axes}d", *maps, output_size=_SIZES[axes]),
            *grid(f"AdaptiveMaxPool{axes}d", *maps, output_size=_SIZES[axes], **_INDICES),
        ]
    ),
    *grid("FractionalMaxPool2d", *_MAPS[2], kernel_size=[2], output_size=[3, (5, 4)], **_INDICES),
    *grid("FractionalMaxPool2d", *_MAPS[2], kernel_size=[(2, 3)], output_ratio=[0.5, (0.7, 0.3)], **_INDICES),
    *grid("FractionalMaxPool3d", *_MAPS[3], kernel_size=[2], output_size=[3, (5, 4, 3)], **_INDICES),
    *grid("FractionalMaxPool3d", *_MAPS[3], kernel_size=[2], output_ratio=[0.5, (0.7, 0.3, 0.6)], **_INDICES),
]

_LINE, _MAP, _VOLUME = (2, 3, 11), (2, 3, 11, 8), (2, 3, 7, 8, 9)

FUNCTIONS = [
    FunctionSample("F.adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 4), (_LINE,)),
    FunctionSample("F.adaptive_avg_pool1d", lambda x: torch.adaptive_avg_pool1d(x, (4,)), (_LINE,)),
    FunctionSample("F.adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (None, 3)), (_MAP,)),
    FunctionSample("F.adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, output_size=1), (_MAP[1:],)),
    FunctionSample("F.adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x, [1, 2, 3]), (_VOLUME,)),
    FunctionSample("F.adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 4), (_LINE,)),
    FunctionSample("torch.adaptive_max_pool1d", lambda x: torch.adaptive_max_pool1d(x, 4), (_LINE,)),
    FunctionSample("F.adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (2, 3)), (_MAP,)),
    FunctionSample("F.adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x, 2), (_VOLUME,)),
    *(
        FunctionSample(f"F.adaptive_max_pool{axes}d_with_indices", function, (shape,))
        for axes, shape, function in [
            (1, _LINE, lambda x: F.adaptive_max_pool1d(x, 4, return_indices=True)),
            (2, _MAP, lambda x: F.adaptive_max_pool2d(x, 4, return_indices=True)),
            (3, _VOLUME, lambda x: F.adaptive_max_pool3d_with_indices(x, 4)),
        ]
    ),
    FunctionSample("F.fractional_max_pool2d", lambda x: F.fractional_max_pool2d(x, 2, output_size=3), (_MAP,)),
    FunctionSample(
        "F.fractional_max_pool2d_with_indices",
        lambda x: F.fractional_max_pool2d(x, 2, output_ratio=(0.5, 0.6), return_indices=True),
        (_MAP,),
    ),
    FunctionSample("F.fractional_max_pool3d", lambda x: F.fractional_max_pool3d(x, 2, output_ratio=0.5), (_VOLUME,)),
    FunctionSample(
        "F.fractional_max_pool3d_with_indices",
        lambda x: F.fractional_max_pool3d(x, 2, (3, 3, 3), return_indices=True),
        (_VOLUME,),
    ),
]
