"""The derivation of every number of one row: of a layer by its formulas, of a container as the sum of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from cnninspect.explain.document import Aside, Derivation, Formula, LayerDerivation, Term, names_in
from cnninspect.explain.expression import Expression, Number, Operation, Symbol, evaluate, plus, replaced
from cnninspect.explain.fields import Run, beyond_gates, field_derivations
from cnninspect.explain.recorded import MEANINGS, called_by_rank, recorded, tree_of
from cnninspect.explain.recordings import Recordings, recordings_of
from cnninspect.report.quantities import Quantity, Status, flops_from_macs, item_size
from cnninspect.report.rows import Row
from cnninspect.trace.records import Call, State, TensorRef

FLOATING = ("float", "bfloat", "complex")
_NAMES = {"params": "params", "macs": "MACs", "neurons": "neurons", "flops": "FLOPs"}


def layer_derivation(row: Row, call: Call, run: Run) -> LayerDerivation:
    """All that can be said of one use of a layer, or of one functional call."""
    found = recordings_of(call, run.trace, run.layouts(call))
    sizes, short = _named_sizes(found)
    derivations = [
        *_output(row, found, sizes),
        _params(row, call, found),
        _macs(row, found, short),
        _neurons(row, call, sizes),
        _flops(row),
        _memory(row, call, sizes),
        *field_derivations(row, call, run),
    ]
    known = tuple(each for each in derivations if each is not None)
    outputs = {ref.shape for ref in call.outputs}
    return LayerDerivation(
        row.id, known, _terms(known, found), tuple(_asides(row, found)), row.where,
        keeps_shape=outputs <= {ref.shape for ref in call.inputs},
    )  # fmt: skip


# --- output sizes -------------------------------------------------------------------------------------------------


def _named_sizes(found: Recordings) -> tuple[list[list[Formula]], dict[Expression, Expression]]:
    """Each output's sizes under the names Hout and the like, and those names by the formulas that they stand for.

    A size that is one of the layer's numbers as it is (N, Cout) keeps its name.
    """
    short: dict[Expression, Expression] = {}
    names = replace(found.names, taken=dict(found.names.taken))
    outputs = []
    for output, sizes in enumerate(found.shapes or ()):
        named = []
        for axis, size in enumerate(sizes):
            is_state = output > 0 and axis == 0 and found.formula == "recurrent network"
            tree, name = tree_of(size), _STATES if is_state else _size_name(found, sizes, axis)
            if isinstance(tree, Operation):
                symbol = short.setdefault(tree, tree_of(names.number(name, int(size))))
                name = symbol.name if isinstance(symbol, Symbol) else name
            named.append(Formula(name, tree, int(size)))
        outputs.append(named)
    return outputs, short


def _size_name(found: Recordings, sizes: Sequence[Any], axis: int) -> str:
    """`N` or `Cout` for a size that is one of the layer's own numbers, else `Hout`."""
    tree = tree_of(sizes[axis])
    if isinstance(tree, Symbol):
        return tree.name
    first = found.inputs[0] if found.inputs else ()
    source = tree_of(first[axis]) if len(first) == len(sizes) else None
    by_rank = _WINDOWS[-len(sizes) :] if found.formula == "unfold" else called_by_rank([tuple(map(int, sizes))])[0]
    called = source.name if isinstance(source, Symbol) else by_rank[axis]
    return f"{called.rstrip('0123456789').removesuffix('in')}out"


_STATES = "states"
"""The first dimension of the last hidden states: layers times directions. Source: torch.nn.LSTM, "Outputs"."""

_WINDOWS = ("N", "F", "L")
"""Windows as columns: the elements of a window, then the places. Source: torch.nn.Unfold, "Shape"."""


def _output(row: Row, found: Recordings, sizes: list[list[Formula]]) -> Iterator[Derivation]:
    """One derivation for each axis of each output."""
    quantity = row.output_shape
    if quantity is None:
        return
    measured = {name: shapes for name, shapes in quantity.measured.items() if shapes is not None}
    for output, shape in enumerate(quantity.value or ()):
        named = sizes[output] if output < len(sizes) else None
        fits = named is not None and [each.value for each in named] == list(shape)
        for axis, size in enumerate(shape):
            yield Derivation(
                "output_shape",
                named[axis].name if named is not None and fits else f"n{axis}",
                size,
                named[axis] if named is not None and fits else None,
                axis,
                output,
                {name: shapes[output][axis] for name, shapes in measured.items()},
                quantity.verdict,
                found.source,
                "" if fits else _why(quantity),
            )


# --- counts -------------------------------------------------------------------------------------------------------


