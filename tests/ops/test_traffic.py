"""Bytes that ops move, by hand: every number has four bytes unless said."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.ops.accounting import moved_bytes
from tests.measure.models import run_of

X = torch.rand(2, 3, 4, 4)
MAP = 2 * 3 * 4 * 4 * 4


def moved(model, *args):
    return sum(moved_bytes(op) for op in run_of(model, *args).trace.ops)


CASES = {
    "relu reads and writes a map": (F.relu, [X], 2 * MAP),
    "in place too": (F.relu_, [X.clone()], 2 * MAP),
    "a sum of two reads both": (lambda x: x + x.flip(0), [X], (2 * MAP) + (3 * MAP)),
    "one tensor taken twice is read once": (lambda x: x * x, [X], 2 * MAP),
    "a view moves nothing": (lambda x: x.flatten(1).transpose(0, 1), [X], 0),
    "a concatenation reads as much as it writes": (lambda x: torch.cat([x, x]), [X], 2 * (2 * MAP)),
    "a look-up reads the rows and not the table": (
        lambda i, t: F.embedding(i, t), [torch.tensor([1, 2, 3]), torch.rand(1000, 8)], 2 * 3 * 8 * 4
    ),
    "what is created is only written": (lambda x: torch.zeros(5), [X], 5 * 4),
    # input, weight [5, 3, 3, 3], bias, output [2, 5, 2, 2]
    "convolution": (nn.Conv2d(3, 5, 3), [X], MAP + (5 * 27 + 5) * 4 + 2 * 5 * 2 * 2 * 4),
    "half precision": (F.relu, [X.half()], MAP),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bytes_moved_by_hand(case):
    model, args, expected = CASES[case]
    assert moved(model, *args) == expected


def test_nothing_is_known_about_an_op_without_a_rule():
    with torch.library._scoped_library("cnninspect_traffic", "FRAGMENT") as library:
        library.define("strange(Tensor x) -> Tensor")
        library.impl("strange", torch.clone, "CompositeExplicitAutograd")
        (op,) = run_of(torch.ops.cnninspect_traffic.strange, X).trace.ops
    assert moved_bytes(op) is None
