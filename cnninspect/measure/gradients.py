"""A forward and a backward pass of a run's model that leave no gradient behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from cnninspect.measure.base import Run
from cnninspect.trace.encode import live_tensors
from cnninspect.trace.isolation import as_written, restored


def forward_and_backward(
    run: Run,
    forward: AbstractContextManager[Any] | None = None,
    backward: AbstractContextManager[Any] | None = None,
    *,
    of_inputs: bool = False,
) -> list[torch.Tensor]:
    """The gradients of parameters that a backward pass leaves, from a gradient of ones at all outputs of the model.

    The model runs inside `forward`, the pass inside `backward`. Parameters get a gradient where they require one and
    the outputs depend on them. Inputs get one `of_inputs`, which is not returned, and else none, as in training.
    """
    module = run.model if isinstance(run.model, nn.Module) else None
    with restored(module, run.trace.training), as_written(), torch.enable_grad():
        args, kwargs = (
            tree_map_only(torch.Tensor, _wanting, (run.args, dict(run.kwargs))) if of_inputs else (run.args, run.kwargs)
        )
        with forward or nullcontext():
            output = run.model(*args, **kwargs)
        ends = [tensor for tensor in live_tensors(output) if tensor.requires_grad]
        leaves = _leaves(ends)
        with _gradients_restored(leaves):
            with backward or nullcontext():
                if ends:
                    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
            return [leaf.grad for leaf in _parameters(run, leaves) if leaf.grad is not None]


def _wanting(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of an input whose gradient is wanted; no leaf, since a model may write into it."""
    floating = tensor.is_floating_point() or tensor.is_complex()
    return tensor.detach().requires_grad_().clone() if floating else tensor


def _parameters(run: Run, leaves: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Those leaves that are parameters of the model; of a function all that nobody handed in."""
    if isinstance(run.model, nn.Module):
        own = {id(parameter) for parameter in run.model.parameters()}
        return [leaf for leaf in leaves if id(leaf) in own]
    handed_in = {id(tensor) for tensor in live_tensors((run.args, run.kwargs))}
    return [leaf for leaf in leaves if id(leaf) not in handed_in]


def _leaves(ends: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Every tensor in which autograd would accumulate a gradient."""
    found: list[torch.Tensor] = []
    stack = [end.grad_fn for end in ends]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node is None:
            continue
        if hasattr(node, "variable"):
            found.append(node.variable)
        following = [after for after, _ in node.next_functions if after not in seen]
        seen.update(following)
        stack.extend(following)
    return found


@contextmanager
def _gradients_restored(leaves: Sequence[torch.Tensor]) -> Iterator[None]:
    gradients = [leaf.grad for leaf in leaves]
    try:
        for leaf in leaves:
            leaf.grad = None
        yield
    finally:
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = gradient
