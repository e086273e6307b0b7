"""Identities of tensors: numbers of values and storages, when storages are freed, first reads of parameters."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import nn

from cnninspect.trace.elements import Elements, place_of, repeats
from cnninspect.trace.private_torch import (
    WeakTensorKeyDictionary,
    is_jagged,
    parts_of,
    storage_key,
    unwrapped,
    values_of,
)
from cnninspect.trace.records import State, TensorRef
from cnninspect.trace.trees import children, leaves

_LITERALS = {int, float, bool, str, complex, type(None), slice, type(Ellipsis)}
_NOT_YET_MADE = (nn.UninitializedParameter, nn.UninitializedBuffer)
_NAMED = (torch.dtype, torch.layout, torch.memory_format)


def is_made(tensor: torch.Tensor) -> bool:
    """Whether a parameter or buffer has a shape: one of a lazy module has none before the first forward."""
    return not isinstance(tensor, _NOT_YET_MADE)


class Values:
    """Gives every tensor of a run its TensorRef, without keeping tensors alive.

    `freed` maps each freed storage to the number of ops seen by then; the recorder updates `ops_seen`.
    """

    def __init__(self, model: nn.Module | None):
        self.ops_seen = 0
        self.freed: dict[int, int] = {}
        self._known = WeakTensorKeyDictionary()
        self._counter = 0
        self._storages: dict[int, tuple[int, weakref.ref[torch.UntypedStorage]]] = {}
        self._elements = Elements()
        self._unread_sparse: dict[str, int] = {}
        self._adopts_leaves = model is None
        self._foreign = WeakTensorKeyDictionary()
        self._foreign_elements = 0
        self.tied: list[State] = []
        self.leaves: dict[int, bool] = {}
        self.parameters: dict[str, State] = {}
        self.buffers: dict[str, State] = {}
        if model is not None:
            for states, named in (
                (self.parameters, model.named_parameters(remove_duplicate=False)),
                (self.buffers, model.named_buffers(remove_duplicate=False)),
            ):
                for name, tensor in named:
                    if is_made(tensor):
                        self._add_state(name, tensor, states)

    def ref(self, tensor: torch.Tensor) -> TensorRef:
        """The TensorRef of a tensor; a tensor that was not seen before is a constant of the model.

        Under `torch.vmap` or another transform, it is that of the tensor that ops see, with the batch dimension; of a
        jagged nested tensor, that of its values.
        """
        if is_jagged(tensor := unwrapped(tensor)):
            return replace(self.ref(values_of(tensor)), jagged=True)
        known: TensorRef | None = self._known.get(tensor)
        if known is None:
            if self._adopts_leaves and tensor.requires_grad and tensor.is_leaf:
                return self._add_state(f"tensor{len(self.parameters)}", tensor, self.parameters)
            if isinstance(tensor, nn.Parameter) and not self._adopts_leaves:
                self._foreign[tensor] = tensor.numel()
                self._foreign_elements += tensor.numel()
            known = self.new(tensor, None)
            if tensor.requires_grad and tensor.is_leaf:
                self.leaves[known.value] = isinstance(tensor, nn.Parameter)
        return known

    def new(self, tensor: torch.Tensor, alias_of: torch.Tensor | None) -> TensorRef:
        """A new value for `tensor`: an op's result (a view when `alias_of` is given), or new contents in place."""
        self._counter += 1
        if alias_of is not None:
            base = self.ref(alias_of)
            storage, state = base.storage, base.state
        else:
            storage, state = self._storage_of(tensor, self._counter), None
        return self._note(tensor, self._counter, storage, state)

    def _note(self, tensor: torch.Tensor, value: int, storage: int, state: str | None) -> TensorRef:
        parts = parts_of(tensor) if tensor.is_nested else None
        shape, dtype = tuple(tensor.shape) if parts is None else (tensor.numel(),), dtype_name(tensor.dtype)
        sparse = _is_sparse(tensor)
        repeated = 1
        if self._elements.has(storage) and not sparse and parts is None:
            state = self._elements.name(storage, lambda: place_of(tensor), state)
            repeated = repeats(shape, tensor.stride())
        ref = TensorRef(value, shape, dtype, storage, state, sparse=sparse, repeats=repeated, parts=parts)
        self._known[tensor] = ref
        return ref

    def plain(self, value: Any) -> Any:
        """Arguments as plain data: tensors as TensorRefs, containers kept, dtypes and devices by name.

        A dtype becomes "torch.float32", a device "device:cuda:0", a slice stays a slice; an object that holds no plain
        data becomes "<ClassName>".
        """
        if isinstance(value, torch.Tensor):
            return self.ref(value)
        if type(value) in _LITERALS:
            return value
        if isinstance(value, (tuple, list)):
            items = [self.plain(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if (held := children(value)) is not None:
            return {str(key): self.plain(item) for key, item in held.items()}
        return _in_words(value)

    def _storage_of(self, tensor: torch.Tensor, new: int) -> int:
        """The number of the tensor's storage; `new` if it was not seen before or the tensor is sparse."""
        content = next(storages(tensor), None)
        if content is None:
            return new
        key = storage_key(content)
        if key not in self._storages:
            # Not weakref.finalize, which would live as long as the model's parameters, beyond the run.
            self._storages[key] = new, weakref.ref(content, lambda _: self._note_freed(key))
        return self._storages[key][0]

    def _note_freed(self, key: int) -> None:
        self.freed[self._storages.pop(key)[0]] = self.ops_seen

    def read(self, tensor: torch.Tensor) -> TensorRef:
        """The tensor's TensorRef when a call reads it; `fresh` is the number of elements that no call read before."""
        ref = self.ref(tensor)
        fresh = self._first_read(tensor, ref)
        return replace(ref, fresh=fresh) if fresh else ref

    def _first_read(self, tensor: torch.Tensor, ref: TensorRef) -> int:
        """Marks a tensor as read; returns how many of its elements are a parameter's and were not read before."""
        if ref.state not in self.parameters:
            return 0
        if ref.sparse:
            return self._unread_sparse.pop(str(ref.state), 0)
        return self._elements.read(str(ref.state), ref.storage, lambda: place_of(unwrapped(tensor)))

    def owned(self, named: Iterable[tuple[str, torch.Tensor]]) -> dict[str, State]:
        """Name in the layer -> parameter; `fresh` is the number of elements that this use is the first to read."""
        found = {}
        for name, parameter in named:
            ref = self.ref(parameter)
            found[name] = State(
                ref.state or name, ref.shape, ref.dtype, self._first_read(parameter, ref), parameter.requires_grad,
                ref.storage, repeats=ref.repeats,
            )  # fmt: skip
        return found

    def unread(self) -> dict[str, int]:
        """Elements of each parameter that no call read."""
        return self._elements.unread() | self._unread_sparse

    def unregistered(self, registered: Iterable[torch.Tensor]) -> int:
        """Elements of parameters that were met and are not the model's; `registered` are those that it has now."""
        return self._foreign_elements - sum(self._foreign.get(parameter) or 0 for parameter in registered)

    def _add_state(self, name: str, tensor: torch.Tensor, states: dict[str, State]) -> TensorRef:
        """Adds a parameter or buffer, unless all of its elements belong to earlier states."""
        if tensor in self._known:
            known: TensorRef = self._known[tensor]
            return known
        self._counter += 1
        storage = self._storage_of(tensor, self._counter)
        # Without a strided storage, only the shape is known.
        fresh, offset, strides = tensor.numel(), 0, None
        if tensor.layout is torch.strided:
            item, strides = tensor.element_size(), tuple(tensor.stride())
            offset = int(tensor.storage_offset()) * item
            fresh = self._elements.add(name, storage, place_of(tensor), item, reads_count=states is self.parameters)
        elif states is self.parameters and _is_sparse(tensor):
            self._unread_sparse[name] = fresh
        ref = self._note(tensor, self._counter, storage, name)
        state = State(name, ref.shape, ref.dtype, fresh, tensor.requires_grad, storage, offset, strides, ref.repeats)
        if fresh or not tensor.numel():
            states[name] = state
        elif tensor.requires_grad:
            self.tied.append(state)
        return ref


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """`float32`: the dtype without `torch.`."""
    return str(dtype).removeprefix("torch.")


def storages(tree: Any) -> Iterator[torch.UntypedStorage]:
    """The storages of all tensors in nested containers; sparse tensors have none."""
    for tensor in leaves(tree, torch.Tensor):
        try:
            yield tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            continue


def _in_words(value: Any) -> Any:
    if isinstance(value, _NAMED):
        return str(value)
    if isinstance(value, torch.device):
        return f"device:{value}"
    if isinstance(value, torch.SymInt):
        return value.node.maybe_as_int()
    if isinstance(value, (torch.SymFloat, torch.SymBool)):
        return str(value)
    return value if isinstance(value, (int, float, str)) else f"<{type(value).__name__}>"


def _is_sparse(tensor: torch.Tensor) -> bool:
    return tensor.layout is not torch.strided and not tensor.is_mkldnn
