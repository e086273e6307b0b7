"""What a report says beside its numbers."""

import pytest
import torch
import torch.nn.functional as F
from rich.cells import cell_len
from torch import nn
from torch.nn.utils import prune

from cnninspect import inspect_model
from cnninspect.checks import check_budgets, check_formulas, parse_budget, with_checks
from cnninspect.render import render
from cnninspect.render.layers import COLUMNS
from cnninspect.render.page import UNICODE, Cell, Screen, Sheet
from cnninspect.render.width import fitted
from cnninspect.report.document import formula_checks
from cnninspect.report.quantities import Verdict


def test_a_call_of_the_model_s_own_forward_has_a_name_in_notes():
    report = inspect_model(lambda x: F.adaptive_avg_pool2d(x, 1), input_shape=(1, 3, 8, 8), probe=True)
    assert "fvcore counts average pooling: 1 row (the root)." in report.notes


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_peak_that_a_kernel_would_not_have_is_said_to_be_one_of_meta(device):
    """On the CPU a recurrent layer is one kernel; meta runs it op by op, with other tensors alive in between."""
    report = inspect_model(nn.GRU(8, 8), input_shape=(5, 2, 8), device=device)
    note = "peak memory of the root is that of the decomposed run on meta; --device cpu measures the fused kernel."
    assert (note in report.notes) == (device == "meta")
    (check,) = check_budgets(report, [parse_budget("max_peak_memory", "1GB")])
    assert check.verdict is (Verdict.UNKNOWN if device == "meta" else Verdict.MATCH)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_what_a_mask_sets_to_0_is_said(device):
    """808 = 8*3*3*3 + 8 + 8*8*3*3 + 8; the mask takes the half of 8*3*3*3 = 216 weights."""

    def make():
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        prune.random_unstructured(net[0], "weight", 0.5)
        return net

    notes = inspect_model(make, (1, 3, 16, 16), device=device).notes
    (note,) = [note for note in notes if "masks" in note]
    assert note.startswith("108 of 808 parameters are 0 by masks of torch.nn.utils.prune (0.weight)")


class Transformed(nn.Module):
    """Fourier transforms, whose multiplications are the algorithm's choice, and a mask, which picks what data say."""

    def forward(self, x):
        spectrum = torch.fft.fft(torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2))
        return spectrum.real[x > 0]


def test_a_number_that_is_unknown_has_its_reason_once_with_its_rows():
    report = inspect_model(nn.Sequential(nn.Linear(4, 4), Transformed()), (3, 4), device="cpu")
    (macs,) = [note for note in report.notes if "aten._fft_c2c" in note]
    assert macs == (
        "MACs unknown in 2 rows (1): the rule of aten._fft_c2c does not cover this call: "
        "the number of multiplications depends on the algorithm."
    )
    (shape,) = [note for note in report.notes if note.startswith("output shape unknown")]
    assert shape.startswith(
        "output shape unknown in 1 row (1): the rule of aten.index does not cover this call: a mask"
    )
    transforms = [row for row in report.rows if row.kind == "torch.fft.fft"]
    for row, op in zip(transforms, ("_fft_r2c", "_fft_c2c", "_fft_c2c"), strict=True):
        (reason,) = row.macs.why
        assert reason.text.startswith(f"the rule of aten.{op} does not cover")
        assert row.flops.why == row.macs.why
    assert len(report.totals["macs"].why) == 2


def test_a_count_that_agrees_and_confirms_nothing_is_said_to_be_one():
    """torch's counter has no formula for look-ups in bags, in which per-sample weights would multiply."""
    report = inspect_model(nn.EmbeddingBag(10, 4), inputs="2x3:int64")
    assert report.rows[0].macs.verdict is Verdict.UNKNOWN
    assert list(report.notes) == [
        "MACs not confirmed in 1 row (the root): torch: weights in embedding_bag has no formula, "
        "so that its equal number confirms nothing."
    ]


