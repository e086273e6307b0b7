"""Gradients that the model's own code has a hand in: switched off, repeated, written anew, under a transform."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cnninspect.inspection.accounts.training import Backward, Memory
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


class Distances(nn.Module):
    """Distances of the rows of the input to 40 points; from 26 points on torch takes a matrix product."""

    def __init__(self):
        super().__init__()
        self.points = nn.Parameter(torch.ones(40, 6))

    def forward(self, x):
        return torch.cdist(x, self.points)


def test_gradients_of_distances_are_measured_only():
    """torch works out those of both sets of points, 30 * 40 * 6 each, though nobody wants the input's."""
    total = inspected(Distances(), Backward(), shape=(30, 6)).total("backward_macs")
    assert total.measured == {"torch": 2 * 30 * 40 * 6}
    assert (total.value, total.status, total.verdict) == (2 * 30 * 40 * 6, Status.LOWER_BOUND, Verdict.UNKNOWN)


def test_gradients_that_the_model_works_out_itself_are_measured_only():
    """Own multiplies for both factors, though nobody wants the input's gradient: no formula could know."""
    report = inspected(WithOwn(), Backward(), shape=(5, 4))
    total = report.total("backward_macs")
    assert (total.value, total.status, total.verdict) == (2 * LINEAR + 2 * LINEAR, Status.LOWER_BOUND, Verdict.UNKNOWN)
    assert "OwnBackward computes gradients in its own code: no formula covers it." in report.notes


def _data_of_another(first, second, x):
    y = first(x)
    y.data = second(y)
    return y.add_(1)


def _other_keeps_its_gradient(first, second, x):
    y, z = first(x), second(x)
    y.data = z
    return y.mul_(2), z + 1


def _written_through_detach(first, second, x):
    y = first(x)
    y.detach().copy_(second(y))
    return y


def _written_through_data(first, second, x):
    written = first(x).view(4, 5).data
    written.add_(second(x).view(4, 5))
    return written


class Written(Layers):
    """Both layers, with elements written outside autograd's graph."""

    def __init__(self, forward):
        super().__init__()
        self.written = forward

    def forward(self, x):
        return self.written(self.first, self.second, x)


@pytest.mark.parametrize(
    ("written", "first", "second"),
    [
        # torch.Tensor.detach: outside the graph. y keeps the op that made it, whatever its elements are.
        pytest.param(_data_of_another, LINEAR, 0, id="y.data = z"),
        pytest.param(_other_keeps_its_gradient, LINEAR, LINEAR, id="z goes on"),
        pytest.param(_written_through_detach, LINEAR, 0, id="into y.detach()"),
        pytest.param(_written_through_data, 0, LINEAR, id="y.data goes on"),
    ],
)
def test_elements_written_outside_the_graph_have_the_gradients_of_the_graph(written, first, second):
    report = inspected(Written(written), Backward(), shape=(5, 4))
    found = {row.path: row.extra["backward_macs"] for row in report.rows if row.path in ("first", "second")}
    assert {path: (one.value, one.verdict) for path, one in found.items()} == {
        "first": (first, Verdict.MATCH),
        "second": (second, Verdict.MATCH),
    }
    assert report.total("backward_macs").measured == {"torch": first + second}


class Shared(nn.Module):
    """Two linear layers without bias whose weights are one storage: 4x8, and its transposed view."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 4, bias=False), nn.Linear(4, 8, bias=False)
        self.second.weight = nn.Parameter(self.first.weight.t())

    def forward(self, x):
        return self.second(self.first(x))


class Repeated(nn.Module):
    """A parameter that repeats a row of 6 elements 5 times."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 6).expand(5, 6))

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight)


class UsedTwice(nn.Module):
    """One op that takes the same vector twice."""

    def __init__(self):
        super().__init__()
        self.v = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x * torch.vdot(self.v, self.v)


@pytest.mark.parametrize(
    ("model", "shape", "nbytes"),
    [
        # autograd: a gradient has the shape of its leaf, whatever leaves share.
        pytest.param(Shared, (2, 8), 2 * 4 * 8 * 4, id="shared"),
        pytest.param(Repeated, (2, 6), 5 * 6 * 4, id="repeated"),
        pytest.param(UsedTwice, (2, 3), 3 * 4, id="used twice"),
    ],
)
def test_every_parameter_has_a_gradient_of_its_own_shape(model, shape, nbytes):
    total = inspected(model(), Memory("sgd"), shape=shape).total("gradient_bytes")
    assert (total.value, total.measured["backward"], total.verdict) == (nbytes, nbytes, Verdict.MATCH)


class InAList(nn.Module):
    """A convolution that is not registered: 4 to 2 channels, 1x1, on 8x8."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Conv2d(4, 2, 1), nn.Linear(8, 3, bias=False)]

    def forward(self, x):
        return self.layers[1].to(x.device)(self.layers[0].to(x.device)(x))


class AsksForOne(nn.Module):
    """A linear layer, 4 to 4, on a copy of its own output that wants a gradient."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        with torch.no_grad():
            y = self.layer(x)
        return self.layer(y.detach().clone().requires_grad_())


@pytest.mark.parametrize(
    ("model", "shape", "inputs", "weights"),
    [
        # Weights of both; the input of the linear layer, 2 * 8 rows of 8, takes 2 * 8 * 8 * 3.
        pytest.param(InAList, (1, 4, 8, 8), 2 * 8 * 8 * 3, 64 * 4 * 2 + 2 * 8 * 8 * 3, id="not registered"),
        pytest.param(AsksForOne, (5, 4), 5 * 4 * 4, 5 * 4 * 4, id="requires_grad_"),
    ],
)
def test_leaves_that_are_no_parameters_of_the_model_have_gradients(model, shape, inputs, weights):
    total = inspected(model(), Backward(), shape=shape).total("backward_macs")
    assert total.parts == {"inputs": inputs, "weights": weights}
    assert total.verdict is Verdict.MATCH
