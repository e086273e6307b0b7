"""Networks that are no chain of layers: experts, loops, transforms; docs/hard-graphs.md lists them.

MACs by hand, written out; where torch's FlopCounterMode has a formula for all that runs, a second test asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._higher_order_ops import associative_scan, scan, while_loop
from torch._higher_order_ops import map as torch_map
from torch.nn.attention.bias import causal_lower_right
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.errors import RunError
from cnninspect.inspection.accounts.work import Operations
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.report.document import Report
from cnninspect.report.quantities import Status


def report_of(model: Callable[..., Any], *inputs: Tensor, **options: Any) -> Report:
    """The report of a run on these inputs, without a probe."""
    return inspect_model(model, inputs_from=lambda: inputs, **options)


def found(report: Report) -> tuple[Any, ...]:
    """Parameters, MACs and their status."""
    params, macs = report.total("params"), report.total("macs")
    assert params.status is Status.EXACT
    return params.value, macs.value, macs.status


# --- experts --------------------------------------------------------------------------------------------------------


class Experts(nn.Module):
    """Two of four experts for each of six tokens with 8 features; each expert has 16 hidden units.

    Source: Shazeer et al. 2017, "Outrageously Large Neural Networks".
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4, bias=False)
        self.up, self.down = nn.Parameter(torch.randn(4, 8, 16)), nn.Parameter(torch.randn(4, 16, 8))


