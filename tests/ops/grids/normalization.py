"""Samples of normalisation layers."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from tests.ops.samples import FunctionSample, Tensor, grid, param

_MAPS = {1: [(2, 6, 5)], 2: [(2, 6, 5, 4)], 3: [(2, 6, 5, 4, 3)]}
_AFFINE = {"num_features": [6], "affine": [True, False], "track_running_stats": [True, False]}

MODULES = [
    *(
        sample
        for axes, maps in _MAPS.items()
        for sample in [
            *grid(f"BatchNorm{axes}d", *maps, **_AFFINE),
            *grid(f"BatchNorm{axes}d", *maps, num_features=[6], bias=[False]),
            *grid(f"InstanceNorm{axes}d", *maps, *(shape[1:] for shape in maps), **_AFFINE),
            *grid(f"InstanceNorm{axes}d", *maps, num_features=[6], affine=[True], bias=[False]),
        ]
    ),
    *grid("BatchNorm1d", (2, 6), **_AFFINE),
    *grid("SyncBatchNorm", (2, 6), (2, 6, 5, 4), num_features=[6], affine=[True, False]),
    *grid("SyncBatchNorm", (2, 6), num_features=[6], bias=[False]),
    *grid("LayerNorm", (2, 5, 6), (6,), normalized_shape=[6, (6,)], elementwise_affine=[True, False]),
    *grid("LayerNorm", (2, 5, 6), normalized_shape=[(5, 6)], bias=[True, False]),
    *grid("GroupNorm", (2, 6), (2, 6, 5, 4), num_groups=[1, 3, 6], num_channels=[6], affine=[True, False]),
    *grid("GroupNorm", (2, 6, 5), num_groups=[2], num_channels=[6], bias=[False]),
    *grid("RMSNorm", (2, 5, 6), (5, 6), normalized_shape=[6, [5, 6]], elementwise_affine=[True, False]),
    *grid("LocalResponseNorm", (2, 6, 5), (2, 6, 5, 4), (6, 5, 4), size=[2, 5]),
    *grid("CrossMapLRN2d", (2, 6, 5, 4), size=[3]),
]

_MAP = (2, 6, 5, 4)
_FEATURES = (Tensor((6,)), Tensor((6,)))
_SCALE_SHIFT = (param(6), param(6))

FUNCTIONS = [
    FunctionSample("F.batch_norm", lambda x, m, v: F.batch_norm(x, m, v), (_MAP, *_FEATURES)),
    FunctionSample(
        "F.batch_norm", lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b), (_MAP, *_FEATURES, *_SCALE_SHIFT)
    ),
    FunctionSample("F.batch_norm", lambda x, w: F.batch_norm(x, None, None, weight=w, training=True), (_MAP, param(6))),
    FunctionSample(
        "torch.batch_norm",
        lambda x, m, v, w, b: torch.batch_norm(x, w, b, m, v, False, 0.1, 1e-5, False),
        (_MAP, *_FEATURES, *_SCALE_SHIFT),
    ),
    FunctionSample("F.instance_norm", lambda x: F.instance_norm(x), (_MAP,)),
    FunctionSample("F.instance_norm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b), (_MAP, *_SCALE_SHIFT)),
    FunctionSample(
        "torch.instance_norm",
        lambda x, w, b: torch.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False),
        (_MAP, *_SCALE_SHIFT),
    ),
    *(
        sample
        for name, namespace in (("F", F), ("torch", torch))
        for sample in [
            FunctionSample(f"{name}.group_norm", partial(namespace.group_norm, num_groups=2), (_MAP,)),
            FunctionSample(
                f"{name}.group_norm", lambda x, w, b, norm=namespace.group_norm: norm(x, 3, w, b), (_MAP, *_SCALE_SHIFT)
            ),
            FunctionSample(f"{name}.layer_norm", lambda x, norm=namespace.layer_norm: norm(x, (5, 4)), (_MAP,)),
            FunctionSample(
                f"{name}.layer_norm",
                lambda x, w, b, norm=namespace.layer_norm: norm(x, [4], w, b, 1e-6),
                (_MAP, param(4), param(4)),
            ),
            FunctionSample(
                f"{name}.rms_norm", lambda x, w, norm=namespace.rms_norm: norm(x, (5, 4), w), (_MAP, param(5, 4))
            ),
        ]
    ),
    FunctionSample("F.local_response_norm", lambda x: F.local_response_norm(x, 3, k=2.0), (_MAP,)),
    FunctionSample("F.normalize", lambda x: F.normalize(x, dim=(1, 2)), (_MAP,)),
]
