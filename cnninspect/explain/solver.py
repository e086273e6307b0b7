"""Which settings of a layer take maps of one size to another: all of them, or the nearest sizes that can be reached.

Sizes come from the formulas in `ops/`. They grow or shrink steadily in each hyper-parameter, so that bisection finds
the values that hit a size, and no others need be tried. Along one axis: `k` kernel, `s` stride, `p` padding, `d`
dilation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache, partial
from itertools import islice, pairwise, product
from math import prod
from typing import NamedTuple

import numpy as np

from cnninspect.explain.expression import Expression, Symbol
from cnninspect.explain.recorded import Recorded, tree_of
from cnninspect.ops.convolution import CONVOLUTION, TRANSPOSED, conv_size, transposed_size
from cnninspect.ops.pooling import pool_size
from cnninspect.ops.registry import Use
from cnninspect.receptive import taps
from cnninspect.receptive.digits import MISSING

KERNELS = range(1, 12)
"""The kernels to try where none is given."""

MOST_COMBINATIONS = 10_000
"""Combinations of settings that differ between the axes which are listed at most."""


class Layer(str, Enum):
    """The layers whose settings can be solved for."""

    CONV = "conv"
    CONV_TRANSPOSE = "conv-transpose"
    POOL = "pool"


class Setting(NamedTuple):
    """The hyper-parameters of a layer along one axis."""

    kernel: int
    stride: int
    padding: int
    dilation: int = 1
    output_padding: int = 0


@dataclass(frozen=True)
class Allowed:
    """The values to try for each hyper-parameter, in ascending order; None where any will do."""

    kernel: Sequence[int] | None = None
    stride: Sequence[int] | None = None
    padding: Sequence[int] | None = None
    dilation: Sequence[int] | None = None
    output_padding: Sequence[int] | None = None


@dataclass(frozen=True)
class Bounds:
    """What a solution may cost and see: its own receptive field in input positions, and its parameters."""

    min_field: int | None = None
    max_field: int | None = None
    max_params: int | None = None


class Rank(str, Enum):
    """The orders of solutions."""

    KERNEL = "kernel"
    FIELD = "field"
    PARAMS = "params"


@dataclass(frozen=True)
class Question:
    """What is asked about one layer: `sizes` and `out` have one entry for each axis.

    `channels` are those that go in and come out; without them a solution has no params.
    """

    layer: Layer
    sizes: tuple[int, ...]
    out: tuple[int, ...]
    allowed: Allowed = field(default_factory=Allowed)
    ceil_mode: bool = False
    channels: tuple[int, int] | None = None
    bounds: Bounds = field(default_factory=Bounds)
    rank: Rank = Rank.KERNEL


@dataclass(frozen=True)
class Solution:
    """Settings that lead to `out`: one for all axes, or one for each.

    `receptive_field` is the layer's own, in positions of its input: (least, most) per entry of `settings`, which
    differ where outputs of a transposed convolution see unlike numbers of inputs.
    """

    settings: tuple[Setting, ...]
    out: tuple[int, ...]
    receptive_field: tuple[tuple[int, int], ...]
    params: int | None = None


@dataclass(frozen=True)
class AxisAnswer:
    """The settings that solve one axis on its own and, if there are none, those that lead to the nearest sizes."""

    size: int
    out: int
    solutions: tuple[Setting, ...]
    nearest: tuple[tuple[int, Setting], ...]


@dataclass(frozen=True)
class Answer:
    """All solutions of one question. Any choice of one setting from each of `axes` solves it too.

    `nearest` is empty where there are solutions. `left_out` counts combinations beyond those that are listed.
    """

    question: Question
    solutions: tuple[Solution, ...]
    axes: tuple[AxisAnswer, ...]
    nearest: tuple[Solution, ...] = ()
    left_out: int = 0

    @property
    def out_of_bounds(self) -> bool:
        """Whether settings reach the size, and none of them keeps the bounds on field and params."""
        return not self.solutions and all(axis.solutions for axis in self.axes)


def solve(question: Question) -> Answer:
    """All settings that torch accepts and that take `sizes` to `out`, or those that lead to the nearest sizes.

    A setting for all axes at once is preferred: where one exists, those that differ between axes are not listed.
    """
    axes = tuple(_along_axis(question, *pair) for pair in zip(question.sizes, question.out, strict=True))
    if not all(axis.solutions for axis in axes):
        return Answer(question, (), axes, tuple(_nearest(question, axes)))
    common = set(axes[0].solutions).intersection(*(axis.solutions for axis in axes[1:]))
    combined: Iterable[tuple[Setting, ...]] = ((setting,) for setting in common)
    total = len(common)
    if not common:
        total = prod(len(axis.solutions) for axis in axes)
        combined = islice(product(*(axis.solutions for axis in axes)), MOST_COMBINATIONS)
    found = (_described(question, settings, question.out) for settings in combined)
    kept = sorted((one for one in found if _within(one, question.bounds)), key=_order(question.rank))
    return Answer(question, tuple(kept), axes, left_out=max(0, total - MOST_COMBINATIONS) if not common else 0)


def steps_of(layer: Layer, chain: Sequence[int], base: Question) -> list[Question]:
    """A question for each step of a chain of sizes.

    A step that grows is a transposed convolution; one that shrinks is a convolution, or a pool if `layer` is one; one
    that keeps its size is `layer`.
    """
    return [_step(layer, size, out, base) for size, out in pairwise(chain)]


def _step(layer: Layer, size: int, out: int, base: Question) -> Question:
    if out > size:
        layer = Layer.CONV_TRANSPOSE
    elif out < size and layer is Layer.CONV_TRANSPOSE:
        layer = Layer.CONV
    return replace(base, layer=layer, sizes=(size,), out=(out,), ceil_mode=base.ceil_mode and layer is Layer.POOL)


# --- one axis -----------------------------------------------------------------------------------------------------

Size = Callable[[int, int, int], int]
"""The output size for a stride, a padding and an output padding, with kernel and dilation fixed."""


def size_of(layer: Layer, size: int, at: Setting, *, ceil_mode: bool = False) -> int:
    """Output positions along one axis, by the layer's own formula."""
    return _formula(layer, ceil_mode)(size, *at)


