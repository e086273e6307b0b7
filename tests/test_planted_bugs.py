"""A bug planted in any formula, op rule or field rule stands in the report by name: unknown, and never a match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.findings import Findings, rows
from cnninspect.inspection.messages import notes_of
from cnninspect.measure.base import Run
from cnninspect.measure.storages import holdings
from cnninspect.measure.torch_flops import torch_macs
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.ops.evaluate import evaluate, op_macs, op_shapes
from cnninspect.ops.registry import FUNCTIONS, MODULES, OPS, POINTWISE, Formula
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.knowledge import NoField
from cnninspect.receptive.rows import row_fields
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace
from tests.ops.aten.samples import OpSample
from tests.ops.aten.test_rules import SAMPLES, written
from tests.ops.samples import function_samples, make, module_samples

NUMBERS = {"output": ["output_shape"], "params": ["params"], "macs": ["macs", "flops"]}
"""The numbers of a row that a part of a formula gives."""

PARTS = {**NUMBERS, "bind": ["output_shape", "params", "macs", "flops"]}


def planted(error: type[Exception] = TypeError) -> Callable[..., Any]:
    """A function that takes anything and fails like a bug."""

    def raises(*args: Any, **kwargs: Any) -> Any:
        raise error("planted")

    return raises


def assert_named(run: Run, call: int, numbers: list[str], what: str, *, fields: bool = False) -> None:
    """The numbers of the row are unknown, for a reason that the row and a note give by name."""
    trace = run.trace
    known = row_fields(intervals(trace, KNOWLEDGE)) if fields else [None] * len(trace.calls)
    findings = Findings(trace, evaluate(trace), {"torch": torch_macs(run)}, known, holdings(run))
    row = rows(findings)[call]
    for name in numbers:
        number = row.quantities[name]
        assert number.status.value == "unknown", name
        assert number.verdict in (Verdict.UNKNOWN, Verdict.NOT_RUN), name
        assert any(reason.text.startswith(f"{what} failed: TypeError: planted (") for reason in number.why), name
    assert row.verdict is not Verdict.MATCH
    assert sum(f"{what} failed: TypeError: planted (" in note for note in notes_of(findings)) == 1


def by_formula(names: dict[str, Any], formula_of: Callable[[Any], Formula]) -> list[tuple[str, Formula]]:
    """One name for every formula of a registry."""
    return list({id(formula_of(entry)): (name, formula_of(entry)) for name, entry in names.items()}.values())


MODULE_FORMULAS = by_formula(MODULES, lambda entry: entry)
FUNCTION_FORMULAS = by_formula(FUNCTIONS, lambda entry: entry[0])


@pytest.mark.parametrize(("kind", "formula"), MODULE_FORMULAS, ids=[name for name, _ in MODULE_FORMULAS])
def test_a_bug_in_the_formula_of_a_layer(monkeypatch, kind, formula):
    sample = next(sample for sample in module_samples() if sample.kind == kind)
    module, args, keywords = sample.build()
    trace = record(module, args, keywords, layer_of, device=sample.device, training=sample.training)
    run = Run(trace, module, args, keywords, sample.device)
    for part, numbers in PARTS.items():
        if getattr(formula, part) is not None:
            monkeypatch.setitem(MODULES, kind, replace(formula, **{part: planted()}))
            assert_named(run, 0, numbers, f"the formula of {kind}")


@pytest.mark.parametrize(("name", "formula"), FUNCTION_FORMULAS, ids=[name for name, _ in FUNCTION_FORMULAS])
def test_a_bug_in_the_formula_of_a_function_or_in_its_adapter(monkeypatch, name, formula):
    sample = next(sample for sample in function_samples() if sample.name == name)
    function, args, _ = sample.build()
    trace = record(function, args, {}, layer_of, device=sample.device)
    (call,) = [call.index for call in trace.calls if call.kind == name]
    run = Run(trace, function, args, {}, sample.device)
    adapter = FUNCTIONS[name][1]
    for part, numbers in NUMBERS.items():
        monkeypatch.setitem(FUNCTIONS, name, (replace(formula, **{part: planted()}), adapter))
        assert_named(run, call, numbers, f"the formula of {name}")
    monkeypatch.setitem(FUNCTIONS, name, (formula, planted()))
    assert_named(run, call, PARTS["bind"], f"the formula of {name}")


@cache
def samples_of_ops() -> dict[str, OpSample]:
    """One sample of every op, one that runs where there is any; `sin` for those that share the pointwise entry."""
    ordered = sorted(SAMPLES, key=lambda sample: (sample.results is None, sample.shape_known))
    return {sample.packet: sample for sample in ordered} | {POINTWISE: OpSample("sin", ((2, 3),))}


def traced(sample: OpSample) -> tuple[Trace, Run]:
    """A run of the op alone, all of its tensors being inputs."""
    function = getattr(torch.ops.aten, sample.name)
    args = tuple(make(value, sample.device) for value in sample.args)
    kwargs = {name: make(value, sample.device) for name, value in sample.kwargs.items()}
    trace = record(lambda *given, **named: function(*given, **named), args, kwargs, layer_of, device=sample.device)
    return trace, Run(trace, function, args, kwargs, sample.device)


@pytest.mark.parametrize("packet", OPS)
def test_a_bug_in_what_is_known_of_an_op(monkeypatch, packet):
    sample = samples_of_ops()[packet]
    trace, run = (None, None) if sample.results is not None or "." in sample.name else traced(sample)
    op = written(sample) if trace is None else next(op for op in trace.ops if op.packet == sample.packet)
    rule, name = OPS[packet], op.packet
    monkeypatch.setitem(OPS, packet, replace(rule, output=planted()))
    assert_failed(op_shapes(op), f"the rule of {name}")
    monkeypatch.setitem(OPS, packet, replace(rule, macs=planted()))
    assert_failed(op_macs(op), f"the rule of {name}")
    if trace is None:
        return
    call = trace.calls[op.call]
    if call.outputs and call.kind not in FUNCTIONS:
        assert_named(run, call.index, ["macs", "flops"], f"the rule of {name}")
        monkeypatch.setitem(OPS, packet, replace(rule, output=planted()))
        assert_named(run, call.index, ["output_shape"], f"the rule of {name}")
    outputs = [ref for ref in op.outputs if 0 not in ref.shape]
    if not isinstance(rule.field, NoField) and op.inputs and outputs:
        monkeypatch.setitem(OPS, packet, replace(rule, field=planted(), content=None))
        reaches = intervals(trace, KNOWLEDGE).engine.reaches
        for ref in outputs:
            assert not reaches[ref.value].is_known
            assert_failed(reaches[ref.value].why, f"the field rule of {name}")


def assert_failed(answer: Any, what: str) -> None:
    assert isinstance(answer, Reason)
    assert answer.cause is Cause.FAILED
    assert answer.text.startswith(f"{what} failed: TypeError: planted (test_planted_bugs.py:")


NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))


@pytest.mark.parametrize("error", [AttributeError, KeyError, ZeroDivisionError, IndexError, ValueError, RuntimeError])
@pytest.mark.parametrize("part", ["output", "params", "macs", "bind"])
def test_any_error_is_named_in_the_whole_report(monkeypatch, part, error):
    monkeypatch.setitem(MODULES, "Conv2d", replace(MODULES["Conv2d"], **{part: planted(error)}))
    report = inspect_model(NET, (1, 3, 8, 8))
    (note,) = [note for note in report.notes if "the formula of Conv2d failed" in note]
    assert "unknown in 2 rows (0, 2)" in note
    assert error.__name__ in note
    assert "planted" in note
    assert report.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("error", [TypeError, AttributeError, KeyError, ZeroDivisionError])
def test_a_field_rule_that_fails_is_never_a_match_of_the_probe(monkeypatch, error):
    monkeypatch.setitem(OPS, "aten.convolution", replace(OPS["aten.convolution"], field=planted(error)))
    report = inspect_model(NET, (1, 3, 8, 8), probe=True)
    (note,) = [note for note in report.notes if "the field rule of aten.convolution failed" in note]
    assert note.startswith("receptive field unknown in 4 rows")
    fields = [row.receptive_field for row in report.rows]
    assert all(field.status.value == "unknown" and field.verdict is not Verdict.MATCH for field in fields)
    assert all(error.__name__ in field.why[0].text for field in fields)


@pytest.mark.parametrize(("op", "fact"), [("aten.convolution", "positions"), ("aten.mm", "features")])
def test_a_bug_in_what_tells_the_axes_makes_every_field_unknown(monkeypatch, op, fact):
    monkeypatch.setitem(OPS, op, replace(OPS[op], **{fact: planted()}))
    net = nn.Conv2d(3, 4, 3) if fact == "positions" else Projected()
    report = inspect_model(net, (1, 3, 8, 8), probe=True)
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    assert fields
    assert all(field.status.value == "unknown" and field.verdict is not Verdict.MATCH for field in fields)
    assert all(
        field.why[0].text.startswith(f"the registration of {op} failed: TypeError: planted (") for field in fields
    )


class Projected(nn.Module):
    """A matrix product over the last dimension, which tells that it holds features."""

    def forward(self, x):
        return torch.mm(x[0, 0], x[0, 1])
