"""Results on meta of ops that ran before with the same sizes: repeated blocks do not run their kernels again.

Half of a run on meta is kernels that work out sizes in Python. A result on meta has sizes, strides and a dtype, and
they depend on nothing but those of the inputs and on the other arguments. torch's fake tensors are remembered in the
same way. Source: `_DispatchCacheKey` in torch/_subclasses/fake_tensor.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnninspect.trace.names import OpSchema
from cnninspect.trace.private_torch import GROUPED_PRODUCT, in_transform, storage_key
from cnninspect.trace.trees import leaves

Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Sizes, strides and dtype of a tensor on meta whose memory nobody shares."""

_PLAIN = frozenset((int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format))


class MetaResults:
    """The results of the ops of one run."""

    def __init__(self) -> None:
        self.known: dict[Any, _Known] = {}

    def run(self, op: Any, schema: OpSchema, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result of `op`; new tensors of the known sizes if it ran before with such arguments."""
        if schema.name == GROUPED_PRODUCT and args[0].is_meta and args[0].dtype is not torch.bfloat16:
            return _grouped_product(*args, **kwargs)
        if not schema.makes_new or in_transform():
            return op(*args, **kwargs)
        key = _key_of((args, *kwargs.items(), torch.get_default_dtype()))
        if key is None:
            return op(*args, **kwargs)
        key = (schema.name, key)
        known = self.known.get(key)
        if known is not None:
            made = tuple([_EMPTY(size, stride, dtype=dtype, device=_META) for size, stride, dtype in known.results])
            return made if known.several else made[0]
        output = op(*args, **kwargs)
        results = output if isinstance(output, tuple) else (output,)
        if all(_is_full(result) for result in results) and _share_nothing(
            results, leaves((args, kwargs), torch.Tensor)
        ):
            layouts = tuple((tuple(each.shape), each.stride(), each.dtype) for each in results)
            self.known[key] = _Known(isinstance(output, tuple), layouts)
        return output


def _grouped_product(
    left: Tensor, right: Tensor, offs: Tensor | None = None, _: Tensor | None = None, out_dtype: Any = None
) -> Tensor:
    """A tensor of the sizes of a grouped product, for types that devices take and torch's kernel for meta does not."""
    if left.dim() + right.dim() > 4 and left.shape[-1] != right.shape[-2]:
        raise RuntimeError(f"grouped product of {tuple(left.shape)} and {tuple(right.shape)}")
    if left.dtype != right.dtype:
        raise RuntimeError(f"grouped product of {left.dtype} and {right.dtype}")
    groups = left.shape[:1] if left.dim() == right.dim() == 3 else ()
    if left.dim() == right.dim() == 2 and offs is not None:
        groups = offs.shape
    return torch.empty((*groups, left.shape[-2], right.shape[-1]), dtype=out_dtype or left.dtype, device=_META)


class _Known(NamedTuple):
    """What an op returned: whether it is a tuple, and its tensors."""

    several: bool
    results: tuple[Layout, ...]


_META = torch.device("meta")
_EMPTY = torch.ops.aten.empty_strided.default


def _key_of(value: Any) -> Any:
    """What a result depends on, as a key; None if a part is no plain value and no plain tensor on meta."""
    kind = type(value)
    if kind is torch.Tensor or kind is torch.nn.Parameter:
        return (tuple(value.shape), value.stride(), value.dtype) if _is_plain(value) else None
    if kind is tuple or kind is list:
        parts = [_key_of(part) for part in value]
        return None if None in parts else (kind, *parts)
    return (kind, value) if kind in _PLAIN else None


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.is_meta and tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_complex()


def _is_full(result: Any) -> bool:
    """Whether a result is a plain tensor on meta that fills its memory."""
    if type(result) is not torch.Tensor or not _is_plain(result) or result.storage_offset():
        return False
    same = _EMPTY(result.shape, result.stride(), dtype=result.dtype, device=_META)
    return bool(result.untyped_storage().nbytes() == same.untyped_storage().nbytes())


def _share_nothing(results: Sequence[torch.Tensor], read: Iterable[torch.Tensor]) -> bool:
    """Whether each result has a memory of its own, which is not that of an input: a schema may conceal a view."""
    memories = {storage_key(result.untyped_storage()) for result in results}
    return len(memories) == len(results) and memories.isdisjoint(storage_key(each.untyped_storage()) for each in read)
