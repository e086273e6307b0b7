"""Ops that make a number of NaN are marked: else the NaN probe would contradict a right field.

Every op that shares the rule of pointwise ops is run with NaN in one argument at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import pytest
import torch

from cnninspect.ops.registry import OPS
from cnninspect.trace.trees import leaves

aten = torch.ops.aten
VALUES: dict[str, list[Any]] = {"number": [0, 1, 2], "float": [0.0, 1.0], "int": [0, 1], "bool": [False, True]}
MOST = 100
"""Choices of arguments that are tried for one op."""


def pointwise() -> Iterator[tuple[str, Any]]:
    """The overloads that share the rule of pointwise ops, each with the name of its op."""
    for name in dir(aten):
        packet = getattr(aten, name)
        if name.startswith("__") or f"aten.{name}" in OPS or not hasattr(packet, "overloads"):
            continue
        for overload in packet.overloads():
            op = getattr(packet, overload)
            if torch.Tag.pointwise in op.tags and "out" not in overload and not name.endswith("_backward"):
                yield f"{name}.{overload}", op


def choices(op: Any) -> list[list[Any]]:
    """For each positional argument the values to try; empty for one that is no tensor and no number."""
    given = [argument for argument in op._schema.arguments if not argument.kwarg_only]
    tensors = [torch.full((2,), value) for value in (0.0, 1.0, 2.0)]
    return [tensors if str(a.type) == "Tensor" else VALUES.get(str(a.type), []) for a in given]


def numbers_from_nan(op: Any) -> Iterator[tuple[Any, ...]]:
    """Arguments, one of them NaN, of which a floating op makes a number."""
    for combination in islice(product(*choices(op)), MOST):
        for place in (i for i, value in enumerate(combination) if isinstance(value, torch.Tensor)):
            args = [value.clone() if isinstance(value, torch.Tensor) else value for value in combination]
            args[place] = torch.full((2,), torch.nan)
            try:
                out = op(*args)
            except RuntimeError:
                continue  # an op of integers, or a number that it does not take
            if any(not one.isnan().all() for one in leaves(out, torch.Tensor) if one.is_floating_point()):
                yield combination


@pytest.mark.parametrize(("name", "op"), [pytest.param(*pair, id=pair[0]) for pair in pointwise()])
def test_the_shared_rule_is_for_ops_that_keep_nan(name: str, op: Any) -> None:
    assert next(numbers_from_nan(op), None) is None


def test_an_op_that_makes_a_number_of_nan_is_found() -> None:
    assert next(numbers_from_nan(aten.fmax.default), None) is not None
