"""Networks that a trace must not change, lose or count twice: shared storages, caught errors, threads, own gradients.

Numbers are hand arithmetic; it stands beside each.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnninspect
from cnninspect import inspect_model
from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.recorder import ForwardFailed, record

ROOT = Path(cnninspect.__file__).parent


def trace_of(model, *args, **kwargs):
    return record(model, args, kwargs, layer_of, device="cpu")


# -- parameters are elements of a storage ------------------------------------------------------------------------------


class FlatLstm(nn.Module):
    """All weights in one buffer, as cuDNN wants them."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 8)
        weights = list(self.rnn.parameters())
        flat, start = torch.cat([w.data.flatten() for w in weights]), 0
        for w in weights:
            w.data = flat[start : start + w.numel()].view_as(w)
            start += w.numel()

    def forward(self, x):
        return self.rnn(x)[0]


class Held(nn.Module):
    """Uses the parameters that `make` gives it, and those alone."""

    def __init__(self, *tensors, trainable=True):
        super().__init__()
        for index, tensor in enumerate(tensors):
            self.register_parameter(f"p{index}", nn.Parameter(tensor, requires_grad=trainable))

    def forward(self, x):
        return x + sum(p.float().sum() for p in self.parameters())


def columns():
    return Held(*torch.zeros(4, 6).split([2, 4], dim=1))


def transposed():
    weight = torch.zeros(4, 6)
    return Held(weight, weight.t())


def overlapping():
    flat = torch.zeros(10)
    return Held(flat[:6], flat[4:])


def of_two_dtypes():
    flat = torch.zeros(8)
    return Held(flat[:4], flat[4:].view(torch.float64))


SHARED = [
    # id, model, input, elements, bytes
    ("flat lstm", FlatLstm, (5, 2, 4), 4 * 8 * (4 + 8) + 2 * 4 * 8, (4 * 8 * (4 + 8) + 2 * 4 * 8) * 4),
    ("columns of one tensor", columns, (1, 4), 4 * 2 + 4 * 4, 24 * 4),
    ("a weight and its transpose", transposed, (1, 4), 4 * 6, 24 * 4),
    ("an expanded row", lambda: Held(torch.zeros(1, 8).expand(4, 8)), (1, 4), 8, 8 * 4),
    ("two dtypes side by side", of_two_dtypes, (1, 4), 4 + 2, 8 * 4),
]  # fmt: skip


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    ("make", "shape", "elements", "nbytes"), [case[1:] for case in SHARED], ids=[case[0] for case in SHARED]
)
def test_elements_of_a_storage_are_counted_once(make, shape, elements, nbytes, device):
    report = inspect_model(make(), shape, device=device)
    assert report.totals["params"].value == elements
    assert report.totals["trainable_params"].value == elements
    assert report.totals["params_bytes"].value == nbytes
    assert report.verdict.value == "match"


def test_what_two_parameters_share_is_walked_once():
    trace = trace_of(overlapping(), torch.rand(1, 4))
    # 6 elements, and of the second 6 those that the first does not hold.
    assert [state.fresh for state in trace.parameters.values()] == [6, 4]
    assert trace.unread == {}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize(
    "part",
    [
        lambda p, n: p[0].expand(n, -1, -1).reshape(n, 4, 8),
        lambda p, n: p[0].expand(n, -1, -1),
        lambda p, n: p[0].repeat(n, 1, 1),
        lambda p, n: p.chunk(2)[1][0].expand(n, -1, -1).contiguous(),
    ],
    ids=["reshape", "expand", "repeat", "contiguous"],
)
def test_half_of_a_parameter_over_a_batch_is_known_as_with_batch_1(part, batch):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.p, self.c = nn.Parameter(torch.randn(2, 4, 8)), nn.Linear(8, 8)

        def forward(self, x):
            return self.c(torch.cat((part(self.p, len(x)), x), 1))

    report = inspect_model(Half(), (batch, 4, 8))
    assert report.totals["params"].value == 2 * 4 * 8 + 8 * 8 + 8
    assert {row.params.value for row in report.rows if row.leaf and row.params is not None} == {0, 4 * 8, 8 * 8 + 8}


