"""Right arithmetic on the wrong input: that of another stage, or one that was worked out wrongly before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

from cnninspect.claims.cell import Cell, Shapes
from cnninspect.claims.hints.evidence import Alternative, Evidence, Layer, output_of
from cnninspect.report.quantities import Shape
from cnninspect.report.rows import Row


def same_row(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A cost that follows from the map that the same row claims, where that is wrong."""
    right = output_of(cell.row) if cell.row is not None and cell.row.leaf else None
    if right is None or cell.column == "output_shape" or not isinstance(cell.found, int):
        return
    claimed = _claimed_output(cell.row, evidence)
    if claimed is not None and cell.found * prod(claimed) % prod(right) == 0:
        yield Alternative(
            f"follows from the output shape claimed, {_text(claimed)}", cell.found * prod(claimed) // prod(right)
        )


def an_earlier_stage(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on a map with as many channels from before it, the nearest first."""
    if layer := _layer(cell):
        for row, shape in _maps(layer, evidence.before(layer.row), _as_input):
            yield from _fed(
                cell, layer, shape, f"the input is taken from an earlier stage: {_text(shape)} of {row.label}"
            )


def a_later_stage(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on a map with as many channels from after it, the nearest first."""
    if layer := _layer(cell):
        for row, shape in _maps(layer, evidence.after(layer.row), _as_input):
            yield from _fed(cell, layer, shape, f"the input is taken from a later stage: {_text(shape)} of {row.label}")


def the_row_before(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on the output that is claimed, wrongly, of a row that its input comes from."""
    layer = _layer(cell)
    if layer is None:
        return
    for row in evidence.before(layer.row):
        output, claimed = output_of(row), _claimed_output(row, evidence)
        if output is None or claimed is None or not _flows(output, layer.use.input):
            continue
        shape = claimed if len(claimed) == len(layer.use.input) else (claimed[0], prod(claimed[1:]))
        yield from _fed(cell, layer, shape, f"follows from the output claimed of {row.label}, {_text(claimed)}")


def another_size(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on a map of its own channels and the size of a map elsewhere, before it or else after it."""
    if layer := _layer(cell):
        for words, rows in (("an earlier", evidence.before(layer.row)), ("a later", evidence.after(layer.row))):
            for _, shape in _maps(layer, rows, _with_own_channels):
                yield from _fed(cell, layer, shape, f"the size of the input is that of {words} stage: {_text(shape)}")


def _layer(cell: Cell) -> Layer | None:
    return None if cell.row is None else Layer.of(cell.row)


def _maps(
    layer: Layer, rows: Sequence[Row], as_input: Callable[[Shape, Shape], Shape | None]
) -> Iterator[tuple[Row, Shape]]:
    """Each shape once that `as_input` makes of a row's output and the layer's own input, and that row."""
    seen = {layer.use.input}
    for row in rows:
        output = output_of(row)
        shape = None if output is None or len(output) <= 2 else as_input(output, layer.use.input)
        if shape is not None and shape not in seen:
            seen.add(shape)
            yield row, shape


def _fed(cell: Cell, layer: Layer, shape: Shape, words: str) -> Iterator[Alternative]:
    numbers = layer.fed(shape)
    if cell.column in numbers:
        yield Alternative(words, numbers[cell.column])


def _as_input(output: Shape, own: Shape) -> Shape | None:
    """A map from elsewhere as the layer could take it: with its channels, or flattened for a layer on features."""
    if len(own) == 2:
        return output[0], prod(output[1:])
    return output if len(output) == len(own) and output[:2] == own[:2] else None


def _with_own_channels(output: Shape, own: Shape) -> Shape | None:
    return (*own[:2], *output[2:]) if len(output) == len(own) else None


def _flows(output: Shape, own: Shape) -> bool:
    return output == own or (len(own) == 2 and prod(output[1:]) == own[1])


def _claimed_output(row: Row | None, evidence: Evidence) -> Shape | None:
    """The shape, batch first, that the file claims wrongly of a row's only output."""
    cell = evidence.wrong(row, "output_shape") if row is not None else None
    right = output_of(row) if row is not None else None
    if cell is None or right is None or not isinstance(cell.claimed, Shapes):
        return None
    claimed = cell.claimed.value[0]
    return claimed if len(claimed) == len(right) else (right[0], *claimed) if len(claimed) == len(right) - 1 else None


def _text(shape: Shape) -> str:
    """A map without its batch, as claims write it."""
    return "x".join(str(size) for size in shape[1:])
