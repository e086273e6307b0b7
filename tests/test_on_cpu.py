"""The second run, on the CPU: what it adds to a report, what it costs, and what it leaves out with a note."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnninspect.checks import check_formulas, exit_code
from cnninspect.inspection import on_cpu
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.measure.nan_probe import probe_nan
from cnninspect.ops.registry import OPS
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import ReceptiveField

SIZE = (1, 3, 16, 16)


class Net(nn.Module):
    """Two 3x3 convolutions with an activation between, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.head = nn.Linear(4 * 16 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).flatten(1))


def verdicts(report: Report) -> dict[str, Verdict]:
    return {row.label: row.receptive_field.verdict for row in report.rows if row.receptive_field is not None}


@pytest.mark.parametrize("device", ["auto", "meta", "cpu"])
def test_every_row_and_the_total_are_probed_wherever_the_trace_ran(device: str) -> None:
    report = inspect_model(Net, SIZE, probe=True, device=device)
    assert set(verdicts(report)) == {"(Net)", "body", "body.0", "body.1", "body.2", "Tensor.flatten", "head"}
    assert set(verdicts(report).values()) == {Verdict.MATCH}
    assert report.totals["receptive_field"] == ReceptiveField(
        (5, 5), (1, 1), (2, 2), report.totals["receptive_field"].status, None, Verdict.MATCH
    )
    assert report.run["device"] == ("cpu" if device == "cpu" else "meta")


def test_without_a_probe_nothing_runs_on_the_cpu() -> None:
    report = inspect_model(Net, SIZE)
    assert set(verdicts(report).values()) == {Verdict.NOT_RUN}
    assert report.total("macs").measured.keys() == {"torch"}


def test_counters_that_need_kernels_count_there() -> None:
    report = inspect_model(Net, SIZE, probe=True)
    # 16 * 16 * 3 * 3 * (4 * 3 + 4 * 4) of the convolutions, 5 * 1024 of the linear layer.
    assert report.total("macs").measured == {"torch": 64512 + 5120, "fvcore": 64512 + 5120}


def test_the_models_own_state_and_the_random_numbers_are_left_alone() -> None:
    model = Net().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.random.get_rng_state()
    inspect_model(model, SIZE, probe=True)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
    assert not any(module._forward_hooks or "forward" in vars(module) for module in model.modules())


@pytest.fixture
def wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is wrong: max pools are said to see one tap less."""
    right = OPS["aten.max_pool2d_with_indices"]

    def wrong(op: Any, x: Any, kernel: Any, *rest: Any, **kwargs: Any) -> Any:
        return right.field(op, x, [1, kernel[1]], [2, 2], *rest[1:], **kwargs)

    monkeypatch.setitem(OPS, "aten.max_pool2d_with_indices", replace(right, field=wrong))


def test_a_wrong_rule_is_found_where_it_is_wrong(wrong_rule: None) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU())
    report = check_formulas(inspect_model(model, SIZE, probe=True))
    assert verdicts(report)["0"] is Verdict.MATCH
    assert verdicts(report)["1"] is Verdict.DIFFER
    assert exit_code(report) == 1
    (first, *_) = [check for check in report.checks or () if check.verdict is Verdict.DIFFER]
    assert (first.name, first.path, first.expected, first.source, first.counter) == (
        "receptive_field", "1", (3, 4), "formula", "probe",
    )  # fmt: skip
    # Rows 0..5 are the first third of 16. A pool output i sees convolved rows 2i and 2i + 1, so input rows 2i - 1
    # to 2i + 2: the slab of the first rows stops short of no output that starts in it, the slab from row 8 on
    # reaches output 3 (rows 5..8), which the wrong rule lets end at row 7.
    assert (
        first.found == "NaN in input 0, 8..15 of dimension 2, reaches output [0, 0, 3, 0], which the field leaves out"
    )


def test_what_contradicts_a_field_is_confirmed_with_plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def probe(*args: Any, onednn: bool = False) -> Any:
        found = probe_nan(*args, onednn=onednn)
        ran.append(onednn)
        masks = {call: tuple(mask ^ onednn for mask in masks) for call, masks in found.masks.items()}
        return type(found)(found.regions, masks)

    monkeypatch.setattr(on_cpu, "probe_nan", probe)
    report = inspect_model(Net, SIZE, probe=True)
    assert ran == [True, False]
    assert set(verdicts(report).values()) == {Verdict.MATCH}


LIMITS = [
    # one forward pass takes 64512 + 5120 = 69,632 MACs, ten copies 696,320
    ("MOST_MACS", 69_631, {"torch"}, "takes 69,632 multiply-accumulates, more than 69,631"),
    ("MOST_MACS", 696_319, {"torch", "fvcore"}, "takes 696,320 multiply-accumulates, more than 696,319"),
    # 4 * (3 * 9 + 1) + 4 * (4 * 9 + 1) + 5 * 1025 = 5385 parameters, 3 * 256 inputs; while a convolution or the
    # activation works, two maps of 4 * 256 are alive: 4 * (5385 + 768 + 2048) bytes.
    ("MOST_BYTES", 32_803, {"torch"}, "takes 32,804 bytes, more than 32,803"),
]


@pytest.mark.parametrize(
    ("limit", "value", "counters", "note"), LIMITS, ids=["macs-of-one", "macs-of-all-copies", "memory"]
)
def test_what_costs_too_much_is_left_out_with_a_note(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, counters: set[str], note: str
) -> None:
    monkeypatch.setattr(on_cpu, limit, value)
    report = inspect_model(Net, SIZE, probe=None)
    assert set(verdicts(report).values()) == {Verdict.NOT_RUN}
    assert report.total("macs").measured.keys() == counters
    assert [text for text in report.notes if note in text and "--probe" in text]


def test_who_asks_for_the_probe_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cpu, "MOST_MACS", 1)
    assert set(verdicts(inspect_model(Net, SIZE, probe=True)).values()) == {Verdict.MATCH}


class OnlyOnMeta(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if not x.is_meta:
            raise RuntimeError("needs a machine that is not there")
        return torch.relu(x)


def test_a_run_that_fails_on_the_cpu_is_a_note() -> None:
    report = inspect_model(OnlyOnMeta, SIZE, probe=True)
    assert set(verdicts(report).values()) == {Verdict.UNKNOWN}
    assert any(
        "receptive fields are not probed on the CPU: the model fails there (needs a machine that is not there)" in note
        for note in report.notes
    )
    assert exit_code(check_formulas(report)) == 0


def test_indices_do_not_make_a_pool_unknown() -> None:
    report = inspect_model(nn.MaxPool2d(2, return_indices=True), (1, 1, 8, 8), probe=True)
    assert [row.receptive_field.verdict for row in report.rows if row.receptive_field] == [Verdict.MATCH]


def test_calls_that_the_second_run_makes_less_often_are_not_taken_for_others() -> None:
    """The first run alone adds a constant, with the kind of call that adds the image in every run."""
    made: list[Tensor] = []

    def network(x: Tensor) -> Tensor:
        if not made:
            made.append(torch.zeros(1, 1, 8, 8) + 1)
        return x + 1

    report = inspect_model(network, (1, 1, 8, 8), probe=True, device="cpu")
    assert verdicts(report)["Tensor.add"] is verdicts(report)["Tensor.add use 2"] is Verdict.UNKNOWN
    assert exit_code(check_formulas(report)) == 0
