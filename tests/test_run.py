"""Where a model runs, with which input, and what is advised when it does not: every piece of advice is followed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from cnninspect import inspect_model
from cnninspect.errors import CnninspectError, RunError
from cnninspect.inspection import run
from cnninspect.measure.limits import Allowance


class SwitchesAutocastOff(nn.Module):
    """torch.autocast itself raises on meta, in words that name no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        with torch.autocast(device_type=x.device.type, enabled=False):
            return self.l(x)


class Packed(nn.Module):
    """Lengths as an input: torch wants their values."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 8, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.rnn(pack_padded_sequence(x, lengths, batch_first=True))[1]


class Refuses(nn.Module):
    """Fails on meta in the model's own words."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Any:
        if x.is_meta:
            raise KeyError("my cache")
        return self.conv(x)


class NeverEnds(Refuses):
    """Adds nothing until the sum is large."""

    def forward(self, x: Tensor) -> Any:
        total = super().forward(x).abs().sum() * 0
        while total.item() < 1:
            total = total + 0
        return total


class Broken(Refuses):
    """Fails everywhere."""

    def forward(self, x: Tensor) -> Any:
        raise RuntimeError("on meta" if x.is_meta else "on the CPU")


ON_THE_CPU = [
    # 8 * 8 products
    pytest.param(SwitchesAutocastOff(), {"input_shape": (1, 8)}, 64, "unsupported scalarType", id="autocast"),
    # 8 steps of two sequences, 3 * (8*4 + 8*8) each
    pytest.param(
        Packed(),
        {"inputs_from": lambda: (torch.rand(2, 5, 4), torch.tensor([5, 3]))},
        8 * 3 * (8 * 4 + 8 * 8),
        "'lengths' argument",
        id="packed-lengths",
    ),
    # 3*3*3*8 for each of 6*6 positions
    pytest.param(Refuses(), {"input_shape": (1, 3, 8, 8)}, 216 * 36, "KeyError: 'my cache'", id="own-words"),
]


@pytest.mark.parametrize(("model", "options", "macs", "reason"), ON_THE_CPU)
def test_what_fails_on_meta_runs_on_the_cpu(model: nn.Module, options: dict[str, Any], macs: int, reason: str) -> None:
    report = inspect_model(model, **options)
    assert report.run["device"] == "cpu"
    assert report.totals["macs"].value == macs
    (note,) = [note for note in report.notes if note.startswith("run on the CPU")]
    assert reason in note


def test_what_the_cpu_says_is_reported() -> None:
    with pytest.raises(RunError, match="RuntimeError: on the CPU"):
        inspect_model(Broken(), (1, 3, 8, 8))


def test_a_model_that_does_not_fit_the_memory_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "free_bytes", lambda: 100)
    with pytest.raises(RunError, match=r"my cache.* It was not tried on the CPU: its parameters take 0 MiB, 0 MiB"):
        inspect_model(Refuses(), (1, 3, 8, 8))


def test_free_memory_is_known_or_said_to_be_unknown() -> None:
    free = run.free_bytes()
    assert free is None or 0 < free < 2**50


def test_a_wrong_input_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []
    real = run.record
    monkeypatch.setattr(run, "record", lambda *args, **kw: devices.append(kw["device"]) or real(*args, **kw))
    with pytest.raises(RunError, match="expects 3 input channels, got 4"):
        inspect_model(nn.Conv2d(3, 8, 3), (1, 4, 8, 8))
    assert set(devices) == {"meta"}


@pytest.mark.parametrize("options", [{}, {"input_shape": (1, 3, 8, 8)}], ids=["inferred", "given"])
def test_a_run_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    monkeypatch.setattr(run, "UNASKED", Allowance(ops=500, seconds=60))
    with pytest.raises(RunError, match=r"`NeverEnds` on cpu did not come to an end: .*500 ops.* There is a limit"):
        inspect_model(NeverEnds(), **options)


class Head(nn.Module):
    """Maps of 5x5 go into the linear layer: 32x32 is the usual size that gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 28), nn.Linear(4 * 5 * 5, 10)

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.conv(x).flatten(1))


class TriesFirst(nn.Module):
    """Tries one layer, falls back to another, and fails in the last for every input."""

    def __init__(self) -> None:
        super().__init__()
        self.bad, self.good, self.last = nn.Linear(5, 5), nn.Linear(4, 4), nn.Linear(7, 7)

    def forward(self, x: Tensor) -> Any:
        try:
            x = self.bad(x)
        except RuntimeError:
            x = self.good(x)
        return self.last(x)


FAILURES = [
    # (model, options, the advice that must be there, or None where none can work)
    pytest.param(Head(), {"input_shape": (2, 3, 64, 64)}, "--input 2x3x32x32", id="a-size"),
    pytest.param(nn.Conv2d(3, 8, 3), {"input_shape": (1, 4, 8, 8)}, "--input 1x3x8x8", id="channels"),
    pytest.param(nn.Linear(5, 2), {"input_shape": (3, 4)}, "--input 3x5", id="features"),
    pytest.param(TriesFirst(), {"input_shape": (1, 4)}, None, id="no-input-works"),
    pytest.param(Broken(), {"input_shape": (1, 3, 8, 8)}, None, id="broken"),
    pytest.param(Broken(), {"input_shape": (1, 3, 8, 8), "device": "meta"}, None, id="broken-on-meta"),
    pytest.param(Refuses(), {"input_shape": (1, 3, 8, 8), "device": "meta"}, "--device cpu", id="meta-alone"),
    pytest.param(SwitchesAutocastOff(), {"device": "meta"}, "--device cpu", id="meta-alone-inferred"),
]


@pytest.mark.parametrize(("model", "options", "advice"), FAILURES)
def test_advice_that_is_followed_works(model: nn.Module, options: dict[str, Any], advice: str | None) -> None:
    with pytest.raises(CnninspectError) as failed:
        inspect_model(model, **options)
    found = re.search(r"(?:with|Use) (--input [\dx]+|--device \w+)\.", str(failed.value))
    assert (found and found[1]) == advice, str(failed.value)
    if advice is not None:
        option, value = advice.split()
        follow = {"input_shape": value} if option == "--input" else {"device": value}
        assert inspect_model(model, **{**options, **follow}).totals["macs"].value
