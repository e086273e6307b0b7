"""Linear algebra: products with vectors, fused sums of products, factorisations."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import nothing, same
from cnninspect.ops.base import NoFormula, Use, Work, broadcast_tensors, register_op
from cnninspect.ops.matmul import dense, matmul_macs, matmul_output
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def unknown_macs(*_: Any, **__: Any) -> int:
    """NoFormula, always: the op multiplies and accumulates, and how often is up to its algorithm."""
    raise NoFormula("the number of multiplications depends on the algorithm")


def product(self: TensorRef, other: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the product of the first two arguments."""
    return matmul_output(Use((self.shape, other.shape)))


def product_macs(self: TensorRef, other: TensorRef, *_: Any, **__: Any) -> int:
    """The MACs of the product of the first two arguments."""
    return matmul_macs(dense(self, other))


def added_product(self: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the product that is added to `self`."""
    return product(a, b)


def added_product_macs(self: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> int:
    """The MACs of the product that is added to `self`."""
    return product_macs(a, b)


def summed_product(self: TensorRef, batch1: TensorRef, batch2: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """[n, m]: the products of a batch, added up. Source: torch.addbmm."""
    return ((batch1.shape[1], batch2.shape[2]),)


def outer(self: TensorRef, vec1: TensorRef, vec2: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """[n, m]; each product is on its own, nothing accumulates. Source: torch.addr."""
    return ((*vec1.shape, *vec2.shape),)


def with_info(matrix: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """A matrix like the argument, and one status per matrix."""
    return (matrix.shape, matrix.shape[:-2])


def solution(matrix: TensorRef, right: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the right-hand side."""
    return (right.shape,)


def determinant(matrix: TensorRef) -> tuple[Shape, ...]:
    """One number per matrix, its LU factors and their pivots."""
    return (matrix.shape[:-2], matrix.shape, matrix.shape[:-1])


def log_determinant(matrix: TensorRef) -> tuple[Shape, ...]:
    """Sign and logarithm per matrix, its LU factors and their pivots."""
    return (matrix.shape[:-2], *determinant(matrix))


def singular(matrix: TensorRef, full_matrices: bool = False, compute_uv: bool = True, **_: Any) -> tuple[Shape, ...]:
    """U [*, m, k], the k = min(m, n) singular values, and Vh [*, k, n]; U and Vh square if full, empty if unwanted."""
    *batch, rows, columns = matrix.shape
    least = min(rows, columns)
    left, right = (rows, columns) if full_matrices else (least, least)
    vectors = ((*batch, rows, left), (*batch, right, columns)) if compute_uv else ((0,), (0,))
    return (vectors[0], (*batch, least), vectors[1])


def orthogonal(matrix: TensorRef, mode: str = "reduced") -> tuple[Shape, ...]:
    """Q [*, m, k] and R [*, k, n] with k = min(m, n), or m if complete. Source: torch.linalg.qr."""
    *batch, rows, columns = matrix.shape
    if mode == "r":
        raise NoFormula("an R without Q")
    inner = rows if mode == "complete" else min(rows, columns)
    return ((*batch, rows, inner), (*batch, inner, columns))


def eigen(matrix: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """One eigenvalue per row of a symmetric matrix; its vectors are empty if unwanted, which nobody sees."""
    return (matrix.shape[:-1], matrix.shape)


register_op(*packets("mm bmm mv dot vdot _int_mm"), output=product, macs=product_macs, source="torch.matmul")
register_op(
    *packets("addmm(_) baddbmm(_) addmv(_) _addmm_activation"),
    output=added_product,
    macs=added_product_macs,
    source="torch.addmm, torch.baddbmm, torch.addmv",
)
register_op(*packets("addbmm(_)"), output=summed_product, macs=added_product_macs, source="torch.addbmm")
register_op("aten.addr", output=outer, work=Work.ELEMENTWISE)
register_op("aten.linalg_cross", output=broadcast_tensors, work=Work.ELEMENTWISE)
register_op("aten.linalg_matrix_exp", output=same, macs=unknown_macs, source="torch.linalg.matrix_exp")
register_op(
    *packets("linalg_inv_ex linalg_cholesky_ex"),
    output=with_info,
    macs=unknown_macs,
    source="torch.linalg.inv_ex, torch.linalg.cholesky_ex",
)
register_op(
    *packets("_linalg_solve_ex linalg_solve_triangular"),
    output=solution,
    macs=unknown_macs,
    source="torch.linalg.solve_ex, torch.linalg.solve_triangular",
)
register_op("aten._linalg_det", output=determinant, macs=unknown_macs, source="torch.linalg.det")
register_op("aten._linalg_slogdet", output=log_determinant, macs=unknown_macs, source="torch.linalg.slogdet")
register_op("aten._linalg_svd", output=singular, macs=unknown_macs, source="torch.linalg.svd")
register_op("aten.linalg_qr", output=orthogonal, macs=unknown_macs, source="torch.linalg.qr")
register_op("aten._linalg_eigh", output=eigen, macs=unknown_macs, source="torch.linalg.eigh")
register_op("aten._linalg_check_errors", output=nothing)
