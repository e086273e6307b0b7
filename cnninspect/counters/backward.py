"""Multiply-accumulates of a real backward pass, by torch's registry of FLOP formulas."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from cnninspect.counters.base import Convention, Count, Run
from cnninspect.counters.gradients import forward_and_backward
from cnninspect.quantities import macs_from_flops
from cnninspect.trace.isolation import unfused

ACROSS_GROUPS = "channel pairs across groups"
"""torch's formula for the weight gradient of a grouped convolution pairs every input with every output channel."""

CONVENTION = Convention(
    unit="counts a MAC as two flops",
    other={ACROSS_GROUPS: "channel pairs across groups in weight gradients"},
    uncounted="{counter}: {work} has no formula",
)


def backward_macs(run: Run) -> Count:
    """What torch counts in a backward pass from all outputs of the run's model, on the run's device."""
    watch = _Watch()
    with unfused():
        forward_and_backward(run, backward=watch)
    return Count(sum(watch.by_op.values()), tuple(watch.missed), watch.by_op)


class _Watch(TorchDispatchMode):
    """Asks the registry about every op that runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.by_op: Counter[str] = Counter()
        self.missed: dict[str, None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        packet = f"{func.namespace}.{func._opname}"
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            self.missed[packet] = None
            return output
        self.by_op[packet] += macs_from_flops(formula(*args, **(kwargs or {}), out_val=output))
        if packet == "aten.convolution_backward":
            excess = _across_groups(formula, args, output)
            self.by_op[packet] -= excess
            self.by_op[ACROSS_GROUPS] += excess
        return output


def _across_groups(formula: Any, args: tuple[Any, ...], output: Any) -> int:
    """The part of a convolution's backward count that belongs to channel pairs of different groups."""
    *before, groups, (_, weight_too, _) = args
    if groups == 1 or not weight_too:
        return 0
    weight_only = macs_from_flops(formula(*before, groups, (False, True, False), out_val=output))
    return weight_only - weight_only // int(groups)
