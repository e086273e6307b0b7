"""Cases of ops in which fvcore's number is not that of multiply-accumulates, by the names that its counts have here.

For einsum it is the operations of numpy's best path, halved.
"""

from __future__ import annotations

from collections.abc import Sequence

VECTOR_WEIGHT = "linear with a vector as weight"
"""fvcore's formula for linear takes the first size of the weight for the number of output features."""

EINSUM = "einsum"
"""Two operands, contracted: the number is right to the four digits that numpy prints."""

NOTHING_CONTRACTED = "einsum that contracts nothing"
"""Elementwise and outer products, sums and permutations of one operand: numpy counts an operation per element."""

SUMMED_ALONE = "einsum with an index of one operand alone"
"""torch adds up such an index before it multiplies, numpy afterwards."""

SEVERAL = "einsum of more than two operands"
"""torch contracts in the order given, numpy in the best one."""


def einsum_case(equation: str, shapes: Sequence[Sequence[int]]) -> str:
    """Which of the cases it is; an index of size 1 is broadcast and contracts nothing."""
    terms, arrow, output = equation.replace(" ", "").partition("->")
    operands = [_letters(term, shape) for term, shape in zip(terms.split(","), shapes, strict=True)]
    appear = [letter for letter in terms if letter.isalpha()]
    kept = set(output) if arrow else {letter for letter in appear if appear.count(letter) == 1}
    summed = {letter for operand in operands for letter in operand} - kept
    shared = {letter for letter in summed if sum(letter in operand for operand in operands) > 1}
    if not shared:
        return NOTHING_CONTRACTED
    if len(operands) > 2:
        return SEVERAL
    return SUMMED_ALONE if summed - shared else EINSUM


def _letters(term: str, shape: Sequence[int]) -> set[str]:
    """The indices of an operand along which it has more than one place."""
    before, _, after = term.partition("...")
    sizes = [*zip(before, shape, strict=False), *zip(reversed(after), reversed(shape), strict=False)]
    return {letter for letter, size in sizes if size > 1}
