"""Bytes moved, intensity and the roofline, by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.counters.traffic import Bound, bytes_moved, intensity, roofline
from tests.counters.models import run_of

FLOAT = 4
X = torch.rand(1, 3, 8, 8)

CASES = {
    "input, weight, bias and output": (nn.Conv2d(3, 4, 3), [X], (3 * 64 + 4 * 3 * 9 + 4 + 4 * 36) * FLOAT),
    "a weight read twice is moved twice": (
        lambda x, w: F.linear(F.linear(x, w), w), [torch.rand(5, 3), torch.rand(3, 3)], 2 * (15 + 9 + 15) * FLOAT,
    ),
    "an operand given twice is read once": (lambda x: x * x, [X], 2 * 3 * 64 * FLOAT),
    "a view moves nothing": (lambda x: x.flatten(1).transpose(0, 1), [X], 0),
    "half precision": (F.relu, [X.half()], 2 * 3 * 64 * 2),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bytes_moved(case):
    model, args, expected = CASES[case]
    assert sum(bytes_moved(run_of(model, *args).trace)) == expected


def test_intensity():
    assert intensity(macs=100, nbytes=50) == 2
    assert intensity(macs=0, nbytes=0) is None


# A machine of 1000 FLOPs and 10 bytes per second balances 100 FLOPs, 50 multiply-accumulates, per byte.
@pytest.mark.parametrize(
    ("macs", "nbytes", "expected"),
    [(51, 1, Bound.COMPUTE), (50, 1, Bound.COMPUTE), (49, 1, Bound.MEMORY), (0, 8, Bound.MEMORY), (0, 0, None)],
)
def test_roofline(macs, nbytes, expected):
    assert roofline(macs, nbytes, peak_flops=1000, bandwidth=10) == expected
