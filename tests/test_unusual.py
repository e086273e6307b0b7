"""Networks that are built or fed in unusual ways: what they take must not be what a usual one would."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state
from torch.nn.attention.flex_attention import flex_attention

from cnninspect import inspect_model
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.report.quantities import Status, Verdict


class PerSample(nn.Module):
    """A convolution and a linear layer under torch.vmap: each sees one sample of three."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return torch.vmap(lambda one: self.head(self.conv(one).mean((1, 2))))(x)


class Ensemble(nn.Module):
    """Three linear layers whose weights are stacked, run as one."""

    def __init__(self):
        super().__init__()
        stacked, _ = stack_module_state([nn.Linear(6, 4) for _ in range(3)])
        self.stacked = nn.ParameterDict({name: nn.Parameter(values.detach()) for name, values in stacked.items()})
        self.base = [nn.Linear(6, 4, device="meta")]

    def forward(self, x):
        return torch.vmap(lambda state: functional_call(self.base[0], state, (x,)))(dict(self.stacked.items()))


class CopiedEnsemble(nn.Module):
    """Three linear layers run as one: a copy of the first, made in the forward, takes the weights of all."""

    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList([nn.Linear(6, 4) for _ in range(3)])

    def forward(self, x):
        state, _ = stack_module_state(list(self.members))
        base = copy.deepcopy(self.members[0])
        return torch.vmap(lambda one: functional_call(base, (one, {}), (x,)))(state)


class Times(nn.Module):
    """A product with a matrix, whose forward may be one of the instance's own."""

    def __init__(self, *, own=False):
        super().__init__()
        self.matrix = nn.Parameter(torch.rand(6, 4))
        if own:
            self.forward = self.multiplied

    def multiplied(self, x):
        return x @ self.matrix

    def forward(self, x):
        return self.multiplied(x)


class CopiedAndChanged(nn.Module):
    """A copy of a submodule, made in the forward, with a matrix of eight columns in place of four."""

    def __init__(self, copied, *, own=False):
        super().__init__()
        self.times, self.wide, self._copied = Times(own=own), nn.Parameter(torch.rand(6, 8)), copied

    def forward(self, x):
        other = self._copied(self.times)
        other._parameters = {"matrix": self.wide}
        return other(x)


class Filter(nn.Module):
    """A filter in the Fourier domain, kept as real numbers and read as complex ones, as in GFNet."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8, 5, 3, 2))

    def forward(self, x):
        return x * torch.view_as_complex(self.weight)


class FakeQuantised(nn.Linear):
    """A linear layer whose weight is rounded to eight bits and back."""

    def forward(self, x):
        return F.linear(x, torch.fake_quantize_per_tensor_affine(self.weight, 0.1, 0, -128, 127), self.bias)


class ComplexConv(nn.Module):
    """A convolution of complex numbers, which torch takes apart into three of real ones."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3, dtype=torch.complex64)

    def forward(self, x):
        return self.conv(torch.complex(x, x)).abs()


def hooked():
    """A linear layer whose input a hook multiplies by itself: [5, 6] @ [6, 5] @ [5, 6]."""
    model = nn.Linear(6, 4)
    model.register_forward_pre_hook(lambda _, inputs: (inputs[0] @ inputs[0].mT @ inputs[0],))
    return model


