"""Multiply-accumulates of a real backward pass, by torch's registry of FLOP formulas, each for the call that it serves.

`forward_and_backward` is the pass itself, which leaves no gradient behind. Autograd's nodes are made during the forward
pass; the call that is open then owns what they run later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnninspect.measure.base import Convention, Count, Run, Skip
from cnninspect.report.quantities import macs_from_flops
from cnninspect.trace.isolation import as_written, gradients_kept, restored, unfused
from cnninspect.trace.private_torch import (
    OpWatch,
    flop_registry,
    is_own_gradient,
    kernel_of,
    leaf_of,
    packet_of,
    runs_inside,
    unwrapped,
)
from cnninspect.trace.records import Call, Trace
from cnninspect.trace.rerun import Rerun, as_module
from cnninspect.trace.trees import leaves, map_arguments


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
    with restored(module, run.trace.training, gradients=True, inputs=(run.args, run.kwargs)), as_written():
        args, kwargs = run.args, run.kwargs
        if of_inputs:
            args, kwargs = map_arguments(args, kwargs, torch.Tensor, _wanting)
        with forward or nullcontext():
            output = run.model(*args, **kwargs)
        ends = [tensor for tensor in leaves(output, torch.Tensor) if tensor.requires_grad]
        accumulating = _accumulating(ends)
        with gradients_kept(accumulating):
            with backward or nullcontext():
                if ends:
                    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
            return [leaf.grad for leaf in _parameters(run, accumulating) if leaf.grad is not None]


def _wanting(_: str, tensor: torch.Tensor) -> torch.Tensor:
    """A copy of an input whose gradient is wanted; no leaf, since a model may write into it."""
    floating = tensor.is_floating_point() or tensor.is_complex()
    return tensor.detach().requires_grad_().clone() if floating else tensor


def _parameters(run: Run, found: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Those leaves of the graph that are parameters of the model; of a function all that nobody handed in."""
    if isinstance(run.model, nn.Module):
        own = {id(parameter) for parameter in run.model.parameters()}
        return [leaf for leaf in found if id(leaf) in own]
    handed_in = {id(tensor) for tensor in leaves((run.args, run.kwargs), torch.Tensor)}
    return [leaf for leaf in found if id(leaf) not in handed_in]


def _accumulating(ends: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Every tensor in which autograd would accumulate a gradient."""
    found: list[torch.Tensor] = []
    stack = [end.grad_fn for end in ends]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node is None:
            continue
        if (leaf := leaf_of(node)) is not None:
            found.append(leaf)
        following = [after for after in dict.fromkeys(next_ for next_, _ in node.next_functions) if after not in seen]
        seen.update(following)
        stack.extend(following)
    return found


OWN_FUNCTION = "autograd."
"""What precedes the name of a gradient that the model's own code works out, among the ops that are missed."""

WITHOUT_GRADIENTS = Skip("", "work with gradients switched off")
"""Left out where the model's own code switches gradients off."""

RECOMPUTED = "forward work that checkpoints repeat"
"""What runs in the backward pass with gradients on is a forward pass again."""

ACROSS_GROUPS = "channel pairs across groups"
"""torch's formula for the weight gradient of a grouped convolution pairs every input with every output channel."""

CONVENTION = Convention(
    unit="counts a MAC as two flops",
    other={ACROSS_GROUPS: "channel pairs across groups in weight gradients", RECOMPUTED: RECOMPUTED},
    uncounted="{counter}: {work} has no formula",
)


def backward_macs(run: Run, *, of_inputs: bool = False) -> list[Count]:
    """What torch counts for every call of the trace in a backward pass from all outputs, calls below it excluded.

    Work that no call owns is the root's; where calls run beside the root's, in its output hooks, none of them then has
    a count. A call that cannot be told apart has a count of None, its work is that of the call around it.
    `of_inputs` wants the gradients of floating inputs too. Runs on the run's device; raises whatever the model raises.
    """
    model = as_module(run.model)
    owners = _Owners(model, run.trace)
    watch = _Watch(owners)
    with unfused():
        forward_and_backward(replace(run, model=model), forward=owners.attached(), backward=watch, of_inputs=of_inputs)
    return watch.counts(run.trace)


class _Owners(Rerun):
    """Knows for every node of autograd's graph which call of this run made it."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model, trace)
        self.running: int | None = None
        self.found: dict[int | None, dict[Skip, None]] = defaultdict(dict)
        self._nodes: set[Any] = set()

    def ended(self, call: Call, output: Any) -> None:
        """Note where the model switched gradients off; the nodes behind its output without an owner are the call's."""
        self._own(call.index, (unwrapped(tensor).grad_fn for tensor in leaves(output, torch.Tensor)))
        if not torch.is_grad_enabled():
            self.found[call.index][WITHOUT_GRADIENTS] = None

    def _own(self, position: int, nodes: Iterable[Any]) -> None:
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node is not None and node not in self._nodes:
                self._nodes.add(node)
                if is_own_gradient(node):
                    self.found[position][Skip(f"{OWN_FUNCTION}{type(node).__name__}")] = None
                node.register_prehook(lambda *_: self._runs(position))
                stack.extend(before for before, _ in node.next_functions)

    def _runs(self, position: int | None) -> None:
        self.running = position


class _Watch(OpWatch):
    """Asks the registry about every op that runs, on behalf of the call that owns it."""

    def __init__(self, owners: _Owners) -> None:
        super().__init__()
        self._owners = owners
        self._by_op: dict[int | None, Counter[str]] = defaultdict(Counter)
        self._missed: dict[int | None, dict[Skip, None]] = defaultdict(dict)

    def counts(self, trace: Trace) -> list[Count]:
        """One Count per call of the trace."""
        same = self._owners.same_calls()
        roots = [call.index for call in trace.roots]
        certain = {*roots[: len(roots) == 1], *(index for indices in same.values() for index in indices)}
        by_op: dict[int, Counter[str]] = defaultdict(Counter)
        missed: dict[int, dict[Skip, None]] = defaultdict(dict)
        for position in {*self._by_op, *self._missed, *self._owners.found}:
            index = self._owners.in_trace(position, same)
            owners = [index] if index is not None else [*certain.intersection(roots)]
            for owner in owners:
                missed[owner].update({**self._missed[position], **self._owners.found[position]})
            if len(owners) == 1:
                by_op[owners[0]].update(self._by_op[position])
            elif self._by_op[position]:
                certain -= {*roots}
        return [
            Count(sum(by_op[c.index].values()) if c.index in certain else None, tuple(missed[c.index]), by_op[c.index])
            for c in trace.calls
        ]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if runs_inside(types):
            return NotImplemented
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **(kwargs or {}))
        output = func(*args, **(kwargs or {}))
        packet, owner = packet_of(func), self._owners.running
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            self._missed[owner][Skip(packet)] = None
            return output
        by_op = self._by_op[owner]
        name = RECOMPUTED if torch.is_grad_enabled() else packet
        by_op[name] += macs_from_flops(formula(*args, **(kwargs or {}), out_val=output))
        if packet == "aten.convolution_backward":
            excess = _across_groups(formula, args, output)
            by_op[packet] -= excess
            by_op[ACROSS_GROUPS] += excess
        return output


def _across_groups(formula: Any, args: tuple[Any, ...], output: Any) -> int:
    """The part of a convolution's backward count that belongs to channel pairs of different groups."""
    *before, groups, (_, weight_too, _) = args
    if groups == 1 or not weight_too:
        return 0
    weight_only = macs_from_flops(formula(*before, groups, (False, True, False), out_val=output))
    return weight_only - weight_only // int(groups)
