"""Walk the registries: every formula is documented, and agrees with torch on every sample of every family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import Estimate, evaluate
from cnninspect.ops.registry import FUNCTIONS, MODULES, Formula
from cnninspect.trace.isolation import isolated
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Call
from tests.ops.samples import (
    FunctionSample,
    ModuleSample,
    function_samples,
    module_class,
    module_samples,
)

FORMULAS: list[Formula] = list(
    {id(f): f for f in [*MODULES.values(), *(formula for formula, _ in FUNCTIONS.values())]}.values()
)
ids = {"ids": lambda sample: sample.id}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_a_formula_names_its_source(formula: Formula) -> None:
    assert "torch" in formula.source or any(character.isdigit() for character in formula.source)


@pytest.mark.parametrize("kind", MODULES)
def test_a_registered_module_exists_and_has_samples(kind: str) -> None:
    assert issubclass(module_class(kind), torch.nn.Module)
    assert kind in {sample.kind for sample in module_samples()}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_every_hyperparameter_is_an_attribute_of_some_layer_of_the_formula(formula: Formula) -> None:
    layers = [sample.build()[0] for sample in module_samples() if sample.kind in formula.modules]
    unknown = {name for name in formula.hyperparameters if not any(hasattr(layer, name) for layer in layers)}
    assert not unknown


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_registered_function_has_samples(name: str) -> None:
    assert name in {sample.name for sample in function_samples()}


def _in_sweep(sample: ModuleSample) -> bool:
    """Two recurrent layers of a single sequence or with the batch first; with a batch of its own they always run."""
    stacked = sample.kind in ("RNN", "LSTM", "GRU") and sample.constructor.get("num_layers") == 2
    return stacked and sample.inputs[0] != (7, 2, 3)


@pytest.mark.parametrize(
    "sample",
    [pytest.param(sample, marks=pytest.mark.sweep) if _in_sweep(sample) else sample for sample in module_samples()],
    **ids,
)
def test_formula_of_a_module_agrees_with_torch(sample: ModuleSample) -> None:
    module, args, keywords = sample.build()
    trace = record(module, args, keywords, layer_of, device=sample.device, training=sample.training)
    call, estimate = trace.calls[0], evaluate(trace)[0]

    assert call.layer == sample.kind
    assert estimate.formula == MODULES[sample.kind].name
    assert estimate.shapes == shapes(call)
    assert estimate.params == sum(parameter.numel() for parameter in module.parameters())
    assert estimate.macs == (macs_by_torch(module, args, keywords) if sample.macs is None else sample.macs)


@pytest.mark.parametrize("sample", function_samples(), **ids)
def test_formula_of_a_function_agrees_with_torch(sample: FunctionSample) -> None:
    function, args, weights = sample.build()
    trace = record(function, args, {}, layer_of, device=sample.device)
    calls = [call for call in trace.calls if call.kind == sample.name]
    assert len(calls) == 1, f"the trace names {[call.kind for call in trace.calls[1:]]}"
    estimate: Estimate = evaluate(trace)[calls[0].index]

    assert estimate.formula == FUNCTIONS[sample.name][0].name
    assert estimate.shapes == shapes(calls[0])
    assert estimate.params == sum(weight.numel() for weight in weights)
    assert estimate.macs == (macs_by_torch(function, args, {}) if sample.macs is None else sample.macs)


def shapes(call: Call) -> tuple[tuple[int, ...], ...]:
    return tuple(ref.shape for ref in call.outputs)


def macs_by_torch(model: Any, args: Any, keywords: Any) -> int:
    """FlopCounterMode's own total, two FLOPs a MAC; it has no formula for what its registry does not list."""
    with isolated(None, training=False), FlopCounterMode(display=False) as counter:
        model(*args, **keywords)
    return counter.get_total_flops() // 2
