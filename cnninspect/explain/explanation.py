"""The explanation of a network: which layers are meant, their derivations, and the totals as the sums they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TypeGuard

from cnninspect.errors import UsageError
from cnninspect.explain.against import of_a_pair
from cnninspect.explain.document import Correction, Derivation, Explanation, Formula, LayerDerivation
from cnninspect.explain.expression import (
    ONE,
    ZERO,
    Expression,
    Number,
    Operation,
    Symbol,
    evaluate,
    plus,
    substituted,
    times,
)
from cnninspect.explain.fields import Run
from cnninspect.explain.layers import container_derivation, layer_derivation, sum_of
from cnninspect.receptive.fields import Fields
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Verdict, item_size
from cnninspect.report.rows import Check, ReceptiveField, Row, RowId, layers_near
from cnninspect.report.selection import Level, View, fits_depth, fits_ops, in_order


def explained(
    report: Report, fields: Fields, layers: Sequence[str] = (), level: Level | None = None, view: View | None = None
) -> Explanation:
    """The derivations of the layers that are named, by default of all and of the totals.

    `report` and `fields` are of one run. A container's name stands for all that is in it. `level` is by default full
    for a row that is named itself, short for the many rows of a container. Raises UsageError for a name that no layer
    has. Totals do not depend on the view.
    """
    view = view or View()
    everything = [] if layers else _all(report.rows, View())
    groups = _named(report.rows, layers) if layers else [_all(report.rows, view)]
    alone = {index for group in groups for index in group if len(group) == 1}
    asked = {report.rows[index].id: index for index in sorted({index for group in groups for index in group})}
    shown = [row for row in map(report.rows.__getitem__, asked.values()) if view.wants(row.id, row.verdict)]
    run = Run.of(fields)
    known = {index: _derived(index, report, run) for index in dict.fromkeys((*asked.values(), *everything))}
    derived = (
        replace(known[index], level=level or (Level.FULL if index in alone else Level.SHORT))
        for index in (asked[row.id] for row in in_order(shown, view))
    )
    return Explanation(
        command="explain",
        tool=report.tool,
        target=report.target,
        run=report.run,
        uncounted=report.uncounted,
        notes=report.notes,
        verdict=report.verdict,
        layers=tuple(derived),
        totals=()
        if layers
        else tuple(_totals(report, [known[index] for index in everything], sum(fields.trace.unread.values()))),
    )


def corrected(report: Report, fields: Fields, checks: Sequence[Check]) -> Explanation:
    """A sheet of hand calculations, corrected: the checks of its cells, beside wrong ones the right derivations.

    `report` and `fields` are of one run.
    """
    run = Run.of(fields)
    places = {row.id: index for index, row in enumerate(report.rows)}
    known: dict[RowId | None, Sequence[Derivation]] = {}

    def derivations(place: RowId | None) -> Sequence[Derivation]:
        if place not in known and place is None:
            known[place] = explained(report, fields).totals
        elif place not in known:
            known[place] = _derived(places[place], report, run).derivations if place in places else ()
        return known[place]

    sheet = tuple(
        Correction(check, tuple(_right(check, derivations(check.row))) if check.verdict is Verdict.DIFFER else ())
        for check in checks
    )
    return replace(explained(report, fields), layers=(), totals=(), sheet=sheet)


def _right(check: Check, known: Sequence[Derivation]) -> Iterator[Derivation]:
    """The derivations of the number that a cell is about, without those that only name it; none for a setting."""
    first = [each for each in known if each.quantity == "output_shape" and each.output == 0]
    if check.name in _FROM_THE_LAST:
        axis = len(first) - _FROM_THE_LAST[check.name]
        yield from (each for each in first if each.axis == axis)
    elif check.name in ("weight", "bias"):
        parts = [part for each in known if each.quantity == "params" for part in each.parts]
        yield from (Derivation("params", part.name, part.value, part) for part in parts if check.name in part.name)
    elif check.name == "jump":
        steps = [(each.axis, each.jump) for each in known if each.jump is not None]
        yield from (Derivation("jump", "j", step.value, step, axis) for axis, step in steps)
    else:
        yield from (each for each in known if each.quantity == check.name)


_FROM_THE_LAST = {"height": 2, "width": 1}
"""Columns of sizes, and the number of the axis, counted from the last."""


def _derived(index: int, report: Report, run: Run) -> LayerDerivation:
    row = report.rows[index]
    if not row.leaf:
        return container_derivation(row, list(_leaves(index, report.rows)))
    found = layer_derivation(row, run.trace.calls[index], run)
    return replace(found, asides=(*found.asides, *of_a_pair(index, report.rows, run)))


def _leaves(index: int, rows: Sequence[Row]) -> Iterator[Row]:
    """The rows below a row that have none below them."""
    inside = {index}
    for position in range(index + 1, len(rows)):
        if rows[position].parent in inside:
            inside.add(position)
            if rows[position].leaf:
                yield rows[position]


# --- which rows -----------------------------------------------------------------------------------------------------


def _all(rows: Sequence[Row], view: View) -> list[int]:
    """The leaves that the view shows, and containers only where the view's depth hides what is in them."""
    whole = tuple(rows)
    fitting = [fits_ops(row, view.ops) and fits_depth(row, whole, view.depth) for row in rows]
    with_more = {row.parent for row, fits in zip(rows, fitting, strict=True) if fits}
    return [
        index
        for index, row in enumerate(rows)
        if fitting[index] and row.output_shape is not None and (row.leaf or index not in with_more)
    ]


