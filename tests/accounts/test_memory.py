"""Memory in the report: by hand on a small network, against a tracker of storages on the zoo."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnninspect.inspection.accounts.training import Memory
from cnninspect.report.parts import Peak
from cnninspect.targets.inputs import InputOptions, make_inputs
from cnninspect.targets.resolve import resolve
from cnninspect.trace.isolation import isolated
from cnninspect.zoo import ENTRIES
from tests.accounts.inspections import column, inspected
from tests.measure.storage_tracker import StorageTracker


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.BatchNorm1d(2))


def test_memory_by_hand():
    """Rows of 5 through 4 -> 8, relu, 8 -> 2, batch norm; every number is four bytes but the step counter's eight."""
    report = inspected(net(), Memory("adam"), shape=(5, 4))
    params, buffers = 4 * 8 + 8 + 8 * 2 + 2 + 2 + 2, 4 * (2 + 2) + 8
    outputs = {"0": 5 * 8 * 4, "1": 5 * 8 * 4, "2": 5 * 2 * 4, "3": 5 * 2 * 4}
    assert column(report, "output_bytes") == {"(Sequential)": sum(outputs.values()), **outputs}
    values = {name: report.total(name).value for name in report.totals if name != "receptive_field"}
    assert values["output_bytes"] == sum(outputs.values())
    assert values["gradient_bytes"] == 4 * params
    # Two moments of each parameter, and a step for each of the six tensors.
    assert values["optimizer_bytes"] == 2 * 4 * params + 6 * 4
    # The first two outputs are alive together.
    assert values["peak_activation_bytes"] == 2 * 5 * 8 * 4
    assert values["peak_memory"] == 4 * params + buffers + 5 * 4 * 4 + 2 * 5 * 8 * 4


def test_what_training_holds_is_what_it_is_made_of():
    total = inspected(net(), Memory("adam"), shape=(5, 4))
    memory, peak = total.total("training_memory"), total.total("training_peak_bytes")
    assert memory.parts == {
        "parameters": 4 * 62, "buffers": 24, "inputs": 80, "optimizer": 2 * 4 * 62 + 24,
        "activations and gradients": peak.value,
    }  # fmt: skip
    assert memory.value == sum(memory.parts.values())
    assert total.memory.optimizer == "adam"


def test_plain_descent_keeps_nothing():
    assert inspected(net(), Memory(), shape=(5, 4)).total("optimizer_bytes").value == 0


class Double(nn.Module):
    def forward(self, x):
        return x.double()


def test_bytes_by_dtype():
    """Hand arithmetic: 4*8 + 8 float32; 8*2 + 2 float64; the last layer is frozen."""
    model = nn.Sequential(nn.Linear(4, 8), Double(), nn.Linear(8, 2).double(), nn.Linear(2, 2).double())
    model[3].requires_grad_(False)
    report = inspected(model, Memory("momentum"), shape=(5, 4))
    assert report.total("gradient_bytes").parts == {"float32": 40 * 4, "float64": 18 * 8}
    assert report.total("optimizer_bytes").parts == {"float32": 40 * 4, "float64": 18 * 8}


def test_the_fullest_moment_has_a_place():
    report = inspected(net(), Memory(), shape=(5, 4))
    assert report.memory.peak_at == Peak("1", 0, "ReLU", "aten.relu")


class Broken(nn.Module):
    """Overwrites what its gradient needs."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x).exp().add_(1)


def test_a_training_step_that_fails_is_unknown_and_says_why():
    report = inspected(Broken(), Memory(), shape=(5, 4))
    assert report.total("training_memory").value is None
    assert report.total("training_memory").status.value == "unknown"
    assert any(note.startswith("a training step failed: RuntimeError") for note in report.notes)
    assert report.total("peak_activation_bytes").value > 0


@pytest.mark.parametrize("name", ENTRIES)
def test_the_peak_of_every_network_of_the_zoo_is_what_a_tracker_of_storages_sees(name):
    """Oracle: weak references to every storage that is made while the model runs on the CPU; the report is of meta."""
    target = resolve(f"zoo:{name}")
    model = target.build("cpu")
    inputs = make_inputs(target, model, InputOptions(), "cpu", None)
    states = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
    tensors = [value for value in inputs.args if isinstance(value, torch.Tensor)]
    with isolated(model if isinstance(model, nn.Module) else None, False), StorageTracker(*tensors, *states) as tracker:
        model(*inputs.args, **inputs.kwargs)
    assert inspected(f"zoo:{name}").total("peak_activation_bytes").value == tracker.peak > 0


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(32, 32)

    def forward(self, x):
        q = self.q(x).view(2, 5, 8, 4).transpose(1, 2)
        return functional.scaled_dot_product_attention(q, q, q)


def kept_by_autograd(model, x):
    """Bytes of the storages that autograd saves and of the output, without those of the model and the input."""
    saved = {}
    outside = {each.untyped_storage().data_ptr() for each in (x, *model.parameters(), *model.buffers())}

    def save(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        output = model(x)
    saved[output.untyped_storage().data_ptr()] = output.untyped_storage()
    return sum(storage.nbytes() for key, storage in saved.items() if key not in outside)


@pytest.mark.parametrize(
    ("make", "apart"),
    [
        (Attention, True),
        (lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval(), True),
        (lambda: nn.Sequential(nn.Conv1d(5, 6, 3), nn.BatchNorm1d(6), nn.ReLU()).eval(), False),
    ],
    ids=["attention", "encoder layer", "batch norm"],
)
def test_a_note_says_where_training_on_meta_keeps_something_else(make, apart):
    """Oracle: saved_tensors_hooks on the CPU, which has a fused kernel of attention."""
    model, x = make(), torch.rand(2, 5, 32)
    real = inspected(model, Memory(), shape=tuple(x.shape), device="cpu")
    found = inspected(make().to("meta"), Memory(), shape=tuple(x.shape), device="meta")
    assert real.total("training_kept_bytes").value == kept_by_autograd(model, x)
    assert (found.total("training_kept_bytes").value != real.total("training_kept_bytes").value) is apart
    assert any("fused kernels of attention keep less" in note for note in found.notes) is apart
    assert not any("training memory" in note for note in real.notes)
    assert "that meta runs" in found.total("training_kept_bytes").reasons["storages"] or apart
    assert real.total("training_kept_bytes").reasons == {}
