"""Import torchvision beside a torch of another build.

A CPU torch beside a torchvision built for CUDA cannot load torchvision's C++ library, and `import torchvision` then
fails with "operator torchvision::nms does not exist". The classification, segmentation, video and optical-flow models
need none of those operators: declaring their schemas is enough to import them.
"""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType
from typing import Any

from cnninspect.errors import LoadError, MissingPackage

# The schemas are those of torchvision's C++ operators (torchvision/csrc/ops), as its documentation of each op states.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "qroi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "_roi_align_backward(Tensor grad, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "SymInt batch_size, SymInt channels, SymInt height, SymInt width, int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) "
    "-> (Tensor, Tensor)",
    "_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, float spatial_scale, SymInt pooled_height, "
    "SymInt pooled_width, SymInt batch_size, SymInt channels, SymInt height, SymInt width) -> Tensor",
    "ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio) -> (Tensor, Tensor)",
    "_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, "
    "SymInt pooled_height, SymInt pooled_width, int sampling_ratio, SymInt batch_size, SymInt channels, "
    "SymInt height, SymInt width) -> Tensor",
    "ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) "
    "-> (Tensor, Tensor)",
    "_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, "
    "SymInt pooled_height, SymInt pooled_width, SymInt batch_size, SymInt channels, SymInt height, SymInt width) "
    "-> Tensor",
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, "
    "SymInt groups, SymInt offset_groups, bool use_mask) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)

NOTE = (
    "torchvision's compiled operators do not fit this build of torch; their schemas were declared so that models that "
    "need none of them can be used. Matching builds of torch and torchvision run the others."
)

_library: Any = None


def import_torchvision() -> ModuleType:
    """torchvision, with its missing operators declared if that is what it takes; LoadError if it cannot be imported."""
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise MissingPackage(
            "torchvision is not installed. `pip install 'cnninspect[zoo]'` brings torchvision and timm."
        ) from None
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise LoadError(f"torchvision cannot be imported: {error}") from error
    _forget_partial_import()
    _declare_operators()
    try:
        return importlib.import_module("torchvision")
    except Exception as error:
        raise LoadError(
            f"torchvision does not fit the installed torch ({error}). Install matching builds of both."
        ) from error


def operators_are_declared() -> bool:
    """Whether the schemas stand in for operators that could not be loaded."""
    return _library is not None


def _forget_partial_import() -> None:
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


def _declare_operators() -> None:
    global _library
    import torch

    if _library is None:
        make_library: Any = torch.library.Library
        _library = make_library("torchvision", "DEF")
        for schema in SCHEMAS:
            _library.define(schema)


def explain(error: BaseException) -> str | None:
    """Why a forward that needs one of torchvision's compiled operators failed, None for any other error."""
    named = re.search(r"torchvision::_?(\w+)", str(error))
    if named and operators_are_declared():
        needed = f"operator {named[1]}, which does"
    elif "Couldn't load custom C++ ops" in str(error):
        needed = "operators, which do"
    else:
        return None
    return f"it needs torchvision's compiled {needed} not fit this build of torch. Install matching builds of both."
