"""Pooling to a wanted output size: adaptive and fractional pooling, 1-d to 3-d, and regions of interest.

Comparing and averaging are no multiply-accumulates: 0 MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import floor, prod
from typing import Any

from cnninspect.ops.pooling import axes_of
from cnninspect.ops.registry import Formula, Use, Work, register, register_op
from cnninspect.ops.rules import as_tuple, numel, shape_of, slid_over
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import Result, reads_by_data
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _with_indices(use: Use, shape: Shape) -> tuple[Shape, ...]:
    return (shape, shape) if use.hyper.get("return_indices") else (shape,)


def adaptive_output(axes: int, use: Use) -> tuple[Shape, ...]:
    """[*, C, *output_size]; None keeps the size of its axis. Source: torch.nn.AdaptiveAvgPool2d, "Shape"."""
    wanted, sizes = use["output_size"], use.input[-axes:]
    given = (wanted,) * axes if isinstance(wanted, int) else tuple(wanted)
    out = as_tuple([size if item is None else item for item, size in zip(given, sizes, strict=True)], axes)
    return _with_indices(use, (*use.input[:-axes], *out))


def fractional_output(axes: int, use: Use) -> tuple[Shape, ...]:
    """[*, C, *out]: `output_size`, or floor(in * output_ratio) along each axis.

    Source: torch.nn.FractionalMaxPool2d, parameters `output_size` and `output_ratio`.
    """
    sizes = use.input[-axes:]
    if use["output_size"] is not None:
        out = as_tuple(use["output_size"], axes)
    else:
        ratio = use["output_ratio"]
        ratios = tuple(ratio) if isinstance(ratio, (tuple, list)) else (ratio,) * axes
        out = tuple(floor(size * share) for size, share in zip(sizes, ratios, strict=True))
    return _with_indices(use, (*use.input[:-axes], *out))


def _adaptive_call(input: TensorRef, output_size: Any, return_indices: bool = False) -> Use:
    return Use((input.shape,), {"output_size": output_size, "return_indices": return_indices})


def _fractional_call(
    input: TensorRef, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: TensorRef | None = None,
) -> Use:  # fmt: skip
    hyper = {
        "kernel_size": kernel_size, "output_size": output_size, "output_ratio": output_ratio,
        "return_indices": return_indices,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _always_indices(adapter: Callable[..., Use]) -> Callable[..., Use]:
    """The adapter of a function that returns indices whatever its argument says."""

    def bound(*args: Any, **kwargs: Any) -> Use:
        use = adapter(*args, **kwargs)
        return replace(use, hyper={**use.hyper, "return_indices": True})

    return bound


for _axes in (1, 2, 3):
    register(
        Formula(
            name=f"adaptive average pooling {_axes}d",
            source=f'torch.nn.AdaptiveAvgPool{_axes}d, "Shape"',
            modules=(f"AdaptiveAvgPool{_axes}d",),
            hyperparameters=("output_size",),
            functions={f"F.adaptive_avg_pool{_axes}d": _adaptive_call},
            output=partial(adaptive_output, _axes),
        )
    )
    register(
        Formula(
            name=f"adaptive max pooling {_axes}d",
            source=f'torch.nn.AdaptiveMaxPool{_axes}d, "Shape"',
            modules=(f"AdaptiveMaxPool{_axes}d",),
            hyperparameters=("output_size", "return_indices"),
            functions={
                f"F.adaptive_max_pool{_axes}d": _adaptive_call,
                f"F.adaptive_max_pool{_axes}d_with_indices": _always_indices(_adaptive_call),
                **({"torch.adaptive_max_pool1d": _always_indices(_adaptive_call)} if _axes == 1 else {}),
            },
            output=partial(adaptive_output, _axes),
        )
    )


for _axes in (2, 3):
    register(
        Formula(
            name=f"fractional max pooling {_axes}d",
            source="Graham 2014, Fractional Max-Pooling; torch.nn.FractionalMaxPool2d",
            modules=(f"FractionalMaxPool{_axes}d",),
            hyperparameters=("kernel_size", "output_size", "output_ratio", "return_indices"),
            functions={
                f"F.fractional_max_pool{_axes}d": _fractional_call,
                f"F.fractional_max_pool{_axes}d_with_indices": _always_indices(_fractional_call),
            },
            output=partial(fractional_output, _axes),
        )
    )


# --- the ops ----------------------------------------------------------------------------------------------------


def to_size(self: TensorRef, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size]."""
    return ((*self.shape[: -len(output_size)], *output_size),)


