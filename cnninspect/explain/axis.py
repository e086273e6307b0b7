"""How the numbers of a network depend on one variable, all others at their start: of which functions they consist.

They lie in the span of a few functions, powers of the variable or of 2**variable, maybe in one residue class alone:
sizes that are halved three times are polynomials for multiples of 8. Degree d takes d + 1 values to fit, and one more
to check it at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, count, islice, pairwise
from math import gcd
from typing import Any, NamedTuple

from cnninspect.explain.instances import Instances, Key, Point, Variable, is_field

MODULI = (1, 2, 4, 8, 16, 32)
DEGREE = 4
NO_POLYNOMIAL = f"no polynomial of degree <= {DEGREE} fits"
CHECKS = 2
SAMPLES = DEGREE + 1 + CHECKS
"""Values that serve to find the functions, where all work."""

_ENOUGH = 10
"""Working values to which a list is filled up if it is too short for its numbers."""

_IN_A_ROW = 3
"""Values that fail one after the other, beyond which no others are tried."""


class Function(NamedTuple):
    """`x**power * 2**(rate * x)`."""

    power: int
    rate: int = 0

    def at(self, x: int) -> Fraction:
        """Its exact value."""
        return Fraction(x) ** self.power * Fraction(2) ** (self.rate * x)


POWERS = tuple(Function(power) for power in range(DEGREE + 1))
GROWTHS = (*POWERS[:3], *(Function(0, rate) for rate in (1, 2, -1, -2)), Function(1, 1), Function(1, 2))
"""The functions of an argument that counts stages: channels double and maps halve from one to the next."""


@dataclass(frozen=True)
class Axis:
    """How numbers depend on one variable: combinations of `functions`, for values that are `rest` modulo `modulus`.

    The first `nodes` are interpolated; `added` are values beside those of the user's list. `why` says why there is no
    class in which all counts are such; `is_short`, that too few values work to tell.
    """

    variable: Variable
    nodes: tuple[int, ...]
    functions: tuple[Function, ...]
    modulus: int = 1
    added: tuple[int, ...] = ()
    why: str = ""
    is_short: bool = False

    @property
    def is_known(self) -> bool:
        """Whether all counts are combinations of the functions."""
        return not self.why

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


def axis_of(line: Line) -> Axis:
    """The functions of one variable in the largest class for which there are some; a short list gets more values."""
    found = _in_class(line, 1)
    if found is None and line.variable.values is not None and len(line.valid(1)) < SAMPLES:
        line.fill_up()
        found = _in_class(line, 1)
    holed = line.holes(1) * 2 >= len(line.valid(1))
    if found is None or holed:
        # Where every other value fails, the class of those that work is meant.
        found = next(filter(None, (_in_class(line, modulus) for modulus in _smaller(line))), found)
    return found or _without_class(line)


def _smaller(line: Line) -> Iterator[int]:
    """The moduli to try after 1: none where the variable decides which rows there are."""
    if not line.changes_rows(line.valid(1)):
        yield from (modulus for modulus in MODULI[1:] if line.holes(modulus) * 2 < len(line.valid(modulus)))


def _in_class(line: Line, modulus: int) -> Axis | None:
    """The functions of all counts in the class of the start; None where there are none or too few values work."""
    for xs in line.samples(modulus):
        functions = line.fitting(xs, POWERS)
        if functions is None and line.changes_rows(xs):
            xs = xs if line.variable.values is not None else line.valid(modulus, len(GROWTHS) + CHECKS)
            functions = line.fitting(xs, GROWTHS)
        if functions is not None:
            added = tuple(x for x in line.added if (x - line.variable.start) % modulus == 0)
            return Axis(line.variable, tuple(xs[: len(functions)]), functions, modulus, added)
    return None


def _without_class(line: Line) -> Axis:
    """An axis with the functions of those numbers that have some, and why the others have none."""
    xs = line.valid(1)
    is_short = len(xs) < SAMPLES
    functions = line.fitting(xs, POWERS, spare=1) if is_short else None
    functions = functions or line.fitting(xs, tuple(dict.fromkeys((*POWERS, *GROWTHS))))
    why = "" if functions else line.why_not()
    functions = functions or line.fitting(xs, POWERS, all_counts=False, spare=1 if is_short else CHECKS) or POWERS[:1]
    nodes = tuple(xs[: len(functions)])
    return Axis(line.variable, nodes, functions, 1, tuple(line.added), why, len(xs) < DEGREE + 2)


class Line:
    """The instances along one variable; `added` are values that the user's list does not have."""

    def __init__(self, instances: Instances, start: Point, place: int):
        self.instances, self.start, self.place = instances, start, place
        self.variable = instances.variables[place]
        self.added: list[int] = []

    def point(self, x: int) -> Point:
        """The start with another value of the variable."""
        return (*self.start[: self.place], x, *self.start[self.place + 1 :])

    def valid(self, modulus: int, most: int = SAMPLES) -> list[int]:
        """The values in the class of the start that work: those of the list, or `most` from the start up, then down."""
        start, given = self.variable.start, self.variable.values
        if given is not None:
            return [x for x in (*given, *self.added) if (x - start) % modulus == 0 and self._works(x)]
        up = self._working(count(start, modulus), most)
        return [*up, *self._working(range(start - modulus, 0, -modulus), most - len(up))]

    def samples(self, modulus: int) -> Iterator[list[int]]:
        """The values on which functions are looked for: of a list first all but a quarter, which is left for checks."""
        xs = self.valid(modulus)
        if self.variable.values is None or modulus > 1:
            # Too few values work: only every other one does, maybe.
            yield from [xs] if len(xs) > CHECKS + 1 else []
            return
        if len(self.instances.variables) == 1:
            yield xs[: len(xs) - max(1, len(xs) // 4)]
        yield xs

    def _working(self, values: Iterable[int], most: int) -> list[int]:
        """The first values that work, without those that fail between them."""
        found: list[int] = []
        failed = 0
        for x in values:
            if len(found) >= most or failed == _IN_A_ROW or self.instances.is_beyond_slow(self.point(x)):
                break
            failed = 0 if self._works(x) else failed + 1
            found += [] if failed else [x]
            if self.instances.is_slow(self.point(x)):
                break
        return found

    def _works(self, x: int) -> bool:
        return self.instances.works(self.point(x))

    def failing(self) -> list[int]:
        """The values with which the network failed, all others at their start."""
        return [point[self.place] for point in self.instances.failed if point == self.point(point[self.place])]

    def holes(self, modulus: int) -> int:
        """How many values of the class failed between others that work."""
        xs, start = self.valid(modulus), self.variable.start
        return sum((x - start) % modulus == 0 and min(xs) < x < max(xs) for x in self.failing()) if xs else 0

    def fill_up(self) -> None:
        """Give a list more values in its own steps: those between its own first, then larger and smaller ones."""
        given = sorted(self.variable.values or ())
        step = gcd(*(after - before for before, after in pairwise(given))) or 1
        between = (x for x in range(given[0], given[-1], step) if x not in given)
        for values in (between, count(given[-1] + step, step), range(given[0] - step, 0, -step)):
            self.added += self._working(values, _ENOUGH - len(self.valid(1)))

    def pool(self, axis: Axis, more: int) -> Iterator[int]:
        """The values that further instances may have: of the list, or the first of the class not known to fail."""
        if self.variable.values is not None:
            yield from self.valid(axis.modulus)
            return
        failing, first = self.failing(), min(axis.nodes)
        last = max(self.valid(axis.modulus))
        end = min((x for x in failing if x > last), default=None)
        for x in islice(count(first, axis.modulus), len(axis.nodes) + DEGREE + more):
            if x not in failing and (end is None or x < end) and not self.instances.is_beyond_slow(self.point(x)):
                yield x

    def changes_rows(self, xs: Sequence[int]) -> bool:
        """Whether the value decides which rows there are."""
        rows = [self.instances.rows(self.point(x)) for x in xs]
        return any(each != rows[0] for each in rows)

    def is_polynomial(self, key: Key, modulus: int) -> bool:
        """Whether one number is a polynomial along the line, in a residue class."""
        xs = self.valid(modulus)
        values = self.instances.values(key, [self.point(x) for x in xs])
        spare = 1 if len(xs) <= CHECKS + 2 else CHECKS
        return len(xs) > CHECKS + 1 and None not in values and _combination(xs, values, POWERS, spare) is not None

    def smaller_class(self, key: Key, modulus: int) -> tuple[int, list[int]] | None:
        """A larger modulus for which a number is polynomial that is not for this one, and values to vary; or None.

        None, too, where the variable decides which rows there are: such numbers grow with powers of 2.
        """
        if self.changes_rows(self.valid(modulus)) or self.is_polynomial(key, modulus):
            return None
        for finer in MODULI[MODULI.index(modulus) + 1 : 4]:
            if self.is_polynomial(key, finer):
                start = self.variable.start
                listed = range(start, start + finer * SAMPLES, finer)
                return finer, self.valid(finer) if self.variable.values is None else list(listed)
        return None

    def why_not(self) -> str:
        """Why not all counts are polynomials: in which classes they are not, and where too few values work to tell."""
        xs = self.valid(1)
        if len(xs) < DEGREE + 2:
            works = f"value of {self.variable.symbol} works" if len(xs) == 1 else f"of {self.variable.symbol} work"
            return f"too few values: {len(xs) + 1} needed for degree {len(xs) - 1}, {len(xs)} {works}"
        if self.changes_rows(xs):
            return f"{NO_POLYNOMIAL}, also with powers of 2 and 4"
        short = [modulus for modulus in MODULI if len(self.valid(modulus)) < DEGREE + 2]
        classes = ", ".join(str(modulus) for modulus in MODULI if modulus not in short)
        words = NO_POLYNOMIAL if classes == "1" else f"{NO_POLYNOMIAL}, in no residue class modulo {classes}"
        return (
            words
            + (f"; too few values for classes modulo {', '.join(map(str, short))}" if short else "")
            + (f": {self._longer(short[0])}" if short and self.variable.values is not None else "")
        )

    def _longer(self, modulus: int) -> str:
        """A list with enough values of one class."""
        start = self.variable.start
        listed = ",".join(map(str, range(start, start + modulus * SAMPLES, modulus)))
        return f"--vary {self.variable.name}={listed} has enough modulo {modulus}"

    def fitting(
        self, xs: Sequence[int], known: Sequence[Function], *, all_counts: bool = True, spare: int = 0
    ) -> tuple[Function, ...] | None:
        """The functions that all counts of all rows need; None if some count is no combination of them.

        Without `all_counts`, those that are needed by the numbers which are combinations of them. `spare` values must
        be left to check a combination: by default two, or one of few values for powers.
        """
        polynomial = all(function.rate == 0 for function in known)
        spare = spare or (1 if polynomial and len(xs) <= CHECKS + 2 else CHECKS)
        points = [self.point(x) for x in xs]
        self.instances.used.update(points)
        needed: set[Function] = set()
        series = {(is_field(key), tuple(self.instances.values(key, points))) for key in self.instances.keys}
        for of_field, values in series:
            if None in values:
                continue
            found = _combination(xs, values, known, spare)
            if found is None and not of_field and all_counts:
                return None
            needed |= set(found or ())
        functions = tuple(function for function in known if function in {POWERS[0], *needed})
        if all(function.rate == 0 for function in functions):
            functions = POWERS[: max(function.power for function in functions) + 1]
        return functions if len(functions) < len(xs) else None


def _combination(
    xs: Sequence[int], values: Sequence[Any], known: Sequence[Function], spare: int
) -> set[Function] | None:
    """The fewest of the functions that give all values, of which `spare` are more than it takes to find them."""
    if len(xs) > len(known) and not _solves(xs, values, known):
        return None
    polynomial = all(function.rate == 0 for function in known)
    for size in range(min(DEGREE + 1, len(xs) - spare) + 1):
        subsets = [tuple(known[:size])] if polynomial else combinations(known, size)
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
