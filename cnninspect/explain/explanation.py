"""The explanation of a network: which layers are meant, their derivations, and the totals as the sums they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

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
from cnninspect.explain.fields import Run, beyond_gates, way_to
from cnninspect.explain.layers import container_derivation, layer_derivation, sum_of
from cnninspect.receptive.fields import Fields
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Verdict, item_size
from cnninspect.report.rows import Check, ReceptiveField, Row, RowId, layers_near
from cnninspect.report.selection import Level, View, fits_depth, fits_ops, in_order
from cnninspect.trace.records import Call, Trace, takes_packed


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
        totals=() if layers else tuple(_totals(report, {index: known[index] for index in everything}, run)),
    )


def derivations(report: Report, fields: Fields) -> dict[RowId, LayerDerivation]:
    """The derivations of every row, those of containers as sums; `report` and `fields` are of one run."""
    run = Run.of(fields)
    return {row.id: _derived(index, report, run) for index, row in enumerate(report.rows)}


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


def _totals(report: Report, layers: Mapping[int, LayerDerivation], run: Run) -> Iterator[Derivation]:
    """Each total as the sum over the layers; parameters that no layer reads are its last term."""
    unread = sum(run.trace.unread.values())
    leaves = [row for row in report.rows if row.leaf]
    for name in ("params", "macs", "neurons", "flops"):
        total = report.totals.get(name)
        if not isinstance(total, Quantity):
            continue
        found = sum_of(name, total, leaves, unread if name == "params" else 0)
        if found is not None:
            yield found
    yield from _memory_of_all(report, run.trace)
    yield from _field_of_all(report, layers, run)


def _memory_of_all(report: Report, trace: Trace) -> Iterator[Derivation]:
    """Bytes of inputs, of parameters and of activations as a Keras-style summary counts them, and their sum."""
    inputs = [times(Number(item_size(each["dtype"])), *map(Number, each["shape"])) for each in report.run["inputs"]]
    held: dict[int, int] = {}
    for state in trace.parameters.values():
        held[item_size(state.dtype)] = held.get(item_size(state.dtype), 0) + state.fresh
    params = plus(*(times(Number(size), Number(count)) for size, count in held.items()))
    outputs: dict[int, list[int]] = {}
    for row, call in zip(report.rows, trace.calls, strict=True):
        if row.leaf and row.output_shape is not None and _keeps_outputs(row, call, trace):
            for shape, ref in zip(row.output_shape.value or (), call.outputs, strict=False):
                outputs.setdefault(item_size(ref.dtype), []).append(prod(shape))
    activations = [times(Number(2), Number(size), plus(*map(Number, counts))) for size, counts in outputs.items()]
    parts = {
        "inputs": ("input_bytes", plus(*inputs), ""),
        "parameters": ("params_bytes", params, ""),
        "activations": ("activation_bytes", plus(*activations), _KERAS),
    }
    found = [_bytes(name, report.totals.get(total), tree, words) for name, (total, tree, words) in parts.items()]
    known = [each for each in found if each is not None and each.value != 0]
    yield from known
    numbers = [Number(each.value) for each in known if isinstance(each.value, int)]
    whole = _bytes("memory", report.totals.get("total_bytes"), plus(*numbers), "")
    yield from [] if whole is None else [whole]


def _keeps_outputs(row: Row, call: Call, trace: Trace) -> bool:
    """Whether a Keras-style summary counts the outputs: those of layers that compute with parameters."""
    reads = call.functional and any(ref.state in trace.parameters for ref in call.inputs)
    return takes_packed(call) or bool(call.state) or (reads and row.computes)


_KERAS = "the outputs of layers with parameters, once forward and once backward"


def _bytes(name: str, total: Quantity | ReceptiveField | None, tree: Expression, words: str) -> Derivation | None:
    """The derivation of a number of bytes; with the reason, and without a formula, where the expression fails."""
    if not isinstance(total, Quantity):
        return None
    fits = evaluate(tree) == total.value
    words = words if fits else "; ".join(map(str, total.why)) or "the sizes of its tensors do not add up to it"
    formula = Formula(name, tree, total.value) if fits else None
    return Derivation(
        "memory", name, total.value, formula, measured=total.measured, verdict=total.verdict, status=total.status,
        words=words,
    )  # fmt: skip


def _field_of_all(report: Report, layers: Mapping[int, LayerDerivation], run: Run) -> Iterator[Derivation]:
    """The field of the network as one pixel and what each window on the way adds to it, if that comes to its size.

    Where branches meet, the way leads through the one that sees the most. It does not come to the size where no branch
    sees all that the others see.
    """
    total = report.totals.get("receptive_field")
    outputs = len(run.trace.outputs)
    if not isinstance(total, ReceptiveField) or total.size is None:
        if outputs > 1 and any(layer.of("receptive_field") for layer in layers.values()):
            words = f"no map leads to the first of {outputs} outputs; each layer above has its own"
            yield Derivation("receptive_field", "r", None, words=words)
        return
    leaves = {index for index, row in enumerate(report.rows) if row.leaf}
    last = next((index for index in layers if report.rows[index].label == total.layer), max(layers))
    for axis, size in enumerate(tuple(each) if isinstance(each, list) else each for each in total.size):
        way = sorted(way_to(last, axis, run, leaves))
        steps = (each for index in way if index in layers for each in layers[index].of("receptive_field"))
        tree = plus(ONE, *(_added(each) for each in steps if each.axis == axis))
        fits = isinstance(size, int) and evaluate(tree) == size
        of = f"{total.layer}, on the way to the first of {outputs} outputs" if outputs > 1 else total.layer
        words = f"the last map, {of}" if fits else f"that of {of}; it is no sum over windows"
        if isinstance(size, tuple):
            words = f"that of {of}: from {min(size)} to {max(size)} pixels, depending on the position"
        words = "; ".join(part for part in (words, beyond_gates(total, axis)) if part)
        formula = Formula("r", tree, evaluate(tree)) if fits else None
        yield Derivation("receptive_field", "r", size, formula, axis, verdict=total.verdict, words=words)


def _added(step: Derivation) -> Expression:
    """What a window adds to the field of its input, with its numbers: (k - 1)*d*j; 0 for anything else."""
    match None if step.formula is None else step.formula.tree:
        case Operation("+", (Symbol(name), *gaps)) if name.startswith("rin"):
            added = plus(*map(substituted, gaps))
            return added if evaluate(added) else ZERO
    return ZERO
