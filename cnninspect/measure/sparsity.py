"""The elements of weights that are not 0, masks applied: counted by torch, and by the bits in memory with numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnninspect.trace.private_torch import inner_tensors
from cnninspect.trace.values import is_made

ON_META = "its weights are on meta, which holds no values: name a function that returns the network with its weights"
NO_ELEMENTS = "its elements cannot be looked at (quantised, sparse or wrapped)"


@dataclass(frozen=True)
class NonZero:
    """The elements of a weight, and how many are not 0 by torch and by their bits; None, with `why`, without values."""

    elements: int
    by_torch: int | None
    by_bits: int | None
    why: str = ""


def nonzero(model: nn.Module) -> dict[str, NonZero]:
    """Name of a parameter or buffer -> its elements that are not 0, as its module uses them.

    A weight under a mask of torch.nn.utils.prune or a parametrization also has the name that its module uses:
    `conv.weight` beside `conv.weight_orig`.
    """
    found: dict[str, NonZero] = {}
    for path, module in model.named_modules():
        for own, name, tensor in _used(module):
            is_code = own in module._parameters and _holds_codes(tensor)
            counted = NonZero(tensor.numel(), None, None, NO_ELEMENTS) if is_code else _counted(tensor)
            # The first name wins: what a module computes of a parameter, not the parameter inside its parametrization.
            found = {**{f"{path}.{each}".lstrip("."): counted for each in (own, name)}, **found}
    return found


def _holds_codes(parameter: Tensor) -> bool:
    """Whether a parameter holds integers that stand for weights: their zeros are not those of the weights."""
    return hasattr(parameter, "quant_state") or not (parameter.is_floating_point() or parameter.is_complex())


def _used(module: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """(name of a parameter or buffer, name by which the module uses it, the tensor that it uses)."""
    masks = {name.removesuffix("_mask") for name, _ in module._buffers.items() if name.endswith("_mask")}
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        plain = name.removesuffix("_orig")
        if tensor is None or not is_made(tensor):
            continue
        if plain != name and plain in masks:
            yield name, plain, _masked(tensor, module._buffers[f"{plain}_mask"])
        else:
            yield name, name, tensor
    for name, parts in getattr(module, "parametrizations", {}).items():
        with torch.no_grad():
            computed = getattr(module, name)
        if "original" in parts._parameters and parts.original.shape == computed.shape:
            yield f"parametrizations.{name}.original", name, computed


def _masked(tensor: Tensor, mask: Any) -> Tensor:
    masked: Tensor = tensor.detach() * mask.to(tensor.dtype)
    return masked


def _counted(tensor: Tensor) -> NonZero:
    if tensor.is_meta:
        return NonZero(tensor.numel(), None, None, ON_META)
    if tensor.layout is not torch.strided or tensor.is_quantized or inner_tensors(tensor) is not None:
        return NonZero(tensor.numel(), None, None, NO_ELEMENTS)
    plain = tensor.detach().cpu()
    return NonZero(tensor.numel(), int(torch.count_nonzero(plain)), _by_bits(plain))


def _by_bits(tensor: Tensor) -> int:
    """How many elements have a bit set; the sign alone makes no number of a 0."""
    if tensor.is_complex():
        pairs = torch.view_as_real(tensor.resolve_conj()).contiguous().reshape(-1, 2)
        return int(np.count_nonzero(_set(pairs).any(axis=1)))
    return int(np.count_nonzero(_set(tensor.contiguous())))


def _set(tensor: Tensor) -> Any:
    """For every element whether it has a bit beside that of the sign."""
    size = tensor.element_size()
    raw = tensor.reshape(-1).view(torch.uint8).numpy() if tensor.numel() else np.zeros(0, np.uint8)
    raw = raw.reshape(-1, size)
    if tensor.is_floating_point():
        raw = raw.copy()
        raw[:, -1] &= 0x7F
    return raw.reshape(*tensor.shape, size).any(axis=-1)
