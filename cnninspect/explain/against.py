"""Two layers or networks side by side: each number of both, their ratio, and the ratio as an expression where one fits.

The expression is found in symbols that both share: the channels of a tensor have one symbol wherever they go, maps and
kernels of one size have one, and a 1 stands as a number. It is kept only if it comes to the ratio of the numbers.

The last part says what a pair of separable convolutions costs against the one that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from cnninspect.explain.document import Against, Aside, Compared, Explanation, Formula, LayerDerivation, Term
from cnninspect.explain.expression import (
    ONE,
    Expression,
    Number,
    Symbol,
    Value,
    evaluate,
    from_sympy,
    in_sympy,
    plus,
    quotient,
    replaced,
    times,
)
from cnninspect.explain.expression import symbols as symbols_of
from cnninspect.explain.fields import Run
from cnninspect.report.quantities import Quantity
from cnninspect.report.rows import ReceptiveField, Row

COUNTS = ("params", "macs", "flops", "neurons")
MOST_LAYERS = 8
"""Layers that count something, up to which a ratio is looked for in symbols."""


def side_by_side(one: Explanation, other: Explanation, rows: Sequence[Row], others: Sequence[Row]) -> Explanation:
    """The explanation of one with the other's layers beside it; `rows` and `others` are those that are explained."""
    shared = _Shared()
    compared = [each for name in COUNTS if (each := _compared(name, one, other, rows, others, shared)) is not None]
    compared, terms = _numbered(compared, shared)
    found = (*_sizes(one, other), *compared, *_fields(rows, others))
    return replace(one, against=Against(other.target, other.layers, found, terms))


def _sizes(one: Explanation, other: Explanation) -> Iterator[Compared]:
    """The sizes of both last outputs along the axes in which they differ: addition keeps the channels that cat adds."""
    if not one.layers or not other.layers:
        return
    sizes = [[each for each in side.layers[-1].of("output_shape") if each.output == 0] for side in (one, other)]
    if len(sizes[0]) != len(sizes[1]):
        return
    for first, second in zip(*sizes, strict=True):
        if isinstance(first.value, int) and isinstance(second.value, int) and first.value != second.value:
            ratio = Fraction(second.value, first.value) if first.value else None
            name = f"output_shape[{first.axis}]"
            yield Compared(name, (first.value, second.value), ratio, called=second.name)


def _compared(
    name: str, one: Explanation, other: Explanation, rows: Sequence[Row], others: Sequence[Row], shared: _Shared
) -> Compared | None:
    """The sums of a count over the leaves of both, None where one is not known or both are 0."""
    first, second = (_sum(name, each) for each in (rows, others))
    if first is None or second is None or first == second == 0:
        return None
    if not first or not second:
        return Compared(name, (first, second))
    ratio = Fraction(second, first)
    return Compared(name, (first, second), ratio, _in_symbols(name, one, other, ratio, shared))


def _sum(name: str, rows: Sequence[Row]) -> int | None:
    numbers: list[Quantity | None] = [getattr(row, name) for row in rows if row.leaf]
    values = [number.value for number in numbers if number is not None]
    return None if None in values else sum(values)


def _fields(rows: Sequence[Row], others: Sequence[Row]) -> Iterator[Compared]:
    """The largest local field of each, along its first axis."""
    sizes = [_largest(each) for each in (rows, others)]
    if None not in sizes:
        first, second = (size or 0 for size in sizes)
        yield Compared("receptive_field", (first, second), Fraction(second, first) if first else None)


def _largest(rows: Sequence[Row]) -> int | None:
    fields = [row.receptive_field for row in rows]
    known = [max(_extents(found)) for found in fields if found is not None and found.size]
    return max(known, default=None)


def _extents(found: ReceptiveField) -> list[int]:
    return [max(size) if isinstance(size, (tuple, list)) else size for size in (found.size or ())[:1]]


# --- in symbols -----------------------------------------------------------------------------------------------------


