"""Gradients in the rows: by hand, against a real backward pass row by row, and where that cannot run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnninspect.inspection.accounts.training import Backward
from cnninspect.report.quantities import Verdict
from tests.accounts.inspections import column, inspected


class Net(nn.Module):
    """Two convolutions of 3 and 4 channels on an 8x8 map, and a linear layer on the means."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 1))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


FIRST, SECOND, HEAD = 4 * 64 * 3 * 9, 4 * 64 * 4, 2 * 4


def test_gradients_by_hand():
    """The first convolution's input needs none; every other product takes as much for each of its two factors."""
    report = inspected(Net(), Backward(), shape=(1, 3, 8, 8))
    assert column(report, "backward_macs") == {
        "(Net)": FIRST + 2 * SECOND + 2 * HEAD, "body": FIRST + 2 * SECOND, "body.0": FIRST, "body.1": 0,
        "body.2": 2 * SECOND, "Tensor.mean": 0, "head": 2 * HEAD,
    }  # fmt: skip
    total = report.total("backward_macs")
    assert total.parts == {"inputs": SECOND + HEAD, "weights": FIRST + SECOND + HEAD}
    assert total.verdict is Verdict.MATCH
    assert total.measured == {"torch": total.value}


def test_gradients_of_the_input_by_hand():
    """Only the first convolution reads the input: as many MACs as forward, for the gradient of what it reads."""
    report = inspected(Net(), Backward(of_inputs=True), shape=(1, 3, 8, 8))
    rows = column(report, "backward_macs")
    assert (rows["body.0"], rows["body.2"], rows["head"]) == (2 * FIRST, 2 * SECOND, 2 * HEAD)
    total = report.total("backward_macs")
    assert total.parts == {"inputs": FIRST + SECOND + HEAD, "weights": FIRST + SECOND + HEAD}
    assert (total.verdict, total.measured) == (Verdict.MATCH, {"torch": 2 * (FIRST + SECOND + HEAD)})
    assert "the backward pass computes the gradients of the inputs too." in report.notes


class Overwriting(nn.Module):
    """Writes into its input before a frozen layer reads it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 5).requires_grad_(False)

    def forward(self, x):
        return self.fc(nn.functional.relu_(x))


@pytest.mark.parametrize(("of_inputs", "macs"), [(False, 0), (True, 2 * 3 * 5)], ids=["frozen", "of-the-input"])
def test_a_frozen_layer_passes_gradients_on_to_the_input_alone(of_inputs, macs):
    total = inspected(Overwriting(), Backward(of_inputs), shape=(2, 3)).total("backward_macs")
    assert (total.value, total.verdict) == (macs, Verdict.MATCH)
    assert total.parts.get("weights", 0) == 0


@pytest.mark.parametrize("target", ["resnet32", "unet-small"])
def test_with_gradients_of_inputs_every_row_agrees_with_a_real_backward_pass(target):
    report = inspected(target, Backward(of_inputs=True))
    assert {row.extra["backward_macs"].verdict for row in report.rows if row.output_shape is not None} == {
        Verdict.MATCH
    }
    # No layer but the first reads the input, and every product is one of two factors that both want a gradient.
    assert report.total("backward_macs").value == 2 * report.total("macs").value


@pytest.mark.parametrize(
    "target", ["torchvision:resnet18", "torchvision:swin_t", "torchvision:densenet121", "unet-small"]
)
def test_every_row_agrees_with_a_real_backward_pass(target):
    report = inspected(target, Backward())
    assert {row.extra["backward_macs"].verdict for row in report.rows if row.output_shape is not None} == {
        Verdict.MATCH
    }
    assert report.total("backward_macs").value > report.total("macs").value


def test_rows_of_grouped_convolutions_say_why_torch_differs():
    """Hand arithmetic: 8 channels of 9 taps on a 2x2 map are 288 MACs; torch pairs all channels: 8 times as many."""
    report = inspected(nn.Conv2d(8, 8, 3, groups=8), Backward(), shape=(1, 8, 4, 4))
    (row,) = report.rows
    found = row.extra["backward_macs"]
    assert (found.value, found.measured) == (288, {"torch": 8 * 288})
    assert found.reasons == {"torch": "torch counts channel pairs across groups in weight gradients"}
    assert found.verdict is Verdict.NOT_COUNTED


class Broken(nn.Module):
    """Overwrites what its gradient needs."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = self.fc(x).exp()
        y.add_(1)
        return y


def test_a_backward_pass_that_fails_leaves_the_formula_unchecked_and_says_why():
    report = inspected(Broken(), Backward(), shape=(2, 4))
    assert report.total("backward_macs").verdict is Verdict.UNKNOWN
    assert report.total("backward_macs").value == 2 * 4 * 4
    (note,) = [note for note in report.notes if "backward" in note]
    assert note.startswith(
        "the backward pass failed: RuntimeError: one of the variables needed for gradient computation"
    )


def test_a_gradient_without_a_formula_is_a_lower_bound():
    weight = torch.rand(4, 4, requires_grad=True)

    def net(x):
        y = x @ weight
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(y, y, y)[0]

    report = inspected(net, Backward(), shape=(1, 2, 5, 4), device="cpu")
    assert report.total("backward_macs").status.value == "lower_bound"
