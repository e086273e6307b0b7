"""Every number that says `match` has two sources: each side, off by one, turns the verdict.

The names of totals and of the numbers of rows are walked: one that has no entry in the tables below must say not_run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnninspect import Report, inspect_model
from cnninspect.checks import check_formulas, exit_code
from cnninspect.inspection import findings, pipeline, run, totals
from cnninspect.inspection.accounts import training
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.inspection.accounts.work import Operations, Traffic
from cnninspect.measure import nan_probe
from cnninspect.measure.base import COUNTERS
from cnninspect.ops.accounting import BackwardMacs
from cnninspect.ops.registry import MODULES
from cnninspect.receptive import fields, rows
from cnninspect.receptive.fields import Interval
from cnninspect.report.quantities import Quantity, Verdict

CONV = "conv"


class Net(nn.Module):
    """All that totals are about: trained and frozen parameters, buffers, and rows that compute and that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 6 * 6, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(self.head(self.norm(self.conv(x)).relu().flatten(1)))


def inspected(**options: Any) -> Report:
    accounts = [Backward(), Memory("adam"), Operations(), Traffic(peak_flops=100, bandwidth=100)]
    return inspect_model(Net(), (2, 3, 8, 8), command="flops", accounts=accounts, **options)


Change = Callable[[pytest.MonkeyPatch], None]


def formula(part: str, change: Callable[[Any], Any]) -> Change:
    """A part of the formula of convolutions gives something else."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(MODULES["Conv2d"], part)
        wrong = replace(MODULES["Conv2d"], **{part: lambda use: change(right(use))})
        monkeypatch.setitem(MODULES, "Conv2d", wrong)

    return apply


def wrapped(room: Any, name: str, change: Callable[[Any], Any]) -> Change:
    """What a function of a room returns is changed."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *args, **kwargs: change(right(*args, **kwargs)))

    return apply


def held(name: str) -> Change:
    """A walk over storages finds one element and one byte more."""

    def grown(found: Any) -> Any:
        if name == "input_bytes":
            return replace(found, input_bytes=found.input_bytes + 1)
        walked = getattr(found, name)
        return replace(found, **{name: replace(walked, elements=walked.elements + 1, nbytes=walked.nbytes + 1)})

    return wrapped(pipeline, "holdings", grown)


def declared(states: list[Any]) -> list[Any]:
    """The first of some parameters or buffers is declared one element larger."""
    first, *rest = states
    return [replace(first, shape=(1 + torch.Size(first.shape).numel(),)), *rest]


def taller(shapes: Any) -> Any:
    """The first of some output shapes is one row higher."""
    (batch, channels, height, width), *rest = shapes
    return ((batch, channels, height + 1, width), *rest)


def seen(trace: Any) -> Any:
    """The hook at the convolution saw an output that is one row higher."""
    call = next(call for call in trace.calls if call.path == CONV)
    first, *rest = call.outputs
    call.outputs = (replace(first, shape=taller([first.shape])[0]), *rest)
    return trace


