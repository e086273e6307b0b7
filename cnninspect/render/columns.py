"""The columns of a table of layers, by the names that `--columns` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cnninspect.render import cells, field_cells
from cnninspect.render.cells import Context, Line
from cnninspect.render.numbers import label
from cnninspect.render.sheet import Cell, Heading


@dataclass(frozen=True)
class Column:
    """A heading and how to fill the cells below it."""

    heading: Heading
    cell: Callable[[Line, Context], Cell]


_TITLES = {
    "calls": "calls",
    "work": "work",
    "operations": "operations",
    "element_operations": "other operations",
    "backward_macs": "backward MACs",
    "output_bytes": "output bytes",
    "bytes_moved": "bytes moved",
    "intensity": "MACs per byte",
    "bound_by": "bound by",
    "latency": "ms",
    "latency_spread": "spread",
    "flops_per_second": "GFLOPs/s",
}
"""Numbers that accounts add and that have a title of their own."""

ADDED_NAMES = frozenset(_TITLES)

_UNITS = {"latency": "seconds", "latency_spread": "seconds"}


def added_column(name: str, title: str | None = None) -> Column:
    """The column of a number that an account added."""
    return Column(
        Heading(name, title or label(name), right=name not in ("work", "bound_by"), unit=_UNITS.get(name, "")),
        cells.count_cell(name),
    )


def _backward(part: str) -> Callable[[Line, Context], Cell]:
    return cells.part_cell("backward_macs", part)


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
    yield Column(Heading("cumulative", "cumulative", right=True, unit="percent"), cells.cumulative_cell)
    yield from (added_column(*name_and_title) for name_and_title in _TITLES.items())
    yield Column(Heading("input_gradient_macs", "input gradients", right=True), _backward("inputs"))
    yield Column(Heading("weight_gradient_macs", "weight gradients", right=True), _backward("weights"))
    yield Column(Heading("op", "op", kept=True), cells.kind_cell)
    yield Column(Heading("kernel_size", "kernel", right=True), field_cells.setting_cell("kernel_size"))
    yield Column(Heading("stride", "stride", right=True), field_cells.setting_cell("stride", usual=1))
    yield Column(Heading("dilation", "dilation", right=True), field_cells.setting_cell("dilation", usual=1))
    yield Column(Heading("receptive_field", "field", right=True), cells.field_cell)
    yield Column(Heading("jump", "jump", right=True), field_cells.part_of_field_cell("jump"))
    yield Column(Heading("field_padding", "padding", right=True), field_cells.part_of_field_cell("padding"))
    yield Column(Heading("probe", "probe"), field_cells.probe_cell)
    yield Column(Heading("global", "global by"), field_cells.cause_cell)
    yield Column(Heading("hyperparameters", "hyper-parameters"), cells.hyperparameters_cell)
    yield Column(Heading("reasons", "why counters differ"), cells.reasons_cell)
    yield Column(Heading("status", "status"), cells.status_cell)
    yield Column(Heading("verdict", "", kept=True), cells.verdict_cell)


COLUMNS = {column.heading.name: column for column in _columns()}


def counter_column(name: str, unit: str = "macs") -> Column:
    """The column of one counter, in MACs or FLOPs."""
    return Column(Heading(f"{unit}_{name}", f"{label(unit)} by {name}", right=True), cells.counter_cell(name, unit))
