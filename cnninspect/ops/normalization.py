"""Normalisation layers. They keep the shape; their statistics, scale and shift are elementwise work: 0 MACs.

Running statistics are buffers, not parameters. `affine=False` or `bias=False` leaves a parameter out: what the module
does not have is not counted. What statistics are computed over belongs to the strict receptive field only.
"""

from __future__ import annotations

from math import prod
from typing import Any

from cnninspect.ops.registry import Formula, Use, register, same_shape
from cnninspect.trace.records import TensorRef

# --- parameters -------------------------------------------------------------------------------------------------


def per_feature(use: Use) -> dict[str, int]:
    """weight: C; bias: C. Source: torch.nn.BatchNorm2d, `affine`."""
    return {"weight": use["num_features"], "bias": use["num_features"]}


def per_channel(use: Use) -> dict[str, int]:
    """weight: C; bias: C, whatever the number of groups. Source: torch.nn.GroupNorm, `affine`."""
    return {"weight": use["num_channels"], "bias": use["num_channels"]}


def per_element(use: Use) -> dict[str, int]:
    """weight: prod(normalized_shape); bias likewise. Source: torch.nn.LayerNorm, "Variables"."""
    return {"weight": prod(use["normalized_shape"]), "bias": prod(use["normalized_shape"])}


def per_element_scale(use: Use) -> dict[str, int]:
    """weight: prod(normalized_shape), and no bias. Source: torch.nn.RMSNorm, `elementwise_affine`."""
    return {"weight": prod(use["normalized_shape"])}


# --- functional forms: the input's channels or the given shape say how many parameters there should be --------------


def _batch_call(
    input: TensorRef, running_mean: TensorRef | None, running_var: TensorRef | None,
    weight: TensorRef | None = None, bias: TensorRef | None = None, training: bool = False,
    momentum: float | None = 0.1, eps: float = 1e-5,
) -> Use:  # fmt: skip
    return Use((input.shape,), {"num_features": input.shape[1], "eps": eps}, {"weight": weight, "bias": bias})


def _batch_call_torch(
    input: TensorRef, weight: TensorRef | None, bias: TensorRef | None, running_mean: TensorRef | None,
    running_var: TensorRef | None, training: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Use:  # fmt: skip
    return _batch_call(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _instance_call(
    input: TensorRef, running_mean: TensorRef | None = None, running_var: TensorRef | None = None,
    weight: TensorRef | None = None, bias: TensorRef | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Use:  # fmt: skip
    return _batch_call(input, running_mean, running_var, weight, bias, eps=eps)


def _instance_call_torch(
    input: TensorRef, weight: TensorRef | None, bias: TensorRef | None, running_mean: TensorRef | None,
    running_var: TensorRef | None, use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Use:  # fmt: skip
    return _batch_call(input, running_mean, running_var, weight, bias, eps=eps)


def _layer_call(
    input: TensorRef, normalized_shape: Any, weight: TensorRef | None = None, bias: TensorRef | None = None,
    eps: float | None = 1e-5, cudnn_enable: bool = True,
) -> Use:  # fmt: skip
    hyper = {"normalized_shape": tuple(normalized_shape), "eps": eps}
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


def _rms_call(
    input: TensorRef, normalized_shape: Any, weight: TensorRef | None = None, eps: float | None = None
) -> Use:
    return _layer_call(input, normalized_shape, weight, eps=eps)


def _group_call(
    input: TensorRef, num_groups: int, weight: TensorRef | None = None, bias: TensorRef | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Use:  # fmt: skip
    hyper = {"num_groups": num_groups, "num_channels": input.shape[1], "eps": eps}
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


def _response_call(input: TensorRef, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Use:
    return Use((input.shape,), {"size": size, "alpha": alpha, "beta": beta, "k": k})


def _lp_call(input: TensorRef, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: TensorRef | None = None) -> Use:
    return Use((input.shape,), {"p": p, "dim": dim, "eps": eps})


_STATISTICS = ("num_features", "eps", "momentum", "affine", "track_running_stats")

register(
    Formula(
        name="batch normalization",
        source="Ioffe & Szegedy 2015; torch.nn.BatchNorm2d",
        modules=("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
        hyperparameters=_STATISTICS,
        functions={"F.batch_norm": _batch_call, "torch.batch_norm": _batch_call_torch},
        output=same_shape,
        params=per_feature,
    )
)

register(
    Formula(
        name="instance normalization",
        source="Ulyanov et al. 2016; torch.nn.InstanceNorm2d",
        modules=("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        hyperparameters=_STATISTICS,
        functions={"F.instance_norm": _instance_call, "torch.instance_norm": _instance_call_torch},
        output=same_shape,
        params=per_feature,
    )
)

register(
    Formula(
        name="group normalization",
        source="Wu & He 2018; torch.nn.GroupNorm",
        modules=("GroupNorm",),
        hyperparameters=("num_groups", "num_channels", "eps", "affine"),
        functions={"F.group_norm": _group_call, "torch.group_norm": _group_call},
        output=same_shape,
        params=per_channel,
    )
)

register(
    Formula(
        name="layer normalization",
        source="Ba et al. 2016; torch.nn.LayerNorm",
        modules=("LayerNorm",),
        hyperparameters=("normalized_shape", "eps", "elementwise_affine"),
        functions={"F.layer_norm": _layer_call, "torch.layer_norm": _layer_call},
        output=same_shape,
        params=per_element,
    )
)

register(
    Formula(
        name="root mean square normalization",
        source="Zhang & Sennrich 2019; torch.nn.RMSNorm",
        modules=("RMSNorm",),
        hyperparameters=("normalized_shape", "eps", "elementwise_affine"),
        functions={"F.rms_norm": _rms_call, "torch.rms_norm": _rms_call},
        output=same_shape,
        params=per_element_scale,
    )
)

register(
    Formula(
        name="local response normalization",
        source="Krizhevsky et al. 2012, section 3.3; torch.nn.LocalResponseNorm",
        modules=("LocalResponseNorm", "CrossMapLRN2d"),
        hyperparameters=("size", "alpha", "beta", "k"),
        functions={"F.local_response_norm": _response_call},
        output=same_shape,
    )
)

register(
    Formula(
        name="Lp normalization",
        source="torch.nn.functional.normalize",
        functions={"F.normalize": _lp_call},
        output=same_shape,
    )
)
