"""Matrix products of any rank, and their sums with a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.registry import Adapter, Formula, NoFormula, Use, Work, aten, register, register_op
from cnninspect.ops.rules import broadcast, numel, product, shape_of
from cnninspect.receptive.knowledge import NoRule
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef, tensors

# --- the layer-like functions -------------------------------------------------------------------------------------


def _matrices(use: Use) -> tuple[Shape, Shape]:
    """Both operands as [*, n, k] and [*, k, m]: a vector on the left is a row, one on the right a column."""
    a, b = use.inputs
    return (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b


def matmul_output(use: Use) -> tuple[Shape, ...]:
    """[*, n, m], where n or m is left out for an operand that was a vector.

    Source: torch.matmul.
    """
    a, b = _matrices(use)
    rows = a[-2:-1] if len(use.inputs[0]) > 1 else ()
    columns = b[-1:] if len(use.inputs[1]) > 1 else ()
    return ((*broadcast(a[:-2], b[:-2]), *rows, *columns),)


def matmul_macs(use: Use) -> int:
    """n * k * m for each matrix of the broadcast batch."""
    a, b = _matrices(use)
    return numel(broadcast(a[:-2], b[:-2])) * a[-2] * a[-1] * b[-1]


def dense(*operands: TensorRef) -> Use:
    """The use of operands that are stored in full; NoFormula for others: how many products they take is data."""
    if any(operand.sparse for operand in operands):
        raise NoFormula("a sparse tensor is multiplied where it is not 0")
    return Use(tuple(operand.shape for operand in operands))


def _matmul_call(input: TensorRef, other: TensorRef) -> Use:
    return dense(input, other)


def _mat2(input: TensorRef, mat2: TensorRef) -> Use:
    return dense(input, mat2)


def _vec(input: TensorRef, vec: TensorRef) -> Use:
    return dense(input, vec)


def _reversed(input: TensorRef, other: TensorRef) -> Use:
    return dense(other, input)


def _added_mm(input: TensorRef, mat1: TensorRef, mat2: TensorRef, **_: Any) -> Use:
    return dense(mat1, mat2)


def _added_bmm(input: TensorRef, batch1: TensorRef, batch2: TensorRef, **_: Any) -> Use:
    return dense(batch1, batch2)


def _added_mv(input: TensorRef, mat: TensorRef, vec: TensorRef, **_: Any) -> Use:
    return dense(mat, vec)


_ADAPTERS: dict[str, Adapter] = {
    "matmul": _matmul_call, "mm": _mat2, "bmm": _mat2, "mv": _vec, "dot": _matmul_call,
    "addmm": _added_mm, "baddbmm": _added_bmm, "addmv": _added_mv,
}  # fmt: skip


MATMUL = register(
    Formula(
        name="matrix product",
        source="torch.matmul; torch.mm, torch.bmm, torch.mv, torch.dot and their sums with a tensor",
        functions={
            **{f"{owner}.{name}": adapter for name, adapter in _ADAPTERS.items() for owner in ("torch", "Tensor")},
            "torch.linalg.matmul": _matmul_call,
            "Tensor.__rmatmul__": _reversed,
        },
        output=matmul_output,
        macs=matmul_macs,
    )
)


# --- the ops: shapes and multiply-accumulates ---------------------------------------------------------------------


def _output(self: TensorRef, other: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the product of the first two arguments."""
    return matmul_output(Use((self.shape, other.shape)))


def _macs(self: TensorRef, other: TensorRef, *_: Any, **__: Any) -> int:
    """The MACs of the product of the first two arguments."""
    return matmul_macs(dense(self, other))


