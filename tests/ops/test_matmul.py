"""Products of tensors by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.ops.samples import estimate

MATMUL = [
    pytest.param((4, 5), (5, 6), (4, 6), 4 * 5 * 6, id="matrices"),
    pytest.param((5,), (5,), (), 5, id="vectors"),
    pytest.param((4, 5), (5,), (4,), 4 * 5, id="matrix and vector"),
    pytest.param((5,), (5, 6), (6,), 5 * 6, id="vector and matrix"),
    pytest.param((2, 3, 4, 5), (5,), (2, 3, 4), 2 * 3 * 4 * 5, id="batch and vector"),
    pytest.param((5,), (2, 5, 6), (2, 6), 2 * 5 * 6, id="vector and batch"),
    pytest.param((2, 1, 4, 5), (3, 5, 6), (2, 3, 4, 6), 2 * 3 * 4 * 5 * 6, id="broadcast batches"),
]

EINSUM = [
    pytest.param("ij,jk->ik", [(4, 5), (5, 6)], (4, 6), 4 * 5 * 6, id="matrix product"),
    pytest.param(
        "bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)], (2, 3, 4, 6), 2 * 3 * 4 * 6 * 5, id="attention scores"
    ),
    pytest.param("bi,bi->b", [(4, 5), (4, 5)], (4,), 4 * 5, id="dot products"),
    pytest.param("bi,bi->bi", [(4, 5), (4, 5)], (4, 5), 0, id="elementwise: nothing accumulates"),
    pytest.param("i,j->ij", [(4,), (5,)], (4, 5), 0, id="outer: nothing accumulates"),
    pytest.param("ia,ijb->j", [(4, 3), (4, 6, 2)], (6,), 4 * 6, id="what one operand has alone is summed before"),
    pytest.param("...i,ij", [(2, 3, 5), (5, 6)], (2, 3, 6), 2 * 3 * 5 * 6, id="ellipsis, no arrow"),
    pytest.param("ij->j", [(4, 5)], (5,), 0, id="a sum of one operand"),
]


@pytest.mark.parametrize(("left", "right", "output", "macs"), MATMUL)
def test_matmul(left: Any, right: Any, output: Any, macs: int) -> None:
    found = estimate(lambda a, b: a @ b, left, right)
    assert (found.shapes, found.macs) == ((output,), macs)


@pytest.mark.parametrize(("equation", "inputs", "output", "macs"), EINSUM)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_einsum(equation: str, inputs: Any, output: Any, macs: int, device: str) -> None:
    found = estimate(lambda *operands: torch.einsum(equation, *operands), *inputs, device=device)
    assert (found.shapes, found.macs) == ((output,), macs)


TENSORDOT = [
    pytest.param(lambda a, b: torch.tensordot(a, b, 2), (2, 5), 2 * (3 * 4) * 5, id="last two with first two"),
    pytest.param(lambda a, b: torch.tensordot(a, b, ([1], [0])), (2, 4, 4, 5), 2 * 4 * 3 * 4 * 5, id="chosen"),
    pytest.param(lambda a, b: torch.tensordot(a, b, 0), (2, 3, 4, 3, 4, 5), 24 * 60, id="none: one product each"),
]


@pytest.mark.parametrize(("function", "output", "macs"), TENSORDOT)
def test_tensordot(function: Callable[..., Any], output: Any, macs: int) -> None:
    found = estimate(function, (2, 3, 4), (3, 4, 5))
    assert (found.shapes, found.macs) == ((output,), macs)
