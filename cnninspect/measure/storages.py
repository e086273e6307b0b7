"""The elements and bytes of a model's tensors and of its inputs, counted place by place in their storages.

An element that several tensors share, or that one tensor repeats, counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from cnninspect.measure.base import Run
from cnninspect.trace.private_torch import inner_tensors, is_frozen, modules_of, state_of, storage_key
from cnninspect.trace.trees import leaves

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """Distinct elements of some tensors, and the bytes that they take."""

    elements: int
    nbytes: int


@dataclass(frozen=True)
class Holdings:
    """The elements and bytes of a run's tensors; None where the memory of one cannot be walked.

    `of_module` is False for a plain function, which keeps its tensors where nobody can list them; `packed` says that
    layers hold weights that are no tensors, as quantised ones do. `input_bytes`
    counts every input in full, also one that shares or repeats its elements.
    """

    parameters: Held | None
    trainable: Held | None
    buffers: Held | None
    input_bytes: int
    of_module: bool = True
    packed: bool = False


def holdings(run: Run) -> Holdings:
    """The elements and bytes of the model's tensors after the run, and the bytes of its inputs."""
    input_bytes = sum(tensor.numel() * tensor.element_size() for tensor in leaves((run.args, run.kwargs), Tensor))
    if not isinstance(run.model, nn.Module):
        return Holdings(None, None, None, input_bytes, of_module=False)
    parameters, every_buffer = state_of(run.model)
    storages = {_storage(parameter) for parameter in parameters} - {None}
    buffers = [buffer for buffer in every_buffer if _storage(buffer) not in storages]
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if _holds_packed(run.model):
        return Holdings(None, None, held(buffers), input_bytes, packed=True)
    every = held(parameters)
    return Holdings(every, every if len(trainable) == len(parameters) else held(trainable), held(buffers), input_bytes)


def _holds_packed(model: nn.Module) -> bool:
    """Whether a layer keeps objects of C++ among its attributes; every scripted module is one itself."""
    own = (module for _, module in modules_of(model) if not isinstance(module, torch.jit.ScriptModule))
    return any(isinstance(value, torch.ScriptObject) for module in own for value in vars(module).values())


def masked(model: Any) -> dict[str, int | None]:
    """Elements of each parameter that a mask of torch.nn.utils.prune sets to 0; None without values, as on meta.

    Source: torch.nn.utils.prune keeps `weight` as the parameter `weight_orig` and the buffer `weight_mask`.
    """
    found: dict[str, int | None] = {}
    for path, module in modules_of(model) if isinstance(model, nn.Module) else ():
        for buffer, mask in module._buffers.items():
            name = buffer.removesuffix("_mask")
            if mask is not None and name != buffer and f"{name}_orig" in module._parameters:
                zeros = None if mask.is_meta else mask.numel() - int(torch.count_nonzero(mask))
                found[f"{path}.{name}" if path else name] = zeros
    return found


def frozen(model: Any) -> tuple[str, ...]:
    """The paths of scripted modules whose weights `torch.jit.freeze` has made constants of their code."""
    if not isinstance(model, nn.Module):
        return ()
    return tuple(path for path, module in modules_of(model) if is_frozen(module))


def held(tensors: Iterable[Tensor]) -> Held | None:
    """The elements that these tensors hold; None if the memory of one cannot be walked (sparse tensors).

    A wrapper, which has no memory of its own, has those of its shape and type (`quantised.py` says what it holds).
    Bytes that tensors of several dtypes share are elements of the first of them.
    """
    memory: dict[Any, list[tuple[int, Places, Places]]] = {}
    kept, wrappers = [], list[Tensor]()
    for tensor in tensors:
        if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
            continue
        if inner_tensors(tensor) is not None:
            wrappers.append(tensor)
            continue
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return None
        kept.append(storage)  # a storage that is freed gives its identity to another
        item, starts, ends = tensor.element_size(), *_runs(tensor)
        where = storage.data_ptr()
        space = (tensor.device, 0 if where else storage_key(storage))
        memory.setdefault(space, []).append((item, starts * item + where, ends * item + where))
    found = [_held_in(runs) for runs in memory.values()]
    found += [(each.numel(), each.numel() * each.element_size()) for each in wrappers]
    return Held(sum(elements for elements, _ in found), sum(nbytes for _, nbytes in found))


def _held_in(runs: Sequence[tuple[int, Places, Places]]) -> tuple[int, int]:
    """The elements and the bytes in runs of bytes, each with the size of its elements, in the order of the tensors."""
    covered = _covered([(starts, ends) for _, starts, ends in runs])
    sizes = {item for item, *_ in runs}
    if len(sizes) == 1:
        return covered // sizes.pop(), covered
    by_size = {size: _covered([(starts, ends) for item, starts, ends in runs if item == size]) for size in sizes}
    if sum(by_size.values()) == covered:
        return sum(nbytes // size for size, nbytes in by_size.items()), covered
    elements, before = 0, 0
    for count, (item, *_) in enumerate(runs, 1):
        now = _covered([(starts, ends) for _, starts, ends in runs[:count]])
        elements, before = elements + (now - before) // item, now
    return elements, covered


def _storage(tensor: Tensor) -> int | None:
    """The key of the tensor's storage; None for a tensor without one, or without a shape yet."""
    try:
        return storage_key(tensor.untyped_storage())
    except (NotImplementedError, RuntimeError, ValueError):
        return None


def _runs(tensor: Tensor) -> tuple[Places, Places]:
    """Where the runs of neighbours start and end that a tensor's strides reach in its storage."""
    if not tensor.numel():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    axes = sorted((stride, size) for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if stride)
    length = 1
    while axes and (axes[0][0] == length or axes[0][1] == 1):
        length *= axes.pop(0)[1]
    starts = np.array([tensor.storage_offset()], np.int64)
    for stride, size in axes:
        starts = (starts[:, None] + stride * np.arange(size)).ravel()
    return starts, starts + length


def _covered(runs: Sequence[tuple[Places, Places]]) -> int:
    """How many places lie in some run."""
    if len(runs) == 1 and len(runs[0][0]) == 1:
        return int(runs[0][1][0] - runs[0][0][0])
    starts, ends = (np.concatenate(places) for places in zip(*runs, strict=True))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    before = np.concatenate(([np.iinfo(np.int64).min], np.maximum.accumulate(ends)[:-1]))[: len(ends)]
    return int(np.maximum(ends - np.maximum(starts, before), 0).sum())
