"""How field, map, parameters and MACs move together when constructor arguments vary: one line for each network."""

from __future__ import annotations

from cnninspect.render.numbers import dimensions, field_text, number_cell, per_axis
from cnninspect.render.page import Cell, Heading, Sheet
from cnninspect.render.screen import Marks
from cnninspect.report.document import Variation
from cnninspect.report.parts import VariedNetwork


def varied_sheet(variation: Variation, marks: Marks) -> Sheet:
    """The arguments that vary, and what follows from them for the layer that is looked at."""
    names = tuple(variation.varied[0].arguments)
    headings = (
        *(Heading(name, name, right=True, kept=True) for name in names),
        Heading("receptive_field", "field", right=True, kept=True),
        Heading("jump", "jump", right=True),
        Heading("padding", "padding", right=True),
        Heading("map", "map", kept=True),
        Heading("params", "params", right=True, kept=True),
        Heading("macs", "MACs", right=True, kept=True),
        Heading("layer", "layer"),
    )
    return Sheet(headings, tuple(_line(network, marks) for network in variation.varied))


def _line(network: VariedNetwork, marks: Marks) -> tuple[Cell, ...]:
    field = network.receptive_field
    known = field.size is not None or field.is_global
    text = field_text(field) if known else marks.unknown if field.was_computed else ""
    positions = dimensions(network.map) if network.map else ""
    return (
        *(Cell(str(value), value if isinstance(value, int) else str(value)) for value in network.arguments.values()),
        Cell(text, text),
        *(Cell(per_axis(part), per_axis(part)) if part else Cell("") for part in (field.jump, field.padding)),
        Cell(positions, positions),
        *(number_cell(number, marks) for number in (network.params, network.macs)),
        Cell(network.layer, network.layer),
    )
