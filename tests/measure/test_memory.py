"""The peak of live activations: by hand on small networks, and against a tracker of storages on whole ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.inspection.totals import decomposed
from cnninspect.measure.memory import (
    OPTIMIZER_STATES,
    gradient_bytes,
    inference_peak,
    lifetimes,
    optimizer_bytes,
    own_outputs,
    parameter_bytes,
    real_bytes,
)
from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.isolation import isolated
from cnninspect.trace.recorder import record
from tests.measure.models import built, families, meta_run, run_of, torchvision_model
from tests.measure.storage_tracker import StorageTracker

FLOAT = 4
X = torch.rand(1, 3, 8, 8)
MAP = 3 * 8 * 8 * FLOAT


def peak(model, *args):
    return inference_peak(run_of(model, *args).trace).nbytes


class Residual(nn.Module):
    """The input of the block stays alive until the addition."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, x):
        x = self.first(x)
        y = self.second(x)
        return torch.cat([x, y], dim=1)


# What is alive at once at the fullest moment, the input apart.
BY_HAND = {
    "one op": (F.relu, MAP),
    "a chain of two": (lambda x: F.relu(F.relu(x)), 2 * MAP),
    "a chain frees what it has read": (lambda x: F.relu(F.relu(F.relu(F.relu(x)))), 2 * MAP),
    "in place": (lambda x: F.relu_(F.relu_(F.relu(x))), MAP),
    "views": (lambda x: F.relu(x).flatten(1).view(3, 64).transpose(0, 1), MAP),
    "indices of a pool come and go": (lambda x: F.max_pool2d(x, 2), 3 * 4 * 4 * (FLOAT + 8)),
    "half precision": (lambda x: x.half(), MAP // 2),
    "a result that nobody reads": (lambda x: (F.relu(x), x + 1)[1], 2 * MAP),
    "kept to the end": (lambda x: [F.relu(x) for _ in range(5)], 5 * MAP),
    "residual": (Residual(), MAP + 2 * MAP + 3 * MAP),
    "sequence": (nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 1, 1)), MAP + MAP // 3),
    "the input itself": (lambda x: x, 0),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_the_peak_by_hand(case):
    model, expected = BY_HAND[case]
    assert peak(model, X) == expected


def test_the_peak_names_where_it_is():
    trace = run_of(Residual(), X).trace
    found = inference_peak(trace)
    assert trace.calls[found.call].kind == "torch.cat"
    assert trace.ops[found.op].packet == "aten.cat"


def test_statistics_that_meta_alone_returns_take_no_memory():
    """Between a 1x1 convolution and batch normalisation in evaluation mode: what goes in and what comes out."""
    model, x = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval(), torch.rand(1, 3, 8, 8)
    peaks = [inference_peak(record(model.to(x), (x,), {}, layer_of, device=x.device.type)) for x in (x, x.to("meta"))]
    assert [found.nbytes for found in peaks] == [2 * MAP, 2 * MAP]


def test_no_parameter_and_no_input_is_an_activation():
    trace = run_of(Residual(), X).trace
    assert [life.nbytes for life in lifetimes(trace)] == [MAP, 2 * MAP, 3 * MAP]


def tracked_peak(model, x):
    """Oracle: bytes of the storages alive at once, from weak references to them while the model runs."""
    states = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
    with isolated(model if states else None, False), StorageTracker(x, *states) as tracker:
        model(x)
    return tracker.peak


# Meta runs a recurrent layer op by op, a CPU in one kernel: there the tracker has to be on meta, too.
@pytest.mark.parametrize("family", families())
def test_the_peak_is_what_a_tracker_of_storages_sees(family):
    trace = meta_run(family).trace
    assert inference_peak(trace).nbytes == tracked_peak(*built(family, "meta" if family == "lstm" else "cpu"))
    assert decomposed(trace) == (["lstm"] if family == "lstm" else [])


@pytest.mark.parametrize("family", ["resnet", "lstm", "upsampling"])
def test_the_peak_on_a_real_device(family):
    model, x = built(family, "cpu")
    assert inference_peak(run_of(model, x).trace).nbytes == tracked_peak(model, x)


@pytest.mark.parametrize(
    "name",
    ["resnet50", "swin_t", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("densenet121", "vit_b_16"))],
)
def test_the_peak_at_full_size(name):
    model, x = torchvision_model(name)().eval(), torch.rand(1, 3, 224, 224)
    tracked = tracked_peak(model, x)
    found = inference_peak(run_of(model.to("meta"), x.to("meta"), device="meta").trace).nbytes
    assert found == pytest.approx(tracked, rel=0.02)


def output_bytes(trace):
    return [sum(real_bytes(ref) for ref in own.values()) for own in own_outputs(trace)]


def test_bytes_of_each_call_count_a_storage_where_it_is_made():
    """Hand arithmetic: the relu works in place and flatten makes a view, so both take nothing of their own."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(256, 10))
    trace = run_of(net, X).trace
    found = {call.kind: nbytes for call, nbytes in zip(trace.calls, output_bytes(trace), strict=True)}
    assert found == {
        "Sequential": 10 * FLOAT, "Conv2d": 4 * 64 * FLOAT, "ReLU": 0, "Flatten": 0, "Linear": 10 * FLOAT,
    }  # fmt: skip


def test_a_view_of_what_was_there_before_takes_nothing():
    """A view of the input and one of a table: neither is allocated by the run."""
    table = torch.rand(9, 3)
    trace = run_of(lambda x: (x.flatten(1), table[:5]), X).trace
    assert sum(output_bytes(trace)) == 0


def half_frozen():
    return nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 5).double(), nn.Linear(5, 6).requires_grad_(False)])


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = half_frozen()

    def forward(self, x):
        return self.layers[2](self.layers[1](self.layers[0](x).double()).float())


def test_parameters_and_gradients_by_dtype():
    """Hand arithmetic: 3*4+4 float32, 4*5+5 float64, and 5*6+6 float32 that are frozen."""
    trace = run_of(Mixed(), torch.rand(2, 3)).trace
    assert parameter_bytes(trace) == {"float32": (16 + 36) * 4, "float64": 25 * 8}
    assert gradient_bytes(trace) == {"float32": 16 * 4, "float64": 25 * 8}


TORCH_OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters),
    "adam": lambda parameters: torch.optim.Adam(parameters),
    "adamw": lambda parameters: torch.optim.AdamW(parameters),
}


@pytest.mark.parametrize("name", OPTIMIZER_STATES)
def test_optimizer_states_are_what_torch_keeps_after_a_step(name):
    model, x = Mixed(), torch.rand(2, 3)
    optimizer = TORCH_OPTIMIZERS[name]([p for p in model.parameters() if p.requires_grad])
    model(x).sum().backward()
    optimizer.step()
    kept = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    assert sum(optimizer_bytes(run_of(model, x).trace, name).values()) == sum(value.nbytes for value in kept)