def _named(rows: Sequence[Row], names: Sequence[str]) -> list[list[int]]:
    """The rows of every name."""
    found = [[index for index, row in enumerate(rows) if _is_meant(row, name)] for name in names]
    for name, meant in zip(names, found, strict=True):
        if not meant:
            raise UsageError(_unknown(rows, name))
    return found


def _is_meant(row: Row, name: str) -> bool:
    """Whether a name is a row's label or path, or the path of a module that the row lies in, if it is a leaf there."""
    inside = (row.path == name or row.path.startswith(f"{name}.")) and row.leaf and row.layer_like
    is_it = row.label == name or (row.path == name and not row.functional)
    return row.output_shape is not None and (is_it or inside)


def _unknown(rows: Sequence[Row], name: str) -> str:
    near = layers_near(rows, name)
    hint = f"Nearest: {', '.join(near)}." if near else "`cnninspect summary TARGET` lists the layers."
    return f"no layer is called {name!r}. {hint}"


# --- totals ---------------------------------------------------------------------------------------------------------


def _totals(report: Report, layers: Sequence[LayerDerivation], unread: int) -> Iterator[Derivation]:
    """Each total as the sum over the layers; `unread` parameters, those that no layer reads, are its last term."""
    leaves = [row for row in report.rows if row.leaf]
    for name in ("params", "macs", "neurons", "flops"):
        total = report.totals.get(name)
        if not isinstance(total, Quantity):
            continue
        found = sum_of(name, total, leaves, unread if name == "params" else 0)
        if found is not None:
            yield found
    yield from _memory_of_all(report, leaves)
    yield from _field_of_all(report, layers)


def _memory_of_all(report: Report, leaves: Sequence[Row]) -> Iterator[Derivation]:
    """Bytes of inputs, of parameters and of activations as a Keras-style summary counts them, and their sum.

    Only where all of them have one data type: then each is a number of elements times its size.
    """
    size = Number(item_size(str(report.run.get("dtype"))))
    inputs = [times(size, *map(Number, item["shape"])) for item in report.run.get("inputs", ())]
    params = report.totals.get("params")
    outputs = [shape for row in leaves if _counts(row.params) and row.output_shape for shape in row.output_shape.value]
    elements = plus(*(Number(prod(shape)) for shape in outputs))
    parts = {
        "inputs": ("input_bytes", plus(*inputs), ""),
        "parameters": ("params_bytes", times(size, Number(params.value if _counts(params) else 0)), ""),
        "activations": ("activation_bytes", times(Number(2), size, elements), _KERAS),
    }
    found = [_bytes(name, report.totals.get(total), tree, words) for name, (total, tree, words) in parts.items()]
    known = [each for each in found if each is not None and each.value]
    whole = _bytes("memory", report.totals.get("total_bytes"), plus(*(Number(each.value) for each in known)), "")
    if len(found) == sum(each is not None for each in found) and whole is not None:
        yield from known
        yield whole


_KERAS = "the outputs of layers with parameters, once forward and once backward"


def _counts(number: Quantity | ReceptiveField | None) -> TypeGuard[Quantity]:
    return isinstance(number, Quantity) and bool(number.value)


def _bytes(name: str, total: Quantity | ReceptiveField | None, tree: Expression, words: str) -> Derivation | None:
    """The derivation of a number of bytes; None where the expression does not come to it."""
    if not isinstance(total, Quantity) or total.value is None or evaluate(tree) != total.value:
        return None
    formula = Formula(name, tree, total.value)
    return Derivation("memory", name, total.value, formula, measured=total.measured, verdict=total.verdict, words=words)


def _field_of_all(report: Report, layers: Sequence[LayerDerivation]) -> Iterator[Derivation]:
    """The field of the network as one pixel and what each window adds to it, where that comes to its size.

    So it does without branches, and where all branches but one add nothing (shortcuts with a 1x1 convolution).
    """
    total = report.totals.get("receptive_field")
    if not isinstance(total, ReceptiveField) or total.size is None:
        return
    until = next((index for index, layer in enumerate(layers) if layer.row.label == total.layer), len(layers) - 1)
    windows = [each for layer in layers[: until + 1] for each in layer.of("receptive_field")]
    for axis, size in enumerate(tuple(each) if isinstance(each, list) else each for each in total.size):
        tree = plus(ONE, *(_added(each) for each in windows if each.axis == axis))
        fits = isinstance(size, int) and evaluate(tree) == size
        words = f"the last map, {total.layer}" if fits else f"that of {total.layer}; it is no sum over windows"
        if isinstance(size, tuple):
            words = f"that of {total.layer}: from {min(size)} to {max(size)} pixels, depending on the position"
        formula = Formula("r", tree, evaluate(tree)) if fits else None
        yield Derivation("receptive_field", "r", size, formula, axis, verdict=total.verdict, words=words)


def _added(step: Derivation) -> Expression:
    """What a window adds to the field of its input, with its numbers: (k - 1)*d*j; 0 for anything else."""
    match None if step.formula is None else step.formula.tree:
        case Operation("+", (Symbol(name), *gaps)) if name.startswith("rin"):
            added = plus(*map(substituted, gaps))
            return added if evaluate(added) else ZERO
    return ZERO
