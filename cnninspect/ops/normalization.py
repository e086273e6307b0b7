"""Normalisation layers and ops. They keep the shape; their statistics, scale and shift are elementwise work: 0 MACs.

Running statistics are buffers, not parameters. `affine=False` or `bias=False` leaves a parameter out: what the module
does not have is not counted. The elements that statistics are computed over belong to the strict receptive field only.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cnninspect.ops.registry import Formula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import axis, mixed_along, same
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach, merged, nothing, statistics
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

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
_PER_ELEMENT = ("normalized_shape", "eps", "elementwise_affine")


def _register(name: str, source: str, modules: str, settings: tuple[str, ...], **rest: Any) -> None:
    """Register a layer that keeps its input's shape."""
    register(Formula(name, source, same_shape, modules=tuple(modules.split()), hyperparameters=settings, **rest))


_register(
    "batch normalization",
    "Ioffe & Szegedy 2015; torch.nn.BatchNorm2d",
    "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm",
    _STATISTICS,
    functions={"F.batch_norm": _batch_call, "torch.batch_norm": _batch_call_torch},
    params=per_feature,
)
_register(
    "instance normalization",
    "Ulyanov et al. 2016; torch.nn.InstanceNorm2d",
    "InstanceNorm1d InstanceNorm2d InstanceNorm3d",
    _STATISTICS,
    functions={"F.instance_norm": _instance_call, "torch.instance_norm": _instance_call_torch},
    params=per_feature,
)
_register(
    "group normalization",
    "Wu & He 2018; torch.nn.GroupNorm",
    "GroupNorm",
    ("num_groups", "num_channels", "eps", "affine"),
    functions={"F.group_norm": _group_call, "torch.group_norm": _group_call},
    params=per_channel,
)
_register(
    "layer normalization",
    "Ba et al. 2016; torch.nn.LayerNorm",
    "LayerNorm",
    _PER_ELEMENT,
    functions={"F.layer_norm": _layer_call, "torch.layer_norm": _layer_call},
    params=per_element,
)
_register(
    "root mean square normalization",
    "Zhang & Sennrich 2019; torch.nn.RMSNorm",
    "RMSNorm",
    _PER_ELEMENT,
    functions={"F.rms_norm": _rms_call, "torch.rms_norm": _rms_call},
    params=per_element_scale,
)
_register(
    "local response normalization",
    "Krizhevsky et al. 2012, section 3.3; torch.nn.LocalResponseNorm",
    "LocalResponseNorm CrossMapLRN2d",
    ("size", "alpha", "beta", "k"),
    functions={"F.local_response_norm": _response_call},
)
_register(
    "Lp normalization",
    "torch.nn.functional.normalize: x / max(||x||_p, eps) along a dimension",
    "",
    (),
    functions={"F.normalize": _lp_call},
)


# --- the ops: output shapes ---------------------------------------------------------------------------------------
# The first result is what callers see; statistics are among the results only where every device makes the same ones.


