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
from cnninspect.report.quantities import Status, Verdict

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


def written_at(net: nn.Module) -> Tensor:
    made, place = torch.zeros_like(net.whole), torch.arange(N, device=net.whole.device)
    made[place, place.flip(0)] = net.line
    return made


def without_columns(net: nn.Module) -> Tensor:
    made = net.whole.clone()
    made[:, torch.tensor([1, 5], device=made.device)] = 0
    return made


def without_blocks(net: nn.Module) -> Tensor:
    made = net.whole.clone()
    made[:3, 3:], made[3:, :3] = 0, 0
    return made


def beside(line: Tensor, copies: int) -> Tensor:
    return torch.stack([line] * copies + [torch.zeros_like(line)] * (N - copies), 1)


EYE = torch.eye(N)

FOLLOWED = {
    "diag": (lambda net, x: torch.diag(net.line) @ x, 1),
    "diag_embed": (lambda net, x: torch.diag_embed(net.line) @ x, 1),
    "one-hot": (lambda net, x: F.one_hot(torch.arange(N, device=x.device).flip(0), N).to(x) @ x, 1),
    "block_diag": (lambda net, x: torch.block_diag(net.left[:3], net.right[:3]) @ x, 3),
    "kron": (lambda net, x: torch.kron(torch.eye(2, device=x.device), net.left[:3]) @ x, 3),
    "written": (lambda net, x: in_blocks(net) @ x, 3),
    "added in part": (lambda net, x: added_in_part(net) @ x, 3),
    "written by index": (lambda net, x: written_at(net) @ x, 1),
    "zeros written in": (lambda net, x: without_blocks(net) @ x, 3),
    "scattered": (lambda net, x: torch.zeros_like(net.whole).scatter(
        1, torch.arange(N, device=x.device)[:, None], net.line[:, None]
    ) @ x, 1),
    "scattered and added": (lambda net, x: torch.zeros_like(net.whole).scatter_add(
        1, torch.arange(N, device=x.device)[:, None], net.line[:, None]
    ) @ x, 1),
    "compared": (lambda net, x: later_is_0(net) @ x, [1, N]),
    "where": (lambda net, x: torch.where(later_is_0(net) > 0, net.whole, 0.0) @ x, [1, N]),
    "filled": (lambda net, x: net.whole.tril().masked_fill(later_is_0(net) > 0, 1.0) @ x, [1, N]),
    "divided": (lambda net, x: (net.whole.tril() / net.whole.tril().sum(1, keepdim=True)) @ x, [1, N]),
    "relu": (lambda net, x: net.whole.tril().relu() @ x, [1, N]),
    "two triangles": (lambda net, x: net.whole.tril(1).triu(-1)[1:-1] @ x, 3),
    "product of triangles": (lambda net, x: (net.whole.tril() @ net.left.new_ones(N, N).tril()) @ x, [1, N]),
    "buffer": (lambda net, x: net.lower @ x, [1, N]),
    "vector": (lambda net, x: (net.whole.tril() @ x[0, :, 0])[None, :, None], [1, N]),
    "cumulative": (lambda net, x: torch.eye(N, device=x.device).cumsum(0) @ x, [1, N]),
    "turned twice": (lambda net, x: net.whole.tril().flip(0).flip(1) @ x, [1, N]),
    "mean of triangles": (lambda net, x: torch.stack([net.whole.tril(), net.whole.tril(-1)]).mean(0) @ x, [1, N]),
    "norms": (lambda net, x: torch.stack([net.whole.tril(), net.whole.tril(-1)]).norm(dim=0) @ x, [1, N]),
    "negative": (lambda net, x: -net.whole.tril() @ x, [1, N]),
    "activated": (lambda net, x: F.gelu(net.whole.tril()).tanh() @ x, [1, N]),
    "power": (lambda net, x: torch.linalg.matrix_power(net.whole.tril(), 3) @ x, [1, N]),
    "sum so far": (lambda net, x: net.whole.tril().cumsum(0) @ x, [1, N]),
    "product so far": (lambda net, x: net.whole.triu().cumprod(0) @ x, [1, N]),
    "beside a diagonal of ones": (lambda net, x: (net.whole.tril(-1) + torch.eye(N, device=x.device)) @ x, [1, N]),
    "by a factor": (lambda net, x: torch.einsum("ij,bjc->bic", net.whole * EYE.to(x), x), 1),
}  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("mix", "size"), FOLLOWED.values(), ids=FOLLOWED)
def test_what_is_multiplied_by_a_designed_zero_is_not_seen(mix, size, device):
    report = inspect_model(Mixing(mix), (1, N, 8), device=device, probe=True)
    field = report.rows[-1].receptive_field
    assert (field.size, field.verdict) == ((size,), Verdict.MATCH)


