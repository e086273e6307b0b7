"""A formula as a tree: evaluated exactly, and written as Python, as text or as LaTeX, with names or with numbers.

The functions that build a tree (`plus`, `times`...) leave out what no reader writes (`1*x`, `0*x`, `x + 0`) and change
nothing else about its shape. Only a literal 1 or 0 is left out, never a symbol that has this value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, prod
from typing import Any

Value = int | Fraction | float
"""A float only where a formula holds one, such as a scale factor: it is then worked out as Python does."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that stands in the formula itself."""

    value: Value


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name and the value that it has here. The name is an identifier of Python: `Cin`, `k`, `Hout`."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Operation:
    """`sign` is one of + - * / ** % floor ceil max min; `-` has one operand, + and * have two or more."""

    sign: str
    operands: tuple[Expression, ...]


Expression = Number | Symbol | Operation

ZERO, ONE = Number(0), Number(1)

# --- building -----------------------------------------------------------------------------------------------------


def plus(*terms: Expression) -> Expression:
    """The sum, in this order; sums in it are taken apart."""
    flat = [part for term in terms for part in _parts(term, "+") if part != ZERO]
    return Operation("+", tuple(flat)) if len(flat) > 1 else flat[0] if flat else ZERO


def minus(term: Expression) -> Expression:
    """The negative; that of floor(-a/b) is ceil(a/b), which Python's integers write as -(-a // b)."""
    if isinstance(term, Number):
        return Number(-term.value)
    if isinstance(term, Operation) and term.sign == "-":
        return term.operands[0]
    upper = _rounded_up(term)
    return Operation("-", (term,)) if upper is None else upper


def _rounded_up(term: Expression) -> Expression | None:
    """ceil(a/b) for floor(-a/b), ceil(a) for floor(-a); None for anything else."""
    match term:
        case Operation("floor", (Operation("-", (inner,)),)):
            return Operation("ceil", (inner,))
        case Operation("floor", (Operation("/", (Operation("-", (top,)), bottom)),)):
            return Operation("ceil", (quotient(top, bottom),))
    return None


def times(*factors: Expression) -> Expression:
    """The product, in this order; products in it are taken apart, and a name that follows itself is a power."""
    found: list[Expression] = []
    if ZERO in factors:
        return ZERO
    for factor in (part for whole in factors for part in _parts(whole, "*") if part != ONE):
        merged = _power_of_both(found[-1], factor) if found else None
        if merged is None:
            found.append(factor)
        else:
            found[-1] = merged
    return Operation("*", tuple(found)) if len(found) > 1 else found[0] if found else ONE


def _power_of_both(left: Expression, right: Expression) -> Expression | None:
    """The power that two factors in a row make, None if they are different or numbers."""
    (base, first), (other, second) = _base(left), _base(right)
    return Operation("**", (base, Number(first + second))) if base == other and isinstance(base, Symbol) else None


def _base(factor: Expression) -> tuple[Expression, int]:
    match factor:
        case Operation("**", (base, Number(int(exponent)))):
            return base, exponent
    return factor, 1


def _parts(whole: Expression, sign: str) -> tuple[Expression, ...]:
    return whole.operands if isinstance(whole, Operation) and whole.sign == sign else (whole,)


def quotient(top: Expression, bottom: Expression) -> Expression:
    """top/bottom."""
    return top if bottom == ONE else Operation("/", (top, bottom))


def floored(inner: Expression) -> Expression:
    """floor(inner); of a whole number in the formula itself, the number."""
    whole = isinstance(inner, Number) and isinstance(inner.value, int)
    return inner if whole else Operation("floor", (inner,))


def power(base: Expression, exponent: Expression) -> Expression:
    """base**exponent."""
    return base if exponent == ONE else Operation("**", (base, exponent))


# --- reading ------------------------------------------------------------------------------------------------------


def symbols(expression: Expression) -> dict[str, Value]:
    """The value of every name, in the order in which they are written."""
    return {each.name: each.value for each in nodes(expression) if isinstance(each, Symbol)}


def nodes(expression: Expression) -> Iterator[Expression]:
    """The expression and all that it is made of, from left to right."""
    yield expression
    if isinstance(expression, Operation):
        for operand in expression.operands:
            yield from nodes(operand)


def replaced(expression: Expression, known: Mapping[Expression, Expression]) -> Expression:
    """The expression with every part that is among `known` replaced, the largest first."""
    if expression in known:
        return known[expression]
    if not isinstance(expression, Operation):
        return expression
    return Operation(expression.sign, tuple(replaced(operand, known) for operand in expression.operands))


