"""The maps that computation starts from: inputs, which see themselves, and what depends on no input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnninspect.receptive.digits import FEATURE, NOTHING, PLACE, Digit
from cnninspect.receptive.maps import Map, Space
from cnninspect.report.quantities import Shape


def of_input(shape: Shape, places: Sequence[int], dim: int, *, clipped: bool) -> Map:
    """The map of an input along its dimension `dim`, one of its `places`: each element sees itself."""
    kinds = [PLACE + 1 + places.index(position) if position in places else FEATURE for position in range(len(shape))]
    steps = [(None if clipped else 1) if position == dim else 0 for position in range(len(shape))]
    dims = tuple((Digit(*digit),) for digit in zip(shape, steps, kinds, strict=True))
    pixels = np.arange(shape[dim] if clipped else 1, dtype=np.int32)
    table = np.stack((pixels, -pixels)).reshape(2, *(-1 if position == dim else 1 for position in range(len(shape))))
    return Map(table, dims, Space(kinds[dim], clipped))


def of_nothing(shape: Shape, space: Space) -> Map:
    """The map of a tensor that depends on no pixel."""
    dims = tuple((Digit(size, 0, FEATURE),) if size > 1 else () for size in shape)
    return Map(np.full((2, *(1 for digits in dims if digits)), NOTHING, dtype=np.int32), dims, space)
