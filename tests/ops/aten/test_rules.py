"""On each sample of an ATen op its rule says what torch makes and counts; test_registry_walk sees that each has one."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import op_macs, op_shapes
from cnninspect.report.reasons import Cause
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Op, TensorRef
from tests.ops.aten.samples import OpSample
from tests.ops.samples import is_shape, make

FILES = (
    "views",
    "movement",
    "indexing",
    "reductions",
    "norms",
    "creation",
    "spatial",
    "linalg",
    "elementwise",
    "detection",
)
SAMPLES: list[OpSample] = [sample for name in FILES for sample in import_module(f"tests.ops.aten.{name}").SAMPLES]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_rule_agrees_with_torch(sample: OpSample) -> None:
    op, counted = run(sample) if sample.results is None else (written(sample), 0)
    made = tuple(ref.shape for ref in op.outputs)
    predicted = op_shapes(op)

    if sample.shape_known:
        assert predicted == made[: len(predicted) or None]
    else:
        assert predicted.cause is Cause.NOT_COVERED
    expected = counted if sample.macs is None else sample.macs
    if sample.macs_known:
        assert op_macs(op) == expected
    else:
        assert op_macs(op).cause is Cause.NOT_COVERED


def run(sample: OpSample) -> tuple[Op, int]:
    """The recorded op, and its MACs by torch's counter, two FLOPs a MAC."""
    function = getattr(torch.ops.aten, sample.name)
    args = [make(value, sample.device) for value in sample.args]
    kwargs = {name: make(value, sample.device) for name, value in sample.kwargs.items()}
    with FlopCounterMode(display=False) as counter:
        trace = record(lambda: function(*args, **kwargs), (), {}, layer_of, device=sample.device)
    (op,) = [op for op in trace.ops if op.packet == sample.packet]
    return op, counter.get_total_flops() // 2


def written(sample: OpSample) -> Op:
    """The op as the trace would record it, without running it."""
    args = tuple(TensorRef(0, value, "float32", 0) if is_shape(value) else value for value in sample.args)
    outputs = tuple(
        TensorRef(-number, shape, "float32", -number) for number, shape in enumerate(sample.results or (), 1)
    )
    return Op(0, f"{sample.packet}.default", args, {}, outputs, 0)