def _formula(layer: Layer, ceil_mode: bool) -> Callable[[int, int, int, int, int, int], int]:
    """The formula of the output size, for the input size and the entries of a Setting."""
    if layer is Layer.CONV:
        return lambda size, k, s, p, d, _: conv_size(size, k, s, p, d)
    if layer is Layer.POOL:
        return lambda size, k, s, p, d, _: pool_size(size, k, s, p, d, ceil_mode)
    return transposed_size


def _along_axis(question: Question, size: int, out: int) -> AxisAnswer:
    formula = _formula(question.layer, question.ceil_mode)
    tried = {at: formula(size, *at) for at in _candidates(question, size, out)}
    solutions = tuple(sorted(at for at, found in tried.items() if found == out))
    if solutions:
        return AxisAnswer(size, out, solutions, ())
    sizes = {found for found in tried.values() if found > 0}
    sides = [max((found for found in sizes if found < out), default=0), min(filter(out.__lt__, sizes), default=0)]
    near = ((side, at) for side in filter(None, sides) for at in set(_candidates(question, size, side)))
    return AxisAnswer(size, out, (), tuple(sorted((side, at) for side, at in near if formula(size, *at) == side)))


def _candidates(question: Question, size: int, out: int) -> Iterator[Setting]:
    """Every setting that leads to `out`, and those beside them which lead to sizes next to it."""
    allowed, formula = question.allowed, _formula(question.layer, question.ceil_mode)
    for k, d in product(allowed.kernel or KERNELS, allowed.dilation or (1,)):

        def after(s: int, p: int, extra: int, k: int = k, d: int = d) -> int:
            return formula(size, k, s, p, d, extra)

        for s in _strides(question, after, size, out, k, d):
            for p, extra in _rest(question, after, size, out, k, s, d):
                yield Setting(k, s, p, d, extra)