def substituted(expression: Expression) -> Expression:
    """The expression with each symbol's value in its place."""
    if isinstance(expression, Symbol):
        return Number(expression.value)
    if isinstance(expression, Number):
        return expression
    return Operation(expression.sign, tuple(map(substituted, expression.operands)))


def rounded_last(expression: Expression) -> Expression:
    """The expression with the number in place of what is rounded: `floor(15.5) + 1`."""
    if not isinstance(expression, Operation):
        return expression
    if expression.sign in ("floor", "ceil"):
        return Operation(expression.sign, (Number(evaluate(expression.operands[0])),))
    return Operation(expression.sign, tuple(map(rounded_last, expression.operands)))


_WORKED_OUT: dict[str, Callable[..., Any]] = {
    "+": lambda *terms: sum(terms),
    "-": lambda term: -term,
    "*": lambda *factors: prod(factors),
    "/": lambda top, bottom: top / bottom if isinstance(top, float) or isinstance(bottom, float)
    else Fraction(top) / Fraction(bottom),
    "**": lambda base, exponent: base**exponent,
    "%": lambda top, bottom: top % bottom,
    "floor": floor,
    "ceil": ceil,
    "max": max,
    "min": min,
}  # fmt: skip


def evaluate(expression: Expression, values: Mapping[str, Value] | None = None) -> Value:
    """The exact number; `values` stands for the symbols' own where it names them."""
    match expression:
        case Number(value):
            return value
        case Symbol(name, value):
            return (values or {}).get(name, value)
        case Operation(sign, operands):
            found: Value = _WORKED_OUT[sign](*(evaluate(operand, values) for operand in operands))
            return found.numerator if isinstance(found, Fraction) and found.denominator == 1 else found


# --- writing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Notation:
    """How the parts of a formula are written; `stacked` if a quotient stands above and below a line."""

    number: Callable[[Value], str]
    name: Callable[[str], str]
    plus: str
    minus: str
    times: str
    group: Callable[[str], str]
    power: Callable[[str, str], str]
    quotient: Callable[[str, str], str]
    call: Callable[[str, Sequence[str]], str]
    stacked: bool = False


_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT, "**": _POWER}


def written(expression: Expression, notation: Notation) -> str:
    """The expression in a notation."""
    return _at(expression, notation, _SUM)


def _at(expression: Expression, how: Notation, binding: int) -> str:
    """The expression, in parentheses where its own operator binds less than `binding`."""
    match expression:
        case Symbol(name):
            return how.name(name)
        case Number(value):
            text = how.number(value)
            is_atom = value >= 0 and (how.stacked or isinstance(value, int) or "/" not in text)
            return text if binding == _SUM or is_atom else how.group(text)
        case Operation(sign, operands):
            own = _BINDING.get(sign, _ATOM)
            own = _ATOM if sign == "/" and how.stacked and binding != _POWER else own
            text = _applied(sign, operands, how)
            return text if own >= binding else how.group(text)


def _applied(sign: str, operands: tuple[Expression, ...], how: Notation) -> str:
    match sign:
        case "+":
            return _at(operands[0], how, _SUM) + "".join(_term(operand, how) for operand in operands[1:])
        case "-":
            return how.minus.strip() + _at(operands[0], how, _PRODUCT)
        case "*":
            return how.times.join(_at(operand, how, _PRODUCT) for operand in operands)
        case "**":
            return how.power(_at(operands[0], how, _ATOM), _at(operands[1], how, _ATOM))
        case "/" if how.stacked:
            return how.quotient(written(operands[0], how), written(operands[1], how))
        case "/":
            return how.quotient(_at(operands[0], how, _PRODUCT), _at(operands[1], how, _POWER))
        case "%":
            return how.call("mod", [_at(operands[0], how, _PRODUCT), _at(operands[1], how, _POWER)])
    return how.call(sign, [written(operand, how) for operand in operands])


def _term(term: Expression, how: Notation) -> str:
    """A term after the first, with its sign."""
    if isinstance(term, Operation) and term.sign == "-":
        return how.minus + _at(term.operands[0], how, _PRODUCT)
    if isinstance(term, Number) and term.value < 0:
        return how.minus + how.number(-term.value)
    return how.plus + _at(term, how, _PRODUCT)


def _called(name: str, operands: Sequence[str]) -> str:
    return f"{name}({', '.join(operands)})"


def _python_number(value: Value) -> str:
    return repr(value) if not isinstance(value, Fraction) else str(value)


