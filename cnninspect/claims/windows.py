"""Slips in receptive fields, and the stride of a bottleneck block on the wrong convolution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod

from cnninspect.claims.cell import Cell
from cnninspect.claims.evidence import Alternative, Evidence, Layer, Numbers, in_both_units
from cnninspect.report.rows import Row

Sizes = tuple[Fraction | int, ...]


@dataclass(frozen=True)
class Window:
    """One kernel along one axis: size k, dilation d, and the jumps before and after the layer."""

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
    """The size of a receptive field with each slip in the layers up to it."""
    if cell.column != "receptive_field" or not isinstance(cell.found, tuple):
        return
    if not all(isinstance(size, int) for size in cell.found):
        yield from _ranges(cell.found)
        return
    for words, sizes in _alternatives(evidence.up_to(cell.row), cell.found):
        if all(size == int(size) for size in sizes):
            yield Alternative(words, tuple(int(size) for size in sizes))


def _ranges(found: tuple[int | tuple[int, int], ...]) -> Iterator[Alternative]:
    """The smallest or the largest size of a field that depends on the position."""
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
        "the jump of each layer's output was used; a window spreads by the jump of its input",
        without(lambda window: window.adds * (1 - window.after / window.before)),
    )
    yield (
        "pooling is left out",
        without(lambda window: 0 if "in_channels" in window.row.hyperparameters else window.adds),
    )
    yield "k is counted for k - 1 in every layer", without(lambda window: -window.adds / max(window.k - 1, 1))
    yield from _last_step(rows[-1], axes, found)
    if alone := _alone(rows[-1], len(found)):
        yield "this is the field of this layer alone in its own input", alone
    yield from moved_fields(rows, found)


def _last_step(row: Row, axes: list[list[Window]], found: tuple[int, ...]) -> Iterator[tuple[str, Sizes]]:
    """The last row's step r + (k - 1) d j with k for k - 1, or with the jump of an earlier row, the nearest first."""
    if not all(windows and windows[-1].row is row for windows in axes):
        return
    last = [windows[-1] for windows in axes]
    yield "k is counted for k - 1", tuple(size + w.d * w.before for size, w in zip(found, last, strict=True))
    for steps in zip(*(windows[-2::-1] for windows in axes), strict=True):
        jumps = zip(found, last, steps, strict=True)
        yield (
            f"the jump is that of an earlier stage: {_joined(step.before for step in steps)}, "
            f"not {_joined(w.before for w in last)}",
            tuple(size - w.adds + (w.k - 1) * w.d * step.before for size, w, step in jumps),
        )


def _joined(jumps: Iterable[Fraction]) -> str:
    """The jump of all axes, or one for each."""
    texts = list(map(str, jumps))
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


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
    if not after:  # Along a row of means no window adds a pixel.
        return None
    return Window(row, layer.kernel[axis], dilation, after / stride, after)


_ON_POINT = "with the stride on the 1x1 convolution, as in Caffe's ResNet; here it is on the {}"
_ON_WINDOW = "with the stride on the {}, as in torchvision's ResNet; here it is on the 1x1 convolution"


