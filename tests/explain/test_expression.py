"""The tree of a formula: what it comes to, and how it is written."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import sympy

from cnninspect.explain.expression import (
    LATEX,
    PYTHON,
    TEXT,
    Expression,
    Number,
    Operation,
    Symbol,
    evaluate,
    in_sympy,
    latex_name,
    rounded_last,
    substituted,
    written,
)
from cnninspect.explain.recorded import Names, Recorded, tree_of
from cnninspect.ops.convolution import conv_size
from cnninspect.ops.pooling import pool_size


def named(**values: float) -> list[Recorded]:
    names = Names()
    return [names.number(name, value) for name, value in values.items()]


H, K, S, P, D = named(H=32, k=5, s=2, p=2, d=1)
SIZE = conv_size(H, K, S, P, D)


def test_a_size_is_written_as_in_the_textbook() -> None:
    tree = tree_of(SIZE)
    assert written(tree, TEXT) == "floor((H + 2*p - d*(k - 1) - 1)/s) + 1"
    assert written(substituted(tree), TEXT) == "floor((32 + 2*2 - 1*(5 - 1) - 1)/2) + 1"
    # (32 + 4 - 4 - 1)/2 = 31/2
    assert written(rounded_last(substituted(tree)), TEXT) == "floor(15.5) + 1"
    assert SIZE == evaluate(tree) == 15 + 1


def test_latex_stacks_quotients() -> None:
    assert written(tree_of(SIZE), LATEX) == (
        r"\left\lfloor \frac{H + 2 \cdot p - d \cdot \left(k - 1\right) - 1}{s} \right\rfloor + 1"
    )


def test_rounding_up_is_a_ceiling() -> None:
    size = pool_size(*named(H=8, k=3, s=2, p=0, d=1), ceil_mode=True)
    assert written(tree_of(size), TEXT) == "ceil((H + 2*p - d*(k - 1) - 1)/s) + 1"
    # (8 - 2 - 1)/2 = 2.5, rounded up 3, and one more.
    assert size == 3 + 1


X, Y, Z = named(x=7, y=3, z=6)
CASES: list[tuple[Recorded, str, float]] = [
    (1 * X, "x", 7),
    (X + 0, "x", 7),
    (X * 0, "0", 0),
    (math.prod((X, X, Y)), "x**2*y", 147),
    (sum((X, Y, Z)), "x + y + z", 16),
    (X - (Y - Z), "x - (y - z)", 10),
    (X - Y - Z, "x - y - z", -2),
    (X * (Y + Z), "x*(y + z)", 63),
    ((X + Y) ** 2, "(x + y)**2", 100),
    (2**Y, "2**y", 8),
    (X // Y, "floor(x/y)", 2),
    (X // (Y * 1), "floor(x/y)", 2),
    (20 // (Y * 2), "floor(20/(y*2))", 3),
    (-(-X // Y), "ceil(x/y)", 3),
    (-X, "-x", -7),
    (Y - -X, "y + x", 10),
    (X % Y, "x % y", 1),
    ((X + 1) % Y * Z, "(x + 1) % y*z", 12),
    (divmod(Z, Y)[0], "z/y", 2),
    (divmod(X, Y)[0], "floor(x/y)", 2),
    (divmod(Z, Y)[0] * X, "z/y*x", 14),
    (X * divmod(Z, Y)[0], "x*z/y", 14),
    (math.floor(X * 1.5), "floor(x*1.5)", 10),
    (math.ceil(X * 1.5), "ceil(x*1.5)", 11),
    (math.floor(X / Y), "floor(x/y)", 2),
    (X - 10, "x - 10", -3),
    (max(X, Y), "x", 7),
]


@pytest.mark.parametrize(("found", "text", "value"), CASES, ids=[case[1] for case in CASES])
def test_arithmetic_is_recorded(found: Recorded, text: str, value: float) -> None:
    assert found == value
    assert written(tree_of(found), PYTHON) == text
    assert evaluate(tree_of(found)) == value
    names = {"x": 7, "y": 3, "z": 6, "floor": math.floor, "ceil": math.ceil}
    assert eval(text, names) == value
    assert eval(written(substituted(tree_of(found)), PYTHON), names) == value
    assert (
        in_sympy(tree_of(found)).subs({in_sympy(Symbol(n, v)): v for n, v in (("x", 7), ("y", 3), ("z", 6))}) == value
    )


def test_a_name_stands_for_one_value() -> None:
    names = Names()
    assert [written(tree_of(names.number("C", value)), TEXT) for value in (3, 8, 3, 8)] == ["C", "C2", "C", "C2"]


def test_other_values_can_be_put_in() -> None:
    assert evaluate(tree_of(SIZE), {"H": 33}) == (33 + 4 - 4 - 1) // 2 + 1


def test_sympy_sees_the_same_formula() -> None:
    k, s, h, p, d = (sympy.Symbol(name, integer=True, positive=True) for name in "kshpd".replace("h", "H"))
    assert in_sympy(tree_of(SIZE)) == sympy.floor((h + 2 * p - d * (k - 1) - 1) / s) + 1


NUMBERS: list[tuple[Expression, str]] = [
    (Number(999), "999"),
    (Number(45_463_084), "45,463,084"),
    (Number(Fraction(31, 2)), "15.5"),
    (Number(Fraction(47, 3)), "47/3"),
    (Number(2.0), "2"),
]


@pytest.mark.parametrize(("number", "text"), NUMBERS, ids=[text for _, text in NUMBERS])
def test_numbers_are_written_for_readers(number: Expression, text: str) -> None:
    assert written(number, TEXT) == text


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("Cin", r"C_{\mathrm{in}}"),
        ("widths_0", r"\mathrm{widths_{0}}"),
        ("width_mult", r"\mathrm{width_{mult}}"),
        ("_0", r"\mathrm{\_0}"),
    ],
)
def test_names_in_latex(name: str, latex: str) -> None:
    assert latex_name(name) == latex


def test_latex_has_no_macro_that_github_refuses() -> None:
    # Source: github/markup issue 1688: GitHub refuses \\operatorname.
    joined = Operation("max", (Symbol("r1", 27), Symbol("r2", 11)))
    assert written(joined, LATEX) == r"\max\left(r_{1}, r_{2}\right)"
    assert written(Operation("%", (Symbol("p", 3), Number(2))), LATEX) == r"\mathrm{mod}\left(p, 2\right)"