ONE_FOR_ALL = {
    "padded": (lambda net, x: F.pad(net.left, (0, 3)) @ x, 3),
    "beside zeros": (lambda net, x: torch.cat([net.left, net.left.new_zeros(N, 3)], 1) @ x, 3),
    "stacked": (lambda net, x: beside(net.line, 2) @ x, 2),
    "columns of zeros": (lambda net, x: without_columns(net) @ x, 5),
    "filled by index": (lambda net, x: net.whole.index_fill(1, torch.tensor([4, 5], device=x.device), 0.0) @ x, 4),
}


@pytest.mark.parametrize(("mix", "size"), ONE_FOR_ALL.values(), ids=ONE_FOR_ALL)
def test_columns_of_zeros_leave_out_their_tokens_everywhere(mix, size):
    """All rows see the same tokens, which no longer input can show to be other than a part of the whole."""
    field = inspect_model(Mixing(mix), (1, N, 8), probe=True).rows[-1].receptive_field
    assert (field.size, field.verdict) == ((size,), Verdict.UNKNOWN)


LOST = {
    "kernel": lambda net, x: F.conv1d(x, net.whole.tril()[:, :, None]),
    "angle": lambda net, x: torch.atan2(net.whole.tril(), net.whole) @ x,
    "picked": lambda net, x: net.whole.tril()[torch.arange(N, device=x.device).flip(0)] @ x,
    "chosen by weights": lambda net, x: torch.where(net.whole > 2, 1.0, net.whole.tril()) @ x,
    # The inverse and the exponential of a triangle are triangles.
    "inverse": lambda net, x: torch.linalg.inv(net.whole.tril() + torch.eye(N, device=x.device)) @ x,
    "matrix exponential": lambda net, x: torch.matrix_exp(net.whole.tril()) @ x,
    # The triangular factors of a matrix, and a permutation.
    "cholesky": lambda net, x: torch.linalg.cholesky(net.whole @ net.whole.T + torch.eye(N, device=x.device)) @ x,
    "qr": lambda net, x: torch.linalg.qr(net.whole)[1] @ x,
    "lu": lambda net, x: torch.linalg.lu(net.whole)[2] @ x,
    "lu, permutation": lambda net, x: torch.linalg.lu(net.whole)[0] @ x,
    "largest of each row": lambda net, x: torch.zeros_like(net.whole).scatter(1, net.whole.topk(2, 1)[1], 1.0) @ x,
    "lu, unpacked": lambda net, x: torch.lu_unpack(*torch.linalg.lu_factor(net.whole))[2] @ x,
    "means of windows": lambda net, x: F.avg_pool1d(net.whole.tril()[None], 3, 1, 1)[0] @ x,
    "by chance": lambda net, x: (torch.rand(N, N, device=x.device) > 0.5).to(x) @ x,
}


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize("mix", LOST.values(), ids=LOST)
def test_a_product_with_zeros_that_are_not_followed_is_unknown(mix, probe):
    field = inspect_model(Mixing(mix), (1, N, 8), probe=probe).rows[-1].receptive_field
    assert (field.size, field.is_global, field.status) == (None, False, Status.UNKNOWN)
    assert "zeros by design" in field.why[0].text


def test_a_mask_that_reaches_back_to_the_first_token_in_steps_is_no_window():
    """Tokens i, i - 2, i - 4, ...: the last of 6 sees tokens 1, 3 and 5, which span 5."""

    def strided(net: nn.Module, x: Tensor) -> Tensor:
        place = torch.arange(N, device=x.device)
        back = place[:, None] - place
        return ((back >= 0) & (back % 2 == 0)).to(x) @ x

    field = inspect_model(Mixing(strided), (1, N, 8), probe=True).rows[-1].receptive_field
    assert (field.size, field.verdict) == (([1, 5],), Verdict.MATCH)


