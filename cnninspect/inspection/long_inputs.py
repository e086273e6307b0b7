"""Longer inputs, on which some positions are so far from the border that their whole fields lie inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product
from math import lcm, prod
from typing import Any

import torch
from torch import Tensor

from cnninspect.measure.base import Run
from cnninspect.measure.limits import Allowance, Limit, LimitReachedError
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Fields
from cnninspect.receptive.reach import Axis
from cnninspect.receptive.rows import row_fields
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.recorder import ForwardFailed, record
from cnninspect.trace.records import Trace
from cnninspect.trace.trees import map_arguments

_WIDTHS = (32, 96)
"""Pixels along the other axes, tried in this order: few, so that a long input costs little."""

_ROUNDS = (3, 6)
"""Steps by which a long input is longer than the largest field, tried in this order."""

_WITHOUT_RULE = 16
"""Least step where a row prints no jump: enough positions to see whether they advance by a rule after all."""

_LONGEST = 4096

Sizes = Mapping[str, tuple[int, ...]]
"""The shape of each input, by its name."""


@dataclass(frozen=True)
class LongInput:
    """The network on inputs of other sizes: its trace (up to where it fails, if it does), fields and rows."""

    sizes: Sizes
    trace: Trace
    fields: Fields
    rows: Sequence[ReceptiveField | None]

    def arguments(self, run: Run) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a run, repeated or cut to these sizes."""
        return map_arguments(run.args, run.kwargs, Tensor, lambda name, x: _resized(x, self.sizes[name]))

    @property
    def pixels(self) -> int:
        """Elements of all inputs."""
        return sum(map(prod, self.sizes.values()))


def long_inputs(run: Run, fields: Fields, axis: Axis, rows: Sequence[ReceptiveField | None]) -> Iterator[LongInput]:
    """Inputs on which the fields of `rows` along `axis` lie inside the image: a cheap one first.

    The second is the network's own input, the only one for a network that takes no other size.
    """
    traced = (found for sizes in _sizes(fields, axis, rows) if (found := _traced(run, sizes, fields)) is not None)
    yield from islice(traced, 1)
    own = {name: ref.shape for name, ref in run.trace.inputs.items()}
    yield LongInput(own, run.trace, fields, rows)
    yield from traced


def _sizes(fields: Fields, axis: Axis, rows: Sequence[ReceptiveField | None]) -> Iterator[Sizes]:
    jumps, largest = [1], 1
    for row in rows:
        if row is not None and row.size is not None and row.jump is not None and axis.index < len(row.size):
            size, jump = row.size[axis.index], row.jump[axis.index]
            largest = max(largest, max(size) if isinstance(size, (tuple, list)) else size)
            jumps.append(jump if isinstance(jump, int) and jump else 1)
    step = lcm(*jumps)
    step = step if step <= _LONGEST // 8 else max(jumps)
    if any(row is not None and row.size is not None and row.jump is None for row in rows):
        step *= -(-_WITHOUT_RULE // step)
    tried = []
    for rounds in _ROUNDS:
        length = _at_least(largest + rounds * step, axis.size, step)
        # Layers pad to odd windows by themselves; halving a map they do not.
        for width, remainder in product((*_WIDTHS, None), (step & -step, step)):
            sizes = _resize(fields, axis, length, width, remainder)
            if length <= _LONGEST and sizes not in tried:
                tried.append(sizes)
                yield sizes


def _resize(fields: Fields, axis: Axis, length: int, width: int | None, remainder: int) -> Sizes:
    """The inputs with `length` pixels along one axis, and about `width` along the others; None keeps those."""
    new = {}
    alike = [own for own in fields.axes.values() if [a.size for a in own] == [a.size for a in fields.axes[axis.input]]]
    for name, ref in fields.trace.inputs.items():
        shape = list(ref.shape)
        for other in fields.axes[name] if fields.axes[name] in alike else ():
            if other.index == axis.index:
                shape[other.dim] = max(length, other.size) if width is None else length
            elif width is not None:
                shape[other.dim] = min(other.size, width + (other.size - width) % remainder)
        new[name] = tuple(shape)
    return new


def _at_least(pixels: int, size: int, step: int) -> int:
    """The smallest size of at least `pixels` with the same remainder as `size` modulo `step`."""
    return pixels + (size - pixels) % step


def _traced(run: Run, sizes: Sizes, like: Fields) -> LongInput | None:
    """The network on inputs of these sizes; None if no call of it is the same."""
    args, kwargs = map_arguments(run.args, run.kwargs, Tensor, lambda name, x: _resized(x, sizes[name]))
    with suppress(ForwardFailed, LimitReachedError), Limit(Allowance.for_another(run.trace)):
        trace = record(run.model, args, kwargs, layer_of, device=run.device, training=run.trace.training, partial=True)
        if any(call.outputs for call in trace.calls):
            fields = Fields(trace, KNOWLEDGE, sized(like.axes, sizes))
            return LongInput(sizes, trace, fields, row_fields(fields))
    return None


def sized(axes: Mapping[str, Sequence[Axis]], sizes: Sizes) -> dict[str, tuple[Axis, ...]]:
    """The same axes of inputs of other sizes."""
    return {
        name: tuple(Axis(name, axis.index, axis.dim, sizes[name][axis.dim]) for axis in own)
        for name, own in axes.items()
    }


def _resized(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor repeated or cut along each dimension."""
    for dim, size in enumerate(shape):
        if size != x.shape[dim]:
            x = x.index_select(dim, torch.arange(size, device=x.device) % x.shape[dim])
    return x
