"""The positive twin of a network: same structure, every coefficient positive, nothing nonlinear but max.

In such a network an output responds to an input pixel exactly when a path of taps joins them: nothing cancels, no unit
is dead, no tap is zero. Parameters with two or more dimensions become 1/fan_in and all others 0. Activations and
normalisation become the identity (plus the mean, where they read statistics). Products become sums, because both
factors are depended on. Max pools stay: the maximum of responses that are never negative has the support of their
average. A function that has no entry here raises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.encode import live_tensors
from cnninspect.trace.names import SHAPE_QUERIES, public_name

KEPT = {
    "F.conv1d", "F.conv2d", "F.conv3d", "F.conv_transpose1d", "F.conv_transpose2d", "F.conv_transpose3d", "F.linear",
    "F.unfold", "F.fold", "F.max_pool1d", "F.max_pool2d", "F.max_pool3d", "F.avg_pool1d", "F.avg_pool2d",
    "F.avg_pool3d", "F.adaptive_avg_pool1d", "F.adaptive_avg_pool2d", "F.adaptive_avg_pool3d",
    "F.adaptive_max_pool1d", "F.adaptive_max_pool2d", "F.adaptive_max_pool3d", "F.pixel_shuffle", "F.pixel_unshuffle",
    "F.channel_shuffle", "F.relu", "torch.cat", "torch.stack", "torch.roll", "torch.flip", "torch.cumsum",
    "torch.flatten", "Tensor.add", "Tensor.add_", "Tensor.__getitem__", "Tensor.view", "Tensor.reshape",
    "Tensor.flatten", "Tensor.transpose", "Tensor.permute", "Tensor.mean", "Tensor.sum", "Tensor.amax", "Tensor.flip",
    "Tensor.roll", "Tensor.unfold", "Tensor.cumsum", "Tensor.contiguous", "Tensor.expand", "Tensor.squeeze",
    "Tensor.unsqueeze", "Tensor.chunk", "Tensor.split", "Tensor.narrow", "Tensor.repeat_interleave", "Tensor.movedim",
    "Tensor.clone",
}  # fmt: skip
"""Linear functions with coefficients that are never negative, movement, and max."""

IDENTITY = {
    "F.gelu", "F.silu", "F.sigmoid", "F.tanh", "F.leaky_relu", "F.elu", "F.hardswish", "F.hardsigmoid", "F.dropout",
    "F.batch_norm", "torch.sigmoid", "torch.tanh", "Tensor.sigmoid", "Tensor.tanh",
}  # fmt: skip
"""Functions whose output depends on the same element of the input."""


def positive_twin(model: nn.Module) -> nn.Module:
    """A copy of `model` in float64 with positive parameters and without biases, in eval mode."""
    twin = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.fill_(1 / parameter[0].numel() if parameter.dim() > 1 else 0)
    return twin


class PositiveFunctions(TorchFunctionMode):
    """While active, every torch function computes its positive form; raises NotImplementedError for one that has none.

    `strict` says whether the statistics of normalisation layers and multiplication by global gates count. With `sums`
    the maximum of a window becomes its sum, so that gradients reach every tap of it.
    """

    def __init__(self, *, strict: bool = True, sums: bool = False):
        super().__init__()
        self.strict, self.sums = strict, sums

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = public_name(function)
        handles_tensors = any(True for _ in live_tensors((args, kwargs)))
        if self.sums and name in _SUMS:
            return _SUMS[name](*args, **kwargs)
        if name in KEPT or name in SHAPE_QUERIES or not handles_tensors:
            return function(*args, **kwargs)
        if name in IDENTITY:
            return args[0].clone()
        if name in _SPECIAL:
            return _SPECIAL[name](self.strict, *args, **kwargs)
        raise NotImplementedError(f"no positive form of {name} is known")


def _product(strict: bool, a: Any, b: Any) -> Tensor:
    """Both factors; without `strict` not a factor that has one value for the whole map."""
    factors = [factor for factor in (a, b) if isinstance(factor, Tensor) and factor.dim()]
    if not strict and len(factors) == 2:
        full = torch.broadcast_shapes(*(factor.shape for factor in factors))
        factors = [factor for factor in factors if factor.shape[2:] == full[2:]]
    return sum(factors[1:], start=factors[0].clone())


def _with_mean(strict: bool, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return x + x.mean(dims, keepdim=True) if strict else x.clone()


def _instance_norm(strict: bool, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return _with_mean(strict, x, tuple(range(2, x.dim())))


def _group_norm(strict: bool, x: Tensor, groups: int, *_: Any, **__: Any) -> Tensor:
    grouped = x.reshape(x.shape[0], groups, -1)
    return _with_mean(strict, grouped, (2,)).reshape(x.shape)


def _layer_norm(strict: bool, x: Tensor, normalized_shape: Any, *_: Any, **__: Any) -> Tensor:
    return _with_mean(strict, x, tuple(range(-len(normalized_shape), 0)))


def _softmax(strict: bool, x: Tensor, dim: int, *_: Any, **__: Any) -> Tensor:
    return _with_mean(True, x, (dim,))


def _matmul(strict: bool, a: Tensor, b: Tensor) -> Tensor:
    return (a @ torch.ones_like(b) + torch.ones_like(a) @ b) / a.shape[-1]


def _pad(strict: bool, x: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    return F.pad(x, pad, mode)


def _interpolate(
    strict: bool, x: Tensor, size: Any, scale_factor: Any, mode: str, align_corners: Any, **_: Any
) -> Tensor:
    """Equal weights on all taps that torch's own kernel reads, also on those whose weight happens to be 0."""
    out = F.interpolate(x[:1, :1].float(), size, scale_factor, mode, align_corners).shape[2:]
    per_axis = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(out)
    for axis, length in enumerate(out):
        n, dim = x.shape[2 + axis], 2 + axis
        taps = _taps(n, length if scale_factor is None else None, per_axis[axis], mode, align_corners, len(out))
        x = torch.movedim(torch.movedim(x, dim, -1) @ taps.T.to(x.dtype), -1, dim)
    return x


