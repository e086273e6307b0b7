"""Masks of the elements that turned NaN: made of a tensor, stacked for several runs, joined for several probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnninspect.report.quantities import Shape

Mask = npt.NDArray[np.bool_]
Masks = dict[int, tuple[Mask | None, ...]]
"""By the index of a call, a mask for each tensor that it returned."""

_OF_NUMPY = (torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)


class CopiesMixedError(Exception):
    """A tensor of a batched run mixes the copies of the input."""


def nan_of(tensor: Tensor) -> Mask | None:
    """Where a tensor is NaN; None if its dtype has none."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return None
    numbers = _numbers(tensor)
    found: Mask = tensor.detach().isnan().numpy() if numbers is None else np.isnan(numbers)
    return found


def infinite_of(tensor: Tensor) -> Mask:
    """Where a tensor is inf or -inf, with size 1 along dimensions where nothing differs."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return np.zeros((1,) * tensor.dim(), dtype=bool)
    numbers = _numbers(tensor)
    return compressed(tensor.detach().isinf().numpy() if numbers is None else np.isinf(numbers))


def _numbers(tensor: Tensor) -> npt.NDArray[Any] | None:
    """The values of a tensor; None if NumPy lacks its dtype."""
    return tensor.detach().resolve_conj().resolve_neg().numpy() if tensor.dtype in _OF_NUMPY else None


def numbers_of(tensor: Tensor) -> npt.NDArray[Any]:
    """The values of a tensor; the bits of one whose dtype NumPy lacks. Torch's ops would count against the limit."""
    numbers = _numbers(tensor)
    if numbers is None and (tensor.is_floating_point() or tensor.is_complex()):
        bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32}[tensor.element_size()]
        return tensor.detach().contiguous().view(bits).numpy()
    return tensor.detach().numpy() if numbers is None else numbers


def reactions(tensor: Tensor, shape: Shape, copies: int, *, of_inputs: bool = True) -> Mask:
    """[regions, *shape] from the tensor of a batched run, in which one dimension is `copies` times that of one run.

    A tensor that is not worked out from inputs may be the same for all copies. Raises CopiesMixedError for any other
    without such a dimension, such as `x[0]`, which is that of the clean copy alone, if the clean copy holds NaN, and if
    copies differ without NaN: something was done to one copy alone, as `scatter_add` does with an index for one sample.
    """
    numbers = _numbers(tensor)
    found = nan_of(tensor) if numbers is None else np.isnan(numbers)
    grown = [dim for dim, (now, before) in enumerate(zip(tensor.shape, shape, strict=True)) if now != before]
    if not grown and not of_inputs and (found is None or not found.any()):
        return np.zeros((1,) * (1 + len(shape)), dtype=bool)
    if len(grown) != 1 or tensor.shape[grown[0]] != copies * shape[grown[0]]:
        raise CopiesMixedError
    dim = grown[0]
    values = tensor.detach().numpy() if found is None else found
    apart: npt.NDArray[Any] = np.moveaxis(values.reshape(*shape[:dim], copies, *shape[dim:]), dim, 0)
    if found is not None and apart[0].any():
        raise CopiesMixedError
    if found is not None and numbers is not None and not _as_clean(numbers, shape, dim, apart):
        raise CopiesMixedError
    changed: Mask = apart[1:] != apart[0]
    return changed


def _as_clean(numbers: npt.NDArray[Any], shape: Shape, dim: int, turned: Mask) -> bool:
    """Whether the last copy has the values of the clean one (up to rounding) wherever it has numbers.

    The last region of a probe is small, so most of them are numbers. Without torch: its ops would count against the
    limit of the run.
    """
    copies = np.moveaxis(numbers.reshape(*shape[:dim], len(turned), *shape[dim:]), dim, 0)
    clean, other = copies[0], copies[-1]
    alike = (other == clean) | turned[-1]
    if alike.all():
        return True
    with np.errstate(invalid="ignore", over="ignore"):
        most = float(np.abs(clean).max(initial=0.0, where=np.isfinite(clean)))
        near = np.abs(other - clean) <= most * float(np.finfo(numbers.dtype).eps) ** 0.5
    return bool((near | alike).all())


def compressed(mask: Mask) -> Mask:
    """The same mask with size 1 along every dimension along which it does not change."""
    # The longest first: it is mostly that of channels, along which nothing changes, and little is left for the others.
    for dim in sorted(range(mask.ndim), key=lambda dim: -mask.shape[dim]):
        if mask.shape[dim] > 1:
            first, last = mask.take([0], dim), mask.take([-1], dim)
            if np.array_equal(first, last) and (mask == first).all():
                mask = first
    small: Mask = mask.copy()
    return small


def together(runs: list[Masks]) -> Masks:
    """The masks of single runs, the first of which was clean, stacked for every tensor."""
    everywhere = [index for index in runs[0] if all(index in run for run in runs)]
    return {
        index: tuple(_stacked(list(masks)) for masks in zip(*(run[index] for run in runs), strict=True))
        for index in everywhere
    }


def _stacked(masks: list[Mask | None]) -> Mask | None:
    """[regions, ...] from the masks of one tensor in every run; None if one is missing or the clean run had NaN."""
    known = [mask for mask in masks if mask is not None]
    if len(known) < len(masks) or known[0].any():
        return None
    return np.stack(np.broadcast_arrays(*known)[1:])


def either(first: Masks, second: Masks) -> Masks:
    """The masks of two probes of the same regions: what reacted in one of them; those of the second if one is empty."""
    if not first:
        return second
    pairs = {index: zip(first[index], second[index], strict=True) for index in first.keys() & second.keys()}
    return {index: tuple(None if a is None or b is None else a | b for a, b in both) for index, both in pairs.items()}


def joined(runs: Sequence[Masks], regions: Sequence[int]) -> Masks:
    """The masks of several runs one after the other, of tensors that all runs have; `regions` counts each run's."""
    if len(runs) == 1:
        return runs[0]
    everywhere = [index for index in runs[0] if all(index in run for run in runs)] if runs else []
    return {
        index: tuple(_one_after_the_other(masks, regions) for masks in zip(*(run[index] for run in runs), strict=True))
        for index in everywhere
    }


def _one_after_the_other(masks: Sequence[Mask | None], regions: Sequence[int]) -> Mask | None:
    """The masks of one tensor in several runs one after the other; None if one is missing."""
    known = [mask for mask in masks if mask is not None]
    if len(known) < len(masks):
        return None
    shape = np.broadcast_shapes(*(mask.shape[1:] for mask in known))
    whole = [np.broadcast_to(mask, (count, *shape)) for mask, count in zip(known, regions, strict=True)]
    return compressed(np.concatenate(whole))
