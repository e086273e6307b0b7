"""Every formula of the registry, on every sample: what is written evaluates to the number that is counted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from cnninspect.explain.expression import (
    PYTHON,
    Expression,
    Symbol,
    evaluate,
    in_sympy,
    nodes,
    substituted,
    symbols,
    written,
)
from cnninspect.explain.recorded import tree_of, with_names
from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import use_of
from cnninspect.ops.registry import FUNCTIONS, MODULES, Formula, Use
from cnninspect.trace.recorder import record
from tests.ops.samples import FunctionSample, ModuleSample, function_samples, module_samples

ROUNDING = {"floor": math.floor, "ceil": math.ceil, "max": max, "min": min}
ids = {"ids": lambda sample: sample.id}


@pytest.mark.parametrize("sample", module_samples(), **ids)
def test_formula_of_a_module(sample: ModuleSample) -> None:
    module, args, keywords = sample.build()
    trace = record(module, args, keywords, layer_of, device=sample.device, training=sample.training)
    hold(trace.calls[0], MODULES[sample.kind])


@pytest.mark.parametrize("sample", function_samples(), **ids)
def test_formula_of_a_function(sample: FunctionSample) -> None:
    function, args, _ = sample.build()
    trace = record(function, args, {}, layer_of, device=sample.device)
    (call,) = [call for call in trace.calls if call.kind == sample.name]
    hold(call, FUNCTIONS[sample.name][0])


def hold(call: Any, formula: Formula) -> None:
    """Each number of the formula, plain and recorded, and everything that is written of it."""
    use = use_of(call, formula)
    assert isinstance(use, Use)
    for plain, recorded in zip(numbers(formula, use), numbers(formula, with_names(use, formula)), strict=True):
        assert recorded == plain
        tree = tree_of(recorded)
        assert eval(written(substituted(tree), PYTHON), dict(ROUNDING)) == plain
        assert eval(written(tree, PYTHON), {**ROUNDING, **symbols(tree)}) == plain
        assert evaluate(tree) == plain
        assert by_sympy(tree) == plain
        # A number without a name or operation is one that the formula writes out itself, such as 0 MACs.
        assert symbols(tree) or plain in (0, 1, 2), f"{plain} has lost its derivation"


@cache
def by_sympy(tree: Expression) -> Any:
    """What sympy makes of it; floating scale factors are rounded as Python does, so they are left to it."""
    if any(isinstance(value, float) for value in symbols(tree).values()):
        return evaluate(tree)
    values = {node: node.value for node in nodes(tree) if isinstance(node, Symbol)}
    return in_sympy(tree).subs({in_sympy(symbol): value for symbol, value in values.items()})


def numbers(formula: Formula, use: Use) -> Iterator[Any]:
    """Every size of the outputs, every count of parameters, and the multiply-accumulates."""
    for shape in formula.output(use):
        yield from shape
    yield from formula.params(use).values()
    yield formula.macs(use)
