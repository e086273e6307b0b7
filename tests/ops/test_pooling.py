"""Output sizes of pooling by hand. Pools have no parameters and 0 MACs."""

from __future__ import annotations

from typing import Any

import pytest
import torch.nn.functional as F
from torch import nn

from tests.ops.samples import estimate, index

CASES = [
    # floor((in + 2p - d(k-1) - 1)/s) + 1
    pytest.param(nn.MaxPool2d(2), [(1, 8, 32, 32)], [(1, 8, 16, 16)], id="worked example 1: 32 -> 16"),
    pytest.param(nn.MaxPool2d(3, 2), [(64, 55, 55)], [(64, 27, 27)], id="worked example 5: (55-3)/2+1 = 27"),
    pytest.param(nn.MaxPool2d(3, 2, 1), [(1, 64, 112, 112)], [(1, 64, 56, 56)], id="ResNet: floor((112+2-3)/2)+1 = 56"),
    pytest.param(nn.MaxPool1d(3, 1, dilation=2), [(1, 1, 11)], [(1, 1, 7)], id="dilation: 11-2*2-1+1 = 7"),
    pytest.param(nn.MaxPool2d((2, 3), 2, (0, 1)), [(1, 1, 7, 7)], [(1, 1, 3, 4)], id="per axis: floor(5/2)+1, 6/2+1"),
    pytest.param(nn.MaxPool3d(2, return_indices=True), [(1, 4, 4, 6)], [(1, 2, 2, 3)] * 2, id="indices come second"),
    pytest.param(nn.AvgPool2d(7), [(1, 512, 7, 7)], [(1, 512, 1, 1)], id="average over the whole map"),
    pytest.param(nn.LPPool1d(2, 3, 2), [(1, 1, 10)], [(1, 1, 4)], id="power average: floor((10-3)/2)+1 = 4"),
    # ceil mode
    pytest.param(nn.MaxPool2d(3, 2, ceil_mode=True), [(1, 54, 54)], [(1, 27, 27)], id="ceil: ceil((54-3)/2)+1 = 27"),
    pytest.param(nn.MaxPool1d(1, 3, ceil_mode=True), [(1, 5)], [(1, 2)], id="ceil: a third would start at 6 of 5"),
    pytest.param(nn.MaxPool1d(2, 2, 1, ceil_mode=True), [(1, 3)], [(1, 2)], id="ceil: a third would start at 4 of 3+1"),
    pytest.param(nn.AvgPool1d(2, 3, ceil_mode=True), [(1, 4)], [(1, 2)], id="ceil: the second starts at 3 of 4"),
    pytest.param(nn.LPPool2d(2, 2, ceil_mode=True), [(1, 5, 4)], [(1, 3, 2)], id="ceil: ceil(3/2)+1, 2/2+1"),
    # unpooling: (in-1)s - 2p + k
    pytest.param(nn.MaxUnpool2d(2), [(1, 3, 32, 32), index(1, 3, 32, 32)], [(1, 3, 64, 64)], id="unpool: 31*2+2 = 64"),
    pytest.param(nn.MaxUnpool1d(3, 2, 1), [(3, 5), index(3, 5)], [(3, 9)], id="unpool: 4*2-2+3 = 9"),
    # pooling to a size
    pytest.param(nn.AdaptiveAvgPool2d(1), [(1, 32, 8, 8)], [(1, 32, 1, 1)], id="global average"),
    pytest.param(nn.AdaptiveMaxPool3d((1, None, 2)), [(4, 5, 6, 7)], [(4, 1, 6, 2)], id="None keeps the size"),
    pytest.param(
        nn.FractionalMaxPool2d(2, output_ratio=(0.7, 0.5)), [(1, 1, 11, 9)], [(1, 1, 7, 4)], id="floor(7.7), floor(4.5)"
    ),
    # functions
    pytest.param(lambda x: F.max_pool2d(x, 3, 2), [(1, 64, 55, 55)], [(1, 64, 27, 27)], id="F.max_pool2d"),
    pytest.param(lambda x: F.max_pool2d(x, 2, return_indices=True), [(1, 4, 4)], [(1, 2, 2)] * 2, id="F with indices"),
    pytest.param(lambda x: F.lp_pool2d(x, 2.0, 2, 1), [(1, 4, 4)], [(1, 3, 3)], id="F.lp_pool2d: norm before kernel"),
    pytest.param(
        lambda x, i: F.max_unpool2d(x, i, 2, output_size=(5, 4)), [(1, 2, 2), index(1, 2, 2)], [(1, 5, 4)], id="a size"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("model", "inputs", "outputs"), CASES)
def test_output_sizes(model: Any, inputs: list[Any], outputs: list[tuple[int, ...]]) -> None:
    found = estimate(model, *inputs)
    assert found.shapes == tuple(outputs)
    assert (found.params, found.macs, found.computes) == (0, 0, True)