def _paddings(question: Question, k: int, d: int) -> Sequence[int]:
    """The paddings to try where any stride will do: those that leave no window in the padding alone.

    A pool takes at most half its kernel. Source: torch.nn.MaxPool2d, `padding`.
    """
    given = question.allowed.padding
    if question.layer is Layer.POOL:
        return range(k // 2 + 1) if given is None else [p for p in given if p <= k // 2]
    return range(d * (k - 1) + 1) if given is None else given


def _strides(question: Question, after: Size, size: int, out: int, k: int, d: int) -> Sequence[int]:
    """The strides given, or else those with which some padding leads to `out`, and one more at either end."""
    if question.allowed.stride is not None:
        return question.allowed.stride
    if question.layer is Layer.CONV_TRANSPOSE:
        # With a larger stride some outputs see no input at all.
        return range(1, d * (k - 1) + 2)
    paddings = _paddings(question, k, d)
    if not paddings:
        return ()
    strides = range(1, max(size + 2 * paddings[-1], d * (k - 1) + 1) + 1)
    if out == 1 or question.ceil_mode:
        # Every stride beyond the padded input leaves one window. A window that is larger than that is kept in ceil
        # mode only, and only by strides beyond some size.
        return strides
    first = bisect_left(strides, -out, key=lambda s: -after(s, paddings[0], 0))
    last = bisect_right(strides, -out, key=lambda s: -after(s, paddings[-1], 0))
    return strides[max(0, min(first, last) - 1) : max(first, last) + 1]


def _rest(question: Question, after: Size, size: int, out: int, k: int, s: int, d: int) -> Iterator[tuple[int, int]]:
    """(padding, output padding) for a given kernel, stride and dilation: all hits and their neighbours."""
    paddings = _paddings(question, k, d)
    if question.layer is not Layer.CONV_TRANSPOSE:
        if question.allowed.padding is None and question.allowed.stride is not None and question.layer is Layer.CONV:
            paddings = range(out * s + d * (k - 1) + 2)
        yield from ((p, 0) for p in _hits(paddings, out, lambda p: after(s, p, 0)))
        return
    if question.allowed.padding is None and question.allowed.stride is not None:
        paddings = range(size * s + d * k + 1)
    given = question.allowed.output_padding
    # Source: torch.nn.ConvTranspose2d refuses an output padding that is not smaller than stride or dilation.
    extras = range(max(s, d)) if given is None else [extra for extra in given if extra < max(s, d)]
    if len(extras) > 2:
        # A larger output padding takes at least as much padding: all hits lie between those of the first and the last.
        ends = (_hits(paddings, -out, _shrinking(after, s, extra)) for extra in (extras[0], extras[-1]))
        found = [p for hits in ends for p in (*hits[:1], *hits[-1:])]
        if found:
            paddings = paddings[bisect_left(paddings, min(found)) : bisect_right(paddings, max(found))]
    if len(extras) <= len(paddings):
        yield from ((p, extra) for extra in extras for p in _hits(paddings, -out, _shrinking(after, s, extra)))
    else:
        yield from ((p, extra) for p in paddings for extra in _hits(extras, out, partial(after, s, p)))


def _shrinking(after: Size, s: int, extra: int) -> Callable[[int], int]:
    """The size of a transposed convolution by its padding, negated: it never falls."""
    return lambda p: -after(s, p, extra)


def _hits(values: Sequence[int], goal: int, grows: Callable[[int], int]) -> Sequence[int]:
    """The part of `values` where a function that never falls has the value `goal`, and one more at either end."""
    first, last = (bisect(values, goal, key=grows) for bisect in (bisect_left, bisect_right))
    return values[max(0, first - 1) : last + 1]


# --- what a solution is -------------------------------------------------------------------------------------------


def _described(question: Question, settings: tuple[Setting, ...], out: tuple[int, ...]) -> Solution:
    windows = tuple(_field(question.layer, at.kernel, at.stride, at.dilation) for at in settings)
    return Solution(settings, out, windows, _params(question, settings))


@cache
def _field(layer: Layer, k: int, s: int, d: int) -> tuple[int, int]:
    """The fewest and the most input positions that an output spans, ends included, far from the border."""
    seen = taps.transposed(1, 1, k, s, 0, d) if layer is Layer.CONV_TRANSPOSE else taps.windows(1, 1, k, s, 0, d)
    assert seen.pattern is not None
    is_read = seen.pattern != MISSING
    first = np.where(is_read, seen.pattern, np.iinfo(np.int64).max).min(1)
    spans = np.where(is_read.any(1), np.where(is_read, seen.pattern, first[:, None]).max(1) - first + 1, 0)
    return int(spans.min()), int(spans.max())


def _params(question: Question, settings: tuple[Setting, ...]) -> int | None:
    """Weights and biases; None without channels. A single size is that of both axes of an image."""
    if question.channels is None or question.layer is Layer.POOL:
        return None
    formula = CONVOLUTION if question.layer is Layer.CONV else TRANSPOSED
    kernel = tuple(at.kernel for at in settings) * (len(question.sizes) if len(settings) == 1 else 1)
    kernel *= 2 if len(kernel) == 1 else 1
    into, out = question.channels
    hyper = {"in_channels": into, "out_channels": out, "groups": 1, "kernel_size": kernel}
    return sum(formula.params(Use((), hyper)).values())


def _within(solution: Solution, bounds: Bounds) -> bool:
    least = min(field for field, _ in solution.receptive_field)
    most = max(field for _, field in solution.receptive_field)
    return (
        (bounds.min_field is None or least >= bounds.min_field)
        and (bounds.max_field is None or most <= bounds.max_field)
        and (bounds.max_params is None or (solution.params or 0) <= bounds.max_params)
    )


def _order(rank: Rank) -> Callable[[Solution], tuple[object, ...]]:
    """Fewer differences between axes first; then by the rank, and among equals by the settings."""

    def key(one: Solution) -> tuple[object, ...]:
        unlike = sum(len(set(values)) > 1 for values in zip(*one.settings, strict=True)) if one.settings[1:] else 0
        leading = {Rank.FIELD: one.receptive_field, Rank.PARAMS: one.params or 0}.get(rank, 0)
        return unlike, leading, one.settings

    return key


def _nearest(question: Question, axes: Sequence[AxisAnswer]) -> Iterator[Solution]:
    """The nearest sizes of the axes that have no solution, each with its settings; the other axes stay as asked."""
    for axis, answer in enumerate(axes):
        for found, at in answer.nearest:
            out = (*question.out[:axis], found, *question.out[axis + 1 :])
            yield _described(question, (at,), out)
        if len(set(zip(question.sizes, question.out, strict=True))) == 1:
            return


def drops_window(question: Question, at: Setting, axis: int = 0) -> bool:
    """Whether ceil mode leaves out a last window along an axis: rounded up, as floor of s - 1 more, it would count."""
    size, k, s, p, d = question.sizes[axis], at.kernel, at.stride, at.padding, at.dilation
    return question.ceil_mode and conv_size(size + s - 1, k, s, p, d) != question.out[axis]


def size_derived(question: Question, at: Setting, axis: int = 0) -> Expression:
    """The output size along an axis as a derivation; `n` is the input size, `op` the output padding."""
    named = [("n", question.sizes[axis]), *zip(("k", "s", "p", "d", "op"), at, strict=True)]
    numbers = (Recorded(value, Symbol(name, value)) for name, value in named)
    return tree_of(_formula(question.layer, question.ceil_mode)(*numbers))
