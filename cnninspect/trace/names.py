"""The public name of a torch function, as a user would write it: `F.relu`, `torch.cat`, `Tensor.add_`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from cnninspect.trace.private_torch import SCALAR_READ, WHOLE_COMPARISON, is_overload

Function = Callable[..., Any]

_NAMESPACES = (
    ("F", F),
    ("torch", torch),
    ("torch.fft", torch.fft),
    ("torch.linalg", torch.linalg),
    ("torch.special", torch.special),
    ("torch.sparse", torch.sparse),
)

_QUERIES = """
    shape device dtype layout ndim names grad grad_fn output_nr requires_grad requires_grad_ itemsize nbytes
    is_cuda is_meta is_cpu is_mps is_xla is_xpu is_ipu is_vulkan is_maia is_mtia is_mkldnn is_quantized is_sparse
    is_sparse_csr is_nested is_leaf is_contiguous is_complex is_floating_point is_inference is_neg is_conj is_signed
    size dim stride numel nelement ndimension element_size storage_offset untyped_storage storage data_ptr has_names
    get_device item tolist _version _base _backward_hooks __len__ __repr__ __hash__ __format__ __dir__ __class__
    __bool__ __float__ __int__ __index__
"""

SHAPE_QUERIES = {f"Tensor.{name}" for name in _QUERIES.split()} | {
    "torch.is_tensor", "torch.is_floating_point", "torch.is_complex", "torch.numel", "torch.is_storage",
}  # fmt: skip
"""Functions that only query properties of a tensor; they are not recorded as calls."""


READS_OUT = {
    **{name: name for name in ("Tensor.tolist", "Tensor.numpy", "Tensor.__array__", "Tensor.__dlpack__")},
    SCALAR_READ: "Tensor.item",
    WHOLE_COMPARISON: "torch.equal",
}
"""Function or op that gives tensor values to Python code, on which later code may depend -> its public name."""

ONLY_CHECKS = {"F.one_hot"}
"""Functions that read values only to validate them, or to find the size of the result."""


ASKS_FOR_GRADIENTS = {"torch.autograd.grad", "Tensor.backward", "Tensor.requires_grad_", "Tensor.requires_grad ="}
"""Functions that a model calls if it needs gradients in its forward."""

LOOKS_AT_GRADIENTS = {"Tensor.requires_grad", "Tensor.grad_fn"}
"""Attributes by which a model tests whether gradients are on; it may raise if they are not."""


@cache
def public_name(function: Function) -> str:
    """The public name of `function`; `F.` is preferred to `torch.`, and `torch.` to `Tensor.`."""
    name = getattr(function, "__name__", "") or type(function).__name__
    if is_overload(function):
        return str(function.overloadpacket)
    if name == "__get__":
        return f"Tensor.{getattr(getattr(function, '__self__', None), '__name__', name)}"
    if name == "__set__":
        return f"Tensor.{getattr(getattr(function, '__self__', None), '__name__', name)} ="
    if function in _renamed():
        return _renamed()[function]
    if (getattr(function, "__module__", "") or "").startswith("torch.nn.functional"):
        return f"F.{name}"
    for prefix, namespace in _NAMESPACES:
        if getattr(namespace, name, None) is function:
            return f"{prefix}.{name}"
    if getattr(torch.Tensor, name, None) == function:
        return f"Tensor.{name}"
    owner = getattr(function, "__module__", None)
    if owner is None or name.startswith("_"):
        return f"Tensor.{name}" if owner in (None, "torch._tensor") else str(function)
    return f"{owner}.{name}"


@cache
def _renamed() -> dict[Function, str]:
    """Function -> public name, for functions whose `__name__` is another one: `torch.fft.rfft2` has `fft_rfft2`."""
    renamed: dict[Function, str] = {}
    for prefix, namespace in _NAMESPACES:
        for name, function in vars(namespace).items():
            own = getattr(function, "__name__", name)
            known = getattr(namespace, own, None) is function and not own.startswith("_")
            if callable(function) and not isinstance(function, type) and not known and not name.startswith("_"):
                renamed.setdefault(function, f"{prefix}.{name}")
    return renamed
