"""Linear algebra beyond products: factorisations, solutions, distances."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from cnninspect.ops.registry import NoFormula, Work, aten, register_op
from cnninspect.ops.rules import (
    axis,
    broadcast,
    broadcast_tensors,
    mixed_matrices,
    no_result,
    numel,
    product,
    same,
    shape_of,
    spread_over,
)
from cnninspect.receptive.knowledge import NoField, NoRule, Result
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def unknown_macs(*_: Any, **__: Any) -> int:
    """NoFormula, always: the algorithm decides how often the op multiplies and accumulates."""
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


def _cross_field(op: Op, a: Reach, b: Reach, dim: int = -1) -> Reach:
    """Each of the three components sees the other two of both vectors."""
    shape = shape_of(op)
    others = Taps(np.array([[1, 2], [0, 2], [0, 1]]))
    turned = [part.expanded(shape).slid(axis(dim, len(shape)), others) for part in (a, b)]
    return merged(turned, shape, op.index)


def _solution_field(op: Op, matrix: Reach, right: Reach, *, left: bool = True, **_: Any) -> Result:
    """A column of the solution sees the whole matrix and its own column of the right-hand side."""
    if not left:
        raise NoRule("the matrix stands on the right")
    if len(right.shape) != len(matrix.shape):
        raise NoRule("the right-hand side has another number of dimensions than the matrix")
    shape = shape_of(op)
    last = len(shape) - 1
    whole = matrix.reduced([last - 1, last], op.index)
    columns = right.reduced([last - 1], op.index)
    return (merged((spread_over(whole, shape), spread_over(columns, shape)), shape, op.index),)


def _determinant_field(op: Op, matrix: Reach) -> Result:
    """A determinant sees its whole matrix. Its triangular factors do not come out of torch.linalg.det."""
    return mixed_matrices(op, matrix)[:1]  # type: ignore[index]


def _log_determinant_field(op: Op, matrix: Reach) -> Result:
    """Sign and logarithm see the whole matrix. The triangular factors do not come out of torch.linalg.slogdet."""
    return mixed_matrices(op, matrix)[:2]  # type: ignore[index]


register_op(
    "aten.linalg_cross",
    output=broadcast_tensors,
    field=_cross_field,
    source="torch.linalg.cross: (a x b)_1 = a_2 b_3 - a_3 b_2, and so on",
    work=Work.ELEMENTWISE,
)


def _turned(matrix: TensorRef) -> Shape:
    """[*, n, m] for matrices [*, m, n]."""
    return (*matrix.shape[:-2], matrix.shape[-1], matrix.shape[-2])


def _lower_upper(matrix: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """P [*, m, m], L [*, m, k] and U [*, k, n] with k = min(m, n). Source: torch.linalg.lu."""
    *batch, rows, columns = matrix.shape
    least = min(rows, columns)
    return ((*batch, rows, rows), (*batch, rows, least), (*batch, least, columns))


def _determinant_factors(matrix: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """Both factors in one matrix, the pivots of its rows, and one status. Source: torch.linalg.lu_factor_ex."""
    *batch, rows, columns = matrix.shape
    return (matrix.shape, (*batch, min(rows, columns)), tuple(batch))


_TRIANGULAR = NoField("its triangular factors see leading blocks of the matrix, which no rule follows")

for _names, _shapes, _rule, _source in (
    ("linalg_matrix_exp", same, mixed_matrices, "sum_k A^k / k!"),
    ("linalg_inv_ex", _with_info, mixed_matrices, "the inverse, A A^-1 = I"),
    ("linalg_cholesky_ex", _with_info, _TRIANGULAR, "A = L L^H with L triangular"),
    ("_linalg_solve_ex", _solution, _solution_field, "A X = B"),
    ("linalg_solve_triangular", _solution, _TRIANGULAR, "A X = B with A triangular"),
    ("_linalg_det", _determinant, _determinant_field, "the determinant, by A = P L U"),
    (
        "_linalg_slogdet",
        _log_determinant,
        _log_determinant_field,
        "sign and logarithm of the determinant, by A = P L U",
    ),
    ("_linalg_svd", _singular, mixed_matrices, "A = U S V^H"),
    ("linalg_qr", _orthogonal, _TRIANGULAR, "A = Q R with R triangular"),
    ("_linalg_eigh", _eigen, mixed_matrices, "A = Q diag(w) Q^H of a Hermitian matrix"),
    ("linalg_eig", _eigen, mixed_matrices, "A = V diag(w) V^-1"),
    ("linalg_pinv", lambda self, *_, **__: (_turned(self),), mixed_matrices, "the pseudo-inverse, by A = U S V^H"),
    ("linalg_lu", _lower_upper, _TRIANGULAR, "A = P L U"),
    ("linalg_lu_factor_ex", _determinant_factors, _TRIANGULAR, "A = P L U, both factors in one matrix"),
    ("cholesky_solve", lambda self, *_, **__: (self.shape,), _TRIANGULAR, "A X = B with A = L L^H"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        macs=unknown_macs,
        field=_rule,
        source=f"Golub & Van Loan 2013; torch.linalg: {_source}",
        # Of NaN it says that the sign is 0.
        swallows_nan=_names == "_linalg_slogdet",
        # Triangles, and a permutation. What stands in one matrix with its like, and Q, U and V, are full.
        zeros_in={"linalg_cholesky_ex": (0,), "linalg_qr": (1,), "linalg_lu": (0, 1, 2)}.get(_names, ()),
    )
register_op(
    "aten._linalg_check_errors",
    output=no_result,
    field=NoField("it has no result"),
    source="torch.linalg.inv: it raises for a singular matrix and returns nothing",
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


def _not_by_operand(op: Op) -> Sequence[TensorRef]:
    """torch works out the gradients of both sets of points, 2 * P * R * M, also where one is wanted."""
    raise NoFormula("the gradients of both sets of points are worked out together, without their norms")


def _pairs_of_one(self: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """n (n - 1) / 2 distances. Source: torch.nn.functional.pdist."""
    points = self.shape[0]
    return ((points * (points - 1) // 2,),)


def _distances_field(op: Op, a: Reach, b: Reach, *_: Any) -> Reach:
    """[..., n, k] and [..., m, k]: every row of one with every row of the other."""
    order = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
    return product(op, a, b.permuted(order))


def _pairs_field(op: Op, points: Reach, *_: Any) -> Reach:
    """Each distance sees two rows."""
    count = points.shape[0]
    rows = points.reduced([1], op.index).without([1])
    return rows.slid(0, Taps(np.stack(np.triu_indices(count, 1), 1)))


def _pairs(op: Op) -> int:
    """Pairs of rows times their length, for the distances of all rows of one matrix to all rows of another."""
    return numel(shape_of(op)) * int(op.args[0].shape[-1])


def _is_maximum(op: Op) -> bool:
    """Whether the norm of the differences is that of order inf, their maximum: kernels may take a number before NaN."""
    return inf in op.args


def _last(op: Op) -> Sequence[tuple[TensorRef, int]]:
    """The coordinates of the points stand in the last dimension."""
    return [(op.args[0], -1)]


register_op(
    "aten._cdist_forward",
    output=_pairwise,
    field=_distances_field,
    source="torch.cdist: the p-norm of a_i - b_j for all pairs of rows",
    work=Work.REDUCTION,
    operations=_pairs,
    swallows_nan=_is_maximum,
    features=_last,
)
register_op(
    "aten._euclidean_dist",
    output=_pairwise,
    macs=_pairwise_macs,
    field=_distances_field,
    source="torch.cdist, `compute_mode`: the Euclidean distance by matrix multiplication",
    operands=_not_by_operand,
    features=_last,
)
register_op(
    "aten._pdist_forward",
    output=_pairs_of_one,
    field=_pairs_field,
    source="torch.nn.functional.pdist: the p-norm of a_i - a_j for all pairs of rows, i < j",
    work=Work.REDUCTION,
    operations=_pairs,
    swallows_nan=_is_maximum,
)
