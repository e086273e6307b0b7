"""The numbers in tensors that a constructor makes on meta, where none are: a mask in a buffer decides what is seen.

Functions that make tensors of numbers alone, and those applied to such tensors, run on the CPU too. The numbers are an
attribute of the tensor on meta.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.trace.private_torch import NUMBERS
from cnninspect.trace.trees import leaves, map_leaves

MOST = 1 << 20
"""Most elements of a tensor whose numbers are kept, as many as the trace looks at."""

MOST_BYTES = 1 << 28
"""Most bytes of all numbers that are kept of one model."""

_NEW = frozenset((torch.arange, torch.eye, torch.full, torch.linspace, torch.ones, torch.tensor, torch.tril_indices,
                  torch.triu_indices, torch.zeros))  # fmt: skip
_FILLS = frozenset((Tensor.fill_, Tensor.zero_))
_NO_WRITES = frozenset(("__invert__", "__int__", "__index__", "__init__", "__iter__"))


class Numbers:
    """Follows one construction on meta."""

    def __init__(self) -> None:
        self._known: list[weakref.ref[Tensor]] = []
        self._bytes = 0

    def follow(self, func: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Note the numbers in what `func` returned, or forget those that it has overwritten."""
        first = args[0] if args else None
        out = kwargs.get("out")
        if isinstance(out, Tensor):
            self._forget(out)
            return
        if isinstance(first, Tensor) and _numbers(first) is None:
            if func in _FILLS and _is_whole(first):
                self._keep(first, _on_cpu(func, (torch.empty(first.shape, dtype=first.dtype), *args[1:]), kwargs))
            return
        given, made = leaves((args, kwargs), Tensor), leaves(output, Tensor)
        if all(_numbers(tensor) is not None for tensor in given) if given else func in _NEW:
            results = _on_cpu(func, args, kwargs) if made or _writes(func) else ()
            for tensor, numbers in zip(made, leaves(results, Tensor), strict=False):
                self._keep(tensor, numbers)
        elif given and _writes(func):
            self._forget(given[0])

    def _keep(self, tensor: Tensor, numbers: Any) -> None:
        wanted = isinstance(numbers, Tensor) and tensor.is_meta and not isinstance(tensor, nn.Parameter)
        if not wanted or numbers.is_meta or numbers.numel() > MOST or self._bytes + numbers.nbytes > MOST_BYTES:
            self._forget(tensor)
            return
        if _numbers(tensor) is not numbers:
            self._bytes += numbers.nbytes
            setattr(tensor, NUMBERS, numbers)
            self._known.append(weakref.ref(tensor))

    def _forget(self, written: Tensor) -> None:
        """Forget the numbers of a tensor, and of all that share its memory."""
        numbers = vars(written).pop(NUMBERS, None) if written.is_meta else None
        if numbers is None:
            return
        place = numbers.untyped_storage().data_ptr()
        for tensor in filter(None, (each() for each in self._known)):
            shared = vars(tensor).get(NUMBERS)
            if shared is not None and shared.untyped_storage().data_ptr() == place:
                del vars(tensor)[NUMBERS]


def _numbers(tensor: Tensor) -> Tensor | None:
    """The numbers in a tensor: those kept of one on meta, itself for one on the CPU."""
    if not tensor.is_meta:
        return tensor if tensor.numel() <= MOST else None
    return vars(tensor).get(NUMBERS)


def _is_whole(tensor: Tensor) -> bool:
    small = tensor.is_meta and tensor.numel() <= MOST and not isinstance(tensor, nn.Parameter)
    return small and tensor.untyped_storage().nbytes() == tensor.nbytes


def _writes(func: Any) -> bool:
    """Whether a function overwrites its first argument, by its name."""
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name in ("__setitem__", "__set__") or (name.startswith("__i") and name not in _NO_WRITES)
    return bool(name.endswith("_"))


def _on_cpu(func: Any, args: Any, kwargs: Any) -> Any:
    """What the function returns for the numbers; nothing if it fails or draws random ones."""
    before = torch.default_generator.get_state()
    with suppress(Exception), torch.device("cpu"):
        result = func(*map_leaves(_placed(args), Tensor, _number), **map_leaves(_placed(kwargs), Tensor, _number))
        if torch.equal(torch.default_generator.get_state(), before):
            return result
    torch.default_generator.set_state(before)
    return ()


def _number(_: str, tensor: Tensor) -> Tensor | None:
    return _numbers(tensor)


def _placed(given: Any) -> Any:
    return map_leaves(given, torch.device, lambda *_: torch.device("cpu"))
