"""Rules of normalisation layers: what they compute statistics over belongs to the strict field only."""

from __future__ import annotations

from typing import Any

from cnninspect.receptive.reach import Reach, merged, nothing, statistics
from cnninspect.receptive.rules import Result, rule
from cnninspect.trace.records import Op


def _scaled(op: Op, x: Reach, parameters: tuple[Reach | None, ...], dim: int) -> Reach:
    """With a scale and shift that may have been computed from an input, along dimension `dim` and those after it."""
    computed = [part for part in parameters if part is not None and part.inputs]
    after = len(x.shape) - dim
    shaped = [part.reshaped((*part.shape, *(1,) * (after - len(part.shape)))) for part in computed]
    return merged((x, *shaped), x.shape, op.index) if shaped else x


def _batch_norm(op: Op, x: Reach, parameters: tuple[Reach | None, ...], training: bool) -> Result:
    """In training every element depends on its channel over batch and space."""
    shared = [dim for dim in range(len(x.shape)) if dim != 1]
    seen = _scaled(op, statistics(x, shared, op.index) if training else x, parameters, 1)
    channel = x.reduced(shared, op.index).without(shared) if training else nothing((x.shape[1],))
    return (seen, channel, channel)


@rule("aten.native_batch_norm", "aten._native_batch_norm_legit", "aten._native_batch_norm_legit_functional")
def batch_norm(op: Op, x: Reach, weight: Reach | None, bias: Reach | None, *rest: Any) -> Result:
    """Elementwise in eval mode; `training` stands before momentum and eps."""
    mean, var = (rest[0], rest[1]) if len(rest) == 5 else (None, None)
    training = bool(rest[-3])
    return _batch_norm(op, x, (weight, bias) if training else (weight, bias, mean, var), training)


@rule("aten._native_batch_norm_legit_no_training")
def batch_norm_eval(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, mean: Reach, var: Reach, *_: Any
) -> Result:
    """Elementwise."""
    return _batch_norm(op, x, (weight, bias, mean, var), False)


@rule("aten.native_group_norm")
def group_norm(
    op: Op, x: Reach, weight: Reach | None, bias: Reach | None, n: int, c: int, space: int, groups: int, eps: float
) -> Result:
    """Every element depends on its group of channels over space."""
    split = x.reshaped((n, groups, c // groups, *x.shape[2:]))
    shared = range(2, len(split.shape))
    seen = _scaled(op, statistics(split, tuple(shared), op.index).reshaped(x.shape), (weight, bias), 1)
    group = split.reduced(shared, op.index).without(shared)
    return (seen, group, group)


@rule("aten.native_layer_norm")
def layer_norm(op: Op, x: Reach, shape: list[int], weight: Reach | None, bias: Reach | None, eps: float) -> Result:
    """Every element depends on the last dimensions."""
    first = len(x.shape) - len(shape)
    shared = range(first, len(x.shape))
    seen = _scaled(op, statistics(x, tuple(shared), op.index), (weight, bias), first)
    mean = x.reduced(shared, op.index)
    return (seen, mean, mean)