def _taps(n: int, size: int | None, scale: float | None, mode: str, align_corners: Any, axes: int) -> Tensor:
    """[outputs, n]: 1/taps where torch's interpolation of n pixels reads one, else 0."""
    lines = torch.zeros(n, 1, n, *[1] * (axes - 1))
    lines[torch.arange(n), 0, torch.arange(n)] = torch.nan
    sizes = None if size is None else [size] + [1] * (axes - 1)
    scales = None if scale is None else [scale] + [1.0] * (axes - 1)
    read = F.interpolate(lines, sizes, scales, mode, align_corners).isnan().reshape(n, -1).T.double()
    return read / read.sum(1, keepdim=True)


def _sum_pool(
    x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool = False
) -> Tensor:
    """The sum of the elements of which max pooling takes the largest: a depthwise convolution with ones."""
    axes = x.dim() - 2
    maxima = getattr(F, f"max_pool{axes}d")(x, kernel, stride, padding, dilation, ceil_mode)
    beyond = [side for p in reversed(padding) for side in (p, p + 9)]
    ones = torch.ones(x.shape[1], 1, *kernel, dtype=x.dtype)
    convolution = getattr(F, f"conv{axes}d")
    sums = convolution(F.pad(x, beyond), ones, stride=stride, dilation=dilation, groups=x.shape[1])
    return sums[(slice(None), slice(None), *(slice(n) for n in maxima.shape[2:]))]


_SUMS: dict[str, Callable[..., Tensor]] = {
    "F.max_pool1d": _sum_pool,
    "F.max_pool2d": _sum_pool,
    "F.max_pool3d": _sum_pool,
    "F.adaptive_max_pool1d": lambda x, size, *_, **__: F.adaptive_avg_pool1d(x, size),
    "F.adaptive_max_pool2d": lambda x, size, *_, **__: F.adaptive_avg_pool2d(x, size),
    "F.adaptive_max_pool3d": lambda x, size, *_, **__: F.adaptive_avg_pool3d(x, size),
}

_SPECIAL: dict[str, Callable[..., Tensor]] = {
    "Tensor.mul": _product,
    "Tensor.mul_": _product,
    "torch.mul": _product,
    "Tensor.sub": _product,
    "F.instance_norm": _instance_norm,
    "F.group_norm": _group_norm,
    "F.layer_norm": _layer_norm,
    "F.softmax": _softmax,
    "Tensor.softmax": _softmax,
    "Tensor.matmul": _matmul,
    "torch.matmul": _matmul,
    "F.pad": _pad,
    "F.interpolate": _interpolate,
}
