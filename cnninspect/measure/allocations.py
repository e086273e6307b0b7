"""Memory that a run allocates, measured while it runs: bytes of the storages alive in a training step, on any device.

On meta it costs no memory. A real device differs from it where it picks other kernels: fused attention keeps less than
attention op by op, oneDNN's recurrent nets more. On CUDA the allocator gives its own peak: it rounds every block up to
512 bytes and also holds what kernels use inside, so it says more than the tensors of a run.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from cnninspect.measure.backward import forward_and_backward
from cnninspect.measure.base import Run
from cnninspect.trace.isolation import restored
from cnninspect.trace.private_torch import TorchDispatchMode, kernel_of, storage_key
from cnninspect.trace.rerun import as_module
from cnninspect.trace.values import storages


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a training step allocates, parameters, inputs and the optimizer's state apart.

    `kept` is alive when the forward pass ends: outputs and what autograd saved. `peak` is the most alive at once in
    both passes, the gradients of parameters included. `gradients` are those of parameters when it ends, None if one is
    sparse; `gradients_of` says how many parameters have one.
    """

    kept: int
    peak: int
    gradients: int | None
    gradients_of: int


def training_memory(run: Run) -> TrainingMemory:
    """What a forward and a backward pass of the run's model allocate on the run's device."""
    watch = _StorageWatch()
    kept = []

    @contextmanager
    def backward() -> Iterator[None]:
        kept.append(watch.alive)
        with watch:
            yield

    gradients = forward_and_backward(run, forward=watch, backward=backward())
    dense = all(gradient.layout is torch.strided for gradient in gradients)
    nbytes = sum(gradient.numel() * gradient.element_size() for gradient in gradients) if dense else None
    return TrainingMemory(kept[0], watch.peak, nbytes, len(gradients))


class _StorageWatch(TorchDispatchMode):
    """Sums the bytes of the storages that ops make, until each is freed; those that an op finds are not its own."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen: set[int] = set()
        self.alive = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._note((args, kwargs), counts=False)
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **(kwargs or {}))
        output = func(*args, **(kwargs or {}))
        self._note(output, counts=True)
        self.peak = max(self.peak, self.alive)
        return output

    def _note(self, tensors: Any, *, counts: bool) -> None:
        for storage in storages(tensors):
            key = storage_key(storage)
            if key not in self._seen:
                self._seen.add(key)
                nbytes = storage.nbytes() if counts else 0
                self.alive += nbytes
                weakref.finalize(storage, self._free, key, nbytes).atexit = False

    def _free(self, key: int, nbytes: int) -> None:
        self._seen.discard(key)
        self.alive -= nbytes


def inference_allocation(run: Run) -> int | None:
    """Bytes for a forward pass of the run's model without gradients; None on a device without such an allocator."""
    model = as_module(run.model)

    def forward() -> None:
        with restored(model, run.trace.training, gradients=run.trace.gradients, inputs=(run.args, run.kwargs)):
            model(*run.args, **run.kwargs)

    return _most(run.device, forward)


def training_allocation(run: Run) -> int | None:
    """Bytes for a forward and a backward pass, gradients included; None on a device without such an allocator."""
    return _most(run.device, lambda: forward_and_backward(run))


def _most(device: str, work: Callable[[], object]) -> int | None:
    if not device.startswith("cuda"):
        return None
    work()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before