def test_a_row_that_is_unknown_says_why_in_compare():
    checked = check_formulas(inspect_model(Transformed(), (3, 4)))
    unknown = [check for check in checked.checks if check.name == "macs" and check.verdict is Verdict.UNKNOWN]
    assert {check.row.kind for check in unknown} == {"torch.fft.fft"}
    assert all("depends on the algorithm" in check.hint for check in unknown)


class Idle(nn.Module):
    """Two layers, of which one never runs."""

    def __init__(self, idle):
        super().__init__()
        self.used, self.idle = nn.Linear(2, 2), idle

    def forward(self, x):
        return self.used(x)


@pytest.mark.parametrize(
    ("idle", "counted"), [(nn.Linear(2, 3), "; totals.params counts their parameters"), (nn.ReLU(), "")]
)
def test_what_never_ran_is_listed_and_counted(idle, counted):
    report = inspect_model(Idle(idle), (1, 2))
    assert f"1 module never ran: idle{counted}." in report.notes
    assert report.total("params").value == 6 + (9 if counted else 0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.Linear(8, 8), (2, 8)), (nn.LSTM(4, 4), (5, 2, 4))], ids=["linear", "lstm"]
)
def test_packed_weights_are_no_module_that_never_ran(layer, shape):
    def make():
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(layer), {type(layer)})

    assert not [note for note in inspect_model(make, shape).notes if "never ran" in note]


class Forces(nn.Module):
    """An energy and its gradient; it insists on an energy that has one, if asked to."""

    def __init__(self, insists):
        super().__init__()
        self.net, self.insists = nn.Linear(3, 1), insists

    def forward(self, x):
        energy = self.net(x).sum()
        if self.insists and not energy.requires_grad:
            raise RuntimeError("forces need an energy with gradients")
        return energy if self.insists else torch.autograd.grad(energy, self.net.weight)[0]


@pytest.mark.parametrize("insists", [True, False])
def test_a_run_with_gradients_on_is_said_to_be_one(insists):
    notes = inspect_model(Forces(insists), (5, 3)).notes
    assert [note for note in notes if note.startswith("run with gradients on, because the model takes gradients")]


def test_a_model_that_looks_for_gradients_and_goes_on_runs_without():
    class Looks(nn.Module):
        def forward(self, x):
            return x.sum() if x.requires_grad else x.mean()

    report = inspect_model(Looks(), (1, 3))
    assert not [note for note in report.notes if "gradients" in note]
    assert [row.kind for row in report.rows if row.functional] == ["Tensor.mean"]


class Spectrum(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.fft.fft2(self.conv(x)).real


def test_the_notes_of_a_field_study_are_about_fields():
    """A Fourier transform has no exact number of MACs: `summary` says so, `rf` has no MACs to speak of."""
    assert any("MACs unknown in 1 row" in note for note in inspect_model(Spectrum, (1, 3, 8, 8)).notes)
    assert not any("MACs" in note for note in inspect_model(Spectrum, (1, 3, 8, 8), command="rf").notes)


def test_the_reason_below_a_comparison_without_a_difference_fits_the_screen():
    report = with_checks(found := inspect_model(Spectrum, (1, 3, 8, 8)), formula_checks(found))
    lines = render(report, screen=Screen(60)).splitlines()
    assert any("number of multiplications" in line for line in lines)
    assert [line for line in lines if cell_len(line) > 60] == []


def test_an_account_that_was_asked_for_stays_longer_than_the_output():
    """1 + 5 + 10 + 15 and two gaps of 2 are 35 columns; with 30, one column goes."""
    headings = tuple(COLUMNS[name].heading for name in ("layer", "output_shape", "input_gradient_macs"))
    sheet = Sheet(headings, ((Cell("conv1"), Cell("64x112x112"), Cell("115,605,504")),))
    assert fitted(sheet, 30, UNICODE).left_out == ("output",)
