"""Which tensor is which: numbers of values, alias sets and when they are freed, the first use of every parameter."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from math import prod

import torch
from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

from cnninspect.trace.encode import storages, unwrapped
from cnninspect.trace.records import State, TensorRef


class Values:
    """Gives every tensor of a run its TensorRef, and keeps none alive.

    `freed` says for the storages that are gone how many ops had been seen by then; `ops_seen` is kept up by whoever
    sees them.
    """

    def __init__(self, model: nn.Module | None):
        self.ops_seen = 0
        self.freed: dict[int, int] = {}
        self._known = WeakTensorKeyDictionary()
        self._counter = 0
        self._storages: dict[int, int] = {}
        self._states: dict[int, str] = {}
        self._claimed: dict[int, torch.Tensor | bool] = {}
        self._elements: dict[int, int] = {}
        self._item_sizes: dict[int, int] = {}
        self._adopts_leaves = model is None
        self.unregistered = 0
        self.parameters: dict[str, State] = {}
        self.buffers: dict[str, State] = {}
        if model is not None:
            for name, parameter in model.named_parameters(remove_duplicate=False):
                self._add_state(name, parameter, self.parameters)
            for name, buffer in model.named_buffers(remove_duplicate=False):
                self._add_state(name, buffer, self.buffers)

    def ref(self, tensor: torch.Tensor) -> TensorRef:
        """The TensorRef of a tensor; one never seen before is a constant that the model holds.

        A tensor under `torch.vmap` or another transform is the one that ops see: with every sample of the batch.
        """
        tensor = unwrapped(tensor)
        known: TensorRef | None = self._known.get(tensor)
        if known is None:
            if self._adopts_leaves and tensor.requires_grad and tensor.is_leaf:
                return self._add_state(f"tensor{len(self.parameters)}", tensor, self.parameters)
            if isinstance(tensor, nn.Parameter) and not self._adopts_leaves:
                self.unregistered += tensor.numel()
            known = self.new(tensor, None)
        return known

    def new(self, tensor: torch.Tensor, alias_of: torch.Tensor | None, state: str | None = None) -> TensorRef:
        """A new value for `tensor`: an op's result (a view when `alias_of` is given), or new contents in place."""
        self._counter += 1
        if alias_of is not None:
            base = self.ref(alias_of)
            storage, state = base.storage, base.state
        else:
            storage = self._storage_of(tensor, self._counter)
            state = self._states.get(storage, state)
        shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        ref = TensorRef(self._counter, shape, dtype, storage, state, sparse=_is_sparse(tensor))
        self._known[tensor] = ref
        return ref

    def _storage_of(self, tensor: torch.Tensor, new: int) -> int:
        """The number of the memory behind `tensor`, `new` if it is new; a sparse tensor shares none."""
        content = next(storages(tensor), None)
        if content is None:
            return new
        key = content._cdata
        if key not in self._storages:
            self._storages[key] = new
            weakref.finalize(content, self._note_freed, key).atexit = False
        return self._storages[key]

    def _note_freed(self, key: int) -> None:
        self.freed[self._storages.pop(key)] = self.ops_seen

    def claim(self, tensor: torch.Tensor) -> int:
        """How many elements of a parameter this tensor reads that nothing read before; 0 if it is no parameter."""
        ref = self.ref(tensor)
        if ref.state is None or ref.state not in self.parameters or ref.storage not in self._elements:
            return 0
        claimed = self._claimed.get(ref.storage, False)
        if claimed is True:
            return 0
        sizes, strides, offset = _places(unwrapped(tensor), self._item_sizes[ref.storage])
        distinct = prod(size for size, stride in zip(sizes, strides, strict=True) if stride != 0)
        elements = self._elements[ref.storage]
        if claimed is False and distinct == elements:
            self._claimed[ref.storage] = True
            return distinct
        if claimed is False:
            claimed = self._claimed[ref.storage] = torch.zeros(elements, dtype=torch.bool, device="cpu")
        assert isinstance(claimed, torch.Tensor)
        before = int(claimed.sum())
        every = torch.arange(elements, device="cpu")
        claimed[every.as_strided(sizes, strides, offset).reshape(-1)] = True
        return int(claimed.sum()) - before

    def owned(self, named: Iterable[tuple[str, torch.Tensor]]) -> dict[str, State]:
        """The parameters of a layer by their name in it, each with what this use is the first to read."""
        found = {}
        for name, parameter in named:
            ref = self.ref(parameter)
            found[name] = State(ref.state or name, ref.shape, ref.dtype, self.claim(parameter), parameter.requires_grad)
        return found

    def unclaimed(self) -> dict[str, int]:
        """Elements of each parameter storage that no call read, by the parameter's first name."""
        left: dict[str, int] = {}
        seen: set[int] = set()
        for ref in list(self._known.values()):
            if ref.state not in self.parameters or ref.storage in seen:
                continue
            seen.add(ref.storage)
            claimed = self._claimed.get(ref.storage, False)
            if claimed is not True:
                read = int(claimed.sum()) if isinstance(claimed, torch.Tensor) else 0
                if self._elements[ref.storage] > read:
                    left[str(ref.state)] = self._elements[ref.storage] - read
        return left

    def _add_state(self, name: str, tensor: torch.Tensor, states: dict[str, State]) -> TensorRef:
        """Register a parameter or buffer under its first name; a second name of the same storage adds nothing."""
        if tensor in self._known:
            known: TensorRef = self._known[tensor]
            return known
        self._counter += 1
        shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        storage = self._storage_of(tensor, self._counter)
        state = self._states.setdefault(storage, name)
        if state == name:
            # Uninitialised lazy parameters have no storage; the run itself will say what to do about them.
            states[name] = State(name, shape, dtype, tensor.numel(), tensor.requires_grad)
            if not _is_sparse(tensor):
                self._elements[storage] = tensor.untyped_storage().nbytes() // tensor.element_size()
                self._item_sizes[storage] = tensor.element_size()
        ref = TensorRef(self._counter, shape, dtype, storage, state, sparse=_is_sparse(tensor))
        self._known[tensor] = ref
        return ref


def _places(tensor: torch.Tensor, item_size: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Sizes, strides and offset of what a tensor reads, in elements of the parameter that it is a view of.

    A complex number is two of a real parameter; parts of an element count as the whole.
    """
    wide = tensor.element_size() // item_size
    if not wide:
        return (tensor.untyped_storage().nbytes() // item_size,), (1,), 0
    strides = (*(stride * wide for stride in tensor.stride()), 1)
    return (*tensor.shape, wide), strides, int(tensor.storage_offset()) * wide


def _is_sparse(tensor: torch.Tensor) -> bool:
    return tensor.layout is not torch.strided and not tensor.is_mkldnn
