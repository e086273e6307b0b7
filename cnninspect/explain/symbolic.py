"""Exact formulas of a network's numbers in its arguments and input sizes, by interpolation over instances.

Along each variable the numbers are combinations of a few functions (`axis.py`). Over all variables the products of
these functions are interpolated on a sparse grid, in fractions and never in floats, and the result must predict
instances that played no part in finding it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, product
from math import prod
from typing import Any

from cnninspect.explain.axis import NO_POLYNOMIAL, POWERS, Axis, Function, Line, axis_of
from cnninspect.explain.instances import Instances, Key, Point, Variable, is_field

_HELD_OUT = 10
_MOST_NODES = 400
_MOST_DENSE = 64
_MOST_SHUFFLED = 10_000

Terms = dict[tuple[Function, ...], Fraction]
"""A coefficient for each product of one function per variable."""


def value_of(terms: Terms, point: Point) -> Fraction:
    """The exact value at a point."""
    return sum((c * prod(f.at(x) for f, x in zip(fs, point, strict=True)) for fs, c in terms.items()), Fraction(0))


@dataclass(frozen=True)
class Study:
    """The formulas of every number; None where there is none, and then `why` has the reason.

    `checked_on` instances were predicted; `tried` were inspected in all. `seen` are the values of each variable in the
    instances for which the formulas hold. `failed` says of instances why they failed.
    """

    axes: tuple[Axis, ...]
    formulas: Mapping[Key, Terms | None]
    why: Mapping[Key, str]
    by_pattern: bool
    checked_on: int
    tried: int
    seen: tuple[tuple[int, ...], ...]
    failed: Mapping[str, str] = field(default_factory=dict)


def study(instances: Instances) -> Study:
    """The formulas of all numbers of a network in its variables; the instance at the start must work.

    Where a formula is refuted, a full grid of one degree more is tried: a product may vanish all along the variables.
    """
    start = tuple(variable.start for variable in instances.variables)
    lines = [Line(instances, start, place) for place in range(len(start))]
    axes = tuple(map(axis_of, lines))
    found = _interpolated(instances, lines, axes)
    if _refuted_counts(found) and all(axis.is_known for axis in axes):
        wider = tuple(map(_widened, axes, lines))
        if prod(len(axis.functions) for axis in wider) <= _MOST_DENSE:
            again = _interpolated(instances, lines, wider, dense=True)
            return again if _refuted_counts(again) < _refuted_counts(found) else found
    return found


def _refuted_counts(found: Study) -> int:
    """How many numbers that are no fields have no formula."""
    return sum(not is_field(key) for key in found.why)


def _widened(axis: Axis, line: Line) -> Axis:
    """The axis with one more power, where values are there for it."""
    size = len(axis.functions) + 1
    xs = line.valid(axis.modulus)
    if axis.functions != POWERS[: size - 1] or size > min(len(POWERS), len(xs) - 1):
        return axis
    return replace(axis, nodes=tuple(xs[:size]), functions=POWERS[:size])


def _interpolated(instances: Instances, lines: Sequence[Line], axes: tuple[Axis, ...], *, dense: bool = False) -> Study:
    grid = _Grid(instances, axes, dense=dense)
    grid.grow()
    unused = _held_out(instances, lines, axes)
    if grid.keys != instances.keys:
        grid.grow()
    formulas: dict[Key, Terms | None] = {key: grid.terms(key) for key in instances.keys}
    short = next((axis.why for axis in axes if axis.is_short), "")
    points = [*unused, *(point for point in instances.points if _in_classes(point, axes) and point not in unused)]
    reasons = {key: _refuted(instances, points, key, terms) for key, terms in formulas.items()}
    why = {key: grid.gap or short or reason for key, reason in reasons.items() if reason}
    if not unused:
        unchecked = "no instance is left to check a formula on"
        why = dict.fromkeys(formulas, f"{short}; {unchecked}" if short else f"{unchecked}: give more values")
    formulas.update(dict.fromkeys(why))
    why.update((key, f"{why[key]}{_class_of(lines, axes, key)}") for key in why if key[0] == "" and is_field(key))
    return Study(
        axes,
        formulas,
        why,
        instances.by_pattern,
        len(unused),
        len(instances.points),
        tuple(tuple(sorted(set(values))) for values in zip(*points, strict=True)),
        {instances.label(point): text for point, text in instances.failed.items() if _is_asked_for(point, axes)},
    )


def _refuted(instances: Instances, points: Sequence[Point], key: Key, terms: Terms | None) -> str:
    """Why a formula is none: an instance whose number is not exact, or one that it does not give; empty if none."""
    found = instances.values(key, points)
    if terms is None or None in found:
        return "it is not an exact integer in every instance"
    wrong = (point for point, value in zip(points, found, strict=True) if value_of(terms, point) != value)
    point = next(wrong, None)
    return "" if point is None else f"{NO_POLYNOMIAL} in this range: {instances.label(point)} differs from the best fit"


def _is_asked_for(point: Point, axes: Sequence[Axis]) -> bool:
    """Whether a point has no values with which a list of the user was filled up."""
    return all(axis.variable.values is None or x in axis.variable.values for x, axis in zip(point, axes, strict=True))


def _class_of(lines: Sequence[Line], axes: Sequence[Axis], key: Key) -> str:
    """Names a smaller class in which a field is polynomial along one variable; empty if none is found."""
    for line, axis in zip(lines, axes, strict=True):
        found = line.smaller_class(key, axis.modulus)
        if found is not None:
            modulus, values = found
            rest, listed = axis.variable.start % modulus, ",".join(map(str, values))
            return f"; it is where {axis.variable.symbol} mod {modulus} = {rest}: --vary {axis.variable.name}={listed}"
    return ""


def _held_out(instances: Instances, lines: Sequence[Line], axes: Sequence[Axis]) -> list[Point]:
    """Points in the same residue classes that served to find nothing: inspected ones, and others at random.

    Along one variable those of the smallest values: each further layer may take many times as long. Where no other
    instance works, those that were not interpolated and only told which functions are needed.
    """
    found = [point for point in instances.points if point not in instances.used and _in_classes(point, axes)]
    more = _HELD_OUT if len(axes) == 1 else 0
    pools = [list(line.pool(axis, more)) for line, axis in zip(lines, axes, strict=True)]
    fresh = product(*pools) if len(pools) == 1 else _shuffled(pools)
    for point in islice((point for point in fresh if point not in instances.used), 4 * _HELD_OUT):
        if len(found) >= _HELD_OUT:
            break
        if point not in found and not instances.is_beyond_slow(point) and instances.works(point):
            found.append(point)
        instances.is_slow(point)
    spare = [point for point in instances.points if point not in instances.nodes and _in_classes(point, axes)]
    return found or spare


def _shuffled(pools: Sequence[Sequence[int]]) -> Iterator[Point]:
    """The points of a grid in a random order, the same each time; of a large grid random points."""
    rng = random.Random(0)
    if prod(map(len, pools)) <= _MOST_SHUFFLED:
        points = list(product(*pools))
        rng.shuffle(points)
        yield from points
    else:
        yield from (tuple(rng.choice(values) for values in pools) for _ in range(_MOST_SHUFFLED))


def _in_classes(point: Point, axes: Sequence[Axis]) -> bool:
    return all(x % axis.modulus == axis.rest for x, axis in zip(point, axes, strict=True))


# --- all variables --------------------------------------------------------------------------------------------------

Index = tuple[int, ...]
"""For each axis the number of a function in its basis, and of its node."""


class _Grid:
    """Interpolation on a sparse grid: unless `dense`, only products are added all of whose factors some number needs.

    Source: Chkifa, Cohen & Schwab 2014, "High-dimensional adaptive sparse polynomial interpolation", section 3.
    """

    def __init__(self, instances: Instances, axes: Sequence[Axis], *, dense: bool):
        self.instances, self.axes, self.dense = instances, axes, dense
        self.keys: list[Key] = []
        self._indices: list[Index] = []
        self._newton: dict[Key, dict[Index, Fraction]] = {}
        self.gap = ""

    def point(self, index: Index) -> Point:
        """The node of an index."""
        return tuple(axis.nodes[j] for axis, j in zip(self.axes, index, strict=True))

    def grow(self) -> None:
        """Add indices, smaller ones first, while some number has coefficients at all that precede it."""
        self.keys, self._indices, self._newton, self.gap = self.instances.keys, [], {}, ""
        ahead = product(*(range(len(axis.functions)) for axis in self.axes))
        active: dict[Index, set[Key]] = {}
        for index in sorted(ahead, key=lambda index: (sum(index), index)):
            before = [_lowered(index, place) for place, j in enumerate(index) if j]
            wanted = self.dense or len(before) < 2
            wanted = wanted or bool(set.intersection(*(active.get(each, set()) for each in before)))
            point = self.point(index)
            if not wanted:
                continue
            if len(self._indices) == _MOST_NODES:
                self.gap = f"more than {_MOST_NODES} instances are needed: vary less at once"
                return
            if not self.instances.works(point):
                self.gap = f"the instance {self.instances.label(point)} is needed and fails: give other values"
                continue
            self._indices.append(index)
            self.instances.used.add(point)
            self.instances.nodes.add(point)
            active[index] = self._extend(index)

    def _extend(self, index: Index) -> set[Key]:
        """The numbers that have a coefficient at this index, which is worked out for all."""
        point, found = self.point(index), set[Key]()
        weights: dict[Index, Fraction] = {}
        for key in self.keys:
            (value,) = self.instances.values(key, [point])
            if value is None:
                continue
            known = self._newton.setdefault(key, {})
            rest = Fraction(value)
            for each, coefficient in known.items():
                if each not in weights:
                    weights[each] = self._weight(each, point)
                rest -= coefficient * weights[each]
            if rest:
                known[index] = rest / self._weight(index, point)
                found.add(key)
        return found

    def _weight(self, index: Index, point: Point) -> Fraction:
        return prod((axis.at(j, x) for axis, j, x in zip(self.axes, index, point, strict=True)), start=Fraction(1))

    def terms(self, key: Key) -> Terms:
        """A number as products of the functions of the axes."""
        found: Terms = {}
        for index, coefficient in self._newton.get(key, {}).items():
            choices = [
                [(f, w) for f, w in zip(axis.functions, axis.basis[j], strict=True) if w]
                for axis, j in zip(self.axes, index, strict=True)
            ]
            for chosen in product(*choices):
                functions = tuple(function for function, _ in chosen)
                weight = prod((w for _, w in chosen), start=coefficient)
                found[functions] = found.get(functions, Fraction(0)) + weight
        return {functions: weight for functions, weight in found.items() if weight}


def _lowered(index: Index, place: int) -> Index:
    return (*index[:place], index[place] - 1, *index[place + 1 :])


# --- as expressions -------------------------------------------------------------------------------------------------


def in_sympy(terms: Terms, variables: Sequence[Variable]) -> Any:
    """The formula as a sympy expression, with factors taken out."""
    import sympy

    symbols = [sympy.Symbol(variable.symbol) for variable in variables]

    def factor(function: Function, symbol: Any) -> Any:
        growth = sympy.Integer(2 ** abs(function.rate)) ** (symbol if function.rate > 0 else -symbol)
        return symbol**function.power * (growth if function.rate else 1)

    whole = sympy.Add(
        *(
            sympy.Rational(weight.numerator, weight.denominator)
            * sympy.Mul(*(factor(f, symbol) for f, symbol in zip(functions, symbols, strict=True)))
            for functions, weight in terms.items()
        )
    )
    polynomial = all(function.rate == 0 for functions in terms for function in functions)
    return sympy.factor(whole) if polynomial else whole
