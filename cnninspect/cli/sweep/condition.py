"""`--where 'macs < 1G and field > 200'` and `--sort macs`: conditions on the columns of a row, read and evaluated.

A comparison is true, false or unknown: a bound decides what it can, an unknown number nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from cnninspect.errors import UsageError, nearest
from cnninspect.report.quantities import Status, parse_count, parse_memory
from cnninspect.report.rows import GLOBAL
from cnninspect.report.swept import COLUMNS, SweptModel, field_sizes, number_of

Answer = bool | None
"""The value of a condition for a row; None is unknown."""

Condition = Callable[[SweptModel], Answer]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds; write for example 0.5 or 20") from None


NUMBERS: dict[str, Callable[[str], Any]] = {
    "params": parse_count,
    "macs": parse_count,
    "activations": parse_count,
    "peak_memory": parse_memory,
    "field": parse_count,
    "seconds": _seconds,
}
"""Column of numbers -> the parser of a size."""

TEXTS = ("target", "provider", "input", "global", "verdict", "error")

_TOKEN = re.compile(r"\s*(?:(?P<sign><=|>=|!=|==?|<|>|[()])|(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<word>[^\s<>=!()'\"]+))")
_EXAMPLE = "--where 'macs < 1G and field > 200'"


def parse_where(text: str) -> Condition:
    """The condition that a text stands for; UsageError, which names the column or the place, for another text."""
    reader = _Reader(_tokens(text), text)
    found = reader.either()
    if reader.left:
        raise reader.wrong(f"{reader.left[0]!r} is too much")
    return found


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise UsageError(f"--where {text!r} cannot be read from {text[position:].strip()!r} on. Write {_EXAMPLE}.")
        found.append(match[match.lastgroup or 0])
        position = match.end()
    return found


class _Reader:
    """Reads `or` of `and` of `not`, parentheses and comparisons."""

    def __init__(self, tokens: list[str], text: str):
        self.left, self.text = tokens, text

    def wrong(self, cause: str) -> UsageError:
        return UsageError(f"--where {self.text!r}: {cause}. Write, for example, {_EXAMPLE}.")

    def either(self) -> Condition:
        parts = [self._both()]
        while self._skip("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda row: _any(part(row) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._skip("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: _not(_any(_not(part(row)) for part in parts))

    def _one(self) -> Condition:
        if self._skip("not"):
            negated = self._one()
            return lambda row: _not(negated(row))
        if self._skip("("):
            inner = self.either()
            if not self._skip(")"):
                raise self.wrong("a parenthesis is not closed")
            return inner
        return self._comparison()

    def _skip(self, word: str) -> bool:
        found = bool(self.left) and self.left[0].lower() == word
        if found:
            self.left.pop(0)
        return found

    def _comparison(self) -> Condition:
        column = self._next("a column")
        check_column("--where", column, (*NUMBERS, *TEXTS))
        sign = self._next(f"<, <=, >, >=, = or != after {column}")
        if sign not in ("<", "<=", ">", ">=", "=", "==", "!="):
            raise self.wrong(f"after {column} there is {sign!r}, not <, <=, >, >=, = or !=")
        value = self._next(f"a value after {column} {sign}")
        if column in NUMBERS:
            return self._of_number(column, sign, value)
        if sign not in ("=", "==", "!="):
            raise self.wrong(f"{column} is a text, which is compared with = or !=")
        pattern = value.strip("'\"")
        holds: Condition = lambda row: fnmatchcase(str(getattr(row, COLUMNS[column]) or ""), pattern)  # noqa: E731
        return (lambda row: _not(holds(row))) if sign == "!=" else holds

    def _of_number(self, column: str, sign: str, value: str) -> Condition:
        limit: Any = inf
        if not (column == "field" and value == GLOBAL):
            try:
                limit = NUMBERS[column](value)
            except ValueError as error:
                raise self.wrong(f"{column} {sign}: {error}") from None
        if sign == "!=":
            return lambda row: _not(_compared(intervals(row, column), "=", limit))
        return lambda row: _compared(intervals(row, column), sign[:1] if sign == "==" else sign, limit)

    def _next(self, wanted: str) -> str:
        if not self.left:
            raise self.wrong(f"{wanted} is missing")
        return self.left.pop(0)


def check_column(option: str, name: str, known: Iterable[str]) -> None:
    """Raises UsageError, with the nearest names, for a column that is not known."""
    names = list(known)
    if name not in names:
        near = nearest(name, names)
        hint = f"Nearest: {', '.join(near)}." if near else f"There are {', '.join(names)}."
        raise UsageError(f"{option}: there is no column {name!r}. {hint}")


@dataclass(frozen=True)
class Interval:
    """The numbers that a value may have."""

    least: float
    most: float


def intervals(row: SweptModel, column: str) -> list[Interval]:
    """What a number may be: one interval, for a field one per axis and position; empty if it is unknown."""
    value, status = getattr(row, COLUMNS[column]), row.bounds.get(column)
    if value is None or status == Status.UNKNOWN.value:
        return []
    values = [inf] if value == GLOBAL else field_sizes(value) if column == "field" else [value]
    lower, upper = status == Status.LOWER_BOUND.value, status == Status.UPPER_BOUND.value
    return [Interval(-inf if upper else each, inf if lower else each) for each in values]


def _compared(found: list[Interval], sign: str, limit: float) -> Answer:
    """Whether all numbers compare so; unknown if there is none."""
    return _not(_any(_not(_one_compared(each, sign, limit)) for each in found)) if found else None


def _one_compared(number: Interval, sign: str, limit: float) -> Answer:
    least, most = number.least, number.most
    if sign == "<":
        return True if most < limit else False if least >= limit else None
    if sign == "<=":
        return True if most <= limit else False if least > limit else None
    if sign in (">", ">="):
        return _not(_one_compared(number, "<=" if sign == ">" else "<", limit))
    return True if least == most == limit else False if limit < least or limit > most else None


def _not(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _any(answers: Iterable[Answer]) -> Answer:
    """True if one is true, False if all are false, else unknown."""
    found = list(answers)
    return True if True in found else None if None in found else False


def sorted_rows(rows: Iterable[SweptModel], key: str) -> list[SweptModel]:
    """The rows by a column: texts in order, numbers with the largest first, `-macs` with the smallest first.

    Unknown numbers are last. Raises UsageError for another column.
    """
    column, backwards = key.removeprefix("-"), key.startswith("-")
    check_column("--sort", column, (*NUMBERS, *TEXTS))
    if column in TEXTS:
        return sorted(rows, key=lambda row: str(getattr(row, COLUMNS[column]) or ""), reverse=backwards)

    def place(row: SweptModel) -> tuple[bool, float]:
        size = number_of(row, column)
        return size is None, 0 if size is None else size if backwards else -size

    return sorted(rows, key=place)
