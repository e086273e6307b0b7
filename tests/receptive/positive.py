"""The positive twin of a network: same structure, every coefficient positive, nothing nonlinear but max.

In such a network an output responds to an input pixel exactly when a path of taps joins them: nothing cancels, no unit
is dead, no tap is zero. Parameters with two or more dimensions become about 1/fan_in and all others 0. Activations and
normalisation become the identity (plus the mean, where they read statistics). Products become sums, because both
factors are depended on. Max pools stay: the maximum of responses that are never negative has the support of their
average. A function that has no entry here raises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.names import SHAPE_QUERIES, public_name
from cnninspect.trace.trees import leaves

KEPT = {
    "F.conv1d", "F.conv2d", "F.conv3d", "F.conv_transpose1d", "F.conv_transpose2d", "F.conv_transpose3d", "F.linear",
    "F.unfold", "F.fold", "F.max_pool1d", "F.max_pool2d", "F.max_pool3d", "F.avg_pool1d", "F.avg_pool2d",
    "F.avg_pool3d", "F.adaptive_avg_pool1d", "F.adaptive_avg_pool2d", "F.adaptive_avg_pool3d",
    "F.adaptive_max_pool1d", "F.adaptive_max_pool2d", "F.adaptive_max_pool3d", "F.pixel_shuffle", "F.pixel_unshuffle",
    "F.channel_shuffle", "F.relu", "torch.cat", "torch.stack", "torch.roll", "torch.flip", "torch.cumsum",
    "torch.flatten", "Tensor.__getitem__", "Tensor.view", "Tensor.reshape",
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
    """A copy of `model` in float64 with positive parameters and without biases, in eval mode.

    The parameters are all different, so that two numbers are equal only if they are the same number.
    """
    twin = copy.deepcopy(model).double().eval()
    dice = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
            if parameter.dim() > 1:
                parameter.uniform_(0.5, 1.5, generator=dice).div_(parameter[0].numel())
    return twin


class AmbiguousError(Exception):
    """What the local field is in this network depends on what one calls a gate."""


@dataclass(frozen=True)
class LocalAlong:
    """Leave out what the local field along one axis of the input, whose spatial sizes are `size`, leaves out."""

    axis: int
    size: tuple[int, ...]

    def is_gate(self, gate: Tensor, other: Tensor) -> bool:
        """Whether `gate` is a gate for `other` along this axis, or along another one, if this axis has no places.

        Raises AmbiguousError where it is a map of equal numbers, and where all positions of `other` that see anything
        see the same: whether the former are one number and the latter a map is a matter of taste.
        """
        along = [LocalAlong(axis, self.size) for axis in range(len(self.size))]
        sees = (other > 0).any(0, keepdim=True)
        blind = [dim for dim in range(2, other.dim()) if _varies(sees, dim)]
        if blind and not any(axis.places(part) for axis in along for part in (gate, other)):
            raise AmbiguousError
        gated = [axis for axis in along if axis.is_one_number(gate, other)]
        places = any(self.places(other) <= axis.places(other) for axis in gated)
        return places and not self.places(gate) and self.is_made_of_all(gate, other)

    def places(self, x: Tensor) -> set[int]:
        """The dimensions along which elements of `x` that see something see different positions of the axis."""
        line = self.line(x)
        blind = ~line.any(0)
        return {dim for dim in range(2, x.dim()) if (line.any(dim) & ~(line | blind).all(dim)).any()}

    def is_one_number(self, gate: Tensor, other: Tensor) -> bool:
        """Whether `gate` is one number for all places of `other`, made of all that `other` sees along the axis."""
        places = self.places(other)
        if not places or self.places(gate) or any(_varies(gate, dim) for dim in places):
            return False
        if any(gate.shape[dim] > 1 for dim in places):
            raise AmbiguousError
        return self.is_made_of_all(gate, other)

    def is_made_of_all(self, gate: Tensor, other: Tensor) -> bool:
        """Whether each element of `gate` that sees anything sees all that `other` sees along the axis."""
        gate_sees, other_sees = self.line(gate), self.line(other)
        seen = other_sees.flatten(1).any(1).nonzero()
        sees_any = gate_sees.flatten(1).any(0)
        before, after = gate_sees.flatten(1)[: seen.min() + 1], gate_sees.flatten(1)[seen.max() :]
        return bool((before.any(0) & after.any(0) | ~sees_any).all())

    def line(self, responses: Tensor) -> Tensor:
        """[axis, C, *spatial]: which positions along the axis each element responds to."""
        seen = (responses > 0).reshape(*self.size, *responses.shape[1:])
        others = [axis for axis in range(len(self.size)) if axis != self.axis]
        return seen.amax(others) if others else seen


def _varies(x: Tensor, dim: int) -> bool:
    return bool((x != x.narrow(dim, 0, 1)).any())


class PositiveFunctions(TorchFunctionMode):
    """While active, every torch function computes its positive form; raises NotImplementedError for one that has none.

    With `local` the statistics of normalisation layers and global gates do not count. With `sums` the maximum of a
    window becomes its sum, so that gradients reach every tap of it.
    """

    def __init__(self, *, local: LocalAlong | None = None, sums: bool = False):
        super().__init__()
        self.local, self.sums = local, sums

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = public_name(function)
        handles_tensors = any(True for _ in leaves((args, kwargs), torch.Tensor))
        if self.sums and name in _SUMS:
            return _SUMS[name](*args, **kwargs)
        if name in KEPT or name in SHAPE_QUERIES or not handles_tensors:
            return function(*args, **kwargs)
        if name in IDENTITY:
            return args[0].clone()
        if name in _SPECIAL:
            return _SPECIAL[name](self.local, *args, **kwargs)
        raise NotImplementedError(f"no positive form of {name} is known")


def _join(local: LocalAlong | None, a: Any, b: Any) -> Tensor:
    """The sum of both operands, of a product too; without those that are gates where only the local field counts."""
    parts = [part for part in (a, b) if isinstance(part, Tensor) and part.dim()]
    shape = torch.broadcast_shapes(*(part.shape for part in parts))
    if local is not None and len(parts) == 2:
        gates = [local.is_gate(*parts), local.is_gate(*reversed(parts))]
        parts = [part for part, gate in zip(parts, gates, strict=True) if not gate]
    return sum(parts[1:], start=parts[0].expand(shape).clone())


def _with_mean(local: LocalAlong | None, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return x + x.mean(dims, keepdim=True) if local is None else x.clone()


def _instance_norm(local: LocalAlong | None, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return _with_mean(local, x, tuple(range(2, x.dim())))


def _group_norm(local: LocalAlong | None, x: Tensor, groups: int, *_: Any, **__: Any) -> Tensor:
    grouped = x.reshape(x.shape[0], groups, -1)
    return _with_mean(local, grouped, (2,)).reshape(x.shape)


def _layer_norm(local: LocalAlong | None, x: Tensor, normalized_shape: Any, *_: Any, **__: Any) -> Tensor:
    return _with_mean(local, x, tuple(range(-len(normalized_shape), 0)))


def _softmax(local: LocalAlong | None, x: Tensor, dim: int, *_: Any, **__: Any) -> Tensor:
    return _with_mean(None, x, (dim,))


def _matmul(local: LocalAlong | None, a: Tensor, b: Tensor) -> Tensor:
    return (a @ torch.ones_like(b) + torch.ones_like(a) @ b) / a.shape[-1]


def _pad(local: LocalAlong | None, x: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    return F.pad(x, pad, mode)


def _interpolate(
    local: LocalAlong | None, x: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: Any = None, recompute_scale_factor: Any = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Equal weights on all taps that torch's own kernel reads, also on those whose weight happens to be 0."""
    options = {"mode": mode, "align_corners": align_corners, "antialias": antialias}
    out = F.interpolate(x[:1, :1].float(), size, scale_factor, **options).shape[2:]
    scale_factor = None if recompute_scale_factor else scale_factor
    scales = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(out)
    for axis, (length, scale) in enumerate(zip(out, scales, strict=True)):
        n, others = x.shape[2 + axis], len(out) - 1
        lines = torch.zeros(n, 1, n, *[2] * others)
        lines[torch.arange(n), 0, torch.arange(n)] = torch.nan
        target = {"size": [length, *[2] * others]} if scale is None else {"scale_factor": [scale, *[1.0] * others]}
        read = F.interpolate(lines, **target, **options).isnan().reshape(n, length, -1)[:, :, 0].to(x.dtype)
        x = (x.movedim(2 + axis, -1) @ (read / read.sum(0))).movedim(-1, 2 + axis)
    return x


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
    "Tensor.add": _join,
    "Tensor.add_": _join,
    "Tensor.mul": _join,
    "Tensor.mul_": _join,
    "torch.mul": _join,
    "Tensor.sub": _join,
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
