"""fvcore's counter: its total is fvcore's own, each count stands in the right row, and nothing stays behind."""

from __future__ import annotations

import logging

import pytest
import torch
import torch.nn.functional as F
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.measure.base import Run, Skip
from cnninspect.measure.fvcore_flops import fvcore_macs
from cnninspect.report.quantities import Verdict
from tests.measure.models import built, families, meta_run, run_of


def counted(model, *args, **kwargs):
    """What fvcore finds at every (path, kind, number), 0 left out."""
    run = run_of(model, *args, **kwargs)
    counts = fvcore_macs(run)
    return {
        (call.path, call.kind, call.number): counts[call.index].value
        for call in run.trace.calls
        if counts[call.index].value != 0
    }


@pytest.mark.parametrize("family", families())
def test_the_sum_is_what_fvcore_says_on_its_own(family):
    """Oracle: FlopCountAnalysis(model, x).total(); a model that returns a dict is beyond it without a wrapper."""
    model, x = built(family, "cpu")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    wrapped = Output(model) if family == "segmentation" else model
    direct = FlopCountAnalysis(wrapped, x).tracer_warnings("none").total()
    run = Run(meta_run(family).trace, model, (x,), {}, "cpu")
    assert sum(count.value or 0 for count in fvcore_macs(run)) == direct > 0


class Output(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["out"]


class Reused(nn.Module):
    """One convolution used three times, once through its forward, with functional calls between."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, bias=False)
        self.weight = nn.Parameter(torch.rand(3, 3, 1, 1))

    def forward(self, x):
        x = F.conv2d(self.conv(x), self.weight)
        x = F.conv2d(self.conv.forward(x), self.weight)
        return self.conv(x)


def test_each_use_of_a_module_and_each_functional_call_gets_its_own_count():
    """Hand arithmetic: 3x3 taps and 1x1 taps of 3x3 channels on maps of 8x8, 6x6 and 4x4."""
    assert counted(Reused(), torch.rand(1, 3, 10, 10)) == {
        ("conv", "Conv2d", 0): 3 * 3 * 9 * 8 * 8,
        ("", "F.conv2d", 0): 3 * 3 * 8 * 8,
        ("conv", "Conv2d", 1): 3 * 3 * 9 * 6 * 6,
        ("", "F.conv2d", 1): 3 * 3 * 6 * 6,
        ("conv", "Conv2d", 2): 3 * 3 * 9 * 4 * 4,
    }


class Sizes(nn.Module):
    """Arithmetic on sizes, which the tracer sees as tensors, among arithmetic on data."""

    def forward(self, x):
        n, c, h, w = x.shape
        x = x * 2
        return x.reshape(n, c, h * w).matmul(x.reshape(n, c, h * w).transpose(1, 2)) * c


def test_arithmetic_on_sizes_does_not_shift_the_rows():
    """Hand arithmetic: [1, 3, 16] @ [1, 16, 3] is 3 * 16 * 3 MACs."""
    assert counted(Sizes(), torch.rand(1, 3, 4, 4)) == {("", "Tensor.matmul", 0): 3 * 16 * 3}


class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, batch, *, scale, double=False):
        y = self.linear(batch["x"]) @ scale
        return {"y": y + y if double else y}


def test_dictionaries_and_keyword_arguments():
    """Hand arithmetic: 2 rows of 4 to 5 features, then [2, 5] @ [5, 6]."""
    found = counted(Keyword(), {"x": torch.rand(2, 4)}, scale=torch.rand(5, 6), double=True)
    assert found == {("linear", "Linear", 0): 2 * 4 * 5, ("", "Tensor.matmul", 0): 2 * 5 * 6}


def test_a_function_with_tensors_of_its_own_that_require_gradients():
    """Hand arithmetic: 3 -> 4 channels, 3x3 taps, on a 6x6 map."""
    weight = torch.rand(4, 3, 3, 3, requires_grad=True)

    def net(x):
        return F.relu(F.conv2d(x, weight))

    assert counted(net, torch.rand(1, 3, 8, 8)) == {("", "F.conv2d", 0): 3 * 4 * 9 * 6 * 6}
    assert weight.requires_grad


def test_what_fvcore_has_no_formula_for_is_named():
    run = run_of(nn.Sequential(nn.LSTM(4, 8)), torch.rand(5, 1, 4))
    assert fvcore_macs(run)[1].skips == (Skip("aten.lstm"),)


class Multiplied(torch.autograd.Function):
    """A convolution with a gradient of its own, of which the tracer makes one node."""

    @staticmethod
    def forward(_, x, weight):
        return F.conv2d(x, weight)


def test_what_a_function_with_its_own_gradient_does_is_not_counted():
    weight = torch.rand(4, 3, 3, 3)
    run = run_of(lambda x: F.linear(Multiplied.apply(x, weight), torch.ones(2, 6)), torch.rand(1, 3, 8, 8))
    function = Skip("prim.PythonOp")
    assert {call.kind: function in fvcore_macs(run)[call.index].skips for call in run.trace.calls[1:]} == {
        "F.conv2d": True,
        "torch.ones": True,  # It has no node either, and nothing to count.
        "F.linear": False,
    }


def test_a_failure_of_the_tracer_is_a_reason_and_no_number():
    """fvcore's formula for matmul looks for two dimensions in the second operand; here it is a vector."""
    run = run_of(lambda x: x @ torch.ones(4), torch.rand(3, 4))
    counts = fvcore_macs(run)
    assert {count.value for count in counts} == {None}
    assert all(count.skips[0].reason.startswith("tracing failed: IndexError") for count in counts)


class Fails(nn.Module):
    """Fails under the tracer only, deep inside."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))

    def forward(self, x):
        x = self.inner(x)
        if torch.jit.is_tracing():
            raise RuntimeError("not under the tracer")
        return x


def marks_on(model):
    """Everything that a tool could leave on the modules of a model."""
    return [(dict(m.__dict__), dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in model.modules()]


@pytest.mark.parametrize(("cls", "shape"), [(Reused, (1, 3, 10, 10)), (Fails, (2, 4))], ids=["runs", "raises"])
def test_the_model_is_left_as_it_was(cls, shape):
    model = cls().train()
    run = run_of(model, torch.rand(shape))
    before, random = marks_on(model), torch.get_rng_state()
    fvcore_macs(run)
    assert marks_on(model) == before
    assert torch.equal(torch.get_rng_state(), random)


def test_nothing_is_printed(capfd, recwarn):
    model, x = built("mobilenet", "cpu")
    fvcore_macs(run_of(model, x))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


class Dotted(nn.Module):
    """A product of two vectors, which fvcore has no formula for and torch.jit gives to the network around it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.dot(x, self.weight)


def test_an_op_that_fvcore_leaves_out_in_a_container_is_not_counted_there() -> None:
    # 5 products; fvcore says 0, and names aten::dot as unsupported.
    report = inspect_model(Dotted(), (5,), device="cpu", probe=True)
    macs = report.totals["macs"]
    assert (macs.analytic, macs.verdict) == (5, Verdict.NOT_COUNTED)
