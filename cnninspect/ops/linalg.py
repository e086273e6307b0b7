"""Linear algebra beyond products: factorisations, solutions, distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.fields import product
from cnninspect.ops.registry import NoFormula, Work, aten, register_op
from cnninspect.ops.shapes import broadcast, broadcast_tensors, no_result, numel, same, shape_of
from cnninspect.receptive.knowledge import NoField
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def unknown_macs(*_: Any, **__: Any) -> int:
    """NoFormula, always: the op multiplies and accumulates, and how often is up to its algorithm."""
    raise NoFormula("the number of multiplications depends on the algorithm")


# --- factorisations -----------------------------------------------------------------------------------------------


def _with_info(matrix: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """A matrix like the argument, and one status per matrix."""
    return (matrix.shape, matrix.shape[:-2])


def _solution(matrix: TensorRef, right: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the right-hand side."""
    return (right.shape,)


def _determinant(matrix: TensorRef) -> tuple[Shape, ...]:
    """One number per matrix, its LU factors and their pivots."""
    return (matrix.shape[:-2], matrix.shape, matrix.shape[:-1])


def _log_determinant(matrix: TensorRef) -> tuple[Shape, ...]:
    """Sign and logarithm per matrix, its LU factors and their pivots."""
    return (matrix.shape[:-2], *_determinant(matrix))


def _singular(matrix: TensorRef, full_matrices: bool = False, compute_uv: bool = True, **_: Any) -> tuple[Shape, ...]:
    """U [*, m, k], the k = min(m, n) singular values, and Vh [*, k, n]; U and Vh square if full, empty if unwanted."""
    *batch, rows, columns = matrix.shape
    least = min(rows, columns)
    left, right = (rows, columns) if full_matrices else (least, least)
    vectors = ((*batch, rows, left), (*batch, right, columns)) if compute_uv else ((0,), (0,))
    return (vectors[0], (*batch, least), vectors[1])


def _orthogonal(matrix: TensorRef, mode: str = "reduced") -> tuple[Shape, ...]:
    """Q [*, m, k] and R [*, k, n] with k = min(m, n), or m if complete. Source: torch.linalg.qr."""
    *batch, rows, columns = matrix.shape
    if mode == "r":
        raise NoFormula("an R without Q")
    inner = rows if mode == "complete" else min(rows, columns)
    return ((*batch, rows, inner), (*batch, inner, columns))


def _eigen(matrix: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """One eigenvalue per row of a symmetric matrix; its vectors are empty if unwanted, which nobody sees."""
    return (matrix.shape[:-1], matrix.shape)


register_op(
    "aten.linalg_cross",
    output=broadcast_tensors,
    field=NoField("no rule is written for it"),
    source="torch.linalg.cross",
    work=Work.ELEMENTWISE,
)
for _names, _shapes, _source in (
    ("linalg_matrix_exp", same, "torch.linalg.matrix_exp"),
    ("linalg_inv_ex linalg_cholesky_ex", _with_info, "torch.linalg.inv_ex, torch.linalg.cholesky_ex"),
    ("_linalg_solve_ex linalg_solve_triangular", _solution, "torch.linalg.solve_ex, torch.linalg.solve_triangular"),
    ("_linalg_det", _determinant, "torch.linalg.det"),
    ("_linalg_slogdet", _log_determinant, "torch.linalg.slogdet"),
    ("_linalg_svd", _singular, "torch.linalg.svd"),
    ("linalg_qr", _orthogonal, "torch.linalg.qr"),
    ("_linalg_eigh", _eigen, "torch.linalg.eigh"),
):
    register_op(
        *aten(_names), output=_shapes, macs=unknown_macs, field=NoField("no rule is written for it"), source=_source
    )
register_op(
    "aten._linalg_check_errors",
    output=no_result,
    field=NoField("it has no result"),
    source="torch.linalg.inv, which raises for a singular matrix",
)


# --- distances ----------------------------------------------------------------------------------------------------


def _pairwise(x1: TensorRef, x2: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[*, P, R] for P and R points. Source: torch.cdist."""
    return ((*broadcast(x1.shape[:-2], x2.shape[:-2]), x1.shape[-2], x2.shape[-2]),)


def _pairwise_macs(x1: TensorRef, x2: TensorRef) -> int:
    """P * R * (M + 2): squared distances as one matrix product of points extended by their norm and a one.

    Source: torch.cdist, `compute_mode`: the Euclidean distance by matrix multiplication.
    """
    (distances,) = _pairwise(x1, x2)
    return numel(distances) * (x1.shape[-1] + 2)


def _pairs_of_one(self: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """n (n - 1) / 2 distances. Source: torch.nn.functional.pdist."""
    points = self.shape[0]
    return ((points * (points - 1) // 2,),)


def _distances_field(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """[..., n, k] and [..., m, k]: every row of one with every row of the other."""
    order = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
    return product(op, a, b.permuted(order))


def _pairs(op: Op) -> int:
    """Pairs of rows times their length, for the distances of all rows of one matrix to all rows of another."""
    return numel(shape_of(op)) * int(op.args[0].shape[-1])


def _last(op: Op) -> Sequence[tuple[TensorRef, int]]:
    """The coordinates of the points stand in the last dimension."""
    return [(op.args[0], -1)]


register_op(
    "aten._cdist_forward",
    output=_pairwise,
    field=_distances_field,
    source="torch.cdist",
    work=Work.REDUCTION,
    operations=_pairs,
    features=_last,
)
register_op(
    "aten._euclidean_dist",
    output=_pairwise,
    macs=_pairwise_macs,
    field=_distances_field,
    source="torch.cdist, `compute_mode`: the Euclidean distance by matrix multiplication",
    features=_last,
)
register_op(
    "aten._pdist_forward",
    output=_pairs_of_one,
    field=NoField("no rule is written for it"),
    source="torch.nn.functional.pdist",
    work=Work.REDUCTION,
    operations=_pairs,
)
