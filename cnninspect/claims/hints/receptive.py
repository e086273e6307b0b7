"""Slips in receptive fields: what each window before a row adds, and what it adds after a slip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from cnninspect.claims.cell import Cell
from cnninspect.claims.hints.evidence import Alternative, Evidence
from cnninspect.claims.hints.layer import Layer
from cnninspect.claims.hints.striding import moved_fields
from cnninspect.report.document import Row

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
