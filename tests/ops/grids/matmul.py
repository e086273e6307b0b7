"""Samples of tensor products. `macs` is by hand where torch has no formula for the op that ran (dot, mv)."""

from __future__ import annotations

import torch

from tests.ops.samples import FunctionSample, param


def _einsum(equation: str, *inputs: tuple[int, ...], device: str = "meta") -> FunctionSample:
    return FunctionSample("torch.einsum", lambda *tensors: torch.einsum(equation, *tensors), inputs, device)


_MATRICES = [
    ((4, 5), (5, 6)),
    ((2, 4, 5), (5, 6)),
    ((2, 3, 4, 5), (3, 5, 6)),
    ((2, 1, 4, 5), (1, 3, 5, 6)),
    ((4, 5), (2, 5, 6)),
    ((5,), (5, 6)),
    ((5,), (2, 5, 6)),
]
_VECTORS = [((5,), (5,), 5), ((4, 5), (5,), 4 * 5), ((2, 3, 4, 5), (5,), 2 * 3 * 4 * 5)]

FUNCTIONS = [
    *(FunctionSample("torch.matmul", torch.matmul, inputs) for inputs in _MATRICES),
    *(FunctionSample("torch.matmul", torch.matmul, inputs, device="cpu") for inputs in _MATRICES),
    *(FunctionSample("torch.matmul", torch.matmul, (a, b), macs=macs) for a, b, macs in _VECTORS),
    FunctionSample("Tensor.matmul", lambda a, b: a @ b, ((2, 4, 5), param(5, 6))),
    FunctionSample("Tensor.matmul", lambda a, b: a.matmul(b), ((2, 4, 5), (5, 6))),
    FunctionSample("Tensor.__rmatmul__", lambda a, b: a.__rmatmul__(b), ((5, 6), (2, 4, 5))),
    FunctionSample("torch.linalg.matmul", torch.linalg.matmul, ((2, 4, 5), (5, 6))),
    FunctionSample("torch.mm", torch.mm, ((4, 5), (5, 6))),
    FunctionSample("Tensor.mm", lambda a, b: a.mm(mat2=b), ((4, 5), (5, 6))),
    FunctionSample("torch.bmm", torch.bmm, ((3, 4, 5), (3, 5, 6))),
    FunctionSample("Tensor.bmm", lambda a, b: a.bmm(b), ((3, 4, 5), (3, 5, 6))),
    FunctionSample("torch.mv", torch.mv, ((4, 5), (5,)), macs=4 * 5),
    FunctionSample("Tensor.mv", lambda a, b: a.mv(b), ((4, 5), (5,)), macs=4 * 5),
    FunctionSample("torch.dot", torch.dot, ((5,), (5,)), macs=5),
    FunctionSample("Tensor.dot", lambda a, b: a.dot(b), ((5,), (5,)), macs=5),
    FunctionSample("torch.addmm", lambda c, a, b: torch.addmm(c, a, b, beta=0.5), ((6,), (4, 5), (5, 6))),
    FunctionSample("Tensor.addmm", lambda c, a, b: c.addmm(a, b), ((4, 6), (4, 5), (5, 6))),
    FunctionSample("torch.baddbmm", torch.baddbmm, ((1, 1, 6), (3, 4, 5), (3, 5, 6))),
    FunctionSample("Tensor.baddbmm", lambda c, a, b: c.baddbmm(a, b, alpha=2), ((3, 4, 6), (3, 4, 5), (3, 5, 6))),
    FunctionSample("torch.addmv", torch.addmv, ((4,), (4, 5), (5,)), macs=4 * 5),
    FunctionSample("Tensor.addmv", lambda c, a, b: c.addmv(a, b), ((4,), (4, 5), (5,)), macs=4 * 5),
    FunctionSample("torch.tensordot", torch.tensordot, ((2, 3, 4), (3, 4, 5))),
    FunctionSample("torch.tensordot", lambda a, b: torch.tensordot(a, b, dims=1), ((2, 3, 4), (4, 5))),
    FunctionSample("torch.tensordot", lambda a, b: torch.tensordot(a, b, 0), ((2, 3), (4,))),
    FunctionSample("torch.tensordot", lambda a, b: torch.tensordot(a, b, ([2, 0], [0, -1])), ((2, 3, 4), (4, 5, 2))),
    FunctionSample("torch.tensordot", lambda a, b: torch.tensordot(a, b, ([2], [0])), ((2, 3, 1), (4, 5))),
    _einsum("bij,bkj->bik", (2, 4, 5), (2, 6, 5)),
    _einsum("bij,bkj->bik", (2, 4, 5), (2, 6, 5), device="cpu"),
    _einsum("bhid, bhjd -> bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
    _einsum("ij,jk", (4, 5), (5, 6)),
    _einsum("ij,kj->", (4, 5), (6, 5)),
    _einsum("bi,bi->b", (4, 5), (4, 5)),
    _einsum("bi,bi->bi", (4, 5), (4, 5)),
    _einsum("i,j->ij", (4,), (5,)),
    _einsum("bi,bi->b", (4, 1), (4, 1)),
    _einsum("ia,ijb->j", (4, 3), (4, 6, 2)),
    _einsum("bi,ij->bj", (4, 1), (5, 6)),
    _einsum("...ij,jk->...ik", (2, 3, 4, 5), (5, 6)),
    _einsum("...i,...i->...", (2, 3, 5), (3, 5)),
    _einsum("...i,i", (2, 3, 5), (5,)),
    _einsum("ii,ij->j", (4, 4), (4, 6)),
    _einsum("bij->bji", (2, 4, 5)),
    _einsum("bij->b", (2, 4, 5)),
    FunctionSample("torch.einsum", lambda a, b: torch.einsum("ij,jk->ik", [a, b]), ((4, 5), (5, 6))),
]
