"""What each position of a tensor sees along one axis: in the image, and on an input without ends.

Rows are read off the compressed tables of `bounds.py`; here the same numbers stand written out, one entry for each
position, so that the rows can be held against them and both against what a probe finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import takewhile
from math import prod
from typing import Literal

import numpy as np

from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import COPY, FEWEST, NOTHING, Mask, Table
from cnninspect.receptive.forms import Forms

Side = Literal["start", "stop"]
SIDES: tuple[Side, ...] = ("start", "stop")

End = tuple[Side, int]
"""The first or the last pixel that a position sees."""

Seen = Mapping[End, int]
"""Ends at which a probe has looked -> the widest field, in pixels, that it can show to start (or stop) there."""

_MOST = 1 << 16
"""Positions up to which a tensor is looked through."""


@dataclass(frozen=True)
class Positions:
    """Bounds along one axis of `pixels`, all features of a position together: [2, *positions], `lo` and `-hi`.

    `exact` is the local form clipped to the image, `endless` that of an input without ends.
    """

    exact: Table
    endless: Table
    pixels: int

    @classmethod
    def of(cls, forms: Forms, pixels: int, others: Sequence[Forms] = ()) -> Positions:
        """The positions of a tensor with these bounds, and with `others` along the other axes.

        A dimension that holds positions along several axes (windows of an image) counts each place along this one once.
        """
        endless = forms.endless
        features = tuple(1 + dim for dim in range(len(endless.dims)) if endless.holds_features(dim))
        whole = [_once(part.dense().min(features, keepdims=True), endless) for part in (forms.local, endless)]
        exact, unclipped = np.broadcast_arrays(*whole)
        for dim, size in enumerate(exact.shape[1:]):
            if any(size > 1 and other.varies(dim) for other in others):
                exact, unclipped = _places_apart(exact, unclipped, 1 + dim)
        return cls(exact, unclipped, pixels)

    @property
    def size(self) -> int | list[int]:
        """Pixels from first to last of an endless input; [least, most] where positions differ."""
        return _extent(self.endless)

    @property
    def exact_size(self) -> int | list[int]:
        """Pixels from first to last inside the image; [least, most] where positions differ."""
        return _extent(self.exact)

    @property
    def widest(self) -> int:
        """Pixels from first to last inside the image, of the position that sees most."""
        return int((1 - self.exact[0] - self.exact[1]).max(initial=0))

    @property
    def is_whole(self) -> bool:
        """Whether the bounds are the same everywhere."""
        return bool((self.exact == self.exact.reshape(2, -1)[:, :1].reshape(2, *[1] * (self.exact.ndim - 1))).all())

    @property
    def every_end(self) -> frozenset[End]:
        """All ends inside the image: whoever knows them knows the size of every position."""
        lo, negative_hi = self.exact.reshape(2, -1)
        sees = lo + negative_hi <= 0
        starts: set[End] = {("start", pixel) for pixel in np.unique(lo[sees]).tolist()}
        stops: set[End] = {("stop", -pixel) for pixel in np.unique(negative_hi[sees]).tolist()}
        return frozenset(starts | stops)

    @property
    def padding(self) -> int:
        """Pixels before the image that the first position sees."""
        first = int(self.endless.reshape(2, -1)[0, 0])
        return 0 if first > NOTHING // 2 else -first

    def advances_by(self, jump: int | str | None) -> bool:
        """Whether `jump` is how many pixels lie from one position to the next, on average.

        Where several dimensions hold positions it is that of the finest, or of all of them read as one.
        """
        rates = [abs(Fraction(step, period)) for period, step in self.periods if step]
        if jump == _written(min(rates, default=Fraction(0))):
            return True
        period, step = self._period_of_all
        return jump == _written(abs(Fraction(step, period)))

    @cached_property
    def periods(self) -> list[tuple[int, int]]:
        """For each dimension after how many positions the bounds repeat, and how many pixels further on."""
        return [_period(self.endless, axis) for axis in range(1, self.endless.ndim)]

    @cached_property
    def _period_of_all(self) -> tuple[int, int]:
        """As `periods`, for all dimensions read as one; (1, 0) where those are too many to look through."""
        return (1, 0) if self.endless[0].size > _MOST else _period(self.endless.reshape(2, -1), 1)

    @property
    def are_few(self) -> bool:
        """Whether they advance, and are fewer than prove a rule: rounded places of what is resized may look regular."""
        sizes = self.endless.shape[1:]
        return any(step and size < FEWEST for (_, step), size in zip(self.periods, sizes, strict=True))

    @property
    def is_regular(self) -> bool:
        """Whether the bounds plainly follow a rule along every dimension: the endless ones, or most of the exact ones.

        The exact ones are those that a probe has confirmed; an endless form that lost its rule does not hide theirs.
        """
        sizes = self.endless.shape[1:]
        endless = all(
            (period, step) == (1, 0) or 4 * period <= size
            for (period, step), size in zip(self.periods, sizes, strict=True)
        )
        return endless or all(_mostly_regular(self.exact, axis, self.pixels) for axis in range(1, self.exact.ndim))

    @property
    def follow_one_rule(self) -> bool:
        """Whether all exact bounds but those at a border repeat, at least four times along every dimension."""
        axes = range(1, self.exact.ndim)
        return self.is_regular and all(_follows_one_rule(self.exact, axis, self.pixels) for axis in axes)

    # -- what is needed to be sure of these numbers ------------------------------------------------------------

    def wanted(self, seen: Seen) -> dict[End, int] | None:
        """Ends that would tell more than those seen do, with the width of the fields there; None if none is needed.

        Where a field starts is the sum of an offset for each position of a period and a step for each period further;
        where it stops is another offset and the same steps. So every offset and every step has to show in some end.
        Then no other size, jump and padding is left.
        """
        if self._phases.size > _MOST or self._interrupted or self._displaced:
            return {}
        shown: dict[tuple[Side, int], list[list[int]]] = {}
        new: dict[tuple[Side, int], dict[End, int]] = {}
        for side, ends in self._ends.items():
            for pixel, width, phase, *rounds in ends:
                if seen.get((side, pixel), 0) >= width:
                    shown.setdefault((side, phase), []).append(rounds)
                else:
                    new.setdefault((side, phase), {}).setdefault((side, pixel), width)
        missing = {(side, phase) for side in SIDES for phase in range(int(self._phases.max()) + 1)} - shown.keys()
        if not missing and self._steps_show(list(shown.values())):
            return None
        useful: dict[End, int] = {}
        for kind, ends_of in new.items():
            for end, width in ends_of.items() if not missing or kind in missing else ():
                useful[end] = max(width, useful.get(end, 0))
        return useful

    @cached_property
    def _ends(self) -> dict[Side, list[list[int]]]:
        """For each side, of every position that ends inside the image there: the pixel, width, phase and rounds."""
        lo, hi = self.exact[0], -self.exact[1]
        starts = (lo == self.endless[0]) & (lo >= 1) & (lo < self.pixels) & (lo <= hi)
        stops = (self.exact[1] == self.endless[1]) & (hi >= 0) & (hi <= self.pixels - 2) & (lo <= hi)
        return {"start": self._listed(lo, starts), "stop": self._listed(hi, stops)}

    @cached_property
    def _interrupted(self) -> bool:
        """Whether a field ends elsewhere than in an endless input between two that end alike: not near a border."""
        alike = self.exact == self.endless
        return any(
            _has_gap(side, axis, period)
            for side in alike
            for axis, (period, _) in enumerate(self.periods)
            if period < side.shape[axis]
        )

    @cached_property
    def _displaced(self) -> bool:
        """Whether as many positions see a place at one other distance as see the place that the endless form says.

        A circular padding as long as the image has two such readings, with another padding each.
        """
        whole = (self.exact.sum(0) == self.endless.sum(0)) & (self.exact[0] < NOTHING // 2)
        distances, counts = np.unique((self.exact[0] - self.endless[0])[whole], return_counts=True)
        return bool(counts[distances != 0].max(initial=0) >= counts[distances == 0].max(initial=1))

    def _listed(self, pixels: Table, visible: Mask) -> list[list[int]]:
        columns = [pixels, 1 - self.exact[0] - self.exact[1], self._phases, *np.moveaxis(self._rounds, -1, 0)]
        rows = np.column_stack([column[visible] for column in columns]).astype(np.int64)
        if not len(rows):
            return []
        # Sorting one number for each row is much faster than sorting rows.
        sizes = (rows.max(0) + 1).tolist()
        if prod(sizes) >= 1 << 62:
            return np.unique(rows, axis=0).tolist()  # type: ignore[no-any-return]
        found: list[list[int]] = np.column_stack(
            np.unravel_index(np.unique(np.ravel_multi_index(list(rows.T), sizes)), sizes)
        ).tolist()
        return found

    @cached_property
    def _phases(self) -> Table:
        """Which position of a period each one is, over all dimensions."""
        index = np.indices(self.endless.shape[1:])
        periods = [period for period, _ in self.periods]
        places = [i % period for i, period in zip(index, periods, strict=True)]
        found: Table = np.asarray(np.ravel_multi_index(places, periods), dtype=np.int32)
        return found

    @cached_property
    def _rounds(self) -> Table:
        """How many periods lie before each position, along each dimension (the last of the result)."""
        index = np.indices(self.endless.shape[1:])
        return np.stack([i // period for i, (period, _) in zip(index, self.periods, strict=True)], -1).astype(np.int32)

    def _steps_show(self, shown: list[list[list[int]]]) -> bool:
        """Whether the ends of one kind lie in so many different periods that every step shows."""
        steps = sum(period < size for (period, _), size in zip(self.periods, self.endless.shape[1:], strict=True))
        apart = [np.subtract(rounds, group[0]) for group in shown for rounds in group[1:]]
        return not steps or (bool(apart) and int(np.linalg.matrix_rank(np.unique(apart, axis=0))) == steps)


def _extent(table: Table) -> int | list[int]:
    """The size of every position, 0 where it sees nothing; [least, most] where they differ."""
    sizes = np.unique(1 - table[0] - table[1]).tolist()
    least, most = max(min(sizes), 0), max(*sizes, 0)
    return least if least == most else [least, most]


def _written(rate: Fraction) -> int | str:
    """A jump as rows print it."""
    return rate.numerator if rate.denominator == 1 else str(rate)


def _has_gap(alike: Mask, axis: int, period: int) -> bool:
    """Whether an entry is false between two true ones, of those that lie whole periods apart along an axis."""
    whole = alike.shape[axis] // period * period
    lines = np.moveaxis(alike, axis, 0)[:whole].reshape(whole // period, period, -1)
    before = np.logical_or.accumulate(lines)
    after = np.logical_or.accumulate(lines[::-1])[::-1]
    return bool((before & after & ~lines).any())


def _mostly_regular(table: Table, axis: int, pixels: int) -> bool:
    """Whether the bounds along an axis are constant, or repeat at least four times (fewer if all do) over half of it.

    The rest may be another place (what wraps around) or end at the border, but no field of another size.
    """
    lo, negative_hi = (np.moveaxis(bounds, axis - 1, 0).reshape(table.shape[axis], -1) for bounds in table)
    if (lo == lo[:1]).all() and (negative_hi == negative_hi[:1]).all():
        return True
    sizes = np.where((lo > 0) & (negative_hi > 1 - pixels), lo + negative_hi, 1)
    for period in range(1, max(len(lo) // 4, 1) + 1):
        moves = lo[period:] - lo[:-period]
        alike = (moves == moves[:, :1]).all(1) & (negative_hi[period:] - negative_hi[:-period] == -moves).all(1)
        steps = np.where(alike, moves[:, 0], NOTHING + np.arange(len(moves)))
        edges = np.concatenate(([0], 1 + np.flatnonzero(np.diff(steps)), [len(moves)]))
        *others, longest = np.sort(np.diff(edges)).tolist()
        start = int(edges[np.diff(edges).argmax()])
        enough = longest + period >= max(min(4 * period, len(lo)), (len(lo) + 1) // 2) and longest not in others
        if enough and alike[start] and np.isin(sizes, (1, *sizes[start : start + longest + period].ravel())).all():
            return True
    return False


def _follows_one_rule(table: Table, axis: int, pixels: int) -> bool:
    lines = np.moveaxis(table * _SIGNS.reshape(2, *[1] * (table.ndim - 1)), axis, 0).reshape(table.shape[axis], 2, -1)
    if (lines[:, 0] > lines[:, 1]).any():  # sees nothing
        return False
    inside = (lines > 0) & (lines < pixels - 1)
    for period in range(1, len(lines) // 4 + 1):
        moves = (lines[period:] - lines[:-period])[inside[period:] & inside[:-period]]
        if moves.size and (moves == moves[0]).all():
            return True
    return bool((lines == lines[:1]).all())


def _once(table: Table, like: Bounds) -> Table:
    """The hull over copies that stand before the positions of a dimension, as the samples of a batch folded into it."""
    for dim, digits in enumerate(like.dims):
        copies = prod(digit.size for digit in takewhile(lambda digit: digit.kind == COPY, digits))
        if copies > 1 and table.shape[1 + dim] > copies:
            table = table.reshape(*table.shape[: 1 + dim], copies, -1, *table.shape[2 + dim :]).min(1 + dim)
    return table


def _places_apart(exact: Table, endless: Table, axis: int) -> tuple[Table, Table]:
    """The tables without the entries along an axis that only repeat others, one by one or as a whole."""
    size = endless.shape[axis]
    both = np.concatenate((exact, endless))
    for inner in (size // count for count in range(1, size) if size % count == 0):
        blocks = both.reshape(*both.shape[:axis], size // inner, inner, *both.shape[axis + 1 :])
        for repeated in (axis + 1, axis):
            first = blocks.take([0], repeated)
            if blocks.shape[repeated] > 1 and (blocks == first).all():
                kept = first.squeeze(repeated)
                return kept[:2], kept[2:]
    return exact, endless


def _period(table: Table, axis: int) -> tuple[int, int]:
    """After how many entries along an axis the bounds repeat, and how many pixels further on.

    They have to do so at least twice; else the period is the whole axis.
    """
    size = table.shape[axis]
    lines = np.moveaxis(table * _SIGNS.reshape(2, *[1] * (table.ndim - 1)), axis, 0).reshape(size, -1)
    some = np.linspace(0, size - 1, 8).astype(int)
    for period in range(1, size // 2 + 1):
        step = int(lines[period, 0] - lines[0, 0])
        few = some[some >= period]
        if (lines[few] - lines[few - period] == step).all() and (lines[period:] - lines[:-period] == step).all():
            return period, step
    return size, 0


_SIGNS = np.array([1, -1], dtype=np.int32)
"""Turns `lo` and `-hi` into numbers that advance alike."""
