"""The analytic backward pass against FlopCounterMode over a real one, and what it leaves behind."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.measure.backward import ACROSS_GROUPS, CONVENTION, backward_macs
from cnninspect.measure.base import Count, explain
from cnninspect.ops.accounting import backward
from cnninspect.report.quantities import flops_from_macs
from cnninspect.trace.isolation import unfused
from cnninspect.trace.trees import leaves
from tests.measure.models import meta_run, run_of

GROUPED = ("mobilenet", "convnext", "upsampling")
PLAIN = (
    "alexnet", "vgg", "resnet", "densenet", "googlenet", "squeezenet", "swin", "video", "vit", "mixer", "encoder",
    "lstm",
)  # fmt: skip


def whole(counts):
    """What all calls have together."""
    by_op = sum((Counter(count.by_op) for count in counts), Counter())
    skips = tuple(skip for count in counts for skip in count.skips)
    return Count(sum(count.value or 0 for count in counts), skips, by_op)


def flop_counter_mode(run):
    """Oracle: FlopCounterMode over a backward pass of its own."""
    with unfused(), FlopCounterMode(display=False) as mode:
        ends = [tensor for tensor in leaves(run.model(*run.args), torch.Tensor) if tensor.requires_grad]
        forward = mode.get_total_flops()
        torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
    run.model.zero_grad(set_to_none=True)
    return mode.get_total_flops() - forward


@pytest.mark.parametrize("family", PLAIN)
def test_the_formula_agrees_with_flop_counter_mode(family):
    run = meta_run(family)
    analytic = [part.total for part in backward(run.trace)]
    assert flops_from_macs(sum(analytic)) == flop_counter_mode(run) > 0
    assert [count.value or 0 for count in backward_macs(run)] == analytic


@pytest.mark.parametrize("family", GROUPED)
def test_grouped_convolutions_are_the_only_difference(family):
    run = meta_run(family)
    found = backward_macs(run)
    assert flops_from_macs(whole(found).value) == flop_counter_mode(run)
    reasons = [
        explain("torch", count, part.total, convention=CONVENTION) if count.value != part.total else None
        for count, part in zip(found, backward(run.trace), strict=True)
    ]
    grouped = [any(number for op, number in count.by_op.items() if op == ACROSS_GROUPS) for count in found]
    words = "torch counts channel pairs across groups in weight gradients"
    assert reasons == [words if each else None for each in grouped]
    assert any(grouped)


def test_a_depthwise_convolution_by_hand():
    """3 channels of 9 taps on a 4x4 map: 432 MACs for the weight; torch pairs all 3x3 channels, three times as many."""
    (found,) = backward_macs(run_of(nn.Conv2d(3, 3, 3, groups=3), torch.rand(1, 3, 6, 6)))
    assert found.by_op == {"aten.convolution_backward": 432, "channel pairs across groups": 2 * 432}


def test_gradients_modes_and_buffers_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout()).train()
    model[0].weight.grad = kept = torch.ones(4, 3, 1, 1)
    run = run_of(model, torch.rand(2, 3, 4, 4), training=True)
    before, random = model[1].running_mean.clone(), torch.get_rng_state()
    backward_macs(run)
    assert model[0].weight.grad is kept
    assert torch.equal(kept, torch.ones(4, 3, 1, 1))
    assert model[0].bias.grad is None
    assert torch.equal(model[1].running_mean, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())


def test_a_function_leaves_no_gradient_on_its_tensors():
    weight = torch.rand(3, 4, requires_grad=True)
    found = backward_macs(run_of(lambda x: F.linear(x, weight), torch.rand(5, 4)))
    assert [count.value for count in found] == [0, 5 * 3 * 4]
    assert weight.grad is None


def test_a_run_without_gradients_counts_nothing():
    assert whole(backward_macs(run_of(F.relu, torch.rand(3)))).value == 0


class Shared(nn.Module):
    """One layer used twice and a product of activations: what each call passes on is its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        x = self.layer(self.layer(x))
        return x @ x.transpose(0, 1)


def test_each_call_of_a_shared_layer_has_its_own_gradients():
    """Hand arithmetic: 5*4*4 for the weight at each use, as much for the input of the second; [5,4] @ [4,5] has two."""
    run = run_of(Shared(), torch.rand(5, 4))
    found = {(c.kind, c.number): n.value for c, n in zip(run.trace.calls, backward_macs(run), strict=True)}
    assert found == {
        ("Shared", 0): 0, ("Linear", 0): 80, ("Linear", 1): 160, ("Tensor.transpose", 0): 0, ("Tensor.matmul", 0): 200,
    }  # fmt: skip