def _layer_normalized(input: TensorRef, normalized_shape: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation with size 1 in place of the normalized dimensions."""
    kept = len(input.shape) - len(normalized_shape)
    statistics = (*input.shape[:kept], *(1,) * len(normalized_shape))
    return (input.shape, statistics, statistics)


def _group_normalized(input: TensorRef, *sizes: Any) -> tuple[Shape, ...]:
    """The input's shape, and mean and deviation of every group of every sample."""
    _weight, _bias, samples, _channels, _positions, groups, _eps = sizes
    return (input.shape, (samples, groups), (samples, groups))


def _weight_normalized(v: TensorRef, g: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """The direction's shape, and the norms in the shape of the magnitude. Source: torch.nn.utils.weight_norm."""
    return (v.shape, g.shape)


# --- the ops: what an output sees ---------------------------------------------------------------------------------


def _scaled(op: Op, x: Reach, parameters: tuple[Reach | None, ...], dim: int) -> Reach:
    """`x` times a scale plus a shift along dimension `dim` and those after it; both may depend on an input."""
    computed = [part for part in parameters if part is not None and part.inputs]
    after = len(x.shape) - dim
    shaped = [part.reshaped((*part.shape, *(1,) * (after - len(part.shape)))) for part in computed]
    return merged((x, *shaped), x.shape, op.index) if shaped else x


def _batch_field(op: Op, x: Reach, parameters: tuple[Reach | None, ...], training: bool) -> Result:
    """In training every element depends on its channel over batch and space."""
    shared = [dim for dim in range(len(x.shape)) if dim != 1]
    seen = _scaled(op, statistics(x, shared, op.index) if training else x, parameters, 1)
    channel = x.reduced(shared, op.index).without(shared) if training else nothing((x.shape[1],))
    return (seen, channel, channel)


def _batch_norm(op: Op, x: Reach, weight: Reach | None, bias: Reach | None, *rest: Any) -> Result:
    """Elementwise in eval mode; `training` stands before momentum and eps."""
    mean, var = (rest[0], rest[1]) if len(rest) == 5 else (None, None)
    training = bool(rest[-3])
    return _batch_field(op, x, (weight, bias) if training else (weight, bias, mean, var), training)


def _batch_norm_eval(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, mean: Reach, var: Reach, *_: Any
) -> Result:
    """Elementwise: the running statistics are parameters here."""
    return _batch_field(op, x, (weight, bias, mean, var), False)


def _batch_norm_training(op: Op, x: Reach, weight: Reach | None, bias: Reach | None, *_: Any) -> Result:
    """Statistics of the batch."""
    return _batch_field(op, x, (weight, bias), True)


def _group_norm(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, n: int, c: int, space: int, groups: int, eps: float
) -> Result:
    """Every element depends on its group of channels over space."""
    split = x.reshaped((n, groups, c // groups, *x.shape[2:]))
    shared = range(2, len(split.shape))
    seen = _scaled(op, statistics(split, tuple(shared), op.index).reshaped(x.shape), (weight, bias), 1)
    group = split.reduced(shared, op.index).without(shared)
    return (seen, group, group)


def _layer_norm(op: Op, x: Reach, shape: list[int], weight: Reach | None, bias: Reach | None, eps: float) -> Result:
    """Every element depends on the last dimensions."""
    first = len(x.shape) - len(shape)
    shared = range(first, len(x.shape))
    seen = _scaled(op, statistics(x, tuple(shared), op.index), (weight, bias), first)
    mean = x.reduced(shared, op.index)
    return (seen, mean, mean)


def _renorm(op: Op, x: Reach, p: Any, dim: int, *_: Any) -> Result:
    """Every element depends on its slice of a dimension, whose norm is compared with the maximum."""
    rank = len(x.shape)
    return mixed_along(op, x, *(other for other in range(rank) if other != axis(dim, rank)))


def _weight_norm(op: Op, v: Reach, g: Reach, dim: int = 0) -> Result:
    """Direction times magnitude: an element depends on its slice of the direction and on the magnitude of the slice."""
    rank = len(v.shape)
    norms = v.reduced([other for other in range(rank) if other != axis(dim, rank)], op.index)
    return (merged((v, norms, g), v.shape, op.index), norms.reshaped(g.shape))


for _names, _shapes, _rule, _source in (
    (
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional cudnn_batch_norm",
        same,
        _batch_norm,
        "Ioffe & Szegedy 2015, algorithm 1: (x - mean) / sqrt(var + eps) for each channel, scaled and shifted",
    ),
    (
        "_native_batch_norm_legit_no_training _batch_norm_no_update",
        same,
        _batch_norm_eval,
        "Ioffe & Szegedy 2015, algorithm 2: with the running mean and variance of training",
    ),
    (
        "_batch_norm_with_update",
        same,
        _batch_norm_training,
        "Ioffe & Szegedy 2015, algorithm 1: with the mean and variance of the batch",
    ),
    (
        "native_group_norm",
        _group_normalized,
        _group_norm,
        "Wu & He 2018, equation 7: statistics of each group of channels of a sample",
    ),
    (
        "renorm(_)",
        same,
        _renorm,
        "torch.renorm: each slice along dim whose p-norm exceeds maxnorm is scaled down to maxnorm",
    ),
    (
        "_weight_norm_interface",
        _weight_normalized,
        _weight_norm,
        "Salimans & Kingma 2016, equation 2: w = g v / ||v||",
    ),
):
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        work=Work.NORMALISATION,
        # No norm is NaN and exceeds maxnorm: the slice stays as it is.
        swallows_nan=_names == "renorm(_)",
    )
register_op(
    "aten.native_layer_norm",
    output=_layer_normalized,
    field=_layer_norm,
    source="Ba et al. 2016, equation 3: statistics of all features of a position",
    work=Work.NORMALISATION,
    features=lambda op: [(op.args[0], -1)] if len(op.args[1]) == 1 else [],
)
