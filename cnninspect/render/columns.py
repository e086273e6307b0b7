"""The columns of a table of layers, by the names that `--columns` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cnninspect.render import cells
from cnninspect.render.cells import Context, Line
from cnninspect.render.sheet import Cell, Heading


@dataclass(frozen=True)
class Column:
    """A heading and how to fill the cells below it."""

    heading: Heading
    cell: Callable[[Line, Context], Cell]


def _columns() -> Iterable[Column]:
    yield Column(Heading("layer", "layer", kept=True), cells.layer_cell)
    yield Column(Heading("call", "call", right=True), cells.call_cell)
    yield Column(Heading("kind", "kind"), cells.kind_cell)
    yield Column(Heading("input_shape", "input"), cells.input_cell)
    yield Column(Heading("output_shape", "output"), cells.output_cell)
    yield Column(Heading("params", "params", right=True), cells.count_cell("params"))
    yield Column(Heading("macs", "MACs", right=True), cells.count_cell("macs"))
    yield Column(Heading("flops", "FLOPs", right=True), cells.count_cell("flops"))
    yield Column(Heading("neurons", "neurons", right=True), cells.count_cell("neurons"))
    yield Column(Heading("share", "share of MACs", unit="percent"), cells.share_cell)
    yield Column(Heading("receptive_field", "field", right=True), cells.field_cell)
    yield Column(Heading("hyperparameters", "hyper-parameters"), cells.hyperparameters_cell)
    yield Column(Heading("reasons", "why counters differ"), cells.reasons_cell)
    yield Column(Heading("status", "status"), cells.status_cell)
    yield Column(Heading("verdict", "", kept=True), cells.verdict_cell)


COLUMNS = {column.heading.name: column for column in _columns()}
COUNTERS = "counters"
"""Stands for one column per counter, after the one called `macs`."""


def counter_column(name: str) -> Column:
    """The column of one counter."""
    return Column(Heading(f"macs_{name}", f"MACs by {name}", right=True), cells.counter_cell(name))