# -- what is the model's own business ----------------------------------------------------------------------------------


class OwnTrain(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3)

    def train(self, trainer=None, **_):
        raise RuntimeError("a training has started")

    def eval(self):
        raise RuntimeError("an evaluation has started")

    def forward(self, x):
        return self.c(x)


@pytest.mark.parametrize("training", [False, True])
def test_a_train_of_the_model_s_own_is_never_called(training):
    report = inspect_model(OwnTrain(), (1, 3, 8, 8), training=training)
    assert report.totals["macs"].value == 8 * 6 * 6 * 3 * 3**2


class Forces(nn.Module):
    def __init__(self, take):
        super().__init__()
        self.net, self.take = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1)), take

    def forward(self, pos):
        return self.take(self.net, pos)


def by_grad(net, pos):
    pos = pos.requires_grad_()
    return torch.autograd.grad(net(pos).sum(), pos)[0]


def by_backward(net, pos):
    pos = pos.clone().requires_grad_(True)
    net(pos).sum().backward()
    return pos.grad


def with_grad_on(net, pos):
    with torch.enable_grad():
        return by_grad(net, pos)


def by_function(net, pos):
    return torch.func.grad(lambda x: net(x).sum())(pos)


def of_second_order(net, pos):
    pos = pos.requires_grad_()
    force = torch.autograd.grad(net(pos).sum(), pos, create_graph=True)[0]
    return torch.autograd.grad(force.sum(), pos)[0]


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("take", [by_grad, by_backward, with_grad_on, by_function, of_second_order])
def test_models_that_take_gradients_in_their_forward_get_them(take, device):
    model = Forces(take)
    report = inspect_model(model, (5, 3), device=device)
    assert report.rows[0].output_shape.value == ((5, 3),)
    assert report.totals["macs"].value > 5 * (3 * 16 + 16)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_input_is_given_back_without_a_wish_for_gradients():
    x = torch.rand(5, 3)
    trace = trace_of(Forces(by_grad), x)
    assert (x.requires_grad, x.grad, trace.gradients) == (False, None, True)
    # Forward 5 * (3*16 + 16), backward the same through both layers to the positions.
    assert inspect_model(Forces(by_grad), (5, 3)).totals["macs"].value == 2 * 5 * (3 * 16 + 16)


# -- exceptions that the model catches ---------------------------------------------------------------------------------


class Fallback(nn.Module):
    def __init__(self):
        super().__init__()
        self.bad, self.good, self.last = nn.Linear(5, 5), nn.Linear(4, 4), nn.Linear(7, 7)

    def forward(self, x):
        try:
            return self.bad(x)
        except RuntimeError:
            return self.good(x)


class Late(Fallback):
    def forward(self, x):
        return self.last(super().forward(x))


class HalfWay(nn.Module):
    """The first layer of a block runs, the second fails; a function fails; a hook fails."""

    def __init__(self):
        super().__init__()
        self.block, self.good, self.hooked = nn.Sequential(nn.Linear(4, 3), nn.Linear(9, 9)), nn.Linear(4, 2), nn.ReLU()
        self.hooked.register_forward_pre_hook(self.refuse)

    def refuse(self, *_):
        raise ValueError("not today")

    def forward(self, x):
        for attempt in (self.block, self.hooked, lambda y: torch.cat([y, y[0]]), lambda y: nn.Linear(5, 5)(y)):
            try:
                return attempt(x)
            except (RuntimeError, ValueError):
                continue
        return self.good(x)


