"""torch's own FLOP counter, applied to the recorded ops.

FlopCounterMode looks each op up in `torch.utils.flop_counter.flop_registry` and sums what the entries say about the
argument shapes. The same entries are asked here about each recorded op, so that every count has a row; a test holds
the sum to FlopCounterMode's own total. Its unit is the FLOP, two for a multiply-accumulate.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import torch

from cnninspect.measure.base import Convention, Count, Run, Skip, counter
from cnninspect.report.quantities import flops_from_macs, macs_from_flops
from cnninspect.trace.private_torch import flop_registry
from cnninspect.trace.records import Op, TensorRef
from cnninspect.trace.trees import map_leaves

CONVENTION = Convention(
    unit="counts a MAC as two flops", own=flops_from_macs, uncounted="{counter}: {work} has no formula"
)


@counter("torch", convention=CONVENTION)
def torch_macs(run: Run) -> list[Count]:
    """MACs of each call's own ops, by torch's registry of FLOP formulas."""
    return [_count([run.trace.ops[index] for index in call.ops]) for call in run.trace.calls]


def _count(ops: list[Op]) -> Count:
    by_op: Counter[str] = Counter()
    missed = []
    for op in ops:
        formula = _formula(op.packet)
        if formula is None or any(ref.parts is not None for ref in op.inputs):
            missed.append(Skip(op.packet))
        else:
            outputs = tuple(_stand_in(ref) for ref in op.outputs)
            out = outputs[0] if len(outputs) == 1 else outputs
            flops = formula(*_stand_in(op.args), **_stand_in(dict(op.kwargs)), out_val=out)
            by_op[op.packet] += macs_from_flops(flops)
    return Count(sum(by_op.values()), tuple(dict.fromkeys(missed)), by_op)


@cache
def _formula(packet: str) -> Any:
    namespace, _, name = packet.partition(".")
    return flop_registry.get(getattr(getattr(torch.ops, namespace, None), name, None))


def _stand_in(tree: Any) -> Any:
    """A meta tensor for each TensorRef: the registry's formulas look only at shapes."""
    return map_leaves(tree, TensorRef, lambda _, ref: torch.empty(ref.shape, device="meta"))
