"""Gradients that the model's own code has a hand in: switched off, repeated, written anew, under a transform."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cnninspect.inspection.accounts.training import Backward
from cnninspect.report.quantities import Status, Verdict
from tests.accounts.inspections import inspected

LINEAR = 5 * 4 * 4
"""A linear layer from 4 to 4 features on 5 rows."""


class Own(torch.autograd.Function):
    """A product with a gradient written by hand, which is worked out for both factors, needed or not."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        return gradient @ weight.t(), x.t() @ gradient


class Layers(nn.Module):
    """Two linear layers; subclasses call them in their own way."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Linear(4, 4, bias=False) for _ in range(2))


class SwitchedOff(Layers):
    def forward(self, x):
        with torch.no_grad():
            x = self.first(x)
        return self.second(x)


class Checkpointed(Layers):
    def forward(self, x):
        return checkpoint(lambda y: self.second(self.first(y)), x, use_reentrant=False)


class PerSample(Layers):
    def forward(self, x):
        return torch.vmap(self.second)(torch.vmap(self.first)(x))


class Differentiated(Layers):
    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.second(self.first(x)).sum(), x)[0]


class Scripted(Layers):
    def __init__(self):
        super().__init__()
        self.both = torch.jit.script(nn.Sequential(self.first, self.second))

    def forward(self, x):
        return self.both(x)


class WithOwn(Layers):
    def forward(self, x):
        return self.second(Own.apply(x, self.first.weight))


BOTH = 2 * LINEAR + LINEAR
"""Both weights, and what goes in to the second layer."""

CASES = {
    "no gradient where it is switched off": (SwitchedOff, LINEAR, Verdict.MATCH),
    "one sample at a time": (PerSample, BOTH, Verdict.MATCH),
    # What autograd.grad returns has no gradient of its own.
    "gradients as output": (Differentiated, 0, Verdict.MATCH),
    "a scripted module, whose layers no call tells apart": (Scripted, BOTH, Verdict.MATCH),
    # The first layer runs again in the backward pass; that is no gradient.
    "checkpoints": (Checkpointed, BOTH, Verdict.NOT_COUNTED),
}


@pytest.mark.parametrize("case", CASES)
def test_the_formula_knows_what_the_backward_pass_does(case):
    model, expected, verdict = CASES[case]
    total = inspected(model(), Backward(), shape=(5, 4)).total("backward_macs")
    assert (total.value, total.status, total.verdict) == (expected, Status.EXACT, verdict)


def test_work_that_checkpoints_repeat_is_named():
    total = inspected(Checkpointed(), Backward(), shape=(5, 4)).total("backward_macs")
    assert total.measured == {"torch": BOTH + LINEAR}
    assert total.reasons == {"torch": "torch counts forward work that checkpoints repeat"}


def test_gradients_that_the_model_works_out_itself_are_measured_only():
    """Own multiplies for both factors, though nobody wants the input's gradient: no formula could know."""
    report = inspected(WithOwn(), Backward(), shape=(5, 4))
    total = report.total("backward_macs")
    assert (total.value, total.status, total.verdict) == (2 * LINEAR + 2 * LINEAR, Status.LOWER_BOUND, Verdict.UNKNOWN)
    assert "OwnBackward computes gradients in its own code: no formula covers it." in report.notes
