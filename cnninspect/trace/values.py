"""Which tensor is which: numbers for the values of a run, alias sets, and the first use of every parameter."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from torch import nn

from cnninspect.trace.records import State, TensorRef


class Values:
    """Gives every tensor of a run its TensorRef.

    Keeps each tensor alive until the run is over, so that no Python id is used twice.
    """

    def __init__(self, model: nn.Module | None):
        self._known: dict[int, TensorRef] = {}
        self._alive: list[torch.Tensor] = []
        self._counter = 0
        self._storages: dict[int, int] = {}
        self._claimed: dict[int, torch.Tensor | bool] = {}
        self._elements: dict[int, int] = {}
        self._adopts_leaves = model is None
        self.parameters: dict[str, State] = {}
        self.buffers: dict[str, State] = {}
        if model is not None:
            for name, parameter in model.named_parameters(remove_duplicate=False):
                self._add_state(name, parameter, self.parameters)
            for name, buffer in model.named_buffers(remove_duplicate=False):
                self._add_state(name, buffer, self.buffers)

    def ref(self, tensor: torch.Tensor) -> TensorRef:
        """The TensorRef of a tensor; one never seen before is a constant that the model holds."""
        known = self._known.get(id(tensor))
        if known is None:
            if self._adopts_leaves and tensor.requires_grad and tensor.is_leaf:
                return self._add_state(f"tensor{len(self.parameters)}", tensor, self.parameters)
            known = self.new(tensor, None)
        return known

    def new(self, tensor: torch.Tensor, alias_of: torch.Tensor | None, state: str | None = None) -> TensorRef:
        """A new value for `tensor`: an op's result (a view when `alias_of` is given), or new contents in place."""
        self._counter += 1
        storage = self._counter
        if alias_of is not None:
            base = self.ref(alias_of)
            storage, state = base.storage, base.state
        ref = TensorRef(self._counter, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), storage, state)
        if id(tensor) not in self._known:
            self._alive.append(tensor)
        self._known[id(tensor)] = ref
        return ref

    def claim(self, tensor: torch.Tensor) -> int:
        """How many elements of a parameter this tensor reads that nothing read before; 0 if it is no parameter."""
        ref = self.ref(tensor)
        if ref.state is None or ref.state not in self.parameters or ref.storage not in self._elements:
            return 0
        claimed = self._claimed.get(ref.storage, False)
        if claimed is True:
            return 0
        distinct = prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride != 0)
        elements = self._elements[ref.storage]
        if claimed is False and distinct == elements:
            self._claimed[ref.storage] = True
            return distinct
        if claimed is False:
            claimed = self._claimed[ref.storage] = torch.zeros(elements, dtype=torch.bool, device="cpu")
        assert isinstance(claimed, torch.Tensor)
        before = int(claimed.sum())
        every = torch.arange(elements, device="cpu")
        claimed[every.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).reshape(-1)] = True
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
        if id(tensor) in self._known:
            return self._known[id(tensor)]
        self._counter += 1
        shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        # Uninitialised lazy parameters have no storage; the run itself will say what to do about them.
        key = tensor.untyped_storage()._cdata
        known_storage = self._storages.get(key)
        storage = self._storages.setdefault(key, self._counter)
        if known_storage is None:
            states[name] = State(name, shape, dtype, tensor.numel(), tensor.requires_grad)
            self._elements[storage] = tensor.untyped_storage().nbytes() // tensor.element_size()
            state = name
        else:
            state = next((ref.state for ref in self._known.values() if ref.storage == storage), None) or name
        ref = TensorRef(self._counter, shape, dtype, storage, state)
        self._known[id(tensor)] = ref
        self._alive.append(tensor)
        return ref

