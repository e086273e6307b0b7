"""Ops that make a number of NaN are marked: else the NaN probe would contradict a right field.

Every op that shares the rule of pointwise ops is run with NaN in one argument at a time, the others on their samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import pytest
import torch

from cnninspect.ops.linalg import unknown_macs
from cnninspect.ops.registry import OPS, Work
from cnninspect.trace.trees import leaves, map_leaves
from tests.ops.aten.samples import OpSample
from tests.ops.aten.test_rules import SAMPLES
from tests.ops.samples import make

aten = torch.ops.aten
VALUES: dict[str, list[Any]] = {"number": [0, 1, 2], "float": [0.0, 1.0], "int": [0, 1], "bool": [False, True]}
MOST = 100
"""Choices of arguments that are tried for one op."""


def pointwise() -> Iterator[tuple[str, Any]]:
    """The overloads that share the rule of pointwise ops, each with its name; none that torch writes as other ops."""
    for qualified in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, full_name = qualified.partition("::")
        name, _, overload = full_name.partition(".")
        if namespace != "aten" or f"aten.{name}" in OPS or name.startswith("__") or name.endswith("_backward"):
            continue
        composite = torch._C._dispatch_has_kernel_for_dispatch_key(qualified, "CompositeImplicitAutograd")
        op = getattr(getattr(aten, name), overload or "default")
        if torch.Tag.pointwise in op.tags and "out" not in overload and not composite:
            yield full_name, op


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


def test_the_shared_rule_is_for_ops_that_keep_nan() -> None:
    found = dict(pointwise())
    assert len(found) > 100
    assert {name for name, op in found.items() if next(numbers_from_nan(op), None) is not None} == set()


def test_an_op_that_makes_a_number_of_nan_is_found() -> None:
    assert next(numbers_from_nan(aten.fmax.default), None) is not None


def is_checked(sample: OpSample) -> bool:
    """Whether the op of a sample runs on the CPU, with a result of a known shape, and bears no mark for all uses."""
    rule = OPS[sample.packet]
    # LAPACK may search forever for a factor of NaN, and a drawing for a number; a drawing differs without NaN, too.
    random = rule.work is Work.CREATION or rule.macs is unknown_macs
    return sample.results is None and sample.shape_known and not random and rule.swallows_nan is False


def reactions(sample: OpSample) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """For each floating argument and result: where it changes with other numbers there, and where NaN comes out."""
    args = tuple(make(value, "cpu") for value in sample.args)
    kwargs = {name: make(value, "cpu") for name, value in sample.kwargs.items()}
    namespace, name = sample.packet.split(".")
    function = getattr(getattr(torch.ops, namespace), name)
    tensors = list(leaves((args, kwargs), torch.Tensor))

    def run(place: int, value: torch.Tensor) -> list[torch.Tensor]:
        torch.manual_seed(0)
        position = iter(range(len(tensors)))
        own, named = map_leaves(
            (args, kwargs), torch.Tensor, lambda _, t: value.clone() if next(position) == place else t.clone()
        )
        return list(leaves(function(*own, **named), torch.Tensor))

    for place, x in enumerate(tensors):
        if x.is_floating_point() and x.layout is torch.strided:
            before, after, spoiled = (
                run(place, v) for v in (x, x.flip(0) * 0.7 + 0.1 if x.dim() else x * 0.7, x + torch.nan)
            )
            for old, new, nan in zip(before, after, spoiled, strict=True):
                if old.is_floating_point() and old.layout is torch.strided:
                    yield old != new, nan.isnan()


def numbers_for_nan(sample: OpSample) -> bool:
    """Whether some result reacts to numbers in an argument and not to NaN; False for an op that refuses to run."""
    try:
        return any(bool((changed & ~nan).any()) for changed, nan in reactions(sample))
    except (RuntimeError, NotImplementedError):
        return False


@pytest.mark.parametrize("sample", [s for s in SAMPLES if OPS.get(s.packet) and is_checked(s)], ids=lambda s: s.id)
def test_where_numbers_react_nan_comes_out(sample: OpSample) -> None:
    assert not numbers_for_nan(sample)


@pytest.mark.parametrize("packet", ["aten.multi_margin_loss", "aten.fmax", "aten.nansum"])
def test_a_marked_op_is_found_by_its_samples(packet: str) -> None:
    assert any(numbers_for_nan(sample) for sample in SAMPLES if sample.packet == packet)