class Bottleneck:
    """A 1x1 convolution and the wider convolution after it, of which one has a stride."""

    def __init__(self, point: Layer, window: Layer):
        self.point = point
        self.window = window
        self.stride = tuple(map(max, point.per_axis("stride"), window.per_axis("stride")))
        self.strided_point = prod(point.per_axis("stride")) > 1

    @classmethod
    def of(cls, point: Layer, window: Layer) -> Bottleneck | None:
        """The bottleneck, if the two layers are one and exactly one of them has a stride; else None."""
        is_bottleneck = set(point.kernel) == {1} and min(window.kernel) > 1 and point.row.parent == window.row.parent
        strides = [prod(layer.per_axis("stride")) for layer in (point, window)]
        return cls(point, window) if is_bottleneck and min(strides) == 1 < max(strides) else None

    @property
    def macs(self) -> int:
        """The change of MACs if the stride moves to the other layer: the output of the 1x1 changes its size."""
        area = prod(self.stride)
        return self.point.macs * (area - 1) if self.strided_point else self.point.macs // area - self.point.macs

    @property
    def point_moved(self) -> Numbers:
        """The numbers of the 1x1 convolution with the stride moved."""
        return self.point.altered(stride=1 if self.strided_point else self.stride)

    def pixels(self, axis: int) -> Fraction:
        """The change of the field along an axis if the stride moves: the wider kernel then has another jump."""
        field = self.window.row.receptive_field
        if field is None or not field.jump:
            return Fraction(0)
        reach = (self.window.kernel[axis] - 1) * self.window.per_axis("dilation")[axis]
        before, after = Fraction(field.jump[axis]) / self.stride[axis], Fraction(field.jump[axis])
        return reach * (before - after if self.strided_point else after - before)

    @property
    def words(self) -> str:
        """The slip in words."""
        return (_ON_WINDOW if self.strided_point else _ON_POINT).format("x".join(map(str, self.window.kernel)))


def moved(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The numbers of a row, or the MACs of a sum, with the stride moved."""
    if cell.row is not None and cell.row.leaf:
        yield from _of_leaf(cell, cell.row, evidence)
    elif cell.column in ("macs", "flops") and isinstance(cell.found, int):
        bottlenecks = list(_bottlenecks(evidence.below(cell.row)))
        if bottlenecks:
            more = in_both_units(sum(bottleneck.macs for bottleneck in bottlenecks))
            yield Alternative(bottlenecks[0].words, cell.found + more[cell.column])


def _of_leaf(cell: Cell, row: Row, evidence: Evidence) -> Iterator[Alternative]:
    """The numbers of the 1x1 convolution and of the rows between it and the wider one, with the stride moved."""
    siblings = [leaf for leaf in evidence.leaves if leaf.parent == row.parent]
    for bottleneck in _bottlenecks(siblings):
        start, end = (_place(layer.row, siblings) for layer in (bottleneck.point, bottleneck.window))
        if any(each is row for each in siblings[start:end]):
            numbers = bottleneck.point_moved if row is bottleneck.point.row else _fed(row, bottleneck)
            if cell.column in numbers and cell.column != "params":
                yield Alternative(bottleneck.words, numbers[cell.column])


def _place(row: Row, rows: Sequence[Row]) -> int:
    return next(place for place, each in enumerate(rows) if each is row)


def _fed(row: Row, bottleneck: Bottleneck) -> Numbers:
    """The numbers of a row on the output of the 1x1 convolution with the stride moved."""
    layer, maps = Layer.of(row), bottleneck.point_moved.get("output_shape")
    return layer.fed(maps[0]) if layer is not None and maps and layer.use.input == bottleneck.point.output else {}


def moved_fields(rows: Sequence[Row], found: Sequence[int]) -> Iterator[tuple[str, tuple[Fraction, ...]]]:
    """The field of the last row with the stride moved in every bottleneck."""
    bottlenecks = list(_bottlenecks(rows))
    if bottlenecks:
        yield (
            bottlenecks[0].words,
            tuple(
                sum((bottleneck.pixels(axis) for bottleneck in bottlenecks), Fraction(size))
                for axis, size in enumerate(found)
            ),
        )


def _bottlenecks(rows: Sequence[Row]) -> Iterator[Bottleneck]:
    layers = [layer for row in rows if (layer := Layer.of(row)) is not None and _is_convolution(layer)]
    for point, window in pairwise(layers):
        if bottleneck := Bottleneck.of(point, window):
            yield bottleneck


def _is_convolution(layer: Layer) -> bool:
    return "in_channels" in layer.use.hyper and "output_padding" not in layer.use.hyper and len(layer.kernel) > 0
