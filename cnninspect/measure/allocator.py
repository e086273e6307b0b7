"""What CUDA's allocator hands out at most, beyond what it held before: the device's own word on peak memory.

It rounds every block up to 512 bytes and also holds what kernels use inside, so it says more than the tensors of a run.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from cnninspect.measure.base import Run
from cnninspect.measure.gradients import forward_and_backward
from cnninspect.trace.follow import as_module
from cnninspect.trace.isolation import restored


def inference_allocation(run: Run) -> int | None:
    """Bytes for a forward pass of the run's model without gradients; None on a device without such an allocator."""
    model = as_module(run.model)

    def forward() -> None:
        with restored(model, run.trace.training):
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
