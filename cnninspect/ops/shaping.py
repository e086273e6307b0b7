"""Layers that only move values: flatten, pad, pixel shuffle, unfold. They cost nothing and have no neurons.

Padding is among them although it adds values: Conv2d(padding=1) and ZeroPad2d(1) before Conv2d(padding=0) are one
network and must have the same neurons. Fold is not: it adds up the patches that overlap.
"""

from __future__ import annotations

from math import prod
from typing import Any

from cnninspect.ops.base import Formula, Use, as_tuple, register, same_shape
from cnninspect.ops.convolution import conv_size
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

# --- output shapes ----------------------------------------------------------------------------------------------


def flatten_output(use: Use) -> tuple[Shape, ...]:
    """The dimensions from `start_dim` to `end_dim`, both included, as one. Source: torch.nn.Flatten, "Shape"."""
    shape = use.input or (1,)
    start, end = use["start_dim"] % len(shape), use["end_dim"] % len(shape)
    return ((*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]),)


def unflatten_output(use: Use) -> tuple[Shape, ...]:
    """Dimension `dim` split into `unflattened_size`, where -1 is what is left. Source: torch.nn.Unflatten, "Shape"."""
    dim, sizes = use["dim"] % len(use.input), tuple(use["unflattened_size"])
    left = use.input[dim] // prod(size for size in sizes if size != -1) if -1 in sizes else 1
    split = tuple(left if size == -1 else size for size in sizes)
    return ((*use.input[:dim], *split, *use.input[dim + 1 :]),)


def padded_output(use: Use) -> tuple[Shape, ...]:
    """Each padded size grows by what stands before and after it, last dimension first; negative padding crops.

    Source: torch.nn.functional.pad, "Padding size".
    """
    shape = list(use.input)
    padding = as_tuple(use["padding"], len(use["padding"]))
    for axis, (before, after) in enumerate(zip(padding[::2], padding[1::2], strict=True), start=1):
        shape[-axis] += before + after
    return (tuple(shape),)


