"""Exact formulas of a network's numbers in its arguments and input sizes, by interpolation over instances.

Along each variable the numbers lie in the span of a few functions, powers of the variable or of 2**variable, maybe on
one residue class alone: sizes that are halved three times are polynomials for multiples of 8. Over all variables the
products of these functions are interpolated on a sparse grid, in fractions and never in floats, and the result must
predict instances that played no part in finding it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, islice, product
from math import prod
from typing import Any, NamedTuple

from cnninspect.explain.instances import Instances, Key, Point, Variable, is_field

MODULI = (1, 2, 4, 8, 16, 32)
_DEGREE = 4
_CHECKS = 2
_HELD_OUT = 10
_MOST_NODES = 400
_MOST_DENSE = 64
_MOST_SHUFFLED = 10_000


class Function(NamedTuple):
    """`x**power * 2**(rate * x)`."""

    power: int
    rate: int = 0

    def at(self, x: int) -> Fraction:
        """Its exact value."""
        return Fraction(x) ** self.power * Fraction(2) ** (self.rate * x)


POWERS = tuple(Function(power) for power in range(_DEGREE + 1))
GROWTHS = (*POWERS[:3], *(Function(0, rate) for rate in (1, 2, -1, -2)), Function(1, 1), Function(1, 2))
"""The functions of an argument that counts stages: channels double and maps halve from one to the next."""


@dataclass(frozen=True)
class Axis:
    """How numbers depend on one variable: combinations of `functions`, for values that are `rest` modulo `modulus`.

    The first `nodes` are interpolated. `is_known` is False if no class was found in which all counts are such.
    """

    variable: Variable
    nodes: tuple[int, ...]
    functions: tuple[Function, ...]
    modulus: int = 1
    is_known: bool = True

    @property
    def rest(self) -> int:
        """The residue that all values have."""
        return self.variable.start % self.modulus

    @cached_property
    def basis(self) -> tuple[tuple[Fraction, ...], ...]:
        """Combinations of the functions, the j-th of the first j + 1, which is 0 at the first j nodes."""
        found: list[tuple[Fraction, ...]] = []
        for j in range(len(self.functions)):
            own = [Fraction(int(i == j)) for i in range(len(self.functions))]
            for i, earlier in enumerate(found):
                share = self._value(own, self.nodes[i]) / self._value(earlier, self.nodes[i])
                own = [mine - share * theirs for mine, theirs in zip(own, earlier, strict=True)]
            found.append(tuple(own))
        return tuple(found)

    def _value(self, weights: Sequence[Fraction], x: int) -> Fraction:
        return sum((w * f.at(x) for w, f in zip(weights, self.functions, strict=True) if w), Fraction(0))

    def at(self, j: int, x: int) -> Fraction:
        """The j-th function of the basis."""
        return self._value(self.basis[j], x)


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
    lines = [_Line(instances, start, place) for place in range(len(start))]
    axes = tuple(map(_axis, lines))
    found = _interpolated(instances, axes)
    if _refuted_counts(found) and all(axis.is_known for axis in axes):
        wider = tuple(map(_widened, axes, lines))
        if prod(len(axis.functions) for axis in wider) <= _MOST_DENSE:
            again = _interpolated(instances, wider, dense=True)
            return again if _refuted_counts(again) < _refuted_counts(found) else found
    return found


def _refuted_counts(found: Study) -> int:
    """How many numbers that are no fields have no formula."""
    return sum(not is_field(key) for key in found.why)


def _widened(axis: Axis, line: _Line) -> Axis:
    """The axis with one more power, where values are there for it."""
    size = len(axis.functions) + 1
    xs = line.valid(axis.modulus, _DEGREE + 1 + _CHECKS)
    if axis.functions != POWERS[: size - 1] or size > min(len(POWERS), len(xs) - 1):
        return axis
    return replace(axis, nodes=tuple(xs[:size]), functions=POWERS[:size])


def _interpolated(instances: Instances, axes: tuple[Axis, ...], *, dense: bool = False) -> Study:
    grid = _Grid(instances, axes, dense=dense)
    grid.grow()
    unused = _held_out(instances, axes)
    if grid.keys != instances.keys:
        grid.grow()
    formulas: dict[Key, Terms | None] = {key: grid.terms(key) for key in instances.keys}
    why = {key: reason for key, terms in formulas.items() if (reason := _refuted(instances, axes, key, terms, unused))}
    if grid.gap:
        why = dict.fromkeys(why, grid.gap)
    if not unused:
        why = dict.fromkeys(formulas, "no instance is left to check a formula on: give more values")
    formulas.update(dict.fromkeys(why))
    why.update((key, f"{why[key]}{_class_of(instances, axes, key)}") for key in why if key[0] == "" and is_field(key))
    points = [point for point in instances.points if _in_classes(point, axes)]
    return Study(
        axes,
        formulas,
        why,
        instances.by_pattern,
        len(unused),
        len(instances.points),
        tuple(tuple(sorted(set(values))) for values in zip(*points, strict=True)),
        {instances.label(point): text for point, text in instances.failed.items()},
    )


def _refuted(instances: Instances, axes: Sequence[Axis], key: Key, terms: Terms | None, unused: Sequence[Point]) -> str:
    """Why a formula is none: an instance whose number is not exact, or one that it does not give; empty if none."""
    points = [*unused, *(point for point in instances.points if _in_classes(point, axes) and point not in unused)]
    found = instances.values(key, points)
    if terms is None or None in found:
        return "it is not an exact integer in every instance"
    wrong = (point for point, value in zip(points, found, strict=True) if value_of(terms, point) != value)
    point = next(wrong, None)
    return "" if point is None else f"not polynomial in this range: {instances.label(point)} differs from the best fit"


def _class_of(instances: Instances, axes: Sequence[Axis], key: Key) -> str:
    """Names a smaller class in which a field is polynomial along one variable; empty if none is found."""
    start = tuple(variable.start for variable in instances.variables)
    for place, axis in enumerate(axes):
        line = _Line(instances, start, place)
        if axis.variable.values is not None or line.is_polynomial(key, axis.modulus):
            continue
        for modulus in MODULI[MODULI.index(axis.modulus) + 1 : 4]:
            if line.is_polynomial(key, modulus):
                listed = ",".join(map(str, line.valid(modulus, _DEGREE + 1 + _CHECKS)))
                name, rest = axis.variable.name, axis.variable.start % modulus
                return f"; it is where {axis.variable.symbol} mod {modulus} = {rest}: --vary {name}={listed}"
    return ""


def _held_out(instances: Instances, axes: Sequence[Axis]) -> list[Point]:
    """Points in the same residue classes that served to find nothing: inspected ones, and others at random.

    Where no other instance works, those that were not interpolated and only told which functions are needed.
    """
    found = [point for point in instances.points if point not in instances.used and _in_classes(point, axes)]
    pools = [list(_pool(instances, axes, place)) for place in range(len(axes))]
    fresh = islice((point for point in _shuffled(pools) if point not in instances.used), 4 * _HELD_OUT)
    for point in fresh:
        if len(found) >= _HELD_OUT:
            break
        if point not in found and instances.works(point):
            found.append(point)
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


def _pool(instances: Instances, axes: Sequence[Axis], place: int) -> Iterator[int]:
    """The values of an axis that instances may have: those given, or the first of a class that are not known to fail.

    There are more where nothing else varies.
    """
    axis = axes[place]
    if axis.variable.values is not None:
        yield from (value for value in axis.variable.values if value % axis.modulus == axis.rest)
        return
    failed = [x for x in instances.failing(place) if x % axis.modulus == axis.rest]
    end = min((x for x in failed if x > axis.variable.start), default=None)
    for step in range(len(axis.nodes) + _DEGREE + (_HELD_OUT if len(axes) == 1 else 0)):
        x = min(axis.nodes) + axis.modulus * step
        if end is None or x < end:
            yield x


# --- one variable ---------------------------------------------------------------------------------------------------


def _axis(line: _Line) -> Axis:
    """The functions of one variable, all others at their start, in the largest class for which there are some."""
    variable = line.variable
    for modulus in MODULI:
        xs = line.valid(modulus, _DEGREE + 1 + _CHECKS)
        if len(xs) <= _CHECKS + 1 and variable.values is None:
            # Too few values work: only every other one does, maybe.
            continue
        functions = line.fitting(xs, POWERS)
        if functions is None and line.changes_rows(xs):
            xs = line.valid(modulus, len(GROWTHS) + _CHECKS)
            functions = line.fitting(xs, GROWTHS)
        if functions is not None:
            return Axis(variable, _ordered(xs, functions), functions, modulus)
        if line.changes_rows(xs):
            break
    xs = line.valid(1, _DEGREE + 1 + _CHECKS)
    functions = line.fitting(xs, (*POWERS, *GROWTHS)) or POWERS[: max(1, min(3, len(xs) - _CHECKS))]
    return Axis(variable, _ordered(xs, functions), functions, is_known=False)


def _ordered(xs: Sequence[int], functions: Sequence[Function]) -> tuple[int, ...]:
    return tuple(xs[: len(functions)])


class _Line:
    """The instances along one variable."""

    def __init__(self, instances: Instances, start: Point, place: int):
        self.instances, self.start, self.place = instances, start, place
        self.variable = instances.variables[place]

    def point(self, x: int) -> Point:
        """The start with another value of the variable."""
        return (*self.start[: self.place], x, *self.start[self.place + 1 :])

    def valid(self, modulus: int, count: int) -> list[int]:
        """At most `count` values in the class of the start that work: given ones, or from the start up, then down."""
        start, given = self.variable.start, self.variable.values
        if given is not None:
            tried = [x for x in given if (x - start) % modulus == 0]
            # The last quarter of the values is left to check the formula on.
            kept = [x for x in tried if self._works(x)]
            return kept if len(self.instances.variables) > 1 else kept[: len(kept) - max(1, len(kept) // 4)]
        up = self._while_working(range(start, start + modulus * count, modulus))
        down = self._while_working(range(start - modulus, 0, -modulus)) if len(up) < count else []
        return [*up, *down][:count]

    def _while_working(self, values: Sequence[int]) -> list[int]:
        found: list[int] = []
        for x in values:
            if not self._works(x):
                break
            found.append(x)
        return found

    def _works(self, x: int) -> bool:
        return self.instances.works(self.point(x))

    def changes_rows(self, xs: Sequence[int]) -> bool:
        """Whether the value decides which rows there are."""
        rows = [self.instances.rows(self.point(x)) for x in xs]
        return any(each != rows[0] for each in rows)

    def is_polynomial(self, key: Key, modulus: int) -> bool:
        """Whether one number is a polynomial along the line, in a residue class."""
        xs = self.valid(modulus, _DEGREE + 1 + _CHECKS)
        values = self.instances.values(key, [self.point(x) for x in xs])
        return len(xs) > _CHECKS + 1 and None not in values and _combination(xs, values, POWERS) is not None

    def fitting(self, xs: Sequence[int], candidates: Sequence[Function]) -> tuple[Function, ...] | None:
        """The functions that all counts of all rows need; None if some count is no combination of them."""
        points = [self.point(x) for x in xs]
        self.instances.used.update(points)
        needed: set[Function] = set()
        series = {(is_field(key), tuple(self.instances.values(key, points))) for key in self.instances.keys}
        for of_field, values in series:
            if None in values:
                continue
            found = _combination(xs, values, candidates)
            if found is None and not of_field:
                return None
            needed |= set(found or ())
        functions = tuple(function for function in candidates if function in {POWERS[0], *needed})
        if all(function.rate == 0 for function in functions):
            functions = POWERS[: max(function.power for function in functions) + 1]
        return functions if len(functions) < len(xs) else None


def _combination(xs: Sequence[int], values: Sequence[Any], candidates: Sequence[Function]) -> set[Function] | None:
    """The fewest of the candidates that give all values, with two values to spare, or one where few are there."""
    spare = _CHECKS if len(xs) > _CHECKS + 2 else 1
    polynomial = all(function.rate == 0 for function in candidates)
    if len(xs) > len(candidates) and not _solves(xs, values, candidates):
        return None
    for size in range(len(xs) - spare + 1):
        subsets = [tuple(candidates[:size])] if polynomial else combinations(candidates, size)
        for subset in subsets:
            if len(subset) == size and _solves(xs, values, subset):
                return set(subset)
    return None


def _solves(xs: Sequence[int], values: Sequence[Any], functions: Sequence[Function]) -> bool:
    """Whether some combination of the functions has these values."""
    rows = [[*(function.at(x) for function in functions), Fraction(value)] for x, value in zip(xs, values, strict=True)]
    for column in range(len(functions)):
        pivot = next((row for row in rows[column:] if row[column]), None)
        if pivot is None:
            return False
        rows.remove(pivot)
        rows.insert(column, pivot)
        for row in rows[column + 1 :]:
            share = row[column] / pivot[column]
            row[:] = [own - share * other for own, other in zip(row, pivot, strict=True)]
    return all(row[-1] == 0 for row in rows[len(functions) :])


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
