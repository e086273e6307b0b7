"""Parameters and buffers as bytes of storages: the bytes of each, and the elements that were read.

Two parameters in different parts of one storage are both counted; a byte that two share is counted for the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bytes:
    """A set of bytes of one storage: the range from `start` to before `stop`, or, with gaps, the ranges in `runs`.

    `runs` holds the starts and stops of two or more ranges, sorted, which neither touch nor overlap.
    """

    start: int = 0
    stop: int = 0
    runs: tuple[Places, Places] | None = None

    @classmethod
    def of_view(cls, shape: Sequence[int], strides: Sequence[int], offset: int, item: int) -> Bytes:
        """The set of bytes of a strided tensor; `offset` and `strides` count elements of `item` bytes."""
        if 0 in shape:
            return cls()
        run, start = item, offset * item
        apart = []
        for stride, size in sorted(zip(strides, shape, strict=True)):
            if stride * item <= run:  # Neighbours touch or overlap; a stride of 0 repeats the same elements.
                run += (size - 1) * stride * item
            elif size > 1:
                apart.append((stride * item, size))
        if not apart:
            return cls(start, start + run)
        starts = np.array([start], np.int64)
        for step, size in apart:
            starts = np.add.outer(np.arange(size, dtype=np.int64) * step, starts).reshape(-1)
        return _merged(starts, starts + run)

    def __len__(self) -> int:
        return self.stop - self.start if self.runs is None else int((self.runs[1] - self.runs[0]).sum())

    def __or__(self, other: Bytes) -> Bytes:
        if not len(self) or not len(other):
            return self if len(self) else other
        if self.runs is None is other.runs and self.start <= other.stop and other.start <= self.stop:
            return Bytes(min(self.start, other.start), max(self.stop, other.stop))
        (starts, stops), (more_starts, more_stops) = self._arrays(), other._arrays()
        return _merged(np.concatenate((starts, more_starts)), np.concatenate((stops, more_stops)))

    def __and__(self, other: Bytes) -> Bytes:
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        if start >= stop:
            return Bytes()
        return Bytes(start, stop) if self.runs is None is other.runs else _combined(self, other, np.logical_and)

    def __sub__(self, other: Bytes) -> Bytes:
        if self.start >= other.stop or other.start >= self.stop:
            return self
        if other.runs is None and other.start <= self.start and self.stop <= other.stop:
            return Bytes()
        return _combined(self, other, lambda ours, theirs: ours & ~theirs)

    def _arrays(self) -> tuple[Places, Places]:
        return self.runs or (np.array([self.start], np.int64), np.array([self.stop], np.int64))


def _merged(starts: Places, stops: Places) -> Bytes:
    """The union of one or more ranges in any order."""
    order = np.argsort(starts, kind="stable")
    starts, stops = starts[order], np.maximum.accumulate(stops[order])
    first = np.concatenate(([True], starts[1:] > stops[:-1]))
    last = np.concatenate((first[1:], [True]))
    starts, stops = starts[first], stops[last]
    return Bytes(int(starts[0]), int(stops[-1]), (starts, stops) if len(starts) > 1 else None)


def _combined(ours: Bytes, theirs: Bytes, keep: Callable[[Booleans, Booleans], Booleans]) -> Bytes:
    """The bytes b for which `keep(b in ours, b in theirs)` is true."""
    ends = (*ours._arrays(), *theirs._arrays())
    places = np.concatenate(ends)
    order = np.argsort(places, kind="stable")
    places = places[order]
    inside = [
        np.cumsum(np.repeat(steps, [len(end) for end in ends])[order])[:-1] > 0
        for steps in ((1, -1, 0, 0), (0, 0, 1, -1))
    ]
    kept = keep(inside[0], inside[1]) & (places[1:] > places[:-1])
    return _merged(places[:-1][kept], places[1:][kept]) if kept.any() else Bytes()


@dataclass
class _Held:
    """The states in one storage: name -> own bytes, the union of them (`taken`), and the bytes not read so far."""

    states: dict[str, Bytes]
    taken: Bytes
    unread: Bytes


class Elements:
    """The bytes of parameters and buffers by storage, and those of parameters that no call has read yet."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._items: dict[str, int] = {}

    def add(self, name: str, storage: int, place: Bytes, item: int, *, reads_count: bool) -> int:
        """Adds a state, and returns the number of its elements that no earlier state has.

        `reads_count` is True for a parameter: its first reads are followed.
        """
        held = self._held.setdefault(storage, _Held({}, Bytes(), Bytes()))
        own = place - held.taken
        if len(own) or not len(place):
            held.states[name], self._items[name] = own, item
        held.taken = held.taken | own
        held.unread = held.unread | own if reads_count else held.unread
        return len(own) // item

    def has(self, storage: int) -> bool:
        """Whether any state lies in this storage."""
        return storage in self._held

    def name(self, storage: int, place: Callable[[], Bytes], likely: str | None = None) -> str | None:
        """The state that overlaps a tensor at this place: `likely` if it does, else the first; None if none does."""
        states = self._held[storage].states
        if len(states) <= 1:
            return next(iter(states), None)
        found = place()
        names = [likely, *states] if likely in states else states
        return next((name for name in names if name and len(states[name] & found)), None)

    def read(self, name: str, storage: int, place: Callable[[], Bytes]) -> int:
        """Marks the bytes at this place as read, and returns the number of elements read for the first time."""
        held = self._held.get(storage)
        if held is None or not (before := len(held.unread)):
            return 0
        held.unread = held.unread - place()
        return (before - len(held.unread)) // self._items[name]

    def unread(self) -> dict[str, int]:
        """Name of a state -> number of its elements that no call read."""
        left: dict[str, int] = {}
        for held in self._held.values():
            for name, place in held.states.items() if len(held.unread) else ():
                if number := len(held.unread & place) // self._items[name]:
                    left[name] = number
        return left


def repeats(shape: Sequence[int], strides: Sequence[int]) -> int:
    """How often an expanded tensor repeats each element: the product of the sizes with stride 0."""
    return (
        prod(size for size, stride in zip(shape, strides, strict=True) if stride == 0 and size) if 0 in strides else 1
    )


def place_of(tensor: Any) -> Bytes:
    """The bytes of a strided tensor in its storage."""
    if tensor.is_contiguous():
        item = tensor.element_size()
        start = tensor.storage_offset() * item
        return Bytes(start, start + tensor.numel() * item) if tensor.numel() else Bytes()
    return Bytes.of_view(tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.element_size())