def test_a_call_that_raised_where_the_model_goes_on_leaves_no_row():
    report = inspect_model(Fallback(), (1, 4))
    assert [(row.path, row.kind) for row in report.rows] == [("", "Fallback"), ("good", "Linear")]
    assert report.totals["macs"].value == 4 * 4
    assert report.totals["params"].value == 5 * 5 + 5 + 4 * 4 + 4 + 7 * 7 + 7
    assert report.verdict.value == "match"


def test_the_work_before_a_caught_error_was_done():
    report = inspect_model(HalfWay(), (1, 4), device="cpu")
    calls = [(row.path, row.kind) for row in report.rows if "Linear" in row.kind or row.kind == "torch.cat"]
    assert calls == [("block.0", "Linear"), ("good", "Linear")]
    assert report.totals["macs"].value == 4 * 3 + 4 * 2
    assert report.verdict.value == "match"


def test_the_call_that_failed_last_is_the_one_named():
    with pytest.raises(ForwardFailed) as caught:
        trace_of(Late(), torch.rand(1, 4))
    assert caught.value.call.path == "last"


# -- threads -----------------------------------------------------------------------------------------------------------


def test_another_thread_of_the_process_notices_nothing():
    """It runs a network of its own, between two moments of the inspected forward."""
    errors, other, asked, done = [], nn.Sequential(nn.Linear(4, 4), nn.ReLU()), threading.Event(), threading.Event()

    def work():
        asked.wait(60)
        try:
            other(torch.randn(2, 4))
        except BaseException as error:
            errors.append(error)
        done.set()

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(4, 4)

        def forward(self, x):
            asked.set()
            assert done.wait(60)
            return self.l(x)

    thread = threading.Thread(target=work)
    thread.start()
    trace = trace_of(Slow(), torch.rand(1, 4))
    thread.join()
    assert errors == []
    assert [call.kind for call in trace.calls] == ["Slow", "Linear"]


def in_a_pool(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("run", [in_a_pool, in_a_thread])
def test_work_in_threads_that_a_forward_starts_is_refused(run):
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with pytest.raises(ForwardFailed, match="runs in another thread"):
        trace_of(lambda x: x + run(lambda: F.relu(x)), torch.rand(1, 2))
    assert trace_of(lambda x: x + run(lambda: 1), torch.rand(1, 2)).ops[0].packet == "aten.add"
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)


# -- nested arguments --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    rest: object = None


Pair = namedtuple("Pair", "left right")


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(4, 16)

    def forward(self, batch, y):
        return Batch(self.a(batch.x), Pair(self.b(y.left), {"sum": y.right + 1}))


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_dataclasses_and_named_tuples_are_inputs_and_outputs(device):
    def inputs():
        return Batch(torch.randn(2, 4)), Pair(torch.randn(3, 4), torch.randn(5))

    report = inspect_model(Nested(), inputs_from=inputs, device=device, probe=True)
    assert [item["name"] for item in report.run["inputs"]] == ["0.x", "1.0", "1.1"]
    assert report.rows[0].output_shape.value == ((2, 8), (3, 16), (5,))
    macs = 2 * 4 * 8 + 3 * 4 * 16
    assert (report.totals["macs"].value, report.totals["macs"].measured["torch"]) == (macs, macs)
    assert report.verdict.value == "match"


# -- private torch -----------------------------------------------------------------------------------------------------

PRIVATE = re.compile(
    r"torch\._[a-zA-Z]|torch\.utils\._|\b_cdata\b|\._schema\b|\._opname\b|\._overloadname\b|_functorch"
)


def test_what_is_private_of_torch_stands_in_one_file():
    def used(path):
        # In texts: is the compiler loaded, whose method is this, which documentation says so.
        text = re.sub(r'"torch\._(dynamo|tensor)"|source="[^"]*"', "", path.read_text())
        return [line.strip() for line in text.splitlines() if PRIVATE.search(line)]

    offenders = {str(path.relative_to(ROOT)): used(path) for path in ROOT.rglob("*.py") if used(path)}
    assert set(offenders) == {"trace/private_torch.py"}, offenders