def at_conv(change: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    """Changes what is found for the convolution, the second call."""
    return lambda found: [change(item) if index == 1 else item for index, item in enumerate(found)]


def count_of(name: str) -> Change:
    """A counter counts one more in the convolution."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        right = COUNTERS[name]
        more = at_conv(lambda count: replace(count, value=count.value + 1))
        monkeypatch.setitem(COUNTERS, name, replace(right, measure=lambda run: more(right.measure(run))))

    return apply


MACS = formula("macs", lambda macs: macs + 1)
PARAMS = formula("params", lambda params: {**params, "weight": params["weight"] + 1})
SHAPE = formula("output", taller)
SEEN = wrapped(run, "record", seen)
DECLARED = wrapped(totals, "_unshared", declared)
ITEM_SIZE = wrapped(totals, "item_size", lambda size: size + 1)

ROWS: dict[str, tuple[Change, Change]] = {
    "output_shape": (SHAPE, SEEN),
    "params": (PARAMS, wrapped(findings, "_first_read", lambda count: count + 1)),
    "macs": (MACS, count_of("torch")),
    "flops": (MACS, count_of("torch")),
    "neurons": (SHAPE, SEEN),
    "backward_macs": (
        wrapped(training, "backward", at_conv(lambda part: part + BackwardMacs(weights=1))),
        wrapped(training, "backward_macs", at_conv(lambda count: replace(count, value=count.value + 1))),
    ),
    "output_bytes": (wrapped(training, "item_size", lambda size: size + 1), SEEN),
}
"""For every number of a row that is judged: what makes its analytic and what makes its measured side wrong."""

TOTALS: dict[str, tuple[Change, Change]] = {
    **{name: ROWS[name] for name in ("macs", "flops", "neurons", "backward_macs", "output_bytes")},
    "params": (PARAMS, held("parameters")),
    "trainable_params": (DECLARED, held("trainable")),
    "buffers": (DECLARED, held("buffers")),
    "params_bytes": (ITEM_SIZE, held("parameters")),
    "activation_bytes": (SHAPE, SEEN),
    "input_bytes": (ITEM_SIZE, held("input_bytes")),
    "total_bytes": (ITEM_SIZE, held("input_bytes")),
    "gradient_bytes": (ITEM_SIZE, held("trainable")),
}
"""The same for every total that is judged."""

OTHER_SOURCES: dict[str, tuple[str, Change]] = {
    "declared bytes of parameters": ("params_bytes", DECLARED),
    "the parameters in the sum of bytes": ("total_bytes", held("parameters")),
    "the outputs in the sum of bytes": ("total_bytes", SEEN),
    "the shapes in the sum of bytes": ("total_bytes", SHAPE),
    "gradients that a backward pass leaves": (
        "gradient_bytes",
        wrapped(training, "training_memory", lambda step: replace(step, gradients=step.gradients + 1)),
    ),
}
"""Totals that have more than two sources."""

ALONE = {
    "optimizer_bytes", "peak_activation_bytes", "peak_memory", "training_kept_bytes", "training_peak_bytes",
    "training_memory", "element_operations", "bytes_moved", "intensity", "bound_by", "receptive_field",
}  # fmt: skip
"""Numbers of which there is one side, that are worked out from others, or that a probe checks."""

SIDES = ("analytic", "measured")


def conv(report: Report) -> dict[str, Any]:
    return next(row for row in report.rows if row.path == CONV).quantities


def test_every_judged_number_has_two_sources():
    report = inspected()
    assert report.verdict is Verdict.MATCH
    for table, numbers in [(TOTALS, report.totals), (ROWS, conv(report))]:
        assert {name for name, number in numbers.items() if number.verdict is Verdict.MATCH} == table.keys()
        assert {name for name, number in numbers.items() if number.verdict is Verdict.NOT_RUN} == numbers.keys() & ALONE
        assert numbers.keys() <= table.keys() | ALONE


def test_a_number_with_one_side_is_not_run_and_says_why():
    report = inspected()
    numbers = [*report.totals.values(), *(number for row in report.rows for number in row.quantities.values())]
    for number in numbers:
        if isinstance(number, Quantity):
            sides = (number.analytic is not None) + bool(number.measured)
            assert (number.verdict is Verdict.MATCH) == (sides == 2), number
            assert number.why or sides != 1, number


def assert_differs(report: Report, number: Any) -> None:
    assert number.verdict is Verdict.DIFFER, number
    assert report.verdict is Verdict.DIFFER
    assert exit_code(check_formulas(report)) == 1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", TOTALS)
def test_each_side_of_a_total_turns_its_verdict(monkeypatch: pytest.MonkeyPatch, name: str, side: str) -> None:
    TOTALS[name][SIDES.index(side)](monkeypatch)
    report = inspected()
    assert_differs(report, report.totals[name])


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ROWS)
def test_each_side_of_a_row_turns_its_verdict(monkeypatch: pytest.MonkeyPatch, name: str, side: str) -> None:
    ROWS[name][SIDES.index(side)](monkeypatch)
    report = inspected()
    assert_differs(report, conv(report)[name])


@pytest.mark.parametrize("source", OTHER_SOURCES)
def test_every_further_source_of_a_total_turns_its_verdict(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    name, change = OTHER_SOURCES[source]
    change(monkeypatch)
    report = inspected()
    assert_differs(report, report.totals[name])


@pytest.mark.parametrize("counter", COUNTERS)
def test_every_counter_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, counter: str) -> None:
    count_of(counter)(monkeypatch)
    report = inspected(device="cpu")
    assert_differs(report, report.total("macs"))
    assert_differs(report, conv(report)["macs"])


def interval(position: int, lo: int, hi: int) -> Change:
    """One position of every field, along every axis, starts and stops so many pixels further on."""

    def moved(right: Interval) -> Interval:
        ends = [np.array(right.lo), np.array(right.hi)]
        for end, by in zip(ends, (lo, hi), strict=True):
            end.reshape(-1)[position] += by
        return Interval(*ends)

    return wrapped(fields, "_interval", moved)


def probed(change: Callable[[Any], Any]) -> Change:
    """The probe sees something else along the last axis of every tensor: [regions, *shape]."""

    def changed(masks: Any) -> Any:
        return {index: tuple(one(mask) for mask in found) for index, found in masks.items()}

    def one(mask: Any) -> Any:
        return change(np.array(mask)) if mask is not None and mask.shape[-1] > 1 else mask

    return wrapped(nan_probe, "joined", changed)


def blind(position: int) -> Callable[[Any], Any]:
    def change(mask: Any) -> Any:
        mask[..., position] = False
        return mask

    return change


FIELDS: dict[str, Change] = {
    "size": wrapped(rows, "_sizes", lambda size: size + 1),
    "jump": wrapped(rows, "_jump", lambda jump: jump + 1),
    "padding": wrapped(rows, "_padding", lambda padding: padding + 1),
    "the first interval": interval(0, 3, 0),
    "the last interval": interval(-1, 0, -3),
    "a position that the probe sees shifted": probed(lambda mask: np.roll(mask, 1, -1)),
    "a probe that sees a pixel more": probed(lambda mask: mask | np.roll(mask, 1, -1)),
    "a probe that sees a pixel less": probed(lambda mask: mask & np.roll(mask, 1, -1)),
    "a probe that is blind for the first position": probed(blind(0)),
    "a probe that is blind for the last position": probed(blind(-1)),
}
"""What makes one number of a field wrong on the analytic side, or what the probe sees on the measured one."""


class Strided(nn.Module):
    """Maps that are large enough to show where fields start and stop."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.next = nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.next(self.conv(x))


def conv_field() -> Verdict:
    report = inspect_model(Strided(), (1, 1, 24, 24), probe=True)
    return next(row.receptive_field.verdict for row in report.rows if row.path == CONV and row.receptive_field)


def test_a_field_matches_as_long_as_nothing_is_wrong():
    assert conv_field() is Verdict.MATCH


@pytest.mark.parametrize("wrong", FIELDS)
def test_each_side_of_a_field_turns_its_verdict(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    FIELDS[wrong](monkeypatch)
    assert conv_field() is not Verdict.MATCH