def pixel_shuffle_output(use: Use) -> tuple[Shape, ...]:
    """[*, C r^2, H, W] -> [*, C, H r, W r]. Source: torch.nn.PixelShuffle, "Shape"; Shi et al. 2016."""
    *batch, channels, height, width = use.input
    r = use["upscale_factor"]
    return ((*batch, channels // r**2, height * r, width * r),)


def pixel_unshuffle_output(use: Use) -> tuple[Shape, ...]:
    """[*, C, H r, W r] -> [*, C r^2, H, W]. Source: torch.nn.PixelUnshuffle, "Shape"."""
    *batch, channels, height, width = use.input
    r = use["downscale_factor"]
    return ((*batch, channels * r**2, height // r, width // r),)


def unfold_output(use: Use) -> tuple[Shape, ...]:
    """[*, C, H, W] -> [*, C prod(k), L]: one column for each of the L places of the kernel.

    Source: torch.nn.Unfold, "Shape".
    """
    *batch, channels, height, width = use.input
    kernel, stride, padding, dilation = (as_tuple(use[name], 2) for name in _WINDOW)
    places = prod(map(conv_size, (height, width), kernel, stride, padding, dilation))
    return ((*batch, channels * prod(kernel), places),)


def fold_output(use: Use) -> tuple[Shape, ...]:
    """[*, C prod(k), L] -> [*, C, *output_size]. Source: torch.nn.Fold, "Shape"."""
    *batch, columns, _ = use.input
    return ((*batch, columns // prod(as_tuple(use["kernel_size"], 2)), *as_tuple(use["output_size"], 2)),)


# --- functional forms -------------------------------------------------------------------------------------------


def _flatten_call(input: TensorRef, start_dim: int = 0, end_dim: int = -1) -> Use:
    return Use((input.shape,), {"start_dim": start_dim, "end_dim": end_dim})


def _unflatten_call(input: TensorRef, dim: int, sizes: Any) -> Use:
    return Use((input.shape,), {"dim": dim, "unflattened_size": sizes})


def _pad_call(input: TensorRef, pad: Any, mode: str = "constant", value: float | None = None) -> Use:
    return Use((input.shape,), {"padding": pad, "mode": mode, "value": value})


def _shuffle_call(input: TensorRef, upscale_factor: int) -> Use:
    return Use((input.shape,), {"upscale_factor": upscale_factor})


def _unshuffle_call(input: TensorRef, downscale_factor: int) -> Use:
    return Use((input.shape,), {"downscale_factor": downscale_factor})


def _channels_call(input: TensorRef, groups: int) -> Use:
    return Use((input.shape,), {"groups": groups})


def _unfold_call(input: TensorRef, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Use:
    hyper = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    return Use((input.shape,), hyper)


def _fold_call(
    input: TensorRef, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Use:
    use = _unfold_call(input, kernel_size, dilation, padding, stride)
    return Use(use.inputs, {**use.hyper, "output_size": output_size})


_WINDOW = ("kernel_size", "stride", "padding", "dilation")

register(
    Formula(
        name="flatten",
        source='torch.nn.Flatten, "Shape"',
        modules=("Flatten",),
        hyperparameters=("start_dim", "end_dim"),
        functions={"torch.flatten": _flatten_call, "Tensor.flatten": _flatten_call},
        output=flatten_output,
        computes=False,
    )
)

register(
    Formula(
        name="unflatten",
        source='torch.nn.Unflatten, "Shape"',
        modules=("Unflatten",),
        hyperparameters=("dim", "unflattened_size"),
        functions={"torch.unflatten": _unflatten_call, "Tensor.unflatten": _unflatten_call},
        output=unflatten_output,
        computes=False,
    )
)

register(
    Formula(
        name="padding",
        source="torch.nn.functional.pad; torch.nn, Padding Layers",
        modules=tuple(
            f"{mode}Pad{axes}d"
            for mode in ("Circular", "Constant", "Reflection", "Replication", "Zero")
            for axes in (1, 2, 3)
        ),
        hyperparameters=("padding", "value"),
        functions={"F.pad": _pad_call, "torch.constant_pad_nd": _pad_call},
        output=padded_output,
        computes=False,
    )
)

register(
    Formula(
        name="pixel shuffle",
        source='Shi et al. 2016; torch.nn.PixelShuffle, "Shape"',
        modules=("PixelShuffle",),
        hyperparameters=("upscale_factor",),
        functions={"F.pixel_shuffle": _shuffle_call},
        output=pixel_shuffle_output,
        computes=False,
    )
)

register(
    Formula(
        name="pixel unshuffle",
        source='torch.nn.PixelUnshuffle, "Shape"',
        modules=("PixelUnshuffle",),
        hyperparameters=("downscale_factor",),
        functions={"F.pixel_unshuffle": _unshuffle_call},
        output=pixel_unshuffle_output,
        computes=False,
    )
)

register(
    Formula(
        name="channel shuffle",
        source="Zhang et al. 2017, ShuffleNet, section 3.1; torch.nn.ChannelShuffle",
        modules=("ChannelShuffle",),
        hyperparameters=("groups",),
        functions={"F.channel_shuffle": _channels_call, "F.native_channel_shuffle": _channels_call},
        output=same_shape,
        computes=False,
    )
)

register(
    Formula(
        name="unfold",
        source='torch.nn.Unfold, "Shape"',
        modules=("Unfold",),
        hyperparameters=_WINDOW,
        functions={"F.unfold": _unfold_call},
        output=unfold_output,
        computes=False,
    )
)

register(
    Formula(
        name="fold",
        source='torch.nn.Fold, "Shape"',
        modules=("Fold",),
        hyperparameters=("output_size", *_WINDOW),
        functions={"F.fold": _fold_call},
        output=fold_output,
    )
)
