"""A parser for arithmetic such as `floor((32 + 2*2 - 5)/2) + 1`, `1,024` or `5.4K`; no text is executed as Python."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from cnninspect.report.quantities import COUNTS

_TOKEN = re.compile(
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(?P<decimals>\d+))?(?:[eE]\+?(?P<exponent>\d{1,2}))?"
    r"(?:\s?(?P<suffix>[KMGTkmgt]))?(?![\w.])|(?P<sign>\*\*|//|[-+*/^()×·]|(?:floor|ceil|max|min)(?=\s*\()|[⌊⌋⌈⌉])"
)
_SPELLINGS = {"**": "^", "×": "*", "·": "*"}


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or not 0 <= exponent <= _LARGEST_EXPONENT:
        raise NotArithmetic(f"an exponent must be a whole number from 0 to {_LARGEST_EXPONENT}")
    return base ** int(exponent)


_OPERATORS: dict[str, tuple[int, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "//": (2, lambda left, right: Fraction(left // right)),
    "^": (3, _power),
}
_CALLS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "floor": lambda numbers: Fraction(floor(numbers[0])),
    "ceil": lambda numbers: Fraction(ceil(numbers[0])),
    "max": max,
    "min": min,
}
_OF_SEVERAL = ("max", "min")
_BRACKETS = {"⌊": ("floor", "⌋"), "⌈": ("ceil", "⌉")}
_LONGEST = 1000
_SHOWN = 60
_DEEPEST = 30
_LARGEST = 10**30
_LARGEST_EXPONENT = 100


class NotArithmetic(ValueError):
    """The text is not an arithmetic expression; the message says why."""


@dataclass(frozen=True)
class Number:
    """A number as it was written.

    `value` is exact. `slack` is half a unit of the last digit written, where the text is one number with decimals or
    a suffix: it then stands for every number that rounds to it.
    """

    value: Fraction
    slack: Fraction = Fraction(0)

    def admits(self, exact: Fraction | int) -> bool:
        """Whether an exact number equals the written one or rounds to it."""
        return abs(exact - self.value) <= self.slack

    @property
    def is_rounded(self) -> bool:
        """Whether the written number is rounded."""
        return self.slack > 0

    @property
    def plain(self) -> int | float:
        """The value as an int if it is whole, else a float."""
        return int(self.value) if self.value.denominator == 1 else float(self.value)


def evaluate(text: str) -> Number:
    """The value of an expression: `+ - * / //`, powers as `^` or `**`, `floor ceil max min`, and sizes such as 5.4K.

    Raises NotArithmetic for any other text and for numbers above 10**30.
    """
    if len(text) > _LONGEST:
        raise NotArithmetic(f"it is longer than {_LONGEST} characters")
    parser = _Parser(_tokens(text))
    number = parser.expression(0)
    parser.expect_end()
    return number


def quotients(text: str) -> list[Number]:
    """What stands in floor and ceil, in the order of the text; a number on its own stands for all that round to it.

    Raises NotArithmetic as `evaluate` does.
    """
    parser = _Parser(_tokens(text))
    parser.expression(0)
    return parser.quotients


Token = Number | str


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None and text[position] == "," and any(token in _OF_SEVERAL for token in tokens):
            tokens.append(",")
            position += 1
            continue
        if match is None:
            raise NotArithmetic(f"cannot read {text[position:].split()[0][:_SHOWN]!r}")
        sign = match["sign"]
        tokens.append(_number(match) if sign is None else _SPELLINGS.get(sign, sign))
        position = match.end()
    return tokens


def _number(match: re.Match[str]) -> Number:
    decimals = match["decimals"] or ""
    scale = 10 ** int(match["exponent"] or 0) * COUNTS[(match["suffix"] or "").upper()]
    unit = Fraction(scale, 10 ** len(decimals))
    rounded = bool(decimals) or scale > 1
    return _bounded(
        Number(int(match["digits"].replace(",", "") + decimals) * unit, unit / 2 if rounded else Fraction(0))
    )


class _Parser:
    """Precedence climbing over a list of tokens."""

    def __init__(self, tokens: list[Token]):
        self._tokens = tokens
        self._position = 0
        self._depth = 0
        self.quotients: list[Number] = []

    def expression(self, binding: int) -> Number:
        """Parses operators of at least the precedence `binding`, and returns the value."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotArithmetic("it is nested too deeply")
        left = self._operand()
        while (sign := self._peek()) in _OPERATORS and _OPERATORS[str(sign)][0] >= binding:
            self._position += 1
            level = _OPERATORS[str(sign)][0]
            # A power's exponent may itself be a power: it binds to the right.
            left = _applied(str(sign), left, self.expression(level if sign == "^" else level + 1))
        self._depth -= 1
        return left

    def expect_end(self) -> None:
        """Raises NotArithmetic if tokens are left."""
        if self._position < len(self._tokens):
            raise NotArithmetic(f"an operator is missing before {self._described()}")

    def _operand(self) -> Number:
        token = self._peek()
        if isinstance(token, Number):
            self._position += 1
            return token
        name, closing = _BRACKETS.get(str(token), (str(token), ")"))
        if name not in _CALLS and name != "(":
            raise NotArithmetic(f"a number is missing before {self._described()}")
        # `floor(` is two tokens, a bracket is one.
        self._position += 2 if token in _CALLS else 1
        first = self._position
        inner = self._operands(closing)
        if (len(inner) > 1) != (name in _OF_SEVERAL):
            takes = f"{name} takes several numbers" if name in _OF_SEVERAL else "a comma separates nothing here"
            raise NotArithmetic(takes)
        if name in ("floor", "ceil"):
            is_literal = self._position == first + 2
            self.quotients.append(Number(inner[0].value, inner[0].slack or Fraction(int(is_literal), 2)))
        return inner[0] if name == "(" else _bounded(Number(_CALLS[name]([each.value for each in inner])))

    def _operands(self, closing: str) -> list[Number]:
        """The numbers up to the closing sign, which commas separate."""
        found = [self.expression(0)]
        while self._peek() == ",":
            self._position += 1
            found.append(self.expression(0))
        if self._peek() != closing:
            raise NotArithmetic("a closing parenthesis is missing")
        self._position += 1
        return found

    def _peek(self) -> Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _described(self) -> str:
        token = self._peek()
        return "the end" if token is None else f"{token.plain:,}" if isinstance(token, Number) else repr(token)


def _applied(sign: str, left: Number, right: Number) -> Number:
    """The result of one operator, which is never rounded, even if an operand is."""
    try:
        value = _OPERATORS[sign][1](left.value, right.value)
    except ZeroDivisionError:
        raise NotArithmetic("it divides by zero") from None
    return _bounded(Number(value))


def _bounded(number: Number) -> Number:
    if abs(number.value) > _LARGEST:
        raise NotArithmetic("it is too large")
    return number
