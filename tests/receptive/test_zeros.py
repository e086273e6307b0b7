"""Products with constants that hold zeros by design: NaN passes them, so that it earns no check mark there.

Expected fields by hand: row i of a lower triangle multiplies tokens 0 to i and no other one, whatever its numbers are.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.report.quantities import Verdict

N = 6


class Mixing(nn.Module):
    """[1, 6, 8]: features first, so that tokens are the axis; then a product over the tokens."""

    def __init__(self, mix: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        self.mix, self.first = mix, nn.Linear(8, 4)
        self.whole, self.left, self.right = (nn.Parameter(torch.rand(N, size)) for size in (N, N // 2, N // 2))
        self.line, self.long = nn.Parameter(torch.rand(N)), nn.Parameter(torch.rand(2 * N))
        self.register_buffer("kept", torch.rand(N, N) + 1)
        self.register_buffer("lower", torch.ones(N, N).tril() / N)

    def forward(self, x):
        return self.mix(self, self.first(x))


def toeplitz(net: nn.Module) -> Tensor:
    place = torch.arange(N, device=net.long.device)
    return net.long[(place[:, None] - place).clamp(0)]


TRIANGLES = {
    "product": lambda net, x: net.whole.tril() @ x,
    "layer": lambda net, x: F.linear(x.mT, net.whole.tril()).mT,
    "einsum": lambda net, x: torch.einsum("ts,bsc->btc", net.whole.tril(), x),
    "each sample": lambda net, x: torch.bmm(net.whole.tril().expand(len(x), N, N), x),
    "buffer": lambda net, x: net.kept.tril() @ x,
    "scaled": lambda net, x: (net.whole.tril() * 0.5) @ x,
    "by distance": lambda net, x: toeplitz(net).tril() @ x,
    "turned": lambda net, x: net.whole.triu().T @ x,
}


@pytest.mark.parametrize("mix", TRIANGLES.values(), ids=TRIANGLES)
def test_a_triangle_of_weights_hides_what_it_leaves_out(mix):
    report = inspect_model(Mixing(mix), (1, N, 8), probe=True)
    field = next(row for row in reversed(report.rows) if row.kind not in ("Tensor.mT", "Tensor.tril")).receptive_field
    assert (field.size, field.verdict) == (([1, N],), Verdict.MATCH)


def in_blocks(net: nn.Module) -> Tensor:
    made = net.whole.new_zeros(N, N)
    made[:3, :3], made[3:, 3:] = net.left[:3], net.right[:3]
    return made


def added_in_part(net: nn.Module) -> Tensor:
    made = net.whole.new_zeros(N, N)
    made[:3, :3] += net.left[:3]
    made[3:, 3:].add_(net.right[:3])
    return made


def later_is_0(net: nn.Module) -> Tensor:
    place = torch.arange(N, device=net.whole.device)
    return (place[:, None] >= place).float()


WITH_ZEROS = {
    "diag": lambda net, x: torch.diag(net.line) @ x,
    "diag_embed": lambda net, x: torch.diag_embed(net.line) @ x,
    "padded": lambda net, x: F.pad(net.left, (0, 3)) @ x,
    "beside zeros": lambda net, x: torch.cat([net.left, net.left.new_zeros(N, 3)], 1) @ x,
    "one-hot": lambda net, x: F.one_hot(torch.arange(N, device=x.device).flip(0), N).to(x) @ x,
    "eye": lambda net, x: torch.eye(N, device=x.device).roll(1, 0) @ x,
    "block_diag": lambda net, x: torch.block_diag(net.left[:3], net.right[:3]) @ x,
    "written": lambda net, x: in_blocks(net) @ x,
    "added in part": lambda net, x: added_in_part(net) @ x,
    "scattered": lambda net, x: torch.zeros_like(net.whole).scatter(
        1, torch.arange(N, device=x.device)[:, None], net.line[:, None]
    ) @ x,
    "compared": lambda net, x: later_is_0(net) @ x,
    "divided": lambda net, x: (net.whole.tril() / net.whole.tril().sum(1, keepdim=True)) @ x,
    "buffer": lambda net, x: net.lower @ x,
    "kernel": lambda net, x: F.conv1d(x, net.whole.tril()[:, :, None]),
}  # fmt: skip


@pytest.mark.parametrize("mix", WITH_ZEROS.values(), ids=WITH_ZEROS)
def test_no_product_with_designed_zeros_is_confirmed_by_nan(mix):
    """Each leaves some token out, and none is followed: the row says that all are seen, and not that this is sure."""
    report = inspect_model(Mixing(mix), (1, N, 8), probe=True)
    field = report.rows[-1].receptive_field
    assert (field.is_global, field.verdict) == (True, Verdict.UNKNOWN)


DENSE = {
    "sum of triangles": lambda net, x: (net.whole.tril() + net.whole.triu(1)) @ x,
    "parameter": lambda net, x: net.whole @ x,
    "numbers that happen to be 0": lambda net, x: torch.relu(net.whole) @ x,
    "buffer": lambda net, x: net.kept @ x,
    "beside numbers": lambda net, x: torch.cat([net.left, net.right], 1) @ x,
    "padded by ones": lambda net, x: F.pad(net.left, (0, 3), value=1.0) @ x,
    "zeros that are written over": lambda net, x: torch.zeros_like(net.whole).add_(net.whole) @ x,
}


@pytest.mark.parametrize("mix", DENSE.values(), ids=DENSE)
def test_products_with_other_constants_are_confirmed(mix):
    report = inspect_model(Mixing(mix), (1, N, 8), probe=True)
    field = report.rows[-1].receptive_field
    assert (field.is_global, field.verdict) == (True, Verdict.MATCH)


def test_a_state_that_starts_at_0_and_a_bias_with_zeros_hide_nothing():
    """A recurrent layer multiplies a state of zeros; BEiT joins the bias of queries and values around one of zeros."""

    class Biased(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.rand(12, 8)), nn.Parameter(torch.rand(4))

        def forward(self, x):
            return F.linear(x, self.weight, torch.cat([self.bias, torch.zeros_like(self.bias), self.bias]))

    for network in (nn.GRU(8, 4, batch_first=True), nn.LSTM(8, 4, batch_first=True), Biased()):
        report = inspect_model(network, (1, N, 8), probe=True)
        assert [row.receptive_field.verdict for row in report.rows] == [Verdict.MATCH] * len(report.rows)