def _of(
    name: str, quantity: Quantity | None, tree: Expression | None, words: str = "", **details: Any
) -> Derivation | None:
    """The derivation of a number of the row: by the tree, if that is what its formula says; else why there is none."""
    if quantity is None:
        return None
    fits = tree is not None and quantity.analytic is not None and evaluate(tree) == quantity.analytic
    formula = Formula(_NAMES[name], tree, quantity.analytic) if tree is not None and fits else None
    words = words if fits else _why(quantity)
    return Derivation(
        name, _NAMES[name], quantity.value, formula, measured=quantity.measured, verdict=quantity.verdict,
        status=quantity.status, words=words, **details,
    )  # fmt: skip


def _why(quantity: Quantity) -> str:
    """Why a number has no derivation, in the words of its reasons."""
    reasons = "; ".join(dict.fromkeys(str(reason) for reason in quantity.why))
    if reasons:
        return reasons
    if quantity.analytic is not None:
        return "it is the sum over the ATen ops that ran"
    return "it was measured: no formula gives it" if quantity.value is not None else "nothing is known about it"


def _params(row: Row, call: Call, found: Recordings) -> Derivation | None:
    """The sum over the parameters that this use is the first to read."""
    parts = tuple(_roles(call, found))
    words = "" if parts else _no_params(call, found)
    return _of(
        "params", row.params, plus(*(part.tree for part in parts)), parts=parts, source=found.source, words=words
    )


