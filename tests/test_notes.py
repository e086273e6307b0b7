"""What a report says beside its numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from cnninspect import inspect_model
from cnninspect.checks import check_formulas
from cnninspect.checks.budgets import check_budgets, parse_budget
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


def test_a_row_that_is_unknown_says_why_in_compare():
    checked = check_formulas(inspect_model(Transformed(), (3, 4)))
    unknown = [check for check in checked.checks if check.name == "macs" and check.verdict is Verdict.UNKNOWN]
    assert {check.row.kind for check in unknown} == {"torch.fft.fft"}
    assert all("depends on the algorithm" in check.hint for check in unknown)
