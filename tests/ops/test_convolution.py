"""Convolutions by hand, most of them from published reports."""

from __future__ import annotations

import pytest
from torch import nn

from tests.ops.samples import estimate

CASES = [
    # floor((in + 2p - d(k-1) - 1)/s) + 1
    pytest.param(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), (1, 3, 32, 32), (1, 8, 32, 32), 3 * 8 * 3**2, 32 * 32 * 8 * 27,
        id="worked example 1: conv_1",
    ),
    pytest.param(
        nn.Conv2d(3, 64, 11, 4, 2), (1, 3, 224, 224), (1, 64, 55, 55), 3 * 11**2 * 64 + 64, 55 * 55 * 64 * 3 * 11**2,
        id="worked example 5: conv1, floor((224+4-11)/4)+1 = 55",
    ),
    pytest.param(
        nn.Conv2d(16, 33, (3, 5), (2, 1), (4, 2), (3, 1)), (20, 16, 50, 100), (20, 33, 26, 100), 33 * 16 * 15 + 33,
        20 * 33 * 26 * 100 * 16 * 15, id="torch.nn.Conv2d's example: floor((50+8-6-1)/2)+1 = 26, 100+4-4-1+1 = 100",
    ),
    pytest.param(
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), (1, 32, 8, 8), (1, 32, 8, 8), 3**2 * 32, 9 * 32 * 8**2,
        id="worked example 10: depthwise, Dk^2 * M * Df^2",
    ),
    pytest.param(nn.Conv1d(4, 6, 3, padding="same"), (4, 9), (6, 9), 4 * 6 * 3 + 6, 9 * 6 * 4 * 3, id="same, no batch"),
    pytest.param(nn.Conv3d(1, 2, 2), (1, 1, 3, 4, 5), (1, 2, 2, 3, 4), 2 * 8 + 2, 2 * 24 * 8, id="2x3x4 positions"),
    # (in-1)s - 2p + d(k-1) + output_padding + 1; the MACs follow the input map
    pytest.param(
        nn.ConvTranspose2d(3, 3, 4, 2, 1), (1, 3, 64, 64), (1, 3, 128, 128), 3 * 3 * 16 + 3, 3 * 64 * 64 * 3 * 16,
        id="worked example 9: 63*2-2+3+1 = 128",
    ),
    pytest.param(
        nn.ConvTranspose2d(16, 33, (3, 5), (2, 1), (4, 2)), (20, 16, 50, 100), (20, 33, 93, 100), 16 * 33 * 15 + 33,
        20 * 16 * 50 * 100 * 33 * 15, id="torch.nn.ConvTranspose2d's example: 49*2-8+2+1 = 93, 99-4+4+1 = 100",
    ),
    pytest.param(
        nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2, bias=False), (1, 4, 8), (1, 6, 16), 4 * 3 * 3, 4 * 8 * 3 * 3,
        id="worked example 4: 7*2-2+2+1+1 = 16; each of 4*8 inputs meets 6/2 outputs and 3 taps",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("module", "shape", "output", "params", "macs"), CASES)
def test_layers(module: nn.Module, shape: tuple[int, ...], output: tuple[int, ...], params: int, macs: int) -> None:
    found = estimate(module.to("meta"), shape)
    assert (found.shapes, found.params, found.macs) == ((output,), params, macs)