# (model, shape, parameters, MACs, neurons)
CASES = {
    "vmap": (PerSample, (3, 3, 8, 8), 4 * 27 + 4 + 4 * 2 + 2, 3 * (4 * 6 * 6 * 27 + 4 * 2), 3 * (4 * 6 * 6 + 4 + 2)),
    "stacked weights": (Ensemble, (5, 6), 3 * (6 * 4 + 4), 3 * 5 * 6 * 4, 3 * 5 * 4),
    "copy with stacked weights": (CopiedEnsemble, (5, 6), 3 * (6 * 4 + 4), 3 * 5 * 6 * 4, 3 * 5 * 4),
    # The parameter counts as the real numbers that it holds.
    "parameter read as complex": (Filter, (1, 8, 5, 3), 8 * 5 * 3 * 2, 0, 8 * 5 * 3),
    "fake quantised": (lambda: FakeQuantised(6, 4), (5, 6), 6 * 4 + 4, 5 * 6 * 4, None),
    "complex convolution": (ComplexConv, (1, 2, 8), 2 * 4 * 3 + 4, 3 * (4 * 6 * 2 * 3), None),
    "hook before a layer": (hooked, (5, 6), 6 * 4 + 4, 2 * 5 * 6 * 5 + 5 * 6 * 4, None),
    "no feature": (lambda: nn.Linear(0, 3), (2, 0), 3, 0, 2 * 3),
    "observer that has seen nothing": (
        # MinMaxObserver of the weight starts with empty minima and maxima of each channel.
        lambda: torch.ao.nn.qat.Linear(6, 4, qconfig=torch.ao.quantization.get_default_qat_qconfig()),
        (5, 6),
        6 * 4 + 4,
        5 * 6 * 4,
        None,
    ),
    "no sample": (lambda: nn.Conv2d(3, 4, 3), (0, 3, 8, 8), 4 * 27 + 4, 0, 0),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_runs_its_own_forward(copied, own):
    if own and copied is copy.copy:
        pytest.skip("Python's own shallow copy keeps the method of the first instance")
    report = inspect_model(CopiedAndChanged(copied, own=own), (5, 6))
    assert report.rows[0].output_shape.value == ((5, 8),)
    assert (report.total("macs").value, report.verdict) == (5 * 6 * 8, Verdict.MATCH)


@pytest.mark.parametrize("case", CASES)
def test_counts_by_hand(case):
    model, shape, params, macs, neurons = CASES[case]
    report = inspect_model(model(), inputs_from=lambda: (torch.rand(shape),))
    assert report.total("params").value == params == sum(row.params.value for row in report.rows if row.leaf)
    assert (report.total("macs").value, report.total("macs").status) == (macs, Status.EXACT)
    assert neurons in (None, report.total("neurons").value)
    assert report.verdict.value == "match", [(row.label, row.verdict) for row in report.rows]
    assert not any("not used" in note for note in report.notes)


def test_a_compiled_model_is_counted_as_it_is_written(recwarn):
    """Compiling it for real would take a minute, trace this tool's own hooks, and warn about them."""
    model = torch.compile(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)))
    report = inspect_model(model, (1, 3, 8, 8), accounts=[Backward(), Memory()])
    rows = {row.kind: row.macs.value for row in report.rows}
    assert (rows["Conv2d"], rows["Linear"]) == (4 * 6 * 6 * 27, 144 * 2)
    assert report.total("backward_macs").value == 4 * 6 * 6 * 27 + 2 * 144 * 2
    assert not [warning for warning in recwarn if "ynamo" in str(warning.message)]


class Graph(nn.Module):
    """A graph convolution: a sparse adjacency times the features of each node."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)
        edges = torch.tensor([[0, 1, 2], [2, 0, 1]])
        self.register_buffer("adjacency", torch.sparse_coo_tensor(edges, torch.ones(3), (5, 5), check_invariants=True))

    def forward(self, x):
        return self.adjacency @ self.fc(x)


def test_a_product_with_a_sparse_matrix_is_unknown_though_torch_counts_it_as_dense():
    """The linear layer takes 5 * 6 * 4; torch adds 5 * 5 * 4, of which three entries a column are needed."""
    report = inspect_model(Graph(), (5, 6), device="cpu")
    macs = report.total("macs")
    assert (macs.value, macs.status) == (5 * 6 * 4, Status.LOWER_BOUND)
    assert macs.measured["torch"] == 5 * 6 * 4 + 5 * 5 * 4


def test_what_is_written_into_a_tensor_is_known_where_it_comes_out():
    def half(x):
        y = torch.zeros_like(x)
        y[:, 1] = x[:, 0]
        return y

    report = inspect_model(half, (2, 3))
    assert report.rows[0].output_shape.analytic == ((2, 3),)


class StateOnCpu(nn.Module):
    """Makes the first state of its recurrence on the CPU, as a program written by torch.export does."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 3)

    def forward(self, x):
        return self.gru(x, torch.zeros(1, x.shape[1], 3, device="cpu"))[0]


def test_a_state_on_another_device_than_meta_needs_the_cpu():
    """Five steps of four sequences, three gates of 3 * (2 + 3)."""
    report = inspect_model(StateOnCpu(), (5, 4, 2))
    assert (report.run["device"], report.total("macs").value) == ("cpu", 5 * 4 * 3 * 3 * (2 + 3))


def test_a_constant_is_known_and_no_layer():
    report = inspect_model(lambda x: x + torch.tensor([[1.0], [2.0]], device=x.device), (2, 3))
    constant, total = report.rows[1:]
    assert (constant.kind, constant.output_shape.analytic, constant.layer_like) == ("torch.tensor", ((2, 1),), False)
    assert (total.output_shape.analytic, report.verdict.value) == (((2, 3),), "match")


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_is_the_products_of_attention():
    """Two heads of 8 queries and keys with 16 features: scores and weighted sum."""

    def attend(x):
        return flex_attention(x, x, x, score_mod=lambda score, *place: score * 2)

    report = inspect_model(attend, (1, 2, 8, 16))
    assert (report.total("macs").value, report.total("macs").status) == (2 * 2 * (8 * 8 * 16), Status.EXACT)