def _to_size_twice(self: TensorRef, output_size: Sequence[int]) -> tuple[Shape, ...]:
    """[*, *output_size], values and indices."""
    return to_size(self, output_size) * 2


def _fractional(self: TensorRef, kernel_size: Any, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size], values and indices."""
    return _to_size_twice(self, output_size)


def _windows(op: Op) -> int:
    """The elements of all windows: along an axis, output i covers floor(i in/out) to ceil((i+1) in/out) - 1.

    Source: torch.nn.AdaptiveAvgPool2d; each output averages the inputs that its share of the axis touches.
    """
    (source, *_), result = op.inputs, shape_of(op)
    axes = axes_of(op)
    covered = [
        sum(-(-(index + 1) * size // out) - index * size // out for index in range(out))
        for size, out in zip(source.shape[-axes:], result[-axes:], strict=True)
    ]
    return numel(result[:-axes]) * prod(covered)


def _field(op: Op, x: Reach, *_: Any) -> Result:
    """Each output sees the inputs that its share of the axis touches; with one output along an axis that is all."""
    axes, shape = axes_of(op), shape_of(op)
    first = len(shape) - axes
    whole = [dim for dim in range(first, len(shape)) if shape[dim] == 1]
    seen = x.reduced(whole, op.index) if whole else x
    sizes = zip(seen.shape[first:], shape[first:], strict=True)
    return (slid_over(seen, [taps.adaptive(n, out) for n, out in sizes]),) * len(op.outputs)


def _regions(
    input: TensorRef, rois: TensorRef, spatial_scale: float, height: int, width: int, *_: Any
) -> tuple[Shape, ...]:
    """[K, C, height, width] for K regions."""
    return ((rois.shape[0], input.shape[1], height, width),)


def _regions_twice(*args: Any) -> tuple[Shape, ...]:
    """Values and indices of K regions."""
    return _regions(*args) * 2


def _position_sensitive(*args: Any) -> tuple[Shape, ...]:
    """[K, C / (height width), height, width] for K regions, values and channels. Source: Dai et al. 2016, R-FCN."""
    ((count, channels, height, width),) = _regions(*args)
    return ((count, channels // (height * width), height, width),) * 2


_TOUCHED = "torch.nn.AdaptiveAvgPool2d: output i covers the inputs floor(i in/out) to ceil((i+1) in/out) - 1"
_REGION = "torchvision.ops: a region of the map, given by data, divided into bins"

_shapes: Callable[..., tuple[Shape, ...]]
for _axes in (2, 3):
    for _name, _shapes, _work in (
        ("_adaptive_avg_pool", to_size, Work.REDUCTION),
        ("adaptive_max_pool", _to_size_twice, Work.COMPARISON),
    ):
        register_op(
            f"aten.{_name}{_axes}d", output=_shapes, field=_field, source=_TOUCHED, work=_work, operations=_windows
        )
    register_op(
        f"aten.fractional_max_pool{_axes}d",
        output=_fractional,
        field=reads_by_data,
        source="Graham 2014, Fractional Max-Pooling: random samples say where the windows begin",
        work=Work.COMPARISON,
        swallows_nan=True,
    )
for _name, _shapes, _work, _source in (
    (
        "roi_align",
        _regions,
        Work.ELEMENTWISE,
        "He et al. 2017, section 3: interpolated samples of each bin",
    ),
    ("roi_pool", _regions_twice, Work.COMPARISON, "Girshick 2015, section 2.1: the maximum of each bin"),
    ("ps_roi_align", _position_sensitive, Work.ELEMENTWISE, "Dai et al. 2016: each bin has channels of its own"),
    ("ps_roi_pool", _position_sensitive, Work.REDUCTION, "Dai et al. 2016, equation 1: the mean of each bin"),
):
    register_op(f"torchvision.{_name}", output=_shapes, field=reads_by_data, source=f"{_REGION}; {_source}", work=_work)
