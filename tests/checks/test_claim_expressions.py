"""Arithmetic in claims: what it works out to, and what is refused. Expected values were worked out by hand."""

import contextlib
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.claims.expressions import NotArithmetic, evaluate

VALUES = [
    # text, value
    ("5418", 5418),
    ("45,463,084", 45463084),
    ("3*11^2*64+64", 23296),
    ("3*11**2*64 + 64", 23296),
    ("32×32×3", 3072),
    ("192·3·3·512 + 512", 885248),
    ("(32*32*3)^2", 9437184),
    ("49248 + 2*(32 + 64 + 32 + 24)", 49552),
    ("2^3^2", 512),
    ("2*3^2", 18),
    ("10 - 4 - 3", 3),
    ("64 / 2 / 2", 16),
    ("7 / 2", Fraction(7, 2)),
    ("31 // 2 + 1", 16),
    ("1/3 + 2/3", 1),
    ("2*5.4K", 10800),
    ("5.4K", 5400),
    ("4M", 4000000),
    ("1.8G", 1800000000),
    ("2T", 2 * 10**12),
    ("600k", 600000),
    ("4.09e9", 4090000000),
    ("0.1 + 0.2", Fraction(3, 10)),
    # floor(54.25) + 1: (224 + 4 - 10 - 1)/4 = 217/4
    ("floor((224 + 2*2 - 1*(11 - 1) - 1)/4) + 1", 55),
    ("⌊(32 + 4 - 5)/2⌋ + 1", 16),
    ("ceil(31/2)", 16),
    ("⌈31/2⌉*2", 32),
    ("max(3, 4*2, 5)", 8),
    ("min(3,4) + 1", 4),
    ("floor((1 - 4)/2)", -2),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[case[0] for case in VALUES])
def test_value(text, value):
    assert evaluate(text).value == value


ROUNDED = [
    # text, exact numbers that round to it, numbers that do not
    ("4.09G", (4085000000, 4089184256, 4095000000), (4084999999, 4095000001)),
    ("5M", (4500000, 5418792, 5500000), (4499999, 5500001)),
    ("61.1M", (61100840,), (61160840,)),
    ("1.5", (Fraction(31, 20),), (Fraction(32, 20), 2)),
    ("4.09e9", (4089184256,), (4084999999,)),
    ("4000", (4000,), (3999, 4001)),
    ("2*2.0K", (4000,), (3999, 4001)),
]


@pytest.mark.parametrize(("text", "right", "wrong"), ROUNDED, ids=[case[0] for case in ROUNDED])
def test_a_number_with_decimals_or_a_suffix_stands_for_what_rounds_to_it(text, right, wrong):
    number = evaluate(text)
    assert all(map(number.admits, right))
    assert not any(map(number.admits, wrong))


REFUSED = [
    # id, text, part of the message
    ("empty", "", "a number is missing before the end"),
    ("word", "abc", "cannot read 'abc'"),
    ("call", "__import__('os')", "cannot read"),
    ("attribute", "(1).real", "cannot read '.real'"),
    ("shape", "3x3x64", "cannot read '3x3x64'"),
    ("commas in the wrong place", "1,02", "cannot read ',02'"),
    ("a comma too many", "1,0245", "cannot read ',0245'"),
    ("operator at the end", "3*", "a number is missing before the end"),
    ("two operators", "3*/2", "a number is missing before '/'"),
    ("two numbers", "3 4", "an operator is missing before 4"),
    ("open parenthesis", "(3+4", "a closing parenthesis is missing"),
    ("parenthesis too many", "3+4)", "an operator is missing before ')'"),
    ("product without a sign", "3(4)", "an operator is missing before '('"),
    ("zero", "3/(2-2)", "divides by zero"),
    ("an open floor", "floor(3/2", "a closing parenthesis is missing"),
    ("another bracket", "⌊3/2⌉", "a closing parenthesis is missing"),
    ("max of one number", "max(3)", "max takes several numbers"),
    ("floor of two numbers", "min(1, 2) + floor(3, 2)", "a comma separates nothing here"),
    ("another function", "round(3/2)", "cannot read 'round"),
    ("zero, floored", "3//0", "divides by zero"),
    ("negative exponent", "2^(1-2)", "an exponent must be a whole number"),
    ("fractional exponent", "2^(1/2)", "an exponent must be a whole number"),
    ("huge exponent", "9^9^9", "an exponent must be a whole number"),
    ("huge result", "10^50", "too large"),
    ("huge number", "9e99", "too large"),
    ("huge product", "10^29*10^29", "too large"),
    ("nested too deeply", "(" * 40 + "1" + ")" * 40, "nested too deeply"),
    ("long", "1+" * 600 + "1", "longer than 1000 characters"),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(text, message):
    with pytest.raises(NotArithmetic) as caught:
        evaluate(text)
    assert message in str(caught.value)


SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
NUMBERS = st.integers(0, 50).map(lambda value: (str(value), Fraction(value)))


def joined(parts):
    return st.tuples(parts, st.sampled_from(sorted(SIGNS)), parts).map(
        lambda three: (f"({three[0][0]}) {three[1]} ({three[2][0]})", SIGNS[three[1]](three[0][1], three[2][1]))
    )


@given(st.recursive(NUMBERS, joined, max_leaves=6))
def test_random_arithmetic(case):
    # Python's own operators on fractions, applied while the text is put together.
    text, value = case
    assert evaluate(text).value == value


@given(st.text(alphabet="0123456789.,+-*/^() xKMGe_'\"\\\n×", max_size=30))
def test_any_text_is_a_number_or_refused(text):
    with contextlib.suppress(NotArithmetic):
        assert abs(evaluate(text).value) <= 10**30