@dataclass
class _Shared:
    """The symbols of both sides: one for each thing and value, `Cin` and `Cin2` where two values are called so.

    `places` are the layers that have it, with its name there.
    """

    known: dict[tuple[str, Value], Symbol] = field(default_factory=dict)
    places: dict[Symbol, dict[str, str]] = field(default_factory=dict)

    def symbol(self, name: str, value: Value, layer: str, own: str) -> Symbol:
        """The symbol that stands for this value of what is called so, and `own` in the layer."""
        if (name, value) not in self.known:
            count = sum(other == name for other, _ in self.known)
            self.known[name, value] = Symbol(f"{name}{count + 1}" if count else name, value)
        found = self.known[name, value]
        self.places.setdefault(found, {}).setdefault(layer, own)
        return found

    def meaning(self, symbol: Symbol) -> str:
        """`Hout of conv1, conv2`."""
        by_name: dict[str, list[str]] = {}
        for layer, own in self.places[symbol].items():
            by_name.setdefault(own, []).append(layer)
        return "; ".join(f"{own} of {', '.join(layers)}" for own, layers in by_name.items())


def _numbered(compared: Sequence[Compared], shared: _Shared) -> tuple[list[Compared], tuple[Term, ...]]:
    """The ratios with their symbols numbered from the first layer on, and what these stand for."""
    trees = [each.formula.tree for each in compared if each.formula is not None]
    met = {Symbol(*each) for tree in trees for each in symbols_of(tree).items()}
    names: dict[Symbol, Symbol] = {}
    for symbol in (each for each in shared.known.values() if each in met):
        base = symbol.name.rstrip("0123456789")
        count = sum(other.name.rstrip("0123456789") == base for other in names)
        names[symbol] = Symbol(f"{base}{count + 1}" if count else base, symbol.value)
    changed: dict[Expression, Expression] = dict(names.items())
    found = [
        each if each.formula is None
        else replace(each, formula=replace(each.formula, tree=replaced(each.formula.tree, changed)))
        for each in compared
    ]  # fmt: skip
    return found, tuple(Term(new.name, new.value, shared.meaning(old)) for old, new in names.items())


def _in_symbols(name: str, one: Explanation, other: Explanation, ratio: Fraction, shared: _Shared) -> Formula | None:
    """The ratio as an expression; None where there are many layers, or where it is no more than a quotient."""
    labels = [{layer.row.label for layer in each.layers} for each in (one, other)]
    both = labels[0] & labels[1]
    sides = [
        _side(name, each.layers, shared, {label: f"the {place}'s {label}" for label in both})
        for each, place in ((one, "first"), (other, "second"))
    ]
    if any(side is None for side in sides):
        return None
    first, second = (sum(in_sympy(tree) for tree in side or ()) for side in sides)
    values = {key: value for side in sides for tree in side or () for key, value in symbols_of(tree).items()}
    tree = _simplest(first, second, values)
    if tree is None or evaluate(tree) != ratio:
        return None
    return Formula("ratio", tree, ratio.numerator if ratio.denominator == 1 else ratio)


def _simplest(first: Any, second: Any, values: dict[str, Value]) -> Expression | None:
    """second/first, term by term if the first is a product; None if it is neither short nor a number."""
    import sympy

    found = sympy.expand(second / first) if not isinstance(first, sympy.Add) else sympy.cancel(second / first)
    return from_sympy(found, values) if sympy.count_ops(found) <= _SHORT else None


_SHORT = 12


def _side(
    name: str, layers: Sequence[LayerDerivation], shared: _Shared, longer: Mapping[str, str]
) -> list[Expression] | None:
    """The formula of each layer that counts something, in shared symbols; None where one has none.

    `longer` has a name for each layer that both sides have.
    """
    counted = [(layer, each) for layer in layers for each in layer.of(name) if each.value]
    counted = [(layer, each) for layer, each in counted if layer.of("output_shape")]
    if not 0 < len(counted) <= MOST_LAYERS or any(each.formula is None for _, each in counted):
        return None
    channels: Symbol | None = None
    found = []
    for position, (layer, each) in enumerate(counted):
        assert each.formula is not None, "asked above"
        names, tree = layer.names, each.formula.tree
        if name == "flops":
            macs = layer.of("macs")[0].formula
            tree = replaced(tree, {Symbol("MACs", macs.value): macs.tree}) if macs is not None else tree
        last = position == len(counted) - 1
        label = longer.get(layer.row.label, layer.row.label)
        known, channels = _names(names, channels, shared, label, is_last=last, place=position)
        found.append(replaced(tree, {Symbol(key, value): known[key] for key, value in names.items() if key in known}))
    return found


