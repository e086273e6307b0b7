"""Multiply-accumulates of gradients by hand: which operand of which product needs one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.ops.accounting import backward
from cnninspect.report.quantities import Status
from tests.measure.models import run_of


def gradients(model, *args):
    """(of activations, of weights) of the whole run."""
    found = backward(run_of(model, *args).trace)
    return sum(part.inputs for part in found), sum(part.weights for part in found)


class TwoHeads(nn.Module):
    """`detached` and `unused` get no gradient; `side` gets one for its weight only, because its input stops there."""

    def __init__(self):
        super().__init__()
        self.body, self.detached, self.unused, self.side = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x):
        x = self.body(x)
        self.unused(x)
        return x + self.detached(x).detach() + self.side(x.detach())


class InPlace(nn.Module):
    """The second half of a map is overwritten through a view."""

    def __init__(self):
        super().__init__()
        self.linear, self.last = nn.Linear(4, 2), nn.Linear(4, 3)

    def forward(self, x):
        y = torch.zeros(5, 4)
        y[:, 2:].copy_(self.linear(x))
        return self.last(y)


def frozen(model):
    return model.requires_grad_(False)


ROWS = torch.rand(5, 4)
VECTOR, MATRIX = torch.rand(4, requires_grad=True), torch.rand(3, 4, requires_grad=True)
MAP = torch.rand(2, 3, 6, 6)
CONV = 2 * 8 * (6 * 6) * 3 * 9

CASES = {
    "one layer": (nn.Linear(4, 3), [ROWS], (0, 5 * 4 * 3)),
    "the second layer passes on": (nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), [ROWS], (30, 5 * 4 * 3 + 30)),
    "convolution": (
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)), [MAP],
        (2 * 8 * 36 * 8, CONV + 2 * 8 * 36 * 8),
    ),
    "grouped": (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), [MAP], (0, 2 * 6 * (4 * 4) * 1 * 9)),
    "transposed": (
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 5, 2, stride=2)), [MAP],
        (2 * 4 * 36 * 5 * 4, 2 * 4 * 36 * 3 + 2 * 4 * 36 * 5 * 4),
    ),
    "all frozen": (frozen(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))), [ROWS], (0, 0)),
    "the first layer frozen": (nn.Sequential(frozen(nn.Linear(4, 3)), nn.Linear(3, 2)), [ROWS], (0, 30)),
    "the last layer frozen": (nn.Sequential(nn.Linear(4, 3), frozen(nn.Linear(3, 2))), [ROWS], (30, 60)),
    "branches": (TwoHeads(), [ROWS], (0, 80 + 80)),
    "in place": (InPlace(), [ROWS], (5 * 4 * 3, 5 * 4 * 2 + 5 * 4 * 3)),
    # Both factors of the product of activations need a gradient.
    "activations times themselves": (
        lambda x, w: (x @ w) @ (x @ w).transpose(0, 1), [ROWS, torch.rand(4, 3)], (0, 0),
    ),
    # The gradient of a matrix that multiplies a vector is an outer product, that of a scalar product a scaled factor.
    "matrix times vector": (lambda x: x @ VECTOR, [ROWS], (0, 5 * 4)),
    "parameter times vector": (lambda x: MATRIX @ x[0], [ROWS], (0, 0)),
    "scalar product": (lambda x: x[0] @ VECTOR, [ROWS], (0, 0)),
    "an index has no gradient": (nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2)), [torch.tensor([1, 2])], (16, 16)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_gradients_by_hand(case):
    model, args, expected = CASES[case]
    assert gradients(model, *args) == expected


def test_a_product_of_two_activations_has_two_gradients():
    """Hand arithmetic: [5, 3] @ [3, 5] is 75 MACs; two gradients of it, and one of the linear layer's weight."""
    linear = nn.Linear(4, 3)

    class Gram(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = linear

        def forward(self, x):
            x = self.linear(x)
            return x @ x.transpose(0, 1)

    assert gradients(Gram(), ROWS) == (2 * 75, 60)


def test_fused_attention_leaves_a_lower_bound():
    weight = torch.rand(4, 4, requires_grad=True)

    def net(x):
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(x @ weight, x, x)[0]

    found = backward(run_of(net, torch.rand(1, 2, 5, 4)).trace)
    (last,) = [part for part in found if part.missing]
    assert last.missing == ("aten._scaled_dot_product_flash_attention_for_cpu",)
    assert last.status is Status.LOWER_BOUND


def test_relu_needs_no_product():
    assert gradients(F.relu, ROWS) == (0, 0)
