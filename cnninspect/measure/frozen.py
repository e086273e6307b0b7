"""Gates and statistics that keep their clean values while NaN runs through a network: it reaches the local field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class Freeze:
    """What stays clean at one op: its tensor arguments at `gates`, or the statistics in its first result.

    Arguments are counted in order, those that are no tensors left out.
    """

    gates: tuple[int, ...] = ()
    statistics: bool = False


class Frozen:
    """Puts clean values in place at the ops of `plan`, by their index in the trace; `missed` are those not met.

    In a batch of `copies` the first is clean. With a single copy the first run is: its values serve the runs after it.
    """

    def __init__(self, trace: Trace, plan: Mapping[int, Freeze], copies: int):
        self.missed: set[int] = set(plan)
        self._trace, self._plan, self._copies = trace, plan, copies
        self._clean: dict[tuple[int, int], Tensor] = {}

    def arguments(self, index: int, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments of the op of this index, with the clean gates."""
        freeze = self._planned(index, name)
        if freeze is None or not freeze.gates:
            return args, kwargs
        shapes = [ref.shape for ref in self._trace.ops[index].inputs]
        position = -1

        def change(tensor: Tensor) -> Tensor:
            nonlocal position
            position += 1
            return self._kept(index, position, tensor, shapes[position]) if position in freeze.gates else tensor

        self.missed.discard(index)
        return _mapped(args, change), _mapped(kwargs, change)

    def result(self, index: int, name: str, args: Any, output: Any) -> Any:
        """The output of the op: its first result clean, but for NaN where the op's first argument holds it."""
        freeze = self._planned(index, name)
        if freeze is None or not freeze.statistics:
            return output
        first = output if isinstance(output, Tensor) else output[0]
        clean = self._kept(index, 0, first, self._trace.ops[index].outputs[0].shape)
        found = clean + torch.where(args[0].isnan(), torch.nan, 0.0).to(clean.dtype)
        self.missed.discard(index)
        return found if isinstance(output, Tensor) else (found, *output[1:])

    def _planned(self, index: int, name: str) -> Freeze | None:
        freeze = self._plan.get(index)
        return freeze if freeze is not None and self._trace.ops[index].name == name else None

    def _kept(self, index: int, position: int, tensor: Tensor, shape: Shape) -> Tensor:
        """The clean value of a tensor that has `shape` in a single copy, once for every copy."""
        if self._copies == 1:
            return self._clean.setdefault((index, position), tensor)
        grown = [dim for dim, (now, before) in enumerate(zip(tensor.shape, shape, strict=True)) if now != before]
        if not grown:
            return tensor
        times = [1] * tensor.dim()
        times[grown[0]] = self._copies
        return tensor.narrow(grown[0], 0, shape[grown[0]]).repeat(times)


def _mapped(tree: Any, change: Any) -> Any:
    """The tree with every tensor changed, in order."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        return type(tree)([_mapped(item, change) for item in tree])
    if isinstance(tree, Mapping):
        return {key: _mapped(item, change) for key, item in tree.items()}
    return tree
