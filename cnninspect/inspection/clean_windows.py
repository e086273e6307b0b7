"""Windows that stay clean while the rest of an input is NaN: many of them in few copies of the input.

Two copies show where a field of known width starts. In one the pixels p, p + 1, ... stay clean: a field that reacts
there starts before p, or is wider than the window. In the other p is NaN, too: a field that does not react starts after
p. Windows that do not touch share the two copies, so that one pair of copies shows the ends of many fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cnninspect.receptive.positions import End

Span = tuple[int, int]
"""First and last pixel; none where the last comes before the first."""


@dataclass(frozen=True)
class _Slot:
    """The pixels `first` to `last` of a pair of copies. They show a `start` at the first, a `stop` at the last or both.

    The widths are those of the fields that start or stop there; 0 if that is not shown.
    """

    first: int
    last: int
    start: int = 0
    stop: int = 0

    @property
    def windows(self) -> tuple[Span, Span]:
        """What stays clean in each copy.

        With both ends the windows lack the last and the first pixel. A field that starts at the first pixel reacts only
        to the second, one that stops at the last pixel only to the first.
        """
        if self.start and self.stop:
            return (self.first, self.last - 1), (self.first + 1, self.last)
        less = (self.first + 1, self.last) if self.start else (self.first, self.last - 1)
        return (self.first, self.last), less

    def joined(self, other: _Slot) -> _Slot | None:
        """Both as one, if one shows a start and the other a stop that lies far enough behind it."""
        start, stop = (self, other) if self.start else (other, self)
        widest = max(start.start, stop.stop)
        if start.stop or stop.start or not start.start or stop.last - start.first < widest:
            return None
        return _Slot(start.first, stop.last, start.start, stop.stop)


@dataclass
class CleanWindows:
    """The windows along an axis of `pixels`. `seen`: the ends that they show, with the widest field that fits."""

    pixels: int
    seen: dict[End, int] = field(default_factory=dict)
    _pairs: list[list[_Slot]] = field(default_factory=list)

    def cost(self, end: End, width: int) -> int:
        """Pixels of copies that another end takes up."""
        return self._best(end, width)[0]

    def add(self, end: End, width: int) -> None:
        """Show one end more, of fields up to a width."""
        _, place, old, new = self._best(end, width)
        if place == len(self._pairs):
            self._pairs.append([])
        self._pairs[place] = [slot for slot in self._pairs[place] if slot is not old] + [new]
        self.seen[end] = max(width, self.seen.get(end, 0))

    @property
    def copies(self) -> list[list[Span]]:
        """For each copy the spans that stay clean; none that is clean everywhere."""
        found = [list(spans) for pair in self._pairs for spans in zip(*(slot.windows for slot in pair), strict=True)]
        kept = [sorted(span for span in spans if span[0] <= span[1]) for spans in found]
        return [spans for spans in kept if spans != [(0, self.pixels - 1)]]

    def _best(self, end: End, width: int) -> tuple[int, int, _Slot | None, _Slot]:
        """(cost, pair, slot that is replaced, new slot) of the cheapest place for an end."""
        slot = self._slot(end, width)
        length = slot.last - slot.first + 1
        best = (length + self.pixels, len(self._pairs), None, slot)
        return min((*self._places(slot), best), key=lambda place: place[0])

    def _places(self, slot: _Slot) -> Iterator[tuple[int, int, _Slot | None, _Slot]]:
        for place, pair in enumerate(self._pairs):
            if _is_free(slot, pair):
                yield slot.last - slot.first + 1, place, None, slot
            for other in pair:
                both = slot.joined(other)
                if both is not None and _is_free(both, [one for one in pair if one is not other]):
                    yield both.last - both.first - (other.last - other.first), place, other, both

    def _slot(self, end: End, width: int) -> _Slot:
        side, pixel = end
        if side == "start":
            return _Slot(pixel, min(pixel + width, self.pixels) - 1, start=width)
        return _Slot(max(pixel - width, -1) + 1, pixel, stop=width)


def _is_free(slot: _Slot, others: list[_Slot]) -> bool:
    """Whether at least one pixel lies between a slot and each of the others."""
    return all(slot.last + 1 < other.first or other.last + 1 < slot.first for other in others)
