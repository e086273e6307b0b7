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
from functools import cache
from itertools import islice, pairwise, product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from cnninspect.errors import UsageError
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


MOST_SOLUTIONS = 500_000
"""Solutions along one axis beyond which the question is refused: nobody reads so many."""

_MOST_CHOICES = 100_000
"""Kernels times strides times dilations that may be given."""


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


class Solution(NamedTuple):
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
    UsageError where more is asked for than can be tried or listed.
    """
    allowed = question.allowed
    choices = [len(each) for each in (allowed.kernel or KERNELS, allowed.stride or (1,), allowed.dilation or (1,))]
    if prod(choices) > _MOST_CHOICES:
        raise UsageError(
            f"{' x '.join(f'{n:,}' for n in choices)} kernels, strides and dilations are too many choices to try. "
            f"Give at most {_MOST_CHOICES:,}."
        )
    axes = tuple(_along_axis(question, *pair) for pair in zip(question.sizes, question.out, strict=True))
    if not all(axis.solutions for axis in axes):
        return Answer(question, (), axes, tuple(_nearest(question, axes)))
    others = [set(axis.solutions) for axis in axes[1:]]
    # Their order, which is ascending, is that of Rank.KERNEL.
    common = [at for at in axes[0].solutions if all(at in solutions for solutions in others)]
    combined: Iterable[tuple[Setting, ...]] = ((setting,) for setting in common)
    total = len(common)
    if not common:
        total = prod(len(axis.solutions) for axis in axes)
        combined = islice(product(*(axis.solutions for axis in axes)), MOST_COMBINATIONS)
    found: Iterable[Solution] = (_described(question, settings, question.out) for settings in combined)
    if question.bounds != Bounds():
        found = (one for one in found if _within(one, question.bounds))
    kept = list(found) if common and question.rank is Rank.KERNEL else sorted(found, key=_order(question.rank))
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

Size = Callable[[Any, Any, int], Any]
"""The output size for a stride, a padding and an output padding, with kernel and dilation fixed; arrays broadcast."""

_MOST_AT_ONCE = 1_000_000
"""Sizes that are worked out together."""

_NEVER = np.iinfo(np.int64).max


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
    solutions = _leading_to(question, size, out)
    if solutions:
        return AxisAnswer(size, out, tuple(solutions), ())
    formula = _formula(question.layer, question.ceil_mode)
    sizes = {found for at in _candidates(question, size, out, beside=1) if (found := formula(size, *at)) > 0}
    sides = [max((found for found in sizes if found < out), default=0), min(filter(out.__lt__, sizes), default=0)]
    near = ((side, at) for side in filter(None, sides) for at in _leading_to(question, size, side))
    return AxisAnswer(size, out, (), tuple(near))


def _leading_to(question: Question, size: int, out: int) -> list[Setting]:
    """Every setting that leads to `out`, in ascending order."""
    formula = _formula(question.layer, question.ceil_mode)
    found = (at for at in _candidates(question, size, out, beside=0) if formula(size, *at) == out)
    solutions = sorted(islice(found, MOST_SOLUTIONS + 1))
    if len(solutions) > MOST_SOLUTIONS:
        raise UsageError(
            f"more than {MOST_SOLUTIONS:,} settings take {size} to {out}. Give fewer kernels, strides, or dilations."
        )
    return solutions


def _candidates(question: Question, size: int, out: int, beside: int) -> Iterator[Setting]:
    """Every setting that leads to `out`; with `beside` 1, also those that lead to sizes next to it."""
    allowed, formula = question.allowed, _formula(question.layer, question.ceil_mode)
    any_padding = allowed.padding is None and allowed.stride is not None and question.layer is not Layer.POOL
    for k, d in product(allowed.kernel or KERNELS, allowed.dilation or (1,)):

        def after(s: Any, p: Any, extra: int, k: int = k, d: int = d) -> Any:
            return formula(size, k, s, p, d, extra)

        strides, paddings = _strides(question, after, size, out, k, d), _paddings(question, k, d)
        if question.layer is not Layer.CONV_TRANSPOSE and not any_padding:
            # In ceil mode the formula decides between two sizes: one at a time.
            sized = np.vectorize(after, otypes=[np.int64]) if question.ceil_mode else after
            yield from (Setting(k, s, p, d) for s, p in _on_grid(strides, paddings, sized, out, beside))
            continue
        for s in strides:
            if question.layer is Layer.CONV_TRANSPOSE:
                free = range(size * s + d * k + 1) if any_padding else paddings
                found = _transposed_rest(question, after, out, s, d, free, beside)
            else:
                found = _hits(range(out * s + d * (k - 1) + 2), out, after, s, beside)
            yield from (Setting(k, s, p, d, extra) for p, extra in found)


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


def _on_grid(
    strides: Sequence[int], paddings: Sequence[int], after: Size, out: int, beside: int
) -> Iterator[tuple[int, int]]:
    """(stride, padding) with which a map has `out` positions; with `beside`, also the next sizes below and above."""
    for start in range(0, len(strides) if paddings else 0, most := max(1, _MOST_AT_ONCE // len(paddings or "-"))):
        s, p = np.array(strides[start : start + most])[:, None], np.array(paddings)[None, :]
        sizes = after(s, p, 0)
        goals = [out, sizes[sizes < out].max(initial=0), sizes[sizes > out].min(initial=_NEVER)]
        rows, columns = np.isin(sizes, goals[: 1 + 2 * beside]).nonzero()
        yield from zip(s[rows, 0].tolist(), p[0, columns].tolist(), strict=True)


def _transposed_rest(
    question: Question, after: Size, out: int, s: int, d: int, paddings: Sequence[int], beside: int
) -> Iterator[tuple[int, int]]:
    """(padding, output padding) of a transposed convolution: a padding takes two positions off, the other adds one."""
    given = question.allowed.output_padding
    # Source: torch.nn.ConvTranspose2d refuses an output padding that is not smaller than stride or dilation.
    extras = range(max(s, d)) if given is None else [extra for extra in given if extra < max(s, d)]
    if not extras:
        return
    twice = after(s, 0, 0) - out
    first, last = bisect_left(paddings, -(-(twice + extras[0]) // 2)), bisect_right(paddings, (twice + extras[-1]) // 2)
    paddings = paddings[max(0, first - beside) : last + beside]
    if len(extras) <= len(paddings):
        for extra in extras:
            yield from ((p, extra) for p in _around(paddings, twice + extra, 2, beside))
    else:
        for p in paddings:
            yield from ((p, extra) for extra in _around(extras, 2 * p - twice, 1, beside))


def _around(values: Sequence[int], goal: int, each: int, beside: int) -> Sequence[int]:
    """The value that gives `goal` at `each` per unit, if there is one, and `beside` more on either side."""
    at = bisect_left(values, -(-goal // each))
    is_hit = at < len(values) and values[at] * each == goal
    return values[max(0, at - beside) : at + is_hit + beside]


def _hits(paddings: Sequence[int], out: int, after: Size, s: int, beside: int) -> Iterator[tuple[int, int]]:
    """(padding, 0) with which a convolution has `out` positions, and `beside` more on either side."""
    first, last = (bisect(paddings, out, key=lambda p: after(s, p, 0)) for bisect in (bisect_left, bisect_right))
    yield from ((p, 0) for p in paddings[max(0, first - beside) : last + beside])


# --- what a solution is -------------------------------------------------------------------------------------------


def _described(question: Question, settings: tuple[Setting, ...], out: tuple[int, ...]) -> Solution:
    # What one window sees does not depend on how far the next one is.
    strided = question.layer is Layer.CONV_TRANSPOSE
    windows = tuple([_field(question.layer, at.kernel, at.stride if strided else 1, at.dilation) for at in settings])
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
