"""Samples of pooling over sliding windows, and of max unpooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid, index

# Batched and unbatched maps whose sizes leave a remainder under most strides.
_MAPS = {1: [(2, 3, 11), (3, 10)], 2: [(2, 3, 11, 8), (3, 10, 7)], 3: [(2, 3, 7, 8, 9), (3, 9, 8, 7)]}
_ROUNDING = {"ceil_mode": [False, True]}

MODULES = [
    *(
        sample
        for axes, maps in _MAPS.items()
        for sample in [
            *grid(
                f"MaxPool{axes}d", *maps, **_ROUNDING,
                kernel_size=[3], stride=[None, 1, 2], padding=[0, 1], dilation=[1, 2],
            ),
            *grid(f"MaxPool{axes}d", *maps, kernel_size=[2], return_indices=[True]),
            *grid(f"AvgPool{axes}d", *maps, **_ROUNDING, kernel_size=[2, 4], stride=[None, 3], padding=[0, 1]),
            *grid(f"LPPool{axes}d", *maps, **_ROUNDING, norm_type=[2], kernel_size=[2, 3], stride=[None, 2]),
        ]
    ),
    *grid("MaxPool2d", (1, 3, 11, 8), **_ROUNDING, kernel_size=[(3, 2)], stride=[(2, 4), 5], padding=[(1, 0)]),
    *grid("MaxPool2d", (1, 3, 5, 5), **_ROUNDING, kernel_size=[1, 2], stride=[3], padding=[0]),
    *grid("MaxPool3d", (1, 3, 9, 9, 9), **_ROUNDING, kernel_size=[(1, 2, 3)], stride=[(3, 2, 1)], padding=[(0, 1, 1)]),
    *grid("AvgPool1d", (1, 3, 8), **_ROUNDING, kernel_size=[(3,)], stride=[(2,)], count_include_pad=[False]),
    *grid("AvgPool2d", (1, 3, 8, 8), **_ROUNDING, kernel_size=[3], stride=[2], padding=[1], divisor_override=[2]),
    ModuleSample("MaxPool2d", (), {"kernel_size": 2}, {"input": (1, 3, 8, 8)}),
    *grid("MaxUnpool1d", [(2, 3, 5), index(2, 3, 5)], [(3, 5), index(3, 5)], kernel_size=[2, 3], stride=[None, 2]),
    *grid("MaxUnpool2d", [(2, 3, 5, 4), index(2, 3, 5, 4)], kernel_size=[3], stride=[None, 2], padding=[0, (0, 1)]),
    *grid("MaxUnpool3d", [(2, 3, 4, 4, 4), index(2, 3, 4, 4, 4)], kernel_size=[2], stride=[None, (1, 2, 2)]),
    ModuleSample("MaxUnpool2d", ((1, 3, 4, 4), index(1, 3, 4, 4)), {"kernel_size": 2}, {"output_size": [9, 7]}),
    ModuleSample(
        "MaxUnpool2d", (), {"kernel_size": 2},
        {"indices": index(1, 3, 4, 4), "input": (1, 3, 4, 4), "output_size": [1, 3, 8, 9]},
    ),
]  # fmt: skip

_LINE, _MAP, _VOLUME = (2, 3, 11), (2, 3, 11, 8), (2, 3, 7, 8, 9)

FUNCTIONS = [
    FunctionSample("F.max_pool1d", lambda x: F.max_pool1d(x, 2), (_LINE,)),
    FunctionSample("F.max_pool1d_with_indices", lambda x: F.max_pool1d(x, 3, 2, return_indices=True), (_LINE,)),
    FunctionSample("torch.max_pool1d", lambda x: torch.max_pool1d(x, [3], [2], ceil_mode=True), (_LINE,)),
    FunctionSample("torch.max_pool1d_with_indices", lambda x: torch.max_pool1d_with_indices(x, 3), (_LINE,)),
    FunctionSample("F.max_pool2d", lambda x: F.max_pool2d(x, 3, stride=(2, 1), padding=1), (_MAP,)),
    FunctionSample("F.max_pool2d", lambda x: F.max_pool2d(input=x, kernel_size=(2, 3), ceil_mode=True), (_MAP[1:],)),
    FunctionSample("F.max_pool2d_with_indices", lambda x: F.max_pool2d(x, 2, return_indices=True), (_MAP,)),
    FunctionSample("F.max_pool2d_with_indices", lambda x: F.max_pool2d_with_indices(x, 2), (_MAP,)),
    FunctionSample("torch.max_pool2d", lambda x: torch.max_pool2d(x, 3, 2, 1, 1, True), (_MAP,)),
    FunctionSample("F.max_pool3d", lambda x: F.max_pool3d(x, 2, dilation=2), (_VOLUME,)),
    FunctionSample("F.max_pool3d_with_indices", lambda x: F.max_pool3d(x, 2, return_indices=True), (_VOLUME,)),
    FunctionSample("torch.max_pool3d", lambda x: torch.max_pool3d(x, (1, 2, 2)), (_VOLUME,)),
    FunctionSample("F.avg_pool1d", lambda x: F.avg_pool1d(x, 2, ceil_mode=True), (_LINE,)),
    FunctionSample("F.avg_pool1d", lambda x: torch.avg_pool1d(x, 3, 2, 1), (_LINE,)),
    FunctionSample("F.avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1, True, False, 5), (_MAP,)),
    FunctionSample("F.avg_pool2d", lambda x: F.avg_pool2d(x, (11, 8)), (_MAP[1:],)),
    FunctionSample("F.avg_pool3d", lambda x: F.avg_pool3d(x, (1, 2, 3), stride=[1, 2, 2]), (_VOLUME,)),
    FunctionSample("F.lp_pool1d", lambda x: F.lp_pool1d(x, 2.0, 3), (_LINE,)),
    FunctionSample("F.lp_pool2d", lambda x: F.lp_pool2d(x, norm_type=2.0, kernel_size=3, stride=2), (_MAP,)),
    FunctionSample("F.lp_pool3d", lambda x: F.lp_pool3d(x, 2.0, 3, ceil_mode=True), (_VOLUME,)),
    FunctionSample("F.max_unpool1d", lambda x, i: F.max_unpool1d(x, i, 2), (_LINE, index(*_LINE))),
    FunctionSample("F.max_unpool2d", lambda x, i: F.max_unpool2d(x, i, 2, None, 0, [23, 17]), (_MAP, index(*_MAP))),
    FunctionSample("F.max_unpool3d", lambda x, i: F.max_unpool3d(x, i, (1, 2, 2)), (_VOLUME, index(*_VOLUME))),
]