class Branches(nn.Module):
    """One of two layers, as the sum of the input decides."""

    def __init__(self):
        super().__init__()
        self.small, self.large = nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))

    def forward(self, x):
        return torch.cond(x.sum() > 0, self.large, self.small, (x,))


@pytest.mark.parametrize(("sign", "macs"), [(1, 5 * 4 * 8 + 5 * 8 * 2), (-1, 5 * 4 * 2)])
def test_cond_takes_the_branch_that_ran(sign, macs):
    report = inspect_model(Branches(), inputs_from=lambda: (sign * torch.ones(5, 4),))
    assert (report.run["device"], report.total("macs").value) == ("cpu", macs)


class AttentionPool(nn.Module):
    """CLIP's attention pool over 7x7 positions and their mean: its four projections are linear layers' weights."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1)
        self.position = nn.Parameter(torch.randn(7 * 7 + 1, 64))
        self.k, self.q, self.v = (nn.Linear(64, 64) for _ in range(3))
        self.out = nn.Linear(64, 32)

    def forward(self, x):
        x = self.conv(x).flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(0, keepdim=True), x]) + self.position[:, None]
        biases = torch.cat([self.q.bias, self.k.bias, self.v.bias])
        return F.multi_head_attention_forward(
            x, x, x, 64, 4, None, biases, None, None, False, 0.0, self.out.weight, self.out.bias,
            use_separate_proj_weight=True, training=False, need_weights=False,
            q_proj_weight=self.q.weight, k_proj_weight=self.k.weight, v_proj_weight=self.v.weight,
        )[0][0]  # fmt: skip


def test_attention_projects_to_another_number_of_features():
    report = inspect_model(AttentionPool(), (1, 3, 7, 7))
    attention = next(row for row in report.rows if row.kind == "F.multi_head_attention_forward")
    # 50 positions: three projections to 64 features and one to 32, and 50 * 50 pairs of 64 features twice.
    assert attention.macs.value == 50 * 64 * (3 * 64 + 32) + 2 * 50 * 50 * 64 == 1_036_800
    assert (attention.output_shape.value, attention.verdict) == (((50, 1, 32),), Verdict.MATCH)
    # The convolution, the table of positions, three linear layers and the last one.
    params = (64 * 3 * 9 + 64) + 50 * 64 + 3 * (64 * 64 + 64) + (64 * 32 + 32)
    assert report.totals["params"].value == params == 19_552


class Octave(nn.Conv2d):
    """Takes two maps, and uses the first half of its weights on one of them."""

    def forward(self, high, low=None):
        return F.conv2d(high, self.weight[:4], self.bias[:4])


class Modulated(nn.Conv2d):
    """Takes a style that scales its weights, and moves by two pixels whatever it declares."""

    def forward(self, x, style):
        return F.conv2d(x, self.weight * style, self.bias, 2, 1)


@pytest.mark.parametrize(
    ("layer", "second", "shape", "macs"),
    [
        # Four kernels of 3*3*3 at 6*6 positions; eight at 4*4.
        pytest.param(Octave(3, 8, 3), lambda x: None, (1, 4, 6, 6), 6 * 6 * 4 * 27, id="octave"),
        pytest.param(Modulated(3, 8, 3), lambda x: x.mean(), (1, 8, 4, 4), 4 * 4 * 8 * 27, id="modulated"),
    ],
)
def test_a_convolution_whose_forward_takes_more_is_counted_by_what_it_does(layer, second, shape, macs):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x, second(x))

    report = inspect_model(Net(), (1, 3, 8, 8))
    row = next(row for row in report.rows if row.path == "layer" and not row.functional)
    assert (row.output_shape.value, row.macs.value, row.verdict) == ((shape,), macs, Verdict.MATCH)
    assert ("2 parameters used only in part" in " ".join(report.notes)) is isinstance(layer, Octave)


class Policy(nn.Module):
    """Returns a distribution, which checks its arguments."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(10, 5)

    def forward(self, x):
        return torch.distributions.Normal(self.mean(x), 1.0)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_distribution_costs_what_makes_its_parameters(batch):
    macs = inspect_model(Policy(), (batch, 10)).totals["macs"]
    assert (macs.value, macs.status) == (batch * 10 * 5, Status.EXACT)
