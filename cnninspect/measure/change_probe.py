"""The change probe: which outputs of every layer change when a region of the input holds other numbers.

NaN also reaches what a mask multiplies by 0, and tokens hold none. A change does not pass a product with 0; it may get
lost in rounding or in a unit that is 0 before and after, so an element that does not change shows less than one that
does. The model runs once clean and once for each region, alone each time: in a batch a sum may round differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnninspect.measure.limits import Allowance, Limit, LimitReachedError
from cnninspect.measure.masks import Mask, Masks, infinite_of, numbers_of, together
from cnninspect.measure.nan_probe import Collector, Probe, Region
from cnninspect.trace.recorder import LayerOf
from cnninspect.trace.records import Dataflow, TensorRef, Trace
from cnninspect.trace.rerun import watch
from cnninspect.trace.trees import map_arguments

MOST_KEPT = 2 * 2**30
"""Most bytes of the clean run that are kept to compare with."""


def probe_changes(
    trace: Trace,
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    layer_of: LayerOf,
    regions: Sequence[Region],
    *,
    partial: bool = False,
    draw: int = 0,
) -> Probe:
    """What changes in each call of `trace` when `model(*args, **kwargs)` has other numbers in one of `regions`.

    `draw` says which numbers. The model and its inputs must be on the CPU. Raises what the model's forward raises,
    unless `partial`: then what ran before counts.
    """
    clean, probed = _Clean(), frozenset(region.input for region in regions)
    runs: list[Masks] = []
    for region in (None, *regions):
        changed = map_arguments(args, kwargs, Tensor, _Changed(trace, region, probed, draw))
        collect = Collector(trace, clean.keep if region is None else clean.compare)
        try:
            with Limit(Allowance.for_another(trace)):
                watch(model, *changed, layer_of, collect, training=trace.training, gradients=trace.gradients)
        except LimitReachedError as limit:
            return Probe(
                tuple(regions[: len(runs) - 1 if runs else 0]), _since(runs), str(limit), infinite=dict(*runs[:1])
            )
        except Exception:
            if not partial or collect.broken:
                raise
        runs.append(collect.of_same())
    return Probe(tuple(regions), _since(runs), infinite=runs[0])


def _since(runs: Sequence[Masks]) -> Masks:
    """The masks of the runs after the first, in which nothing has changed."""
    if len(runs) < 2:
        return {}
    first = runs[0].items()
    clean = {index: tuple(mask if mask is None else np.zeros_like(mask) for mask in masks) for index, masks in first}
    return together([clean, *runs[1:]])


class _Clean:
    """The values of the clean run."""

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}
        self._bytes = 0

    def keep(self, tensor: Tensor, ref: TensorRef) -> Mask | None:
        """Keeps a tensor, if there is room; says where it is infinite."""
        if ref.value not in self._kept:
            self._bytes += tensor.nbytes
            if self._bytes <= MOST_KEPT:
                self._kept[ref.value] = numbers_of(tensor).copy()
        return infinite_of(tensor) if ref.value in self._kept else None

    def compare(self, tensor: Tensor, ref: TensorRef) -> Mask | None:
        """Where a tensor differs from that of the clean run; None if that was not kept, or has another shape."""
        before, now = self._kept.get(ref.value), numbers_of(tensor)
        if before is None or before.shape != now.shape:
            return None
        found: Mask = (now != before) & ~((now != now) & (before != before))
        return found


@dataclass(frozen=True)
class _Changed:
    """Copies of the inputs of a run, with other numbers in the region: random ones, or other tokens of a vocabulary.

    Tokens of `probed` inputs that are all equal, as inferred ones are, are drawn first: the values of equal tokens stay
    the same whatever their weights are.
    """

    trace: Trace
    region: Region | None
    probed: frozenset[str]
    draw: int

    def __call__(self, name: str, x: Tensor) -> Tensor:
        region, drawn = self.region, torch.Generator().manual_seed(self.draw)
        holds_tokens = name in self.probed and not (x.is_floating_point() or x.is_complex())
        if holds_tokens and bool((x == x.flatten()[0]).all()):
            x = self._other(x, drawn)
        if region is None or region.input != name:
            return x.clone()
        new = self._other(x, drawn)
        whole, part = (new, x) if region.outside else (x, new)
        copy = whole.to(x.dtype, copy=True)
        for window in region.windows:
            copy[window] = part[window].to(x.dtype)
        return copy

    def _other(self, x: Tensor, drawn: torch.Generator) -> Tensor:
        """Other numbers in every element."""
        if not (x.is_floating_point() or x.is_complex()):
            most = _vocabulary(self.trace)
            return (x + torch.randint(1, max(most, 2), x.shape, generator=drawn)) % most
        steps = torch.randn(x.shape, generator=drawn, dtype=torch.float32).to(x.dtype)
        return x + torch.where(steps == 0, 1, steps) * (1 + x.abs())


def _vocabulary(trace: Trace) -> int:
    """The number of rows of the smallest table in which numbers of an input are looked up."""
    flow = Dataflow(trace)
    following = flow.following_inputs()
    tables = [op.args for op in trace.ops if op.packet == "aten.embedding"]
    return min((table.shape[0] for table, index, *_ in tables if flow.key(index) in following), default=1)
