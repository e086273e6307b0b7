"""torchvision's compiled operators: deformable convolution, regions of interest, suppression of boxes."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.convolution import conv_macs, conv_output
from cnninspect.ops.registry import Use, Work, register_op
from cnninspect.ops.shapes import by_values
from cnninspect.receptive.knowledge import reads_by_data
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def _deformed(
    input: TensorRef, weight: TensorRef, offset: TensorRef, mask: TensorRef, bias: TensorRef, *sizes: Any
) -> Use:
    stride, padding, dilation = sizes[0:2], sizes[2:4], sizes[4:6]
    groups = sizes[6]
    hyper = {
        "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0], "kernel_size": weight.shape[2:],
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _deformed_output(*args: Any) -> tuple[Shape, ...]:
    """The shape of the plain convolution."""
    return conv_output(_deformed(*args))


def _deformed_macs(*args: Any) -> int:
    """The MACs of the plain convolution; interpolating the taps is elementwise work. Source: Dai et al. 2017."""
    return conv_macs(_deformed(*args))


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


# --- the ops: all of them read where their data say ---------------------------------------------------------------


register_op(
    "torchvision.deform_conv2d",
    output=_deformed_output,
    macs=_deformed_macs,
    field=reads_by_data,
    source="torchvision.ops.deform_conv2d; Dai et al. 2017",
)
for _name, _shapes, _work in (
    ("roi_align", _regions, Work.ELEMENTWISE),
    ("roi_pool", _regions_twice, Work.COMPARISON),
    ("ps_roi_align", _position_sensitive, Work.ELEMENTWISE),
    ("ps_roi_pool", _position_sensitive, Work.REDUCTION),
    ("nms", by_values, Work.COMPARISON),
):
    register_op(
        f"torchvision.{_name}", output=_shapes, field=reads_by_data, source=f"torchvision.ops.{_name}", work=_work
    )
