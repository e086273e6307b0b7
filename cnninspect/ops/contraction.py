"""Products over named dimensions: tensordot and einsum."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Formula, NoFormula, Use, register
from cnninspect.ops.shapes import numel
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

# --- tensordot ----------------------------------------------------------------------------------------------------


def tensordot_output(use: Use) -> tuple[Shape, ...]:
    """The dimensions of both operands that are not contracted, in order."""
    return (
        tuple(size for shape, dims in zip(use.inputs, use["dims"], strict=True) for size in _left_over(shape, dims)),
    )


def tensordot_macs(use: Use) -> int:
    """The product of all dimensions of the one operand and the free ones of the other.

    A contracted dimension of size 1 in one operand is broadcast: that in the other is summed first.
    """
    (a, b), (dims_a, dims_b) = use.inputs, use["dims"]
    contracted = numel(tuple(min(a[i], b[j]) for i, j in zip(dims_a, dims_b, strict=True)))
    (output,) = tensordot_output(use)
    return numel(output) * contracted


def _left_over(shape: Shape, dims: tuple[int, ...]) -> Shape:
    contracted = {dim % len(shape) for dim in dims}
    return tuple(size for axis, size in enumerate(shape) if axis not in contracted)


def _tensordot_call(a: TensorRef, b: TensorRef, dims: Any = 2, out: Any = None) -> Use:
    if isinstance(dims, TensorRef):
        raise NoFormula("the contracted dimensions are in a tensor")
    if isinstance(dims, int):
        rank = len(a.shape)
        dims = (tuple(range(rank - dims, rank)), tuple(range(dims)))
    pairs = tuple((d,) if isinstance(d, int) else tuple(d) for d in dims)
    return Use((a.shape, b.shape), {"dims": pairs})


TENSORDOT = register(
    Formula(
        name="tensor product over dimensions",
        source="torch.tensordot",
        functions={"torch.tensordot": _tensordot_call},
        output=tensordot_output,
        macs=tensordot_macs,
    )
)


# --- einsum -------------------------------------------------------------------------------------------------------


def einsum_output(use: Use) -> tuple[Shape, ...]:
    """The sizes of the output's indices."""
    sizes = _sizes(use)
    return (tuple(sizes[index] for index in use["output"]),)


def einsum_macs(use: Use) -> int:
    """The product of the sizes of all indices that are in the output or summed over both operands.

    An index that only one operand has is summed before it multiplies. Without an index summed over both the result is
    an elementwise product: no accumulation, 0 MACs.
    """
    named = [dict(zip(indices, shape, strict=True)) for indices, shape in zip(use["operands"], use.inputs, strict=True)]
    shared = [index for index in named[0] if all(sizes.get(index, 1) > 1 for sizes in named)]
    summed = [index for index in shared if index not in use["output"]]
    if len(named) == 1 or not summed:
        return 0
    sizes = _sizes(use)
    return numel(tuple(sizes[index] for index in (*use["output"], *summed)))


def _sizes(use: Use) -> dict[str, int]:
    """The size of every index; size 1 is broadcast."""
    sizes: dict[str, int] = {}
    for indices, shape in zip(use["operands"], use.inputs, strict=True):
        for index, size in zip(indices, shape, strict=True):
            sizes[index] = max(size, sizes.get(index, 1)) if size else 0
    return sizes


def _einsum_call(equation: Any, *operands: Any) -> Use:
    if not isinstance(equation, str):
        raise NoFormula("the form with lists of indices")
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if len(tensors) > 2:
        raise NoFormula("the order of contraction of more than two operands is torch's choice")
    shapes = tuple(ref.shape for ref in tensors)
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    operands_ = tuple(_spelled_out(term, len(shape)) for term, shape in zip(inputs.split(","), shapes, strict=True))
    dots = max((tuple(i for i in indices if i.isdigit()) for indices in operands_), key=len)
    named = output.partition("...") if arrow else ("", "...", _implicit(inputs))
    return Use(shapes, {"operands": operands_, "output": (*named[0], *(dots if named[1] else ()), *named[2])})


def _spelled_out(term: str, rank: int) -> tuple[str, ...]:
    """The indices of one operand; those that `...` stands for are numbered from the right."""
    before, dots, after = term.partition("...")
    covered = rank - len(before) - len(after) if dots else 0
    return (*before, *(str(number) for number in reversed(range(covered))), *after)


def _implicit(inputs: str) -> str:
    """The output of an equation without an arrow: the indices that appear once, in alphabetical order."""
    letters = [letter for letter in inputs if letter.isalpha()]
    return "".join(sorted(letter for letter in letters if letters.count(letter) == 1))


EINSUM = register(
    Formula(
        name="Einstein summation",
        source="torch.einsum",
        functions={"torch.einsum": _einsum_call},
        output=einsum_output,
        macs=einsum_macs,
    )
)
