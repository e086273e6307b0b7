"""Correct arithmetic on the wrong data: another unit, batch size, row, order of sizes or input, or wrong rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations
from math import prod

from cnninspect.claims.cell import SETTINGS, Cell, Count, Shapes, value_of
from cnninspect.claims.evidence import Alternative, Evidence, Layer, number_of, output_of
from cnninspect.claims.slips import COUNTS
from cnninspect.report.quantities import Quantity, Shape, Verdict, flops_from_macs, macs_from_flops
from cnninspect.report.rows import Row


def factor_two(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """FLOPs claimed as MACs, or MACs as FLOPs."""
    if isinstance(cell.found, int):
        if cell.column == "macs":
            yield Alternative(f"these are FLOPs: 1 MAC is {flops_from_macs(1)} FLOPs", flops_from_macs(cell.found))
        elif cell.column == "flops":
            yield Alternative(f"these are MACs: 1 MAC is {flops_from_macs(1)} FLOPs", macs_from_flops(cell.found))


def batch(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A count for one sample instead of the batch; a shape with another batch size than that of the run."""
    if cell.column in ("macs", "flops", "neurons") and isinstance(cell.found, int):
        yield Alternative(
            f"this is for one sample; the run has a batch of {evidence.batch}", Fraction(cell.found, evidence.batch)
        )
    elif (
        cell.column == "output_shape"
        and isinstance(cell.claimed, Shapes)
        and cell.row is not None
        and (right := output_of(cell.row))
    ):
        claimed = cell.claimed.value[0]
        yield Alternative(f"the batch is {right[0]}, not {claimed[0]}", ((claimed[0], *right[1:]),))