def _roles(call: Call, found: Recordings) -> Iterator[Formula]:
    """The parameters that are counted here, by role; those without a formula of their own by the shape that is read."""
    roles = {id(held): role for role, held in found.held.items() if held is not None}
    others = call.inputs if call.functional else ()
    for held in (*found.held.values(), *(ref for ref in others if id(ref) not in roles)):
        if held is None or not held.fresh:
            continue
        role = roles.get(id(held), _own_name(held))
        count = found.params.get(role) if id(held) in roles else prod(recorded(n, Number(n)) for n in held.shape)
        if count is not None:
            tree = tree_of(count // held.repeats if held.repeats != 1 else count)
            yield Formula(role, tree, int(count) // held.repeats)


def _own_name(held: State | TensorRef) -> str:
    name = held.name if isinstance(held, State) else held.state
    return (name or "parameter").rpartition(".")[2]


def _no_params(call: Call, found: Recordings) -> str:
    held = [each for each in (*found.held.values(), *call.state.values()) if each is not None]
    return "its parameters were counted where they were first read" if held else "it has none"


def _macs(row: Row, found: Recordings, short: Mapping[Expression, Expression]) -> Derivation | None:
    """The multiply-accumulates, with the output's sizes by name."""
    tree = None if found.macs is None else replaced(tree_of(found.macs), short)
    words = found.reason if row.macs is not None and row.macs.value else ""
    return _of("macs", row.macs, tree, source=found.source, words=words)


def _neurons(row: Row, call: Call, sizes: list[list[Formula]]) -> Derivation | None:
    """All elements of the outputs that hold numbers; none for a call that only moves data."""
    products = [_elements(named) for named, ref in zip(sizes, call.outputs, strict=False) if _is_floating(ref)]
    words = "" if row.computes else "it only moves data, so it has no neurons of its own"
    tree = plus(*products) if row.computes and sizes else Number(0) if not row.computes else None
    return _of("neurons", row.neurons, tree, words=words)


def _elements(named: Sequence[Formula]) -> Expression:
    """The product of the sizes, each by its name."""
    return tree_of(prod(recorded(each.value, _symbol(each)) for each in named))


def _symbol(size: Formula) -> Expression:
    return size.tree if isinstance(size.tree, Number) else Symbol(size.name, size.value)


def _is_floating(ref: TensorRef) -> bool:
    return ref.dtype.startswith(FLOATING)


def _flops(row: Row) -> Derivation | None:
    """Two for each multiply-accumulate."""
    macs = None if row.macs is None else row.macs.analytic
    tree = None if macs is None else tree_of(flops_from_macs(recorded(macs, Symbol("MACs", macs))))
    return _of("flops", row.flops, tree, words="a multiply-accumulate is one multiplication and one addition")


def _memory(row: Row, call: Call, sizes: list[list[Formula]]) -> Derivation | None:
    """Bytes of what comes out, and of the parameters that are counted here."""
    params = row.params
    if params is None or len(sizes) != len(call.outputs) or params.analytic is None:
        return None
    terms = [_bytes(_elements(named), ref.dtype) for named, ref in zip(sizes, call.outputs, strict=True)]
    kinds = {state.dtype for state in call.state.values() if state.fresh} or {
        ref.dtype for ref in call.inputs if ref.fresh
    }
    if len(kinds) > 1:
        return None
    terms += [_bytes(Symbol("params", params.analytic), kind) for kind in kinds if params.analytic]
    tree = plus(*terms)
    value = evaluate(tree)
    return Derivation("memory", "bytes", value, Formula("bytes", tree, value))


def _bytes(elements: Expression, dtype: str) -> Expression:
    return tree_of(recorded(item_size(dtype), Number(item_size(dtype))) * recorded(int(evaluate(elements)), elements))


# --- what stands beside -------------------------------------------------------------------------------------------


def _terms(derivations: Sequence[Derivation], found: Recordings) -> tuple[Term, ...]:
    """The symbols of the formulas, in the order in which they are met; results of other formulas are none."""
    results = {each.name for each in derivations} - found.names.taken.keys()
    formulas = [formula for each in derivations for formula in (each.formula, *each.parts, each.jump)]
    used = names_in(*formulas)
    first = [name for name in found.names.taken if name in used]
    others = [name for name in used if name not in found.names.taken and name not in results]
    meanings = (*((name, _meaning(name)) for name in first), *((name, _of_input(name)) for name in others))
    return tuple(Term(name, used[name], meaning) for name, meaning in meanings)


def _of_input(name: str) -> str:
    """What a symbol in the step of a receptive field stands for: a field, jump or padding of what goes in."""
    plain = name.partition("_")[0]
    known = _OF_INPUTS.get(plain) or (plain[1:].isdigit() and _OF_INPUTS.get(f"{plain[0]}#"))
    return known.replace("#", plain[1:]) if known else _meaning(name)


def _meaning(name: str) -> str:
    """What a symbol stands for; of an axis of the kernel what the whole kernel is called."""
    for known in (name, name.rstrip("0123456789"), name[:-1]):
        if known in MEANINGS:
            return MEANINGS[known].replace("_", " ")
    return ""


_OF_INPUTS = {
    "rin": "receptive field of the input", "jin": "jump of the input",
    "r#": "receptive field of branch #", "j#": "jump of branch #", "p#": "padding of branch #",
}  # fmt: skip
"""What the symbols of a step of the receptive field stand for."""


_FILLED = {
    "zeros": "zeros", "reflect": "reflected pixels", "replicate": "copies of the border",
    "circular": "pixels of the other side",
}  # fmt: skip
"""Padding mode -> what the padding consists of. Source: torch.nn.Conv2d, `padding_mode`."""


def _asides(row: Row, found: Recordings) -> Iterator[Aside]:
    """Remarks on a layer's settings that its formulas do not show."""
    if row.hyperparameters.get("padding") == "same":
        filled = _FILLED[row.hyperparameters.get("padding_mode", "zeros")]
        yield Aside(f"padding 'same' adds as many {filled} as it takes to keep the size")
    bias = found.params.get("bias")
    if bias is not None and found.held.get("bias") is None and row.params is not None and row.params.value:
        yield Aside(f"it has no bias, which would be {bias:,} more parameter{'' if bias == 1 else 's'}")
    field = row.receptive_field
    if field is not None and field.size is not None:
        since = field.global_along or (field.cause,) * len(field.size)
        own = (beyond_gates(field, axis) for axis, cause in enumerate(since) if cause == row.label)
        yield from map(Aside, dict.fromkeys(filter(None, own)))
    if row.hyperparameters.get("ceil_mode"):
        yield Aside("ceil mode rounds up; a last window that would start in the right padding is left out")


# --- containers -----------------------------------------------------------------------------------------------------


def container_derivation(row: Row, below: Sequence[Row]) -> LayerDerivation:
    """The numbers of a module that contains others: the sums over the rows that count something."""
    derivations = [sum_of(name, getattr(row, name), below) for name in ("params", "macs", "neurons", "flops")]
    last = next((each for each in reversed(below) if _same_output(each, row)), None)
    aside = () if last is None else (Aside(f"output and receptive field are those of {last.label}"),)
    return LayerDerivation(row.id, tuple(each for each in derivations if each), (), aside, row.where)


def _same_output(part: Row, whole: Row) -> bool:
    return (
        part.output_shape is not None
        and whole.output_shape is not None
        and part.output_shape.value == whole.output_shape.value
    )


def sum_of(name: str, quantity: Quantity | None, parts: Sequence[Row], rest: int = 0) -> Derivation | None:
    """A number as the sum of the leaf rows that it is made of, as a report writes it; `rest` belongs to none."""
    numbers: list[Quantity] = [getattr(part, name) for part in parts if getattr(part, name) is not None]
    known = [number.value for number in numbers if number.value]
    if quantity is None or any(number.value is None for number in numbers):
        return None if quantity is None else _of(name, quantity, None)
    tree = plus(*map(Number, (*known, *([rest] if rest else ()))))
    found = _of(name, quantity, tree)
    is_bound = found is not None and quantity.status is not Status.EXACT
    return replace(found, words=_why(quantity)) if found is not None and is_bound else found
