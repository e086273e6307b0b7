"""The matrix of a convolution against torch: C @ x is the convolution, C^T @ y the transposed one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnninspect.explain.document import Matrix
from cnninspect.explain.matrix import matrix_of, with_matrices
from tests.explain.test_explanation import explain


def matrix(module: nn.Module, *shape: int) -> Matrix:
    _, report = explain(module, input_shape=shape)
    found = matrix_of(report.rows[-1])
    assert found is not None
    return found


def dense(found: Matrix, weight: Any) -> Any:
    """The matrix with the numbers of a weight in it."""
    whole = np.zeros((found.rows, found.columns), dtype=weight.dtype)
    for place, index in found.entries.items():
        whole[place] = weight[index]
    return whole


def test_a_3x3_kernel_on_a_4x4_map_is_4x16() -> None:
    """Dumoulin & Visin 2016, section 4.1: the matrix as printed there."""
    found = matrix(nn.Conv2d(1, 1, 3, bias=False), 1, 1, 4, 4)
    lines = [" ".join(cell or "0" for cell in row) for row in found.cells()]
    assert lines == [
        "w0,0 w0,1 w0,2 0 w1,0 w1,1 w1,2 0 w2,0 w2,1 w2,2 0 0 0 0 0",
        "0 w0,0 w0,1 w0,2 0 w1,0 w1,1 w1,2 0 w2,0 w2,1 w2,2 0 0 0 0",
        "0 0 0 0 w0,0 w0,1 w0,2 0 w1,0 w1,1 w1,2 0 w2,0 w2,1 w2,2 0",
        "0 0 0 0 0 w0,0 w0,1 w0,2 0 w1,0 w1,1 w1,2 0 w2,0 w2,1 w2,2",
    ]


CASES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "plain": (nn.Conv2d(1, 1, 3, bias=False), (1, 1, 4, 4)),
    "padded and strided": (nn.Conv2d(1, 2, 3, stride=2, padding=1, bias=False), (1, 1, 5, 4)),
    "dilated": (nn.Conv2d(1, 1, 2, dilation=2, padding=1, bias=False), (1, 1, 4, 5)),
    "not square": (nn.Conv2d(1, 1, (1, 3), stride=(1, 2), padding=(1, 0), bias=False), (1, 1, 3, 5)),
    "channels": (nn.Conv2d(2, 3, 2, bias=False), (1, 2, 3, 3)),
    "groups": (nn.Conv2d(4, 4, 2, groups=2, bias=False), (1, 4, 3, 3)),
    "depthwise": (nn.Conv2d(3, 6, 2, groups=3, bias=False), (1, 3, 3, 3)),
    "same": (nn.Conv2d(1, 1, 4, padding="same", bias=False), (1, 1, 4, 5)),
    "one axis": (nn.Conv1d(2, 2, 3, padding=1, bias=False), (1, 2, 8)),
    "three axes": (nn.Conv3d(1, 1, 2, bias=False), (1, 1, 3, 3, 3)),
    "transposed": (nn.ConvTranspose2d(1, 1, 3, bias=False), (1, 1, 2, 2)),
    "transposed and strided": (
        nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1, output_padding=1, bias=False), (1, 1, 2, 3),
    ),
    "transposed in groups": (nn.ConvTranspose2d(4, 2, 2, groups=2, bias=False), (1, 4, 2, 3)),
    "transposed and dilated": (nn.ConvTranspose1d(2, 3, 3, dilation=2, bias=False), (1, 2, 4)),
}  # fmt: skip


@pytest.mark.parametrize(("module", "shape"), CASES.values(), ids=list(CASES))
def test_the_product_is_what_torch_computes(module: Any, shape: tuple[int, ...]) -> None:
    module, x = module.double(), torch.rand(shape, dtype=torch.float64)
    found = dense(matrix(module, *shape), module.weight.detach().numpy())
    assert torch.allclose(torch.from_numpy(found) @ x.flatten(), module(x).flatten())


@pytest.mark.parametrize(("stride", "padding", "size"), [(1, 0, 4), (2, 1, 5), (1, 2, 4), (3, 0, 6)])
def test_the_transposed_matrix_leads_back(stride: int, padding: int, size: int) -> None:
    """C.T @ y equals F.conv_transpose2d of y with the same weight."""
    conv = nn.Conv2d(1, 1, 3, stride, padding, bias=False).double()
    c = torch.from_numpy(dense(matrix(conv, 1, 1, size, size), conv.weight.detach().numpy()))
    y = torch.rand_like(conv(torch.zeros(1, 1, size, size, dtype=torch.float64)))
    back = torch.nn.functional.conv_transpose2d(
        y, conv.weight, stride=stride, padding=padding, output_padding=(size + 2 * padding - 3) % stride
    )
    assert torch.allclose(c.T @ y.flatten(), back.flatten())


def test_a_large_matrix_is_only_measured() -> None:
    found = matrix(nn.Conv2d(3, 8, 3), 1, 3, 32, 32)
    assert (found.rows, found.columns, found.entries) == (8 * 30 * 30, 3 * 32 * 32, {})


def test_other_layers_have_none() -> None:
    document, report = explain(nn.Linear(3, 4), input_shape=(1, 3))
    with pytest.raises(ValueError, match="none of the layers is a convolution"):
        with_matrices(document, report)