def another_batch(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A count for the batch size in the file's claimed shapes."""
    if cell.column in ("macs", "flops", "neurons") and isinstance(cell.found, int):
        for size in _claimed_batches(evidence):
            yield Alternative(
                f"this is for a batch of {size}; the run has {evidence.batch}",
                Fraction(cell.found * size, evidence.batch),
            )


def _claimed_batches(evidence: Evidence) -> set[int]:
    """The batch sizes in the file's claimed shapes."""
    shapes = [
        (cell.claimed.value[0], output_of(cell.row))
        for cell in evidence.cells
        if isinstance(cell.claimed, Shapes) and cell.row is not None
    ]
    return {claimed[0] for claimed, right in shapes if right is not None and claimed[1:] == right[1:]}


def another_order(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """The sizes of the output in another order."""
    right = output_of(cell.row) if cell.row is not None else None
    if cell.column == "output_shape" and right is not None and 2 < len(right) <= 5:
        for sizes in permutations(right[1:]):
            yield Alternative("the sizes stand in another order; shapes are [N, C, H, W]", ((right[0], *sizes),))


def neighbour(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The same number of a similar row, first of earlier rows, then of later ones."""
    if cell.row is None or not cell.row.leaf or cell.column in ("kind", "input_shape", *SETTINGS):
        return
    for words, rows in (("an earlier", evidence.before(cell.row)), ("a later", evidence.after(cell.row))):
        for row in _near(cell.row, rows):
            if value := value_of(number_of(evidence.report, row, cell.column)):
                yield Alternative(f"this is the number of {row.label}, {words} row", value)


def _near(row: Row, others: Sequence[Row]) -> list[Row]:
    """The nearest row and the nearest two of the same kind. In a large network, some distant row fits by chance."""
    alike = [other for other in others if other.kind == row.kind]
    return [*others[:1], *alike[:2]]


def rounding(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """A number that was truncated instead of rounded, or rounded without a suffix."""
    if not isinstance(cell.claimed, Count) or not isinstance(cell.found, int):
        return
    unit = 2 * cell.claimed.number.slack
    if unit:
        yield Alternative("truncated, not rounded", cell.found // unit * unit)
        return
    for digits in range(1, len(str(cell.found)) - 2):
        yield Alternative(
            "rounded; a rounded number is claimed with a suffix, such as 4.09G", round(cell.found, -digits)
        )


def total_of_claims(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A total that is the sum of the file's own rows, of which some are wrong or missing."""
    claimed = [other for other in evidence.cells if other.column == cell.column and other.row is not None]
    counts = [other.claimed.number.value for other in claimed if isinstance(other.claimed, Count)]
    if cell.row is not None or not isinstance(cell.number, Quantity) or not counts:
        return
    wrong = [other.label for other in claimed if other.judge()[0] is Verdict.DIFFER]
    there = {id(other.row) for other in claimed}
    missing = [row.label for row in evidence.leaves if value_of(getattr(row, cell.column)) and id(row) not in there]
    if wrong or missing:
        words = f"of which these are wrong: {_some(wrong)}" if wrong else f"without {_some(missing)}"
        yield Alternative(f"adds up the rows claimed, {words}", sum(counts))


def _some(names: list[str], shown: int = 3) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def same_row(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A count that follows from the wrong output shape that the same row claims."""
    right = output_of(cell.row) if cell.row is not None and cell.row.leaf else None
    if right is None or cell.column not in COUNTS or not isinstance(cell.found, int):
        return
    claimed = _claimed_output(cell.row, evidence)
    if claimed is not None and cell.found * prod(claimed) % prod(right) == 0:
        yield Alternative(
            f"follows from the output shape claimed, {_text(claimed)}", cell.found * prod(claimed) // prod(right)
        )


def wrong_input(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The output of another row claimed as the input; and numbers that follow from the wrong input of the same row."""
    if cell.row is None or not cell.row.leaf:
        return
    if cell.column == "input_shape":
        yield Alternative("this is the layer's own output", (output_of(cell.row),))
        for words, rows in (("an earlier", evidence.before(cell.row)), ("a later", evidence.after(cell.row))):
            for row in rows:
                if shape := output_of(row):
                    yield Alternative(f"this is the output of {row.label}, {words} stage", (shape,))
    elif (layer := _layer(cell)) and (other := evidence.wrong(cell.row, "input_shape")):
        claimed = _with_batch(other, layer.use.input)
        if claimed is not None:
            yield from _fed(cell, layer, claimed, f"follows from the input claimed, {_text(claimed)}")


def an_earlier_stage(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on the output of an earlier row with the same number of channels, the nearest first."""
    if layer := _layer(cell):
        for row, shape in _maps(layer, evidence.before(layer.row), _as_input):
            yield from _fed(
                cell, layer, shape, f"the input is taken from an earlier stage: {_text(shape)} of {row.label}"
            )


def a_later_stage(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on the output of a later row with the same number of channels, the nearest first."""
    if layer := _layer(cell):
        for row, shape in _maps(layer, evidence.after(layer.row), _as_input):
            yield from _fed(cell, layer, shape, f"the input is taken from a later stage: {_text(shape)} of {row.label}")


def the_row_before(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The layer on the wrong output shape that is claimed for the row that its input comes from."""
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
    """The layer on an input with its own channels and the spatial size of another row's output."""
    if layer := _layer(cell):
        for words, rows in (("an earlier", evidence.before(layer.row)), ("a later", evidence.after(layer.row))):
            for _, shape in _maps(layer, rows, _with_own_channels):
                yield from _fed(cell, layer, shape, f"the size of the input is that of {words} stage: {_text(shape)}")


def _layer(cell: Cell) -> Layer | None:
    return None if cell.row is None else Layer.of(cell.row)


def _maps(
    layer: Layer, rows: Sequence[Row], as_input: Callable[[Shape, Shape], Shape | None]
) -> Iterator[tuple[Row, Shape]]:
    """(row, shape) for each distinct shape that `as_input` returns for a row's output and the layer's own input."""
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
    """The other output if the layer could take it: flattened for a linear layer, else only with the same channels."""
    if len(own) == 2:
        return output[0], prod(output[1:])
    return output if len(output) == len(own) and output[:2] == own[:2] else None


def _with_own_channels(output: Shape, own: Shape) -> Shape | None:
    return (*own[:2], *output[2:]) if len(output) == len(own) else None


def _flows(output: Shape, own: Shape) -> bool:
    return output == own or (len(own) == 2 and prod(output[1:]) == own[1])


def _claimed_output(row: Row | None, evidence: Evidence) -> Shape | None:
    """The wrong output shape, with batch dimension, that the file claims for a row with one output; else None."""
    cell = evidence.wrong(row, "output_shape") if row is not None else None
    right = output_of(row) if row is not None else None
    return None if cell is None or right is None else _with_batch(cell, right)


def _with_batch(cell: Cell, right: Shape) -> Shape | None:
    """The shape that a cell claims, with the batch of the right one; None if it has another number of sizes."""
    if not isinstance(cell.claimed, Shapes):
        return None
    claimed = cell.claimed.value[0]
    return claimed if len(claimed) == len(right) else (right[0], *claimed) if len(claimed) == len(right) - 1 else None


def _text(shape: Shape) -> str:
    """A shape without its batch dimension, as claims write it."""
    return "x".join(str(size) for size in shape[1:])