def test_a_permutation_that_wraps_around_is_no_window():
    """Each output sees one token, whichever it is."""
    network = Mixing(lambda net, x: torch.eye(N, device=x.device).roll(2, 0) @ x)
    assert inspect_model(network, (1, N, 8)).rows[-1].receptive_field.size == (1,)


def test_taps_of_a_fixed_kernel_that_are_0_at_its_ends_are_not_read():
    """0, 1, 2, 1, 0 reads 3 pixels, like the product with a matrix of these rows; a parameter reads all of its taps."""

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kernel", torch.tensor([0.0, 1, 2, 1, 0]).view(1, 1, 5))

        def forward(self, x):
            return F.conv1d(x, self.kernel, padding=2)

    field = inspect_model(Fixed(), (1, 1, 32), probe=True).rows[-1].receptive_field
    assert (field.size, field.padding, field.verdict) == ((3,), (1,), Verdict.MATCH)


def test_a_weight_between_features_may_hold_any_zeros():
    """What has the same field in every feature keeps it, whichever of them are added up."""
    network = Mixing(lambda net, x: x @ -net.left[:4, :3].tril())
    field = inspect_model(network, (1, N, 8), probe=True).rows[-1].receptive_field
    assert field.size == (1,)


class MaskedConvolution(nn.Conv2d):
    """As in PixelCNN (van den Oord et al. 2016, figure 1): nothing below the middle is read, nor to its right."""

    def __init__(self, *sizes: int, **options: int):
        super().__init__(*sizes, **options)
        height, width = self.weight.shape[2:]
        kept = torch.ones_like(self.weight)
        kept[:, :, height // 2, width // 2 + 1 :] = 0
        kept[:, :, height // 2 + 1 :] = 0
        self.register_buffer("kept", kept)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.kept, self.bias, self.stride, self.padding)


def masked_convolutions() -> nn.Module:
    return nn.Sequential(MaskedConvolution(3, 8, 7, padding=3), MaskedConvolution(8, 8, 3, padding=1))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_rows_of_a_kernel_that_a_mask_takes_away_are_not_read(device):
    """Of 7 rows 4 are left, then of 3 rows 2: 4 + 1 in all. Every column is read in some row: 7 + 2."""
    field = inspect_model(masked_convolutions(), (1, 3, 24, 24), device=device).totals["receptive_field"]
    assert (field.size, field.jump, field.padding) == ((5, 9), (1, 1), (4, 4))


@pytest.mark.parametrize(
    ("network", "size", "padding"),
    [
        pytest.param(lambda w, x: F.conv1d(x, F.pad(w, (0, 2)), padding=2), 3, 2, id="convolution"),
        pytest.param(lambda w, x: F.conv_transpose1d(x, F.pad(w, (0, 2)), stride=2), [1, 2], 1, id="transposed"),
    ],
)
def test_a_kernel_padded_by_zeros_reads_as_far_as_its_numbers(network, size, padding):
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(3, 3, 3))

        def forward(self, x):
            return network(self.weight, x)

    field = inspect_model(Padded(), (1, 3, 32), probe=True).rows[-1].receptive_field
    assert (field.size, field.padding, field.verdict) == ((size,), (padding,), Verdict.MATCH)


DENSE = {
    "sum of triangles": lambda net, x: (net.whole.tril() + net.whole.triu(1)) @ x,
    "parameter": lambda net, x: net.whole @ x,
    "numbers that happen to be 0": lambda net, x: torch.relu(net.whole) @ x,
    "buffer": lambda net, x: net.kept @ x,
    "beside numbers": lambda net, x: torch.cat([net.left, net.right], 1) @ x,
    "padded by ones": lambda net, x: F.pad(net.left, (0, 3), value=1.0) @ x,
    "zeros that are written over": lambda net, x: torch.zeros_like(net.whole).add_(net.whole) @ x,
    "softmax of a triangle": lambda net, x: net.whole.tril().softmax(1) @ x,
    "exponential of a triangle": lambda net, x: net.whole.tril().exp() @ x,
    "sums of rows and columns": lambda net, x: (net.whole.tril().sum(0) + net.whole.tril().sum(1, keepdim=True)) @ x,
    "orthogonal": lambda net, x: torch.linalg.qr(net.whole)[0] @ x,
    "product of a triangle": lambda net, x: (net.whole.tril() @ net.whole.clone()) @ x,
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