def decimal(value: Value) -> str:
    """A number for readers: `45,463,084`, `15.5`, and `47/3` where decimals have no end."""
    if isinstance(value, int):
        return f"{value:,}"
    short = f"{float(value):.6g}"
    return short if isinstance(value, float) or Fraction(short) == value else str(value)


PYTHON = Notation(
    number=_python_number,
    name=str,
    plus=" + ",
    minus=" - ",
    times="*",
    group="({})".format,
    power="{}**{}".format,
    quotient="{}/{}".format,
    call=lambda name, operands: " % ".join(operands) if name == "mod" else _called(name, operands),
)
"""An expression that Python evaluates; `floor` and `ceil` are those of `math`."""

TEXT = replace(PYTHON, number=decimal, power="{}^{}".format, call=_called)
"""Standard notation on one line: `floor((H + 2*p - d*(k - 1) - 1)/s) + 1`."""

_INDEX = re.compile(r"([A-Za-z])(in|out|[a-z]|\d+)?(?:_([a-z]))?")
_BRACKETS = {"floor": (r"\left\lfloor ", r" \right\rfloor"), "ceil": (r"\left\lceil ", r" \right\rceil")}


DOTS = "..."
"""What stands for terms that are left out where a sum is shown."""


def latex_name(name: str) -> str:
    """`Cin` as C_{\\mathrm{in}}, `kh` as k_{h}; other names upright, `widths_0` with an index inside."""
    if name == DOTS:
        return r"\cdots"
    parts = _INDEX.fullmatch(name)
    if parts is None:
        # GitHub takes `\_` for `_`, and `}_{` for emphasis: an index inside of \mathrm is read alike by all.
        stem, *others = name.split("_")
        if stem and others:
            return rf"\mathrm{{{stem}_{{{','.join(others)}}}}}"
        return rf"\mathrm{{{name}}}".replace("_", r"\_")
    letter, *indices = parts.groups()
    index = ",".join(each if len(each) == 1 else rf"\mathrm{{{each}}}" for each in indices if each)
    return f"{letter}_{{{index}}}" if index else str(letter)


def _latex_call(name: str, operands: Sequence[str]) -> str:
    # GitHub refuses \operatorname.
    upright = rf"\{name}" if name in ("max", "min") else rf"\mathrm{{{name}}}"
    before, after = _BRACKETS.get(name, (rf"{upright}\left(", r"\right)"))
    return before + ", ".join(operands) + after


def _latex_number(value: Value) -> str:
    if isinstance(value, Fraction) and "/" in decimal(value):
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return decimal(value).replace(",", r"{,}")


LATEX = Notation(
    number=_latex_number,
    name=latex_name,
    plus=" + ",
    minus=" - ",
    times=r" \cdot ",
    group=r"\left({}\right)".format,
    power=lambda base, exponent: f"{base}^{{{exponent}}}",
    quotient=r"\frac{{{}}}{{{}}}".format,
    call=_latex_call,
    stacked=True,
)
"""LaTeX for math mode, as amsmath, MathJax and GitHub take it."""


def from_sympy(found: Any, values: Mapping[str, Value]) -> Expression:
    """An expression of sympy's as a tree; `values` are those of its symbols."""
    import sympy

    top, bottom = found.as_numer_denom() if isinstance(found, (sympy.Mul, sympy.Pow)) else (found, sympy.S.One)
    if bottom != 1:
        return quotient(from_sympy(top, values), from_sympy(bottom, values))
    if isinstance(found, sympy.Symbol):
        return Symbol(found.name, values[found.name])
    if isinstance(found, sympy.Rational):
        return quotient(Number(int(found.p)), Number(int(found.q)))
    parts = [from_sympy(part, values) for part in found.args]
    rules: dict[Any, Callable[..., Expression]] = {sympy.Add: plus, sympy.Mul: times, sympy.Pow: power}
    return rules[found.func](*parts)


def in_sympy(expression: Expression) -> Any:
    """The expression as sympy's, with positive integers for the symbols."""
    import sympy

    match expression:
        case Number(value):
            return sympy.Rational(value) if isinstance(value, (int, Fraction)) else sympy.Float(value)
        case Symbol(name):
            return sympy.Symbol(name, integer=True, positive=True)
        case Operation(sign, operands):
            found = [in_sympy(operand) for operand in operands]
    rules: dict[str, Callable[..., Any]] = {
        "+": sympy.Add, "-": lambda term: -term, "*": sympy.Mul, "/": lambda top, bottom: top / bottom,
        "**": sympy.Pow, "%": sympy.Mod, "floor": sympy.floor, "ceil": sympy.ceiling,
        "max": sympy.Max, "min": sympy.Min,
    }  # fmt: skip
    return rules[sign](*found)
