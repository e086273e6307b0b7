"""Samples of resampling."""

from __future__ import annotations

import torch.nn.functional as F

from tests.ops.samples import FunctionSample, ModuleSample, grid

_LINE, _MAP, _VOLUME = (2, 3, 10), (2, 3, 10, 7), (2, 3, 10, 7, 5)

# Factors whose product with a size is a whole number only in exact arithmetic.
_INEXACT = [0.3, 0.7, 1.1, 1.9, 2.3]

MODULES = [
    *grid("Upsample", _LINE, scale_factor=[1, 2, 0.1, *_INEXACT], mode=["nearest", "linear", "area", "nearest-exact"]),
    *grid("Upsample", _LINE, size=[13, (4,)], mode=["nearest", "linear"]),
    *grid("Upsample", _MAP, scale_factor=[2, 0.5, (1.5, 3), *_INEXACT], mode=["nearest", "bilinear", "bicubic"]),
    *grid("Upsample", _MAP, scale_factor=[0.7], mode=["bilinear"], recompute_scale_factor=[True], align_corners=[True]),
    *grid("Upsample", _MAP, size=[9, (5, 20)], mode=["nearest", "area"]),
    *grid("Upsample", _VOLUME, scale_factor=[2, (1, 2, 0.5)], mode=["nearest", "trilinear"]),
    *grid("UpsamplingBilinear2d", _MAP, scale_factor=[2, (1.5, 2.3)]),
    *grid("UpsamplingNearest2d", _MAP, scale_factor=[2, 0.7]),
    *grid("UpsamplingNearest2d", _MAP, size=[9, (5, 20)]),
    ModuleSample("Upsample", (), {"scale_factor": 2}, {"input": _MAP}),
]

FUNCTIONS = [
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, scale_factor=2), (_MAP,)),
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, scale_factor=(0.7, 1.9), mode="bicubic"), (_MAP,)),
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, (20, 30), mode="bilinear", align_corners=True), (_MAP,)),
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, x.shape[2:], mode="area"), (_MAP,)),
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, 4, mode="bilinear", antialias=True), (_MAP,)),
    FunctionSample("F.interpolate", lambda x: F.interpolate(x, size=[6]), (_LINE,)),
]
