"""An independent oracle for memory: watches every storage that appears while a model runs, until it is freed."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class StorageTracker(TorchDispatchMode):
    """Bytes of the storages that ops allocate, now and at their peak; storages of `known` tensors are left out."""

    def __init__(self, *known: torch.Tensor):
        super().__init__()
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._alive: dict[int, int] = {}
        self.peak = 0

    @property
    def now(self) -> int:
        return sum(self._alive.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        # Kernels of batch normalisation in evaluation return empty statistics; on meta they have elements.
        without = func is torch.ops.aten.native_batch_norm.default and not args[5] and output[1].is_meta
        for leaf in tree_leaves(output[:1] if without else output):
            if isinstance(leaf, torch.Tensor):
                self._meet(leaf.untyped_storage())
        self.peak = max(self.peak, self.now)
        return output

    def _meet(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known and key not in self._alive:
            self._alive[key] = storage.nbytes()
            weakref.finalize(storage, self._alive.pop, key, None)
