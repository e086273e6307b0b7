"""Matrix products of any rank, and their sums with a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnninspect.ops.masks import masked_product, still_low, still_zero
from cnninspect.ops.registry import Adapter, Formula, NoFormula, Use, Work, aten, register, register_op
from cnninspect.ops.rules import broadcast, numel, product, shape_of
from cnninspect.receptive.knowledge import NoField, NoRule, ReadByData
from cnninspect.receptive.reach import Reach, merged, nothing, reaches
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
    """The use of operands that are stored in full; NoFormula for sparse ones, whose data say how many products."""
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


def _grouped_output(self: TensorRef, mat2: TensorRef, *args: Any, offs: Any = None, **_: Any) -> tuple[Shape, ...]:
    """[rows, m] for [rows, k] x [G, k, m]; [n, m] for [G, n, k] x [k, m]; [G, n, m] for the other two forms.

    The rows or columns of the groups of a 2-d operand lie one after the other; the G offsets say where each ends.
    Source: torch.nn.functional.grouped_mm.
    """
    ranks = len(self.shape), len(mat2.shape)
    if ranks == (3, 3):
        return _output(self, mat2)
    groups = [ref for ref in (*args, offs) if isinstance(ref, TensorRef) and ref.dtype == "int32"]
    outer = (self.shape[-2], mat2.shape[-1])
    return ((groups[0].shape[0], *outer) if ranks == (2, 2) else outer,)


def _grouped_macs(self: TensorRef, mat2: TensorRef, *_: Any, **__: Any) -> int:
    """Every row of a group times the matrix of its group: rows * k * m for [rows, k] x [G, k, m].

    [G, n, k] x [k, columns] takes n * k * columns, [n, k] x [k, m] with k cut into groups n * k * m. Rows after the
    last offset count like padding: they are part of what the op is given, whether its kernel skips them or not.
    Source: torch.nn.functional.grouped_mm; Gale et al. 2022, "MegaBlocks": experts as one grouped product.
    """
    groups = self.shape[0] if len(self.shape) == len(mat2.shape) == 3 else 1
    return groups * self.shape[-2] * self.shape[-1] * mat2.shape[-1]


# --- the ops: what an output sees ---------------------------------------------------------------------------------


def _field(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """A (batched) matrix product."""
    return masked_product(op, a, b)


def _sum(op: Op, added: Reach, *products: Reach, beta: complex = 1, alpha: complex = 1, **_: Any) -> Reach:
    """beta * added + alpha * product; `added` is not read where beta is 0. Source: torch.addmm."""
    if alpha == 0:
        raise NoRule("alpha is 0: whether the product is read then depends on the kernel")
    seen = merged(products if beta == 0 else (*products, added), shape_of(op), op.index)
    if len(products) == 1 and beta != 0:
        seen = still_zero(seen, products[0], added)
    return seen if beta != 1 else still_low(seen, added)


def _added_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """A (batched) matrix product and what is added to it."""
    return _sum(op, added, masked_product(op, a, b), **scales)


def _summed_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """The products of a batch, added up, and what is added to them."""
    return _sum(op, added, masked_product(op, a, b).reduced([0], op.index).without([0]), **scales)


def _outer_field(op: Op, added: Reach, column: Reach, row: Reach, **scales: Any) -> Reach:
    """Element (i, j) sees element i of the one vector, j of the other, and what they are added to."""
    return _sum(op, added, column.reshaped((*column.shape, 1)), row, **scales)


def _vector_field(op: Op, a: Reach, b: Reach) -> Reach:
    """[n, k] x [k]."""
    return masked_product(op, a, b.reshaped((*b.shape, 1))).without([1])


def _added_vector_field(op: Op, added: Reach, a: Reach, b: Reach, **scales: Any) -> Reach:
    """[n, k] x [k] and what is added to it."""
    return _sum(op, added, _vector_field(op, a, b), **scales)


def _dot_field(op: Op, a: Reach, b: Reach) -> Reach:
    """[k] x [k]."""
    return masked_product(op, a.reshaped((1, *a.shape)), b.reshaped((*b.shape, 1))).without([0, 1])


def _grouped_field(op: Op, a: Reach, b: Reach, *args: Any, **kwargs: Any) -> Reach:
    """Each row of `a`, and of a batch of products those of its own sample; constant matrices of the groups."""
    if len(a.shape) == len(b.shape) == 3:
        return masked_product(op, a, b)
    if len(a.shape) == 3 or len(b.shape) == 2:
        raise NoRule("its groups are columns, or cut the dimension that is added up")
    offsets = reaches([args, *kwargs.values()])
    if any(part.inputs for part in (b, *offsets)):
        raise ReadByData("the contents of a tensor say which rows are in which group")
    ends = [part.content for part in offsets if part.content is not None and part.content.dtype.kind == "i"]
    if any(each.max(initial=0) < a.shape[0] for each in ends):
        raise NoRule("rows after the last offset hold what was in memory before")
    return product(op, a, nothing(b.shape[1:]))


# --- the ops ------------------------------------------------------------------------------------------------------


def _of_matrices(op: Op) -> Sequence[tuple[TensorRef, int]]:
    """The last dimension of the left matrix and the rows of the right one are contracted."""
    return [(op.args[-2], -1), (op.args[-1], -2)]


def _added_up(op: Op) -> Sequence[TensorRef]:
    """Both matrices, or vectors."""
    return tensors(op.args)[-2:]


def _factors(first: int) -> Callable[[Op], list[TensorRef]]:
    """The tensors whose gradient is a product as large as the op: all from argument `first` on."""
    return lambda op: tensors(op.args[first:])


# The gradient of a matrix that multiplies a vector is an outer product, and those of a dot product are its factors,
# scaled: nothing accumulates.
for _names, _shapes, _count, _rule, _operands, _mixed, _source in (
    (
        "mm bmm _int_mm",
        _output,
        _macs,
        _field,
        _factors(0),
        _of_matrices,
        "y_ij = sum_k a_ik b_kj, for each matrix of a batch",
    ),
    (
        "addmm(_) baddbmm(_) _addmm_activation",
        _added_output,
        _added_macs,
        _added_field,
        _factors(1),
        _of_matrices,
        "beta c_ij + alpha sum_k a_ik b_kj, for each matrix of a batch",
    ),
    (
        "addbmm(_)",
        _summed_output,
        _added_macs,
        _summed_field,
        _factors(1),
        _of_matrices,
        "beta c_ij + alpha sum_nk a_nik b_nkj, over all matrices of a batch",
    ),
    ("mv", _output, _macs, _vector_field, _factors(1), None, "y_i = sum_k a_ik b_k"),
    ("addmv(_)", _added_output, _added_macs, _added_vector_field, _factors(2), None, "beta c_i + alpha sum_k a_ik b_k"),
    ("dot vdot", _output, _macs, _dot_field, lambda op: [], None, "sum_k a_k b_k"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        macs=_count,
        field=_rule,
        source=f"torch, BLAS and LAPACK Operations: {_source}",
        operands=_operands,
        factors=_added_up,
        features=_mixed,
        hides=True,
    )
register_op(
    *aten("_grouped_mm"),
    output=_grouped_output,
    macs=_grouped_macs,
    field=_grouped_field,
    source="torch.nn.functional.grouped_mm: a product for each group, whose rows lie one after the other",
    operands=lambda op: tensors(op.args[:2]),
    features=lambda op: [(op.args[0], -1), (op.args[1], -2)],
)


def _linear_macs(input: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> int:
    """rows * out * in, where all but the last dimension of the input are rows."""
    return numel(input.shape[:-1]) * numel(weight.shape)


for _name, _output_of, _macs_of, _source in (
    ("matmul", _output, _macs, "torch.matmul: the product of the i-th tensors of both"),
    (
        "linear",
        lambda input, weight, bias=None: ((*input.shape[:-1], *weight.shape[:-1]),),
        _linear_macs,
        "torch.nn.functional.linear: x W^T + b for each of its tensors",
    ),
):
    register_op(
        f"aten.{_name}",
        output=_output_of,
        macs=_macs_of,
        field=NoField("it is an op of its own for nested tensors alone, which no rule follows"),
        source=_source,
    )
register_op(
    "aten.addr",
    output=_outer,
    field=_outer_field,
    source="torch.addr: beta c_ij + alpha a_i b_j",
    work=Work.ELEMENTWISE,
)
