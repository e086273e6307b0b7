"""What torch refuses on every device and its meta kernels accept: a run on meta ends where one on the CPU would.

Only what does not depend on the device is asked: sizes, settings, and operands of different types. That a device has no
kernel for a type, or that an index is out of range, cannot be seen on meta.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def refuse(op: Any, args: Sequence[Any]) -> None:
    """Raises the error that an ATen op has on a device for these arguments, if its meta kernel has none.

    Arguments that are given by name are not looked at.
    """
    check, needed = _CHECKS.get(getattr(op, "overloadpacket", None), (None, 1))
    if check is not None and len(args) >= needed and args[0].is_meta:
        check(*args)


def _convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int,
) -> None:  # fmt: skip
    """The checks of a convolution. Source: `check_shape_forward` in ATen/native/Convolution.cpp."""
    _ask(min(padding) >= 0, "negative padding is not supported")
    _ask(min(stride) > 0, "non-positive stride is not supported")
    _ask(transposed or min(dilation) > 0, "dilation should be greater than zero")
    _ask(groups > 0, "non-positive groups is not supported")
    size = list(weight.shape)
    _ask(size[0] % groups == 0, f"weight of size {size} is not divisible into {groups} groups")
    # A single sample has a batch of its own by now.
    channels = size[0] if transposed else size[1] * groups
    _ask(x.shape[1] == channels, f"weight of size {size} expects {channels} channels, got {x.shape[1]}")
    made = size[1] * groups if transposed else size[0]
    _ask(bias is None or list(bias.shape) == [made], f"weight of size {size} expects a bias of {made} elements")
    if transposed:
        limits = map(max, stride, dilation)
        fits = all(more < limit for more, limit in zip(output_padding, limits, strict=False))
        _ask(fits, "output padding must be smaller than either stride or dilation")
        axes = zip(x.shape[2:], size[2:], stride, padding, dilation, output_padding, strict=False)
        made = min((n - 1) * s - 2 * p + d * (k - 1) + more + 1 for n, k, s, p, d, more in axes)
        _ask(made > 0, "the output size is too small")
    _same_type(x, weight, bias)


def _product(left: Tensor, right: Tensor, *_: Any) -> None:
    _same_type(left, right)


def _sum_and_product(added: Tensor, left: Tensor, right: Tensor, *_: Any) -> None:
    _same_type(added, left, right)


def _batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *statistics: Any) -> None:
    _same_type(x, weight, bias, *(each for each in statistics if isinstance(each, Tensor)))


def _layer_norm(x: Tensor, _: Sequence[int], weight: Tensor | None, bias: Tensor | None, *__: Any) -> None:
    _same_type(x, weight, bias)


def _group_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *_: Any) -> None:
    _same_type(x, weight, bias)


def _same_type(*operands: Tensor | None) -> None:
    """Real operands must have one type. Floats of up to 32 bits pass: autocast, unseen here, makes them one.

    Source: `is_eligible` in ATen/autocast_mode.h, which leaves out doubles.
    """
    types = list(dict.fromkeys(each.dtype for each in operands if each is not None and not each.is_complex()))
    if len(types) > 1 and not _MENDED.issuperset(types):
        names = " and ".join(str(each).removeprefix("torch.") for each in types)
        raise RuntimeError(f"expected operands of one dtype, but got {names}")


_MENDED = {torch.float16, torch.bfloat16, torch.float32}


def _ask(is_right: bool, message: str) -> None:
    if not is_right:
        raise RuntimeError(message)


_aten: Any = torch.ops.aten

_CHECKS: dict[Any, tuple[Callable[..., None], int]] = {
    _aten.convolution: (_convolution, 9),
    **dict.fromkeys((_aten.mm, _aten.bmm, _aten.mv, _aten.dot), (_product, 2)),
    **dict.fromkeys((_aten.addmm, _aten.baddbmm, _aten.addmv), (_sum_and_product, 3)),
    **dict.fromkeys((_aten.native_batch_norm, _aten._native_batch_norm_legit), (_batch_norm, 3)),
    _aten.native_layer_norm: (_layer_norm, 4),
    _aten.native_group_norm: (_group_norm, 3),
}
"""ATen op -> check of its arguments, and how many it needs."""
