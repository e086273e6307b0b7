"""Slips in receptive fields, window by window, and in where a bottleneck has its stride."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod

from cnninspect.claims.cell import Cell
from cnninspect.claims.hints.evidence import Alternative, Evidence, Layer, Numbers, in_both_units
from cnninspect.report.rows import Row

Sizes = tuple[Fraction | int, ...]


@dataclass(frozen=True)
class Window:
    """One kernel along one axis, and the jump of its input and output."""

    row: Row
    k: int
    d: int
    before: Fraction
    after: Fraction

    @property
    def adds(self) -> Fraction:
        """Input pixels that the window adds to the field: (k-1) d j."""
        return (self.k - 1) * self.d * self.before


def propose(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """What a field would be after each slip in the windows up to it."""
    if cell.column != "receptive_field" or not isinstance(cell.found, tuple):
        return
    if not all(isinstance(size, int) for size in cell.found):
        yield from _ranges(cell.found)
        return
    for words, sizes in _alternatives(evidence.up_to(cell.row), cell.found):
        if all(size == int(size) for size in sizes):
            yield Alternative(words, tuple(int(size) for size in sizes))


def _ranges(found: tuple[int | tuple[int, int], ...]) -> Iterator[Alternative]:
    """One end of a size that depends on the position."""
    for end in (0, -1):
        sizes = tuple(size[end] if isinstance(size, tuple) else size for size in found)
        yield Alternative("the size depends on the position; this is one end of its range", sizes)


def _alternatives(rows: list[Row], found: tuple[int, ...]) -> Iterator[tuple[str, Sizes]]:
    axes = [_windows(rows, axis, len(found)) for axis in range(len(found))]

    def without(less: Callable[[Window], Fraction | int]) -> Sizes:
        return tuple(size - sum(map(less, windows)) for size, windows in zip(found, axes, strict=True))

    yield "the dilation is left out", without(lambda window: window.adds - window.adds / window.d)
    yield "strides are left out: the jump is taken as 1", without(lambda window: window.adds * (1 - 1 / window.before))
    yield (
        "windows count with the jump of their output here; they count with that of their input",
        without(lambda window: window.adds * (1 - window.after / window.before)),
    )
    yield (
        "pooling is left out",
        without(lambda window: 0 if "in_channels" in window.row.hyperparameters else window.adds),
    )
    if alone := _alone(rows[-1], len(found)):
        yield "this is the field of the layer alone, in its own input", alone
    yield from moved_fields(rows, found)


def _alone(row: Row, axes: int) -> Sizes:
    windows = [_window(row, axis, axes) for axis in range(axes)]
    return tuple(1 + (window.k - 1) * window.d for window in windows if window is not None)


def _windows(rows: list[Row], axis: int, axes: int) -> list[Window]:
    """The windows of convolutions and pools whose jump is known."""
    return [window for row in rows if (window := _window(row, axis, axes)) is not None]


def _window(row: Row, axis: int, axes: int) -> Window | None:
    layer = Layer.of(row)
    jump = row.receptive_field.jump if row.receptive_field is not None else None
    if layer is None or not jump or len(layer.kernel) != axes or "output_padding" in layer.use.hyper:
        return None
    stride = layer.per_axis("stride")[axis]
    dilation = layer.per_axis("dilation")[axis] if "dilation" in layer.use.hyper else 1
    after = Fraction(jump[axis])
    return Window(row, layer.kernel[axis], dilation, after / stride, after)


_ON_POINT = "with the stride on the 1x1 convolution, as in Caffe's ResNet; here it is on the {}"
_ON_WINDOW = "with the stride on the {}, as in torchvision's ResNet; here it is on the 1x1 convolution"


class Pair:
    """A 1x1 convolution and the wider one after it, of which one has the stride."""

    def __init__(self, point: Layer, window: Layer):
        self.point = point
        self.window = window
        self.stride = tuple(map(max, point.per_axis("stride"), window.per_axis("stride")))
        self.strided_point = prod(point.per_axis("stride")) > 1

    @classmethod
    def of(cls, point: Layer, window: Layer) -> Pair | None:
        """The pair, if these two are one with a stride."""
        is_pair = set(point.kernel) == {1} and min(window.kernel) > 1 and point.row.parent == window.row.parent
        strides = [prod(layer.per_axis("stride")) for layer in (point, window)]
        return cls(point, window) if is_pair and min(strides) == 1 < max(strides) else None

    @property
    def macs(self) -> int:
        """What moving the stride to the other one adds: the 1x1 works on a map smaller or larger by the stride."""
        area = prod(self.stride)
        return self.point.macs * (area - 1) if self.strided_point else self.point.macs // area - self.point.macs

    @property
    def point_moved(self) -> Numbers:
        """The numbers of the 1x1 convolution with the stride moved."""
        return self.point.altered(stride=1 if self.strided_point else self.stride)

    def pixels(self, axis: int) -> Fraction:
        """What moving the stride adds to the field: the wider window then counts with another jump."""
        field = self.window.row.receptive_field
        if field is None or not field.jump:
            return Fraction(0)
        reach = (self.window.kernel[axis] - 1) * self.window.per_axis("dilation")[axis]
        before, after = Fraction(field.jump[axis]) / self.stride[axis], Fraction(field.jump[axis])
        return reach * (before - after if self.strided_point else after - before)

    @property
    def words(self) -> str:
        """The slip: the stride is taken to be where it is not."""
        return (_ON_WINDOW if self.strided_point else _ON_POINT).format("x".join(map(str, self.window.kernel)))


def moved(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The map and the work of a row, or the work of a sum, with the stride moved."""
    if cell.row is not None and cell.row.leaf:
        yield from _of_leaf(cell, cell.row, evidence)
    elif cell.column in ("macs", "flops") and isinstance(cell.found, int):
        pairs = list(_pairs(evidence.below(cell.row)))
        if pairs:
            more = in_both_units(sum(pair.macs for pair in pairs))
            yield Alternative(pairs[0].words, cell.found + more[cell.column])