class GroupedExperts(Experts):
    """All tokens sorted by expert, one grouped product for all experts."""

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2, -1)
        order = chosen.flatten().argsort()
        ends = (chosen.flatten()[:, None] == torch.arange(4, device=x.device)).sum(0).cumsum(0).to(torch.int32)
        hidden = F.grouped_mm(x[order // 2].bfloat16(), self.up.bfloat16(), offs=ends).relu()
        out = F.grouped_mm(hidden, self.down.bfloat16(), offs=ends).float()
        return torch.zeros_like(x).index_add(0, order // 2, out * weights.flatten()[order][:, None])


class FloatExperts(Experts):
    """The same in the type of the network, which torch's kernel for meta refuses and those of devices take."""

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.gate(x).softmax(-1).topk(2, -1).indices.flatten()
        order = chosen.argsort()
        ends = (chosen[:, None] == torch.arange(4, device=x.device)).sum(0).cumsum(0).to(torch.int32)
        hidden = F.grouped_mm(x[order // 2], self.up, offs=ends).relu()
        return torch.zeros_like(x).index_add(0, order // 2, F.grouped_mm(hidden, self.down, offs=ends))


class LoopedExperts(Experts):
    """One expert after the other, each with its own tokens."""

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2, -1)
        out = torch.zeros_like(x)
        for expert in range(4):
            rows, slot = torch.where(chosen == expert)
            out.index_add_(0, rows, (x[rows] @ self.up[expert]).relu() @ self.down[expert] * weights[rows, slot, None])
        return out


class GatheredExperts(Experts):
    """The weights of its experts picked for each token."""

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2, -1)
        hidden = torch.einsum("td,tkdh->tkh", x, self.up[chosen]).relu()
        return (torch.einsum("tkh,tkhd->tkd", hidden, self.down[chosen]) * weights[..., None]).sum(1)


class DenseExperts(Experts):
    """All experts for all tokens, weighted."""

    def forward(self, x: Tensor) -> Tensor:
        every = torch.einsum("teh,ehd->ted", torch.einsum("td,edh->teh", x, self.up).relu(), self.down)
        return torch.einsum("te,ted->td", self.gate(x).softmax(-1), every)


GATE = 6 * 8 * 4
TOKEN = 8 * 16 + 16 * 8
EXPERTS = [
    (GroupedExperts, "meta", GATE + 6 * 2 * TOKEN),
    (FloatExperts, "meta", GATE + 6 * 2 * TOKEN),
    (LoopedExperts, "cpu", GATE + 6 * 2 * TOKEN),
    (GatheredExperts, "meta", GATE + 6 * 2 * TOKEN),
    (DenseExperts, "meta", GATE + 6 * 4 * TOKEN + 6 * 4 * 8),
]


@pytest.mark.parametrize(("experts", "device", "macs"), EXPERTS, ids=lambda value: getattr(value, "__name__", None))
def test_experts(experts: type[Experts], device: str, macs: int) -> None:
    report = inspect_model(experts, (6, 8))
    assert (report.run["device"], *found(report)) == (device, 4 * 8 + 4 * TOKEN, macs, Status.EXACT)


def test_a_run_that_values_decide_says_so() -> None:
    """The loop asks which tokens an expert has; the grouped product has the same size whatever they are."""
    (note,) = [note for note in inspect_model(LoopedExperts, (6, 8)).notes if "of this run" in note]
    assert "aten.nonzero" in note
    assert not any("of this run" in note for note in inspect_model(GroupedExperts, (6, 8)).notes)


def test_a_branch_on_values_says_so_and_one_on_shapes_does_not() -> None:
    def branch(x: Tensor) -> Tensor:
        return x @ x if x.sum() > 0 else x

    (note,) = [note for note in report_of(branch, torch.ones(4, 4)).notes if "of this run" in note]
    assert "Tensor.item" in note
    packed = nn.utils.rnn.pack_padded_sequence
    report = report_of(lambda x: packed(x, torch.tensor([3, 2]), batch_first=True).data, torch.ones(2, 3, 4))
    assert not any("of this run" in note for note in report.notes)
    report = report_of(lambda x: x @ x if len(x) > 2 else x, torch.ones(4, 4))
    assert not any("of this run" in note for note in report.notes)
    report = report_of(lambda x: x[torch.arange(4) > 1] if torch.ones(1).sum() > 0 else x, torch.ones(4, 4))
    assert not any("of this run" in note for note in report.notes)


# --- nested tensors -------------------------------------------------------------------------------------------------


class Sequences(nn.Module):
    """Attention of two heads over sequences of 3 and 5 tokens with 16 features, without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.q, self.k, self.v, self.out = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(torch.nested.as_nested_tensor([x[0, :3], x[1]], layout=torch.jagged))
        q, k, v = (layer(x).unflatten(-1, [2, 8]).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2)
        return torch.nested.to_padded_tensor(self.out(y), 0.0)


def test_attention_over_jagged_sequences() -> None:
    """Four layers for 8 rows; scores and sums over 3 * 3 and 5 * 5 pairs, not over the 8 * 8 of all rows."""
    report = inspect_model(Sequences(), (2, 5, 16))
    macs = 4 * 8 * 16 * 16 + 2 * 16 * (3 * 3 + 5 * 5)
    assert found(report) == (2 * 16 + 4 * (16 * 16 + 16), macs, Status.EXACT)
    last = report.rows[-1]
    assert (last.output_shape.value, last.output_shape.verdict.value) == (((2, 5, 16),), "match")
    assert (last.receptive_field.status, "nested" in str(last.receptive_field.why[0])) == (Status.UNKNOWN, True)


def test_rows_of_jagged_sequences_see_themselves() -> None:
    """On the CPU the offsets are known, and rows are followed into the padded tensor."""

    def model(x: Tensor) -> Tensor:
        rows = torch.nested.as_nested_tensor([x[0, :, :2].T, x[0].T], layout=torch.jagged)
        return torch.nested.to_padded_tensor(rows * 2, 0.0)[1].T[None]

    field = inspect_model(model, (1, 3, 6), device="cpu").rows[0].receptive_field
    assert (field.size, field.status) == ((1,), Status.EXACT)


def test_strided_nested_tensors_have_macs_and_no_shapes() -> None:
    """Rows of 3 and 5 tokens times 8 x 4; a product of them with their transposes."""
    layer = nn.Linear(8, 4)

    def model(x: Tensor) -> Tensor:
        y = layer(torch.nested.as_nested_tensor([x[0, :3], x[1]]))
        return torch.nested.to_padded_tensor(torch.matmul(y, y.transpose(1, 2)), 0.0)

    report = inspect_model(model, (2, 5, 8))
    macs = report.total("macs")
    assert (macs.value, macs.status) == (8 * 8 * 4 + (3 * 3 + 5 * 5) * 4, Status.EXACT)
    shape = report.rows[-1].output_shape
    assert (shape.value, shape.analytic) == (((2, 5, 5),), None)
    assert "differ in size" in str(shape.why[0])


def test_attention_that_needs_a_fast_path_says_so() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)

    def model(x: Tensor) -> Tensor:
        rows = torch.nested.as_nested_tensor([x[0, :3], x[1]])
        return torch.nested.to_padded_tensor(layer(rows, rows, rows, need_weights=False)[0], 0.0)

    with pytest.raises(RunError, match=r"fast path.*give the layer padded tensors"):
        inspect_model(model, (2, 5, 8))


class LastFour(nn.Module):
    """Attention of the last 4 of 6 tokens to all that came before, by torch's own class of masks."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.kept = causal_lower_right(4, 6) if kept else None

    def forward(self, x: Tensor) -> Tensor:
        mask = causal_lower_right(4, 6) if self.kept is None else self.kept
        return F.scaled_dot_product_attention(x[:, :, 2:], x, x, attn_mask=mask)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_tensor_with_functions_of_its_own_keeps_them(device: str) -> None:
    """2 products of 4 * 6 pairs * 8 features; row 0 of 4 sees tokens 0..2, the last all 6 (torch's documentation)."""
    report = inspect_model(LastFour(kept=True), (1, 1, 6, 8), device=device)
    (row,) = [row for row in report.rows if row.kind == "F.scaled_dot_product_attention"]
    assert (row.macs.value, row.macs.status) == (2 * 4 * 6 * 8, Status.EXACT)
    assert row.output_shape.value == ((1, 1, 4, 8),)
    assert row.receptive_field.size == (1, [3, 6])


def test_a_tensor_class_that_is_made_in_the_forward_says_what_to_do() -> None:
    with pytest.raises(RunError, match=r"subclass CausalBias .* make it in __init__ and keep it\.$"):
        inspect_model(LastFour(kept=False), (1, 1, 6, 8))


class Encoder(nn.Module):
    """torch's encoder, which makes nested tensors of padded sequences on a fast path that a run here does not take."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x, src_key_padding_mask=torch.zeros(2, 5, dtype=torch.bool, device=x.device))


def test_an_encoder_with_padding_counts_all_places() -> None:
    """10 places: projections 8 -> 24 and 8 -> 8, two layers 8 -> 16 -> 8; 5 * 5 pairs for each of two samples."""
    report = inspect_model(Encoder(), (2, 5, 8))
    macs = 10 * (8 * 24 + 8 * 8 + 2 * 8 * 16) + 2 * (2 * 5 * 5 * 8)
    assert (report.total("macs").value, report.total("macs").status) == (macs, Status.EXACT)


# --- sparse tensors -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_what_a_sparse_matrix_leaves_out_is_no_certain_field(layout: torch.layout) -> None:
    """A diagonal of 16: each position sees one; a rule for full matrices would say that it sees all."""
    diagonal = torch.eye(16).to_sparse(layout=layout)

    def model(x: Tensor) -> Tensor:
        return (diagonal @ (x * 2)[0].flatten(1).T).T.reshape(1, 2, 4, 4)

    report = inspect_model(model, (1, 2, 4, 4), probe=True)
    field = report.rows[0].receptive_field
    assert (field.status, field.verdict.value) == (Status.UNKNOWN, "unknown")
    assert "sparse" in str(field.why[0])
    assert report.total("macs").status is Status.UNKNOWN
    assert any("aten.mm" in note and "sparse" in note for note in report.notes)


def test_products_of_torch_sparse_are_named() -> None:
    diagonal = torch.eye(4).to_sparse()
    report = inspect_model(lambda x: torch.sparse.mm(diagonal, x), (4, 8))
    assert (report.total("macs").value, report.total("macs").status) == (None, Status.UNKNOWN)
    assert [entry.op for entry in report.uncounted] == ["aten._sparse_addmm"]


def test_a_sparse_embedding_is_an_embedding() -> None:
    """Only its gradient is sparse: 10 rows of 4."""
    report = inspect_model(nn.Embedding(10, 4, sparse=True), inputs=("2x3:int64",))
    assert found(report) == (10 * 4, 0, Status.EXACT)


class SparseWeights(nn.Module):
    def __init__(self, layout: torch.layout) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8).to_sparse(layout=layout))
        self.idle = nn.Parameter(torch.eye(3).to_sparse())

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight @ x.T + self.weight @ x.T).T


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_parameters_count_by_their_shape(layout: torch.layout) -> None:
    """8 * 8 and 3 * 3, as `numel` says, though 8 and 3 elements are stored; the first product reads the weight."""
    model = SparseWeights(layout)
    report = inspect_model(model, (4, 8))
    assert report.total("params").value == 8 * 8 + 3 * 3 == sum(part.numel() for part in model.parameters())
    assert [row.params.value for row in report.rows if row.params.value] == [64, 64]
    assert any("idle" in note and "not used" in note for note in report.notes)


# --- loops and branches of torch ------------------------------------------------------------------------------------


class Recurrence(nn.Module):
    """A linear layer at each of five steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)


class Scanned(Recurrence):
    def forward(self, x: Tensor) -> Tensor:
        def step(state: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
            new = torch.tanh(self.layer(state) + here)
            return new, new.clone()

        return scan(step, x.new_zeros(2, 8), x)[1]


class Looped(Recurrence):
    def forward(self, x: Tensor) -> Tensor:
        start = torch.tensor(0), x[0]
        return while_loop(lambda i, _: i < 5, lambda i, state: (i + 1, self.layer(state)), start)[1]


class Mapped(Recurrence):
    def forward(self, x: Tensor) -> Tensor:
        return torch_map(lambda here: self.layer(here), x)


@pytest.mark.parametrize("model", [Scanned, Looped, Mapped])
def test_the_layers_in_a_loop_of_torch_are_rows(model: type[Recurrence]) -> None:
    """Five steps of 2 x 8 x 8, on meta; the parameters count at the first."""
    report = inspect_model(model, (5, 2, 8))
    assert found(report) == (8 * 8 + 8, 5 * 2 * 8 * 8, Status.EXACT)
    steps = [row for row in report.rows if row.kind == "Linear"]
    assert [(row.path, row.call, row.params.value) for row in steps] == [
        ("layer", use, 72 if use == 0 else 0) for use in range(5)
    ]
    assert not any("never ran" in note for note in report.notes)


def test_what_a_scan_puts_out_is_followed() -> None:
    """Three steps of a convolution of 3: row t of the output sees 2 t + 1 columns; under vmap for each sample."""
    layer = nn.Conv1d(2, 2, 3, padding=1)

    def step(state: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        new = layer(state) + here
        return new, new.clone()

    report = inspect_model(lambda x: scan(step, x.new_zeros(1, 2, 8), x, dim=2)[1][:, :, 2], (1, 2, 3, 8), probe=True)
    field = report.rows[0].receptive_field
    assert (field.size, report.rows[0].receptive_field.status) == ((5,), Status.EXACT)
    assert "differ" not in {row.receptive_field.verdict.value for row in report.rows if row.receptive_field}
    assert not any(row.kind == "torch.empty" for row in report.rows)


def test_an_associative_scan_sees_the_past() -> None:
    """Sums of all columns up to each of eight: it sees 1 to 8 of them."""
    report = inspect_model(lambda x: associative_scan(torch.add, x, 3, combine_mode="generic"), (1, 2, 3, 8))
    assert (report.rows[0].receptive_field.size, report.total("macs").value) == ((1, [1, 8]), 0)


def test_a_loop_on_values_says_so() -> None:
    """It halves ones until their sum, 32 at first, is at most 5: three products of 4 x 4 matrices."""

    def halved(x: Tensor) -> Tensor:
        half = torch.eye(4, device=x.device) / 2
        return while_loop(lambda x: x.sum() > 5, lambda x: (x @ half,), (x,))[0]

    report = report_of(halved, torch.ones(8, 4))
    assert report.total("macs").value == 3 * 8 * 4 * 4
    assert any("of this run" in note and "Tensor.item" in note for note in report.notes)


class Chosen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: self.one(x).sum(1), lambda x: self.other(x).sum(1), (x,))


@pytest.mark.parametrize(("sign", "path", "size"), [(1, "one", 4), (-1, "other", 2)])
def test_the_branch_that_ran_is_a_row(sign: int, path: str, size: int) -> None:
    report = report_of(Chosen(), sign * torch.ones(3, 8))
    assert [(row.path, row.macs.value) for row in report.rows if row.kind == "Linear"] == [(path, 3 * 8 * size)]
    assert any("of this run" in note and "Tensor.item" in note for note in report.notes)


# --- function transforms --------------------------------------------------------------------------------------------


class Differentiated(nn.Module):
    """A linear layer from 8 to 4, and what `how` makes of it."""

    def __init__(self, how: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.how = nn.Linear(8, 4), how

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self.layer, x)


def ensemble(layer: nn.Module, x: Tensor) -> Tensor:
    """Three copies of the layer, with parameters of their own."""
    weights = {name: torch.stack([part] * 3) for name, part in layer.named_parameters()}
    return torch.vmap(lambda own: torch.func.functional_call(layer, own, (x,)))(weights)


def stacked(layer: nn.Module, x: Tensor) -> Tensor:
    """An ensemble of the layer and itself, by `stack_module_state`."""
    weights, buffers = torch.func.stack_module_state([layer, layer])  # type: ignore[list-item]
    return torch.vmap(lambda own, kept: torch.func.functional_call(layer, (own, kept), (x,)))(weights, buffers)


TRANSFORMS: dict[str, tuple[Callable[[nn.Module, Tensor], Tensor], int]] = {
    "functional_call": (lambda layer, x: torch.func.functional_call(layer, dict(layer.named_parameters()), (x,)), 64),
    "vmap": (lambda layer, x: torch.vmap(layer)(x), 64),
    "ensemble": (ensemble, 3 * 64),
    "stack_module_state": (stacked, 2 * 64),
    # The output, and its gradient times the weight.
    "grad": (lambda layer, x: torch.func.grad(lambda x: layer(x).pow(2).sum())(x), 64 + 64),
    "vjp": (lambda layer, x: torch.func.vjp(layer, x)[1](torch.ones(2, 4, device=x.device))[0], 64 + 64),
    # The output; the tangent times the weight, and the input times the weight's tangent, which is 0.
    "jvp": (lambda layer, x: torch.func.jvp(layer, (x,), (torch.ones_like(x),))[1], 64 + 64 + 64),
    # For each of two samples the output, and 8 tangents times the weight, and the input times 8 tangents that are 0.
    "jacfwd": (lambda layer, x: torch.vmap(torch.func.jacfwd(layer))(x), 2 * (32 + 8 * 32 + 32)),
    # For each of two samples the output, and a gradient for each of its four elements.
    "jacrev": (lambda layer, x: torch.vmap(torch.func.jacrev(layer))(x), 2 * (32 + 4 * 32)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_functions(name: str) -> None:
    how, macs = TRANSFORMS[name]
    report = inspect_model(Differentiated(how), (2, 8))
    assert found(report) == (8 * 4 + 4, macs, Status.EXACT)
    assert report.rows[0].output_shape.verdict.value == "match"


@pytest.mark.parametrize("name", ["functional_call", "vmap", "ensemble", "jvp"])
def test_transforms_agree_with_flop_counter_mode(name: str) -> None:
    model = Differentiated(TRANSFORMS[name][0])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(2, 8))
    assert counter.get_total_flops() == 2 * TRANSFORMS[name][1]


# --- complex numbers and Fourier transforms -------------------------------------------------------------------------


class Spectral(nn.Module):
    """A layer of a Fourier neural operator: products of 4 x 4 channels at 5 x 5 frequencies, and a convolution beside.

    Source: Li et al. 2021, "Fourier Neural Operator for Parametric Partial Differential Equations".
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 5, 5, dtype=torch.complex64))
        self.beside = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x)
        kept = torch.zeros_like(spectrum)
        kept[..., :5, :5] = torch.einsum("bixy,ioxy->boxy", spectrum[..., :5, :5], self.weight)
        return torch.fft.irfft2(kept, s=(16, 16)) + self.beside(x)


def test_a_fourier_neural_operator() -> None:
    """A product of complex numbers is one MAC; two real transforms of 4 maps of 256 points, 2.5 * 256 * 8 each."""
    report = inspect_model(Spectral(), (1, 4, 16, 16), accounts=[Operations()])
    assert found(report) == (400 + 20, 4 * 4 * 25 + 4 * 4 * 256, Status.LOWER_BOUND)
    assert report.total("element_operations").parts == {"transform": 2 * 4 * 5120, "elementwise": 4 * 256}
    assert {entry.op for entry in report.uncounted} == {"aten._fft_r2c", "aten._fft_c2r"}
    field = report.rows[0].receptive_field
    assert (field.cause is not None, field.status) == (True, Status.EXACT)


def rotated(x: Tensor) -> Tensor:
    """Rotary positions by complex factors. Source: Su et al. 2021, "RoFormer"."""
    angles = torch.outer(torch.arange(6.0, device=x.device), torch.ones(4, device=x.device))
    pairs = torch.view_as_complex(x.unflatten(-1, (4, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


COMPLEX: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...], int, tuple[int, ...]]] = {
    # Three real convolutions of 16 positions each: 8 channels of 4 x 3.
    "convolution": (nn.Conv1d(4, 8, 3, padding=1, dtype=torch.complex64), (1, 4, 16), 3 * 16 * 8 * 4 * 3, (3,)),
    # Two heads of six tokens, whose features are mixed: each head and token sees itself.
    "rotary": (lambda x: rotated(x @ torch.ones(8, 8, device=x.device)), (1, 2, 6, 8), 12 * 8 * 8, (1, 1)),
    "product": (lambda x: (x.cfloat() @ torch.ones(4, 6, device=x.device).cfloat()).real, (1, 3, 4), 72, (1,)),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_numbers(name: str) -> None:
    """A product of two is one MAC; a convolution runs as three real ones. The field is that of the real network."""
    model, shape, macs, size = COMPLEX[name]
    of_complex = isinstance(model, nn.Conv1d)
    report = inspect_model(model, inputs=("x".join(map(str, shape)) + ":complex64" * of_complex,))
    assert (report.total("macs").value, report.total("macs").status) == (macs, Status.EXACT)
    assert (report.rows[0].receptive_field.size, report.rows[0].receptive_field.status) == (size, Status.EXACT)


# --- state spaces ---------------------------------------------------------------------------------------------------


class StateSpace(nn.Module):
    """A selective scan of 8 channels with 4 states over 6 steps. Source: Gu & Dao 2023, "Mamba", algorithm 2."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.rand(8, 4))
        self.of_input = nn.Linear(8, 4 + 4 + 8)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decays and additions of every step, [1, T, 8, 4], and how the states are read, [1, T, 1, 4]."""
        write, read, step = self.of_input(x).split([4, 4, 8], -1)
        step = F.softplus(step)[..., None]
        return -step * self.decay.exp(), step * write[:, :, None] * x[..., None], read[:, :, None]


class InSteps(StateSpace):
    def forward(self, x: Tensor) -> Tensor:
        decay, added, read = self.parts(x)
        state, states = x.new_zeros(1, 8, 4), []
        for t in range(6):
            state = decay[:, t].exp() * state + added[:, t]
            states.append(state)
        return (torch.stack(states, 1) * read).sum(-1)


class Cumulative(StateSpace):
    def forward(self, x: Tensor) -> Tensor:
        decay, added, read = self.parts(x)
        whole = decay.cumsum(1)
        return (whole.exp() * (added * (-whole).exp()).cumsum(1) * read).sum(-1)


@pytest.mark.parametrize("model", [InSteps, Cumulative])
def test_a_token_of_a_state_space_sees_itself_and_the_past(model: type[StateSpace]) -> None:
    """The layer takes 6 * 8 * 16; the scan only adds and multiplies elements. Token t sees t + 1 tokens."""
    report = inspect_model(model, (1, 6, 8))
    assert found(report) == (32 + 8 * 16 + 16, 6 * 8 * 16, Status.EXACT)
    field = report.rows[0].receptive_field
    assert (field.size, field.status) == (([1, 6],), Status.EXACT)


def long_convolution(x: Tensor) -> Tensor:
    """A convolution as long as the sequence, by transforms of twice its length. Source: Gu et al. 2022, "S4"."""
    kernel = torch.linspace(1, 0, 16, device=x.device)
    return torch.fft.irfft(torch.fft.rfft(x, n=32) * torch.fft.rfft(kernel, n=32), n=32)[..., :16]


def test_a_convolution_by_transforms_sees_all_of_the_transform() -> None:
    """9 transforms of 32 real points, 2.5 * 32 * 5 each: of 4 rows there and back, and of the kernel."""
    report = inspect_model(long_convolution, (1, 4, 16), accounts=[Operations()])
    assert report.total("element_operations").parts["transform"] == 9 * 400
    assert report.total("macs").status is Status.UNKNOWN
    field = report.rows[0].receptive_field
    assert (field.size, field.cause is not None, field.status) == (None, True, Status.EXACT)


# --- gathered and scattered -----------------------------------------------------------------------------------------


class SparseConvolution(nn.Module):
    """A kernel of 3 over 10 places that are listed: 9 + 10 + 9 pairs, 4 features to 8. Source: Graham et al. 2018."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, 8))
        places = torch.arange(10)
        self.pairs = [(places[:-1], places[1:]), (places, places), (places[1:], places[:-1])]

    def forward(self, x: Tensor) -> Tensor:
        out = x.new_zeros(10, 8)
        for weight, (source, target) in zip(self.weight, self.pairs, strict=True):
            out = out.index_add(0, target.to(x.device), x.index_select(0, source.to(x.device)) @ weight)
        return out


def test_a_sparse_convolution() -> None:
    report = inspect_model(SparseConvolution, (10, 4))
    assert found(report) == (3 * 4 * 8, (9 + 10 + 9) * 4 * 8, Status.EXACT)


def passed(x: Tensor, edges: Tensor) -> Tensor:
    """Messages of the neighbours, and the largest of them."""
    h = x @ torch.ones(8, 4, device=x.device)
    index = edges[1][:, None].expand(-1, 4)
    summed = torch.zeros_like(h).scatter_add(0, index, h[edges[0]])
    return summed + torch.zeros_like(h).scatter_reduce(0, index, h[edges[0]], "amax")


def test_a_graph_network() -> None:
    """Five nodes from 8 features to 4; messages along the 7 edges, which are an input, only add and compare."""
    report = inspect_model(passed, inputs=("5x8", "2x7:int64"))
    assert (report.run["device"], report.total("macs").value) == ("meta", 5 * 8 * 4)
    assert report.total("macs").status is Status.EXACT


class Transformer(nn.Module):
    """A spatial transformer, whose grid depends on the input. Source: Jaderberg et al. 2015."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2 * 8 * 8, 6)

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(self.layer(x.flatten(1)).view(1, 2, 3), x.shape, align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


def test_a_spatial_transformer_reads_where_its_data_say() -> None:
    """128 * 6 of the layer, 64 positions of two products of 3; the op that reads by data is named."""
    report = inspect_model(Transformer, (1, 2, 8, 8))
    assert (report.total("macs").value, report.total("macs").status) == (128 * 6 + 64 * 2 * 3, Status.EXACT)
    field = report.rows[0].receptive_field
    assert (field.status, "aten.grid_sampler_2d" in str(field.why[0])) == (Status.UNKNOWN, True)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_with_a_block_mask() -> None:
    """Two heads, 16 tokens with 8 features: all pairs count, those that the mask hides too, as in fused attention."""

    def causal(x: Tensor) -> Tensor:
        mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, 16, 16, device=x.device)
        return flex_attention(x, x, x, block_mask=mask)

    report = inspect_model(causal, (1, 2, 16, 8))
    assert (report.total("macs").value, report.total("macs").status) == (2 * 2 * 16 * 16 * 8, Status.EXACT)
