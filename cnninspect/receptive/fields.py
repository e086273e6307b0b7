"""What the engine says about one value of a trace: which input positions each of its elements depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cnninspect.report.quantities import Shape

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, order=True)
class Axis:
    """One spatial axis of one input.

    `input` is the input's name in the trace, `index` counts its spatial axes from 0 (for [N, C, H, W]: 0 is H, 1 is
    W), `dim` is the input's dimension that it is, `size` its number of pixels.
    """

    input: str
    index: int
    dim: int
    size: int


@dataclass(frozen=True, slots=True)
class Interval:
    """First and last input pixel that each element of a value depends on along one axis, clipped to the input.

    `lo` and `hi` broadcast against the value: same number of dimensions, size 1 on those they do not vary along.
    An element that depends on no pixel has `lo > hi`.
    """

    lo: Ints
    hi: Ints

    @property
    def size(self) -> Ints:
        """Pixels from first to last, per element; 0 where there is none."""
        return (self.hi - self.lo + 1).clip(min=0)

    def contains(self, pixel: int) -> Mask:
        """For which elements `pixel` lies in the interval."""
        return (self.lo <= pixel) & (pixel <= self.hi)


@dataclass(frozen=True)
class Field:
    """The receptive field of every element of one value.

    `strict` holds the exact dependency; `local` leaves out statistics of normalisation layers and global gates. Both
    have an entry for each axis of each input that some element depends on, and none for other inputs. `inputs` names
    all inputs the value depends on, those without spatial axes included. `cause` names the call that first made the
    strict field global. `unknown` names an op without rule, `data_dependent` one that reads where its data say,
    among those the value was computed by; the intervals then mean nothing.
    """

    shape: Shape
    strict: Mapping[Axis, Interval] = field(default_factory=dict)
    local: Mapping[Axis, Interval] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    cause: str | None = None
    unknown: str | None = None
    data_dependent: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the intervals can be relied on."""
        return self.unknown is None and self.data_dependent is None

    def sees(self, name: str, position: Sequence[int]) -> Mask:
        """Which elements depend on the pixel of input `name` at `position`, as far as intervals can tell.

        One coordinate for each spatial axis. The result broadcasts against the value; where the field has holes it
        is True for some elements that do not depend on the pixel, never False for one that does.
        """
        seen: Mask = np.full((1,) * len(self.shape), name in self.inputs)
        for axis, interval in self.strict.items():
            if axis.input == name:
                seen = seen & interval.contains(position[axis.index])
        return seen
