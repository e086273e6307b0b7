"""What a report says beside its numbers."""

import pytest
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.checks.budgets import check_budgets, parse_budget
from cnninspect.report.quantities import Verdict


def test_a_call_of_the_model_s_own_forward_has_a_name_in_notes():
    report = inspect_model(lambda x: F.adaptive_avg_pool2d(x, 1), input_shape=(1, 3, 8, 8), probe=True)
    assert "fvcore counts average pooling: 1 row (the root)." in report.notes


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_peak_that_a_kernel_would_not_have_is_said_to_be_one_of_meta(device):
    """On the CPU a recurrent layer is one kernel; meta runs it op by op, with other tensors alive in between."""
    report = inspect_model(nn.GRU(8, 8), input_shape=(5, 2, 8), device=device)
    assert any(
        note.startswith("peak memory of lstm is that of the decomposed run on meta") for note in report.notes
    ) == (device == "meta")
    (check,) = check_budgets(report, [parse_budget("max_peak_memory", "1GB")])
    assert check.verdict is (Verdict.UNKNOWN if device == "meta" else Verdict.MATCH)
