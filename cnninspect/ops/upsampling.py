"""Resampling a map to another size: Upsample and F.interpolate, in every mode.

The new positions are neurons, also in nearest mode. Interpolation weights are applied per element, as in torch's and
fvcore's MAC counts: 0 MACs.
"""

from __future__ import annotations

from math import floor
from typing import Any

from cnninspect.ops.base import Formula, NoFormula, Use, as_tuple, register
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def resampled_output(use: Use) -> tuple[Shape, ...]:
    """[N, C, *out]: `size`, or floor(in * scale_factor) along each axis.

    Source: torch.nn.Upsample, "Shape".
    """
    sizes = use.input[2:]
    if use["size"] is not None:
        out = as_tuple(use["size"], len(sizes))
    else:
        out = tuple(
            floor(size * scale) for size, scale in zip(sizes, _scales(use["scale_factor"], len(sizes)), strict=True)
        )
    return ((*use.input[:2], *out),)


def _scales(scale: Any, axes: int) -> tuple[float, ...]:
    """The scale factor per axis; NoFormula if it is the content of a tensor."""
    scales = tuple(scale) if isinstance(scale, (tuple, list)) else (scale,) * axes
    if not all(isinstance(item, (int, float)) for item in scales):
        raise NoFormula("the scale factor is no number")
    return scales


def _interpolate_call(
    input: TensorRef, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Use:  # fmt: skip
    hyper = {"size": size, "scale_factor": scale_factor, "mode": mode, "align_corners": align_corners}
    return Use((input.shape,), hyper)


register(
    Formula(
        name="upsampling",
        source='torch.nn.Upsample, "Shape"',
        modules=("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
        hyperparameters=("size", "scale_factor", "mode", "align_corners"),
        functions={"F.interpolate": _interpolate_call},
        output=resampled_output,
    )
)
