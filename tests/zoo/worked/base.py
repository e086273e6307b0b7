"""What a hand calculation of a network says: one line per row of the report, and totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from cnninspect import Report, inspect_model
from cnninspect.report.quantities import Shape


class Numbers(NamedTuple):
    """One row: output shape with the batch, params, MACs and neurons per forward pass."""

    output: Shape
    params: int = 0
    macs: int = 0
    neurons: int = 0


@dataclass(frozen=True)
class Example:
    """A network of the zoo with its hand calculation.

    `rows` maps every row that has none below it, by its label in messages and in the order in which it runs, to its
    numbers. `variant` sets apart examples of one network.
    """

    name: str
    rows: Mapping[str, Numbers]
    totals: Mapping[str, int]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_shape: Shape | None = None
    variant: str = ""

    def __str__(self) -> str:
        return "-".join(part for part in (self.name, self.variant) if part)

    @property
    def report(self) -> Report:
        """What the tool says."""
        return inspected(self.name, self.input_shape, **self.arguments)


def inspected(name: str, input_shape: Shape | None = None, **arguments: Any) -> Report:
    """The report on a network of the zoo; asked for once."""
    return _inspected(name, input_shape, tuple(sorted(arguments.items())))


@cache
def _inspected(name: str, input_shape: Shape | None, arguments: tuple[tuple[str, Any], ...]) -> Report:
    return inspect_model(f"zoo:{name}", input_shape, arguments=dict(arguments))


def numbers_of(report: Report) -> dict[str, Numbers]:
    """The report's rows that have none below them, as a hand calculation writes them."""
    return {
        row.label: Numbers(row.output_shape.value[0], row.params.value, row.macs.value, row.neurons.value)
        for row in report.rows
        if row.leaf
    }
