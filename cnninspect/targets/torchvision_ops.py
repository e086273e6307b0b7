"""Imports torchvision with a torch of another build.

A CPU torch beside a torchvision built for CUDA cannot load torchvision's C++ library, and `import torchvision` then
fails with "operator torchvision::nms does not exist". The classification, segmentation, video and optical-flow models
need none of those operators: declaring their schemas is enough to import them. An import hook does so for every import
of torchvision, also in the user's file, but only after the import has failed: if the builds match, nothing is changed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from cnninspect.errors import LoadError, MissingPackage

# The schemas of torchvision's C++ operators, from torchvision/csrc/ops.
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

NEED_OPERATORS = {
    "torchvision.models.detection": (
        "FCOS", "GeneralizedRCNN", "RegionProposalNetwork", "RetinaNet", "RoIHeads", "SSD",
    ),
    "torchvision.ops": (
        "DeformConv2d", "MultiScaleRoIAlign", "PSRoIAlign", "PSRoIPool", "RoIAlign", "RoIPool",
    ),
}  # fmt: skip
"""Package -> modules whose forward calls a compiled operator, from the sources of torchvision."""

_library: Any = None


class MissingOperatorError(RuntimeError):
    """Raised when a module is called that needs torchvision's compiled operators, which are only declared."""


class _Finder(MetaPathFinder):
    """Finds torchvision with the other finders, and replaces its loader's `exec_module` by one that retries."""

    def __init__(self) -> None:
        self._asking_the_others = False

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """The spec of torchvision with a retrying loader; None for every other module."""
        if fullname != "torchvision" or self._asking_the_others:
            return None
        self._asking_the_others = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._asking_the_others = False
        if spec is not None and spec.loader is not None:
            _make_patient(spec.loader)
        return spec


def _make_patient(loader: Any) -> None:
    """Makes the loader run the package again, with its operators declared, if only these were missing.

    torchvision then does not import torch's compiler either.
    """
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        from cnninspect.trace.private_torch import compiler_not_imported

        with compiler_not_imported():
            try:
                run(module)
            except RuntimeError as error:
                if "operator torchvision::" not in str(error):
                    raise
                _forget_partial_import()
                _declare_operators()
                run(module)

    loader.exec_module = exec_module


def tolerate_missing_operators() -> None:
    """Lets every later import of torchvision succeed, even if its operators do not fit this torch."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def import_torchvision() -> ModuleType:
    """torchvision, with its missing operators declared if necessary; LoadError if it cannot be imported."""
    tolerate_missing_operators()
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise MissingPackage("torchvision is not installed. `python -m pip install torchvision` brings it.") from None
    except Exception as error:
        raise LoadError(
            f"torchvision does not fit the installed torch ({error}). Install matching builds of both."
        ) from error


def operators_are_declared() -> bool:
    """Whether the schemas were declared because the compiled operators could not be loaded."""
    return _library is not None


def _forget_partial_import() -> None:
    for name in [name for name in sys.modules if name.startswith("torchvision.")]:
        del sys.modules[name]


def _declare_operators() -> None:
    global _library
    import torch

    if _library is None:
        make_library: Any = torch.library.Library
        _library = make_library("torchvision", "DEF")
        for schema in SCHEMAS:
            _library.define(schema)


@contextlib.contextmanager
def refused_at_once(model: object) -> Iterator[None]:
    """Lets each module that needs a missing operator raise MissingOperatorError before its forward starts."""
    modules: Any = getattr(model, "modules", tuple)() if operators_are_declared() else ()
    handles = [module.register_forward_pre_hook(_refuse) for module in modules if _needs_operators(type(module))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _refuse(module: object, _inputs: object) -> None:
    raise MissingOperatorError(f"{type(module).__name__} needs torchvision's compiled operators")


def _needs_operators(kind: type) -> bool:
    return any(
        base.__name__ in names and base.__module__.startswith(f"{package}.")
        for base in kind.__mro__
        for package, names in NEED_OPERATORS.items()
    )


def why_missing(error: BaseException) -> str | None:
    """The reason if a forward failed because of torchvision's missing operators; None for any other error."""
    named = re.search(r"torchvision::_?(\w+)", str(error))
    if named and operators_are_declared():
        needed = f"operator {named[1]}, which does"
    elif isinstance(error, MissingOperatorError) or "Couldn't load custom C++ ops" in str(error):
        needed = "operators, which do"
    else:
        return None
    return f"it needs torchvision's compiled {needed} not fit this build of torch. Install matching builds of both."
