"""Fully connected layers, Linear and Bilinear, and products over named dimensions, tensordot and einsum."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Formula, NoFormula, Use, register, register_op
from cnninspect.ops.rules import numel
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _out(use: Use) -> Shape:
    """(out_features,), or () for a raw weight without an output dimension."""
    return () if use["out_features"] is None else (use["out_features"],)


def linear_output(use: Use) -> tuple[Shape, ...]:
    """[*, out_features]: the last dimension is replaced, all others are positions."""
    return ((*use.input[:-1], *_out(use)),)


def linear_params(use: Use) -> dict[str, int]:
    """weight: out * in; bias: out."""
    return {"weight": numel(_out(use)) * use["in_features"], "bias": numel(_out(use))}


def linear_macs(use: Use) -> int:
    """positions * out * in; the bias is an addition, not a multiply-accumulate."""
    return numel((*use.input[:-1], *_out(use), use["in_features"]))


def _linear_call(input: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    if input.sparse or weight.sparse:
        raise NoFormula("a sparse tensor is multiplied where it is not 0")
    # A one-dimensional weight is one output feature, and the output then has no dimension for it.
    out_features = weight.shape[0] if len(weight.shape) == 2 else None
    hyper = {"in_features": weight.shape[-1], "out_features": out_features}
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


LINEAR = register(
    Formula(
        name="linear",
        source='torch.nn.Linear, "Shape" and "Variables"',
        modules=("Linear", "NonDynamicallyQuantizableLinear"),
        hyperparameters=("in_features", "out_features"),
        functions={"F.linear": _linear_call},
        output=linear_output,
        params=linear_params,
        macs=linear_macs,
    )
)


# --- bilinear -----------------------------------------------------------------------------------------------------


def bilinear_params(use: Use) -> dict[str, int]:
    """weight: out * in1 * in2; bias: out."""
    return {"weight": use["out_features"] * use["in1_features"] * use["in2_features"], "bias": use["out_features"]}


def bilinear_macs(use: Use) -> int:
    """positions * out * (in1 + 1) * in2: y_k = sum_j (sum_i x1_i W_kij) x2_j, one contraction after the other.

    For each output the first takes in1 * in2 MACs, every weight once, and the second in2. This is the order in which
    torch contracts (`aten::_trilinear`), and what `einsum("ni,kij,nj->nk")` costs as two matrix products.
    """
    return numel((*use.input[:-1], use["out_features"], use["in1_features"] + 1, use["in2_features"]))


def _bilinear_call(input1: TensorRef, input2: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    out, in1, in2 = weight.shape
    hyper = {"in1_features": in1, "in2_features": in2, "out_features": out}
    return Use((input1.shape, input2.shape), hyper, {"weight": weight, "bias": bias})


register(
    Formula(
        name="bilinear",
        source='torch.nn.Bilinear, "Shape" and "Variables"',
        modules=("Bilinear",),
        hyperparameters=("in1_features", "in2_features", "out_features"),
        functions={"F.bilinear": _bilinear_call},
        output=linear_output,
        params=bilinear_params,
        macs=bilinear_macs,
    )
)


def _trilinear_use(
    i1: TensorRef, i2: TensorRef, i3: TensorRef, expand1: Any, expand2: Any, expand3: Any, sumdim: Any, *_: Any
) -> Use:
    if tuple(map(tuple, (expand1, expand2, expand3, sumdim))) != ((1, 3), (0,), (1, 2), (2, 3)):
        raise NoFormula("not the contraction of a bilinear layer")
    return _bilinear_call(i1, i3, i2)


def _trilinear_field(
    op: Op, a: Reach, b: Reach, c: Reach, expand_a: list[int], expand_b: list[int], expand_c: list[int],
    summed: list[int], *_: Any,
) -> Reach:  # fmt: skip
    """The product of three tensors given dimensions of size 1, summed over some."""
    parts = []
    for part, dims in ((a, expand_a), (b, expand_b), (c, expand_c)):
        for dim in dims:
            part = part.inserted(dim)
        parts.append(part)
    shape = tuple(map(max, *(part.shape for part in parts)))
    return merged(parts, shape, op.index).reduced(summed, op.index).without(summed)


register_op(
    "aten._trilinear",
    output=lambda *args: linear_output(_trilinear_use(*args)),
    macs=lambda *args: bilinear_macs(_trilinear_use(*args)),
    field=_trilinear_field,
    source="torch.nn.Bilinear: y_k = sum_ij x1_i W_kij x2_j",
    features=lambda op: [(op.args[0], -1)],
)


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
        source="torch.tensordot: products summed over pairs of dimensions",
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
        source="torch.einsum: products summed over the indices that the output lacks",
        functions={"torch.einsum": _einsum_call},
        output=einsum_output,
        macs=einsum_macs,
    )
)