def _added_output(self: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the product that is added to `self`."""
    return _output(a, b)


def _added_macs(self: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> int:
    """The MACs of the product that is added to `self`."""
    return _macs(a, b)


def _summed_output(self: TensorRef, batch1: TensorRef, batch2: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """[n, m]: the products of a batch, added up. Source: torch.addbmm."""
    return ((batch1.shape[1], batch2.shape[2]),)


def _outer(self: TensorRef, vec1: TensorRef, vec2: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """[n, m]; each product is on its own, nothing accumulates. Source: torch.addr."""
    return ((*vec1.shape, *vec2.shape),)


# --- the ops: what an output sees ---------------------------------------------------------------------------------


def _field(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """A (batched) matrix product."""
    return product(op, a, b)


def _sum(op: Op, added: Reach, *products: Reach, beta: complex = 1, alpha: complex = 1, **_: Any) -> Reach:
    """beta * added + alpha * product; with a beta of 0 what stands in `added` is ignored, as torch.addmm says."""
    if alpha == 0:
        raise NoRule("the product is multiplied by 0, and it depends on the kernel whether it is looked at")
    return merged(products if beta == 0 else (*products, added), shape_of(op), op.index)


def _added_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """A (batched) matrix product and what is added to it."""
    return _sum(op, added, product(op, a, b), **scales)


def _summed_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """The products of a batch, added up, and what is added to them."""
    return _sum(op, added, product(op, a, b).reduced([0], op.index).without([0]), **scales)


def _outer_field(op: Op, added: Reach, column: Reach, row: Reach, **scales: Any) -> Reach:
    """Element (i, j) sees element i of the one vector, j of the other, and what they are added to."""
    return _sum(op, added, column.reshaped((*column.shape, 1)), row, **scales)


def _vector_field(op: Op, a: Reach, b: Reach) -> Reach:
    """[n, k] x [k]."""
    return product(op, a, b.reshaped((*b.shape, 1))).without([1])


def _added_vector_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """[n, k] x [k] and what is added to it."""
    return _sum(op, added, _vector_field(op, a, b), **scales)


def _dot_field(op: Op, a: Reach, b: Reach) -> Reach:
    """[k] x [k]."""
    return product(op, a.reshaped((1, *a.shape)), b.reshaped((*b.shape, 1))).without([0, 1])


# --- the ops ------------------------------------------------------------------------------------------------------


def _of_matrices(op: Op) -> Sequence[tuple[TensorRef, int]]:
    """The last dimension of the left matrix and the rows of the right one are contracted."""
    return [(op.args[-2], -1), (op.args[-1], -2)]


register_op(
    *aten("mm bmm"), output=_output, macs=_macs, field=_field, source="torch.mm, torch.bmm", features=_of_matrices
)
register_op(
    "aten._int_mm",
    output=_output,
    macs=_macs,
    field=_field,
    source="torch.mm of 8-bit integers",
)
register_op(
    *aten("addmm(_) baddbmm(_) _addmm_activation"),
    output=_added_output,
    macs=_added_macs,
    field=_added_field,
    source="torch.addmm, torch.baddbmm",
    operands=lambda op: list(tensors(op.args[1:])),
    features=_of_matrices,
)
register_op(
    *aten("addbmm(_)"),
    output=_summed_output,
    macs=_added_macs,
    field=_summed_field,
    source="torch.addbmm",
    operands=lambda op: list(tensors(op.args[1:])),
)
# The gradient of a matrix that multiplies a vector is an outer product, which accumulates nothing.
register_op(
    "aten.mv",
    output=_output,
    macs=_macs,
    field=_vector_field,
    source="torch.mv",
    operands=lambda op: list(tensors(op.args[1:])),
)
register_op(
    *aten("addmv(_)"),
    output=_added_output,
    macs=_added_macs,
    field=_added_vector_field,
    source="torch.addmv",
    operands=lambda op: list(tensors(op.args[2:])),
)
# The gradients of a dot product are its factors, scaled.
register_op(
    *aten("dot vdot"),
    output=_output,
    macs=_macs,
    field=_dot_field,
    source="torch.dot, torch.vdot",
    operands=lambda op: [],
)
register_op("aten.addr", output=_outer, field=_outer_field, source="torch.addr", work=Work.ELEMENTWISE)