def _of_leaf(cell: Cell, row: Row, evidence: Evidence) -> Iterator[Alternative]:
    """A 1x1 convolution on whose output the stride shows, and what stands between it and the wider one."""
    siblings = [leaf for leaf in evidence.leaves if leaf.parent == row.parent]
    for pair in _pairs(siblings):
        start, end = (_place(layer.row, siblings) for layer in (pair.point, pair.window))
        if any(each is row for each in siblings[start:end]):
            numbers = pair.point_moved if row is pair.point.row else _fed(row, pair)
            if cell.column in numbers and cell.column != "params":
                yield Alternative(pair.words, numbers[cell.column])


def _place(row: Row, rows: Sequence[Row]) -> int:
    return next(place for place, each in enumerate(rows) if each is row)


def _fed(row: Row, pair: Pair) -> Numbers:
    """A row on the map of the 1x1 convolution, as that is with the stride moved."""
    layer, maps = Layer.of(row), pair.point_moved.get("output_shape")
    return layer.fed(maps[0]) if layer is not None and maps and layer.use.input == pair.point.output else {}


def moved_fields(rows: Sequence[Row], found: Sequence[int]) -> Iterator[tuple[str, tuple[Fraction, ...]]]:
    """The field of the last of the rows with the stride moved in every pair among them."""
    pairs = list(_pairs(rows))
    if pairs:
        yield (
            pairs[0].words,
            tuple(sum((pair.pixels(axis) for pair in pairs), Fraction(size)) for axis, size in enumerate(found)),
        )


def _pairs(rows: Sequence[Row]) -> Iterator[Pair]:
    layers = [layer for row in rows if (layer := Layer.of(row)) is not None and _is_convolution(layer)]
    for point, window in pairwise(layers):
        if pair := Pair.of(point, window):
            yield pair


def _is_convolution(layer: Layer) -> bool:
    return "in_channels" in layer.use.hyper and "output_padding" not in layer.use.hyper and len(layer.kernel) > 0
