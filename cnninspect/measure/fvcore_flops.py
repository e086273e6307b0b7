"""fvcore's flop counter, which traces the model with torch.jit on real data.

Its unit is called flop and is one multiply-accumulate for convolutions and matrix products; it adds its own counts of
normalisation, interpolation and average pooling. Work that it has no formula for stands in `Count.missed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cnninspect.measure.base import Convention, Count, Inexact, Run, Skip, counter
from cnninspect.measure.fvcore_cases import EINSUM, NOTHING_CONTRACTED, SEVERAL, SUMMED_ALONE, VECTOR_WEIGHT
from cnninspect.measure.jit_scopes import JitScopes
from cnninspect.trace.dataflow import Dataflow
from cnninspect.trace.encode import live_tensors
from cnninspect.trace.follow import as_module
from cnninspect.trace.isolation import as_written, encoder_fast_path_off, restored
from cnninspect.trace.records import Trace

if TYPE_CHECKING:
    from cnninspect.measure.fvcore_nodes import Node

UNUSED = Skip("", "work whose result is not used")
"""The tracer drops what no output depends on."""

CONVENTION = Convention(
    unit="counts a MAC as one flop",
    other={
        "batch_norm": "normalisation",
        "group_norm": "normalisation",
        "layer_norm": "normalisation",
        "instance_norm": "normalisation",
        "upsample_nearest2d": "interpolation",
        "upsample_bilinear2d": "interpolation",
        "grid_sampler": "interpolation",
        "adaptive_avg_pool2d": "average pooling",
        NOTHING_CONTRACTED: NOTHING_CONTRACTED,
    },
    inexact={
        # numpy.einsum_path prints four digits.
        EINSUM: Inexact("fvcore rounds einsum to four digits", least=0.9995, greatest=1.0005),
        SUMMED_ALONE: Inexact("fvcore multiplies before it adds up in einsum", least=0.9995),
        SEVERAL: Inexact("fvcore takes the best order of contraction for einsum", least=0.0),
        VECTOR_WEIGHT: Inexact("fvcore takes a vector for a matrix in linear", least=1.0),
    },
)


@counter("fvcore", needs_kernels=True, package="fvcore", convention=CONVENTION)
def fvcore_macs(run: Run) -> list[Count]:
    """What FlopCountAnalysis counts in each call; None everywhere, with the reason in `missed`, if it fails."""
    from cnninspect.measure.fvcore_nodes import Analysis

    model = as_module(run.model)
    scopes = JitScopes(model, run.trace)
    try:
        with restored(model, run.trace.training), encoder_fast_path_off(), as_written():
            analysis = Analysis(_Bound(model, run), tuple(live_tensors((run.args, run.kwargs))))
            with scopes.attached():
                analysis.total()
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].rstrip(". ")
        return [Count(None, (Skip("", f"tracing failed: {reason}"),)) for _ in run.trace.calls]
    unused = _unused(run.trace)
    return [
        replace(count, missed=(*count.missed, UNUSED)) if call.index in unused else count
        for call, count in zip(run.trace.calls, _attribute(analysis.nodes, scopes, len(run.trace.calls)), strict=True)
    ]


def _unused(trace: Trace) -> set[int]:
    """The calls that no output depends on."""
    used = {trace.ops[index].call for index in Dataflow(trace).leading_to_outputs()}
    return {call.index for call in trace.calls if call.ops} - used


class _Bound(nn.Module):
    """The model with its other arguments bound, from tensors to tensors: all that torch.jit's tracer takes."""

    def __init__(self, model: nn.Module, run: Run):
        super().__init__()
        self.model = model
        self._arguments = (run.args, run.kwargs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        args, kwargs = _refilled(self._arguments, iter(tensors))
        return tuple(live_tensors(self.model(*args, **kwargs)))


def _refilled(tree: Any, tensors: Iterator[torch.Tensor]) -> Any:
    """The tree with its tensors replaced, in the order of `live_tensors`."""
    if isinstance(tree, torch.Tensor):
        return next(tensors)
    if isinstance(tree, Mapping):
        return {name: _refilled(item, tensors) for name, item in tree.items()}
    if isinstance(tree, (tuple, list)):
        items = [_refilled(item, tensors) for item in tree]
        return items if isinstance(tree, list) else tuple(items)
    return tree


def _attribute(nodes: list[Node], scopes: JitScopes, calls: int) -> list[Count]:
    """One Count per call. What belongs to no call for certain goes to the module around it, at last to the root."""
    same = scopes.same_calls()
    certain = {0, *(index for indices in same.values() for index in indices)}
    counted: dict[int, Counter[str]] = {index: Counter() for index in certain}
    missed: dict[int, dict[Skip, None]] = {index: {} for index in certain}
    for node in nodes:
        index = scopes.call_of(node.scope, same) or 0
        if isinstance(node.found, Skip):
            missed[index][node.found] = None
        else:
            counted[index].update(node.found)
    return [
        Count(sum(counted[index].values()), tuple(missed[index]), counted[index]) if index in certain else Count(None)
        for index in range(calls)
    ]