def _names(
    names: dict[str, Value], channels: Symbol | None, shared: _Shared, label: str, *, is_last: bool, place: int
) -> tuple[dict[str, Expression], Symbol | None]:
    """What stands for each name of a layer, and for the channels that come out of it."""
    own_into, into = next(((key, names[key]) for key in ("Cin", "C", "Fin", "F") if key in names), ("", None))
    source = channels if channels is not None and channels.value == into else None
    if source is None and into is not None:
        source = shared.symbol("Cin" if place == 0 else "Cmid", into, label, own_into)
    own_made, made = next(((key, names[key]) for key in ("Cout", "Fout") if key in names), ("", None))
    is_depthwise = "g" in names and names["g"] == into == made
    target = source
    if made is not None and not is_depthwise:
        target = shared.symbol("Cout" if is_last else "Cmid", made, label, own_made)
    known: dict[str, Expression] = {}
    for key, value in names.items():
        if value == 1:
            known[key] = Number(1)
        elif key in ("Cin", "C", "Fin", "F") and source is not None:
            known[key] = source
        elif key in ("Cout", "Fout") and target is not None:
            known[key] = target
        elif key == "g" and value == into and source is not None:
            known[key] = source
        elif key[0] == "k":
            known[key] = shared.symbol("k", value, label, key)
        elif key[0] in "HWDL":
            known[key] = shared.symbol("Hout", value, label, key)
    return known, target


# --- separable pairs ------------------------------------------------------------------------------------------------


def of_a_pair(index: int, rows: Sequence[Row], run: Run) -> Iterator[Aside]:
    """What a 1x1 convolution behind a depthwise one costs with it, against the one convolution that they stand for.

    Source: Howard et al. 2017, "MobileNets", section 3.1.
    """
    pointwise = rows[index]
    depthwise = _depthwise_before(index, rows, run) if _is_pointwise(pointwise) else None
    if depthwise is None or not depthwise.macs or not pointwise.macs:
        return
    kernel, channels = depthwise.hyperparameters["kernel_size"], pointwise.hyperparameters["out_channels"]
    names = ["k"] * len(kernel) if len(set(kernel)) == 1 else [f"k{axis}" for axis in "dhw"[-len(kernel) :]]
    taps = times(*map(Symbol, names, kernel))
    tree = plus(quotient(ONE, Symbol("Cout", channels)), quotient(ONE, taps))
    whole = depthwise.macs.value * channels
    if whole and Fraction(depthwise.macs.value + pointwise.macs.value, whole) == evaluate(tree):
        words = (
            f"with {depthwise.label} it is a separable convolution: of the {whole:,} MACs of a full one "
            f"it takes {depthwise.macs.value + pointwise.macs.value:,}"
        )
        yield Aside(words, Formula("ratio", tree, evaluate(tree)))


def _is_pointwise(row: Row) -> bool:
    """Whether a row is a convolution that looks at one place and all channels."""
    settings = row.hyperparameters
    is_one = "out_channels" in settings and set(settings.get("kernel_size", ())) == {1}
    return is_one and settings.get("groups") == 1 and "output_padding" not in settings


def _depthwise_before(index: int, rows: Sequence[Row], run: Run) -> Row | None:
    """The depthwise convolution whose map reaches this row through layers that work on each element, if any."""
    for _ in range(_BETWEEN):
        inputs = run.trace.calls[index].inputs
        makers = run.made.get(inputs[0].value, ()) if inputs else ()
        made = [other for other in makers if other < index and rows[other].leaf]
        if not made:
            return None
        index = made[-1]
        row = rows[index]
        if "out_channels" in row.hyperparameters:
            return row if _is_depthwise(row) else None
        if row.output_shape is None or row.output_shape.value != row.input_shapes[:1]:
            return None
    return None


_BETWEEN = 4
"""Rows from a pointwise convolution back to the depthwise one: normalisation, activation, dropout."""


def _is_depthwise(row: Row) -> bool:
    settings = row.hyperparameters
    channels = {settings.get(name) for name in ("in_channels", "out_channels", "groups")}
    return len(channels) == 1 and channels != {1} and "output_padding" not in settings
