"""Rules of torchvision's compiled operators: deformable convolution, regions of interest, suppression of boxes."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.aten.shapes import by_values
from cnninspect.ops.base import Use, Work, register_op
from cnninspect.ops.convolution import conv_macs, conv_output
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


def deformed_output(*args: Any) -> tuple[Shape, ...]:
    """The shape of the plain convolution."""
    return conv_output(_deformed(*args))


def deformed_macs(*args: Any) -> int:
    """The MACs of the plain convolution; interpolating the taps is elementwise work. Source: Dai et al. 2017."""
    return conv_macs(_deformed(*args))


def regions(
    input: TensorRef, rois: TensorRef, spatial_scale: float, height: int, width: int, *_: Any
) -> tuple[Shape, ...]:
    """[K, C, height, width] for K regions."""
    return ((rois.shape[0], input.shape[1], height, width),)


def regions_twice(*args: Any) -> tuple[Shape, ...]:
    """Values and indices of K regions."""
    return regions(*args) * 2


def position_sensitive(*args: Any) -> tuple[Shape, ...]:
    """[K, C / (height width), height, width] for K regions, values and channels. Source: Dai et al. 2016, R-FCN."""
    ((count, channels, height, width),) = regions(*args)
    return ((count, channels // (height * width), height, width),) * 2


register_op(
    "torchvision.deform_conv2d", output=deformed_output, macs=deformed_macs, source="torchvision.ops.deform_conv2d"
)
register_op("torchvision.roi_align", output=regions, work=Work.ELEMENTWISE, source="torchvision.ops.roi_align")
register_op("torchvision.roi_pool", output=regions_twice, work=Work.COMPARISON, source="torchvision.ops.roi_pool")
register_op(
    "torchvision.ps_roi_align", output=position_sensitive, work=Work.ELEMENTWISE, source="torchvision.ops.ps_roi_align"
)
register_op(
    "torchvision.ps_roi_pool", output=position_sensitive, work=Work.REDUCTION, source="torchvision.ops.ps_roi_pool"
)
register_op("torchvision.nms", output=by_values, work=Work.COMPARISON, source="torchvision.ops.nms")
