"""The NaN probe: which outputs of every layer really depend on a region of the input.

NaN survives every sum and product, also a product with 0, so the outputs that turn NaN when a region is NaN are those
that depend on some of it, whatever the weights. The untouched model runs on batches of copies of its input: a clean
one first, then one for each region. A model that takes no batch, or mixes its samples, runs once per copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnninspect.measure.limits import Allowance, Limit, LimitReachedError
from cnninspect.measure.masks import Mask, Masks, compressed, joined, nan_of, reactions, together
from cnninspect.report.quantities import Shape
from cnninspect.trace.private_torch import unwrapped
from cnninspect.trace.recorder import LayerOf
from cnninspect.trace.records import Call, Dataflow, TensorRef, Trace
from cnninspect.trace.rerun import OpPlace, watch
from cnninspect.trace.trees import leaves, map_arguments

Split = Callable[[Tensor, TensorRef], Mask | None]

AT_ONCE = 12
"""Regions that share a batch: more would fill the memory."""


Corners = tuple[tuple[int, ...], tuple[int, ...]]
"""A box: its first and its last index of each dimension."""


@dataclass(frozen=True)
class Region:
    """A box in one input, by first and last index of each dimension; with `outside` all of the input but the box.

    With `others` it is all of the input but several boxes, which differ along one dimension and do not touch.
    """

    input: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    outside: bool = False
    others: tuple[Corners, ...] = ()

    @property
    def boxes(self) -> tuple[Corners, ...]:
        """All boxes."""
        return ((self.first, self.last), *self.others)

    @property
    def windows(self) -> list[tuple[slice, ...]]:
        """The slices of each box."""
        return [tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True)) for first, last in self.boxes]


@dataclass(frozen=True)
class Freeze:
    """The values that stay clean at one op: its tensor arguments at `gates`, or the statistics in its first result.

    `gates` are places among the tensor arguments, in order.
    """

    gates: tuple[int, ...] = ()
    statistics: bool = False


@dataclass(frozen=True)
class Probe:
    """What the probe saw.

    `masks` holds, by the index of the call in the trace, for each tensor that the call returned, which of its
    elements reacted to each region: [regions, *shape], with size 1 along dimensions where nothing changes. To react
    is to turn NaN, or to change where the dtype has no NaN. None stands for a tensor without an answer, for instance
    one that holds NaN in a clean run too. A call that did not happen again is absent. `ended` says why a run was
    ended early; the masks up to then count. `missed` are the ops, by index, at which nothing could be frozen.
    `infinite` holds, by call, which elements of its tensors were infinite in the clean run of a change probe.
    """

    regions: tuple[Region, ...]
    masks: Masks
    ended: str | None = None
    missed: frozenset[int] = frozenset()
    infinite: Masks = field(default_factory=dict)


def probe_nan(
    trace: Trace,
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    layer_of: LayerOf,
    regions: Sequence[Region],
    *,
    onednn: bool = False,
    batched: bool = True,
    allowed: Allowance | None = None,
    freeze: Mapping[int, Freeze] | None = None,
    partial: bool = False,
) -> Probe:
    """What reacts in each call of `trace` when `model(*args, **kwargs)` has NaN in one of `regions` at a time.

    The model and its inputs must be on the CPU: convolutions of other backends may spread NaN further than they reach.
    `onednn` makes convolutions up to ten times as fast; its recurrent layers may swallow NaN. Without `batched` there
    is a run for each copy: a forward that takes the first sample of its batch, `x[0]`, sees a clean one in any batch.
    `allowed` is the limit of each run. `freeze` names the ops, by index, at which gates and statistics keep their
    clean values. Raises what the model's forward raises, unless `partial`: then what ran before counts.
    """
    allowed = allowed or Allowance.for_another(trace)
    runs = _Runs(trace, model, args, kwargs, layer_of, onednn, batched, allowed, freeze or {}, partial)
    chunks = [regions[start : start + AT_ONCE] for start in range(0, len(regions), AT_ONCE)]
    probes = list(runs.until_one_ends(chunks))
    done = tuple(region for probe in probes for region in probe.regions)
    missed = frozenset[int]().union(*(probe.missed for probe in probes))
    masks = joined([probe.masks for probe in probes], [len(probe.regions) for probe in probes])
    return Probe(done, masks, next((probe.ended for probe in probes if probe.ended), None), missed)


@dataclass
class _Runs:
    """Runs of one network with NaN in its inputs; `failed` says that the last one ended with an error."""

    trace: Trace
    model: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    layer_of: LayerOf
    onednn: bool
    batched: bool
    allowed: Allowance
    freeze: Mapping[int, Freeze]
    partial: bool
    failed: bool = False

    def until_one_ends(self, chunks: Sequence[Sequence[Region]]) -> Iterator[Probe]:
        """A probe of each chunk of regions, up to the first that is ended before the network is through."""
        for chunk in chunks:
            probe = self.probe(chunk)
            yield probe
            if probe.ended:
                return

    def probe(self, regions: Sequence[Region]) -> Probe:
        """All regions in one batch where the network takes it, else one after the other."""
        copies = (None, *regions)
        if self.batched and all(len(ref.shape) > 1 and ref.shape[0] == 1 for ref in self.trace.inputs.values()):
            # What a batch breaks is not the model's fault; a failure of its own comes again below.
            with suppress(Exception):
                frozen = Frozen(self.trace, self.freeze, len(copies))
                masks, ended = self._run(copies, self._split(len(copies)), frozen)
                if not self.failed or set(masks) >= set(self._alone(None, Frozen(self.trace, self.freeze, 1))[0]):
                    return Probe(tuple(regions), masks, ended, frozenset(frozen.missed))
        frozen = Frozen(self.trace, self.freeze, 1)
        found, ended = [], None
        for copy in copies:
            masks, ended = self._alone(copy, frozen)
            found.append(masks)
            if ended:
                break
        if len(found) == 1:
            return Probe((), {}, ended)
        return Probe(tuple(regions[: len(found) - 1]), together(found), ended, frozenset(frozen.missed))

    def _alone(self, copy: Region | None, frozen: Frozen) -> tuple[Masks, str | None]:
        """The masks of a run of a single copy."""
        flow = Dataflow(self.trace)
        following = flow.following_inputs()

        def split(tensor: Tensor, ref: TensorRef) -> Mask | None:
            found = nan_of(tensor) if tensor.shape == ref.shape else None
            constant = found is None and flow.key(ref) not in following
            return np.zeros((1,) * len(ref.shape), dtype=bool) if constant else found

        return self._run([copy], split, frozen)

    def _split(self, copies: int) -> Split:
        """Takes the tensor of a batched run apart."""
        flow = Dataflow(self.trace)
        following = flow.following_inputs()

        def split(tensor: Tensor, ref: TensorRef) -> Mask:
            return reactions(tensor, ref.shape, copies, of_inputs=flow.key(ref) in following)

        return split

    def _run(self, copies: Sequence[Region | None], split: Split, frozen: Frozen) -> tuple[Masks, str | None]:
        """The masks of one run, and in words why it was ended if it was."""
        args, kwargs = map_arguments(self.args, self.kwargs, Tensor, lambda name, x: _spoiled(name, x, copies))
        collect = Collector(self.trace, split)
        ended, self.failed = None, False
        try:
            # NNPACK's Winograd convolutions, used from batch 16 on, spread NaN over whole tiles; oneDNN's do not.
            with torch.backends.nnpack.flags(False), Limit(self.allowed):
                watch(
                    self.model, args, kwargs, self.layer_of, collect,
                    training=self.trace.training, gradients=self.trace.gradients, onednn=self.onednn,
                    change=frozen if self.freeze else None,
                )  # fmt: skip
        except LimitReachedError as limit:
            ended = str(limit)
        except Exception:
            if not self.partial or collect.broken:
                raise
            self.failed = True
        return collect.of_same(), ended


class Collector:
    """Reduces what each call returns to masks at once, so that no activation outlives its call.

    `broken` says that this has failed, and not the network.
    """

    def __init__(self, trace: Trace, split: Split):
        self.masks: Masks = {}
        self._split = split
        self._known = {_key(call): call for call in trace.calls}
        self._order = [_key(call) for call in _as_they_end(trace) if call.outputs or call.ops]
        self._ended: list[_Key] = []
        self._as_traced = True
        self._certain: set[int] = set()
        self.broken = False

    def __call__(self, call: Call, output: Any) -> None:
        """Reduces what a call returns."""
        if call.outputs or call.ops:
            place = len(self._ended)
            self._as_traced &= place < len(self._order) and self._order[place] == _key(call)
            self._ended.append(_key(call))
        known = self._known.get(_key(call))
        tensors = [unwrapped(tensor) for tensor in leaves(output, Tensor)]
        if known is not None and len(tensors) == len(known.outputs):
            self.broken = True
            masks = [self._split(tensor, ref) for tensor, ref in zip(tensors, known.outputs, strict=True)]
            self.broken = False
            self.masks[known.index] = tuple(None if mask is None else compressed(mask) for mask in masks)
            if self._as_traced:
                self._certain.add(known.index)

    def of_same(self) -> Masks:
        """The masks of what ran as in the trace: all if the calls are the same, or those up to the first other call.

        With NaN in its input a network may take another branch: what ends later is made in another way.
        """
        if Counter(self._ended) == Counter(self._order):
            return self.masks
        return {index: masks for index, masks in self.masks.items() if index in self._certain}


_Key = tuple[str, int, str]


def _as_they_end(trace: Trace, parent: int | None = None) -> Iterator[Call]:
    """The calls in the order in which they end: what a call makes before itself."""
    below = trace.children.get(parent, []) if parent is not None else [c.index for c in trace.calls if c.parent is None]
    for index in below:
        yield from _as_they_end(trace, index)
        yield trace.calls[index]


def _key(call: Call) -> _Key:
    return call.path, call.number, call.kind if call.functional else ""


def _spoiled(name: str, x: Tensor, copies: Sequence[Region | None]) -> Tensor:
    """One copy of the input after the other along the first dimension, each with NaN in its own region."""
    batch = x.repeat(len(copies), *[1] * (x.dim() - 1)) if x.dim() else x.clone()
    length = x.shape[0] if x.dim() else 0
    for position, region in enumerate(copies):
        if region is not None and region.input == name:
            copy = batch[position * length : (position + 1) * length] if x.dim() else batch
            kept = [copy[window].clone() for window in region.windows] if region.outside else []
            copy[... if region.outside else region.windows[0]] = torch.nan
            for window, clean in zip(region.windows, kept, strict=False):
                copy[window] = clean
    return batch


class Frozen:
    """Replaces gates and statistics by clean values at the ops of `plan`, by index; `missed` are ops that did not run.

    An op of a rerun is found by its place: other kernels, or a batch, may run more ops before it. In a batch of
    `copies` the clean values are those of the first copy, with single copies those of the first run.
    """

    def __init__(self, trace: Trace, plan: Mapping[int, Freeze], copies: int):
        self.missed: set[int] = set(plan)
        self._trace, self._plan, self._copies = trace, plan, copies
        self._planned = _by_place(trace, plan)
        self._clean: dict[tuple[int, int], Tensor] = {}

    def arguments(self, place: OpPlace, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments of the op at this place, with the clean gates."""
        index = self._planned.get(place)
        if index is None or not self._plan[index].gates:
            return args, kwargs
        shapes = [ref.shape for ref in self._trace.ops[index].inputs]
        position, gates = -1, self._plan[index].gates

        def change(tensor: Tensor) -> Tensor:
            nonlocal position
            position += 1
            return self._kept(index, position, tensor, shapes[position]) if position in gates else tensor

        self.missed.discard(index)
        return _mapped(args, change), _mapped(kwargs, change)

    def result(self, place: OpPlace, args: Any, output: Any) -> Any:
        """The output of the op: its first result clean, but for NaN where the op's first argument holds it."""
        index = self._planned.get(place)
        if index is None or not self._plan[index].statistics:
            return output
        first = output if isinstance(output, Tensor) else output[0]
        clean = self._kept(index, 0, first, self._trace.ops[index].outputs[0].shape)
        found = clean + torch.where(args[0].isnan(), torch.nan, 0.0).to(clean.dtype)
        self.missed.discard(index)
        return found if isinstance(output, Tensor) else (found, *output[1:])

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


def _by_place(trace: Trace, plan: Mapping[int, Freeze]) -> dict[OpPlace, int]:
    """The place of each op of a plan -> its index."""
    uses: Counter[tuple[str, str]] = Counter()
    found = {}
    for op in trace.ops:
        key = trace.calls[op.call].path, op.name
        if op.index in plan:
            place = (*key, uses[key])
            found[place] = op.index
        uses[key] += 1
    return found


def _mapped(tree: Any, change: Any) -> Any:
    """The tree with every tensor changed, in order."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        return type(tree)([_mapped(item, change) for item in tree])
    if isinstance(tree, Mapping):
        return {key: _mapped(item, change) for key, item in tree.items()}
    return tree
