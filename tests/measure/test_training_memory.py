"""Memory of a training step: by hand on a small network, and against a tracker of storages on whole ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnninspect.measure.memory import TrainingMemory, training_memory
from tests.measure.models import built, meta_run, run_of
from tests.measure.storage_tracker import StorageTracker


def test_a_training_step_by_hand():
    """Rows of 5 through 4 -> 8, relu, 8 -> 2; every number is four bytes.

    Kept: relu saves its result, 5*8, and the output is 5*2. The fullest moment is when relu passes its gradient on: its
    result and the two gradients on its sides are there, the output and its gradient, and the gradients of the second
    layer's parameters, 2*8 + 2. At the end the four parameters have a gradient, 4*8 + 8 + 2*8 + 2.
    """
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    found = training_memory(run_of(net, torch.rand(5, 4)))
    assert found == TrainingMemory(
        kept=(40 + 10) * 4, peak=(3 * 40 + 2 * 10 + 18) * 4, gradients=58 * 4, gradients_of=4
    )


def tracked(model, x):
    """Oracle: a tracker of storages around a training step of its own."""
    model.zero_grad(set_to_none=True)
    with StorageTracker(x, *model.parameters(), *model.buffers()) as tracker:
        y = model(x)
        kept = tracker.now
        y.backward(torch.ones_like(y))
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad(set_to_none=True)
    return TrainingMemory(kept, tracker.peak, sum(gradient.nbytes for gradient in gradients), len(gradients))


@pytest.mark.parametrize("family", ["resnet", "swin", "vit", "mobilenet", "upsampling"])
def test_a_training_step_on_meta_is_what_a_tracker_sees(family):
    run = meta_run(family)
    assert training_memory(run) == tracked(run.model, *run.args)


def test_a_training_step_on_a_real_device_is_what_a_tracker_sees():
    model, x = built("upsampling", "cpu")
    assert training_memory(run_of(model, x)) == tracked(model, x)


class Table(nn.Module):
    """Adds the first rows of a table that is no part of the state, or no buffer at all."""

    def __init__(self, registered):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.register_buffer("kept", torch.rand(1000, 4), persistent=False)
        self.table = self.kept if registered else torch.rand(1000, 4)

    def forward(self, x):
        return self.fc(x) + self.table[:5]


@pytest.mark.parametrize("registered", [True, False], ids=["non-persistent buffer", "attribute"])
def test_what_is_there_before_is_no_activation(registered):
    """The sum alone is kept, [5, 4]; in the backward pass its gradient and the weight's join it."""
    found = training_memory(run_of(Table(registered), torch.rand(5, 4)))
    assert found == TrainingMemory(kept=20 * 4, peak=(20 + 20 + 16) * 4, gradients=16 * 4, gradients_of=1)
