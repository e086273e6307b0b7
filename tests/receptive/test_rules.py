"""Every rule against the op itself: which outputs of the real op change when one row or column of its input does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cnninspect import inspect_model
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Field, intervals
from cnninspect.report.quantities import Verdict
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace
from cnninspect.trace.trees import leaves
from tests.receptive import samples_computing, samples_mixing
from tests.receptive.samples import Sample

SAMPLES = [*samples_computing.SAMPLES, *samples_mixing.SAMPLES]
CASES = [pytest.param(sample, id=f"{sample.id}-{index}") for index, sample in enumerate(SAMPLES)]


def traced(sample: Sample) -> Trace:
    return record(sample.function, (image(sample),), {}, layer_of, device="cpu")


def image(sample: Sample) -> Tensor:
    """Distinct values between 0.1 and 1, so that no maximum, median or order is a tie."""
    count = int(np.prod(sample.shape))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return (0.1 + 0.9 * order.float() / count).reshape(sample.shape)


def changed(before: Tensor, after: Tensor) -> np.ndarray:
    differs = (before != after) & ~(before.isnan() & after.isnan())
    return np.asarray(differs | (before.isnan() != after.isnan()))


def run(sample: Sample, x: Tensor) -> list[Tensor]:
    torch.manual_seed(0)
    return list(leaves(sample.function(x), torch.Tensor))


def reactions(sample: Sample, dim: int) -> list[np.ndarray]:
    """For each output [pixels along dim, *shape]: whether an element reacts when that row of the input changes."""
    x = image(sample)
    before = run(sample, x)
    found = [np.zeros((x.shape[dim], *output.shape), dtype=bool) for output in before]
    for pixel in range(x.shape[dim]):
        for mark in sample.marks:
            spoiled = x.clone()
            spoiled.select(dim, pixel).fill_(mark)
            for reacted, old, new in zip(found, before, run(sample, spoiled), strict=True):
                reacted[pixel] |= changed(old, new)
    return found


def hull(reacted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel to which each element reacts; the number of pixels and -1 where it reacts to none."""
    pixels = np.arange(len(reacted)).reshape(-1, *[1] * (reacted.ndim - 1))
    return np.where(reacted, pixels, len(reacted)).min(0), np.where(reacted, pixels, -1).max(0)


def ends(field: Field, index: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of a field."""
    interval = next((interval for axis, interval in field.strict.items() if axis.index == index), None)
    if interval is None:
        return np.full(field.shape, pixels), np.full(field.shape, -1)
    seen = interval.lo <= interval.hi
    lo, hi = np.where(seen, interval.lo, pixels), np.where(seen, interval.hi, -1)
    return np.broadcast_to(lo, field.shape), np.broadcast_to(hi, field.shape)


@pytest.mark.parametrize("sample", CASES)
def test_field_is_the_hull_of_what_the_op_reacts_to(sample: Sample) -> None:
    trace = traced(sample)
    fields = intervals(trace, KNOWLEDGE)
    for axis in fields.axes["0"]:
        for reacted, ref in zip(reactions(sample, axis.dim), trace.outputs, strict=True):
            field = fields[ref.value]
            assert field.is_known, field.unknown or field.data_dependent
            expected, got = hull(reacted), ends(field, axis.index, axis.size)
            np.testing.assert_array_equal(got[0], expected[0], f"first pixel along {axis}")
            np.testing.assert_array_equal(got[1], expected[1], f"last pixel along {axis}")


@pytest.mark.parametrize("sample", CASES)
def test_sample_runs_its_ops(sample: Sample) -> None:
    assert set(sample.packets.split()) <= {op.packet for op in traced(sample).ops}


ZERO = torch.zeros((), dtype=torch.long)

SCALARS: dict[str, Callable[[Tensor], Tensor]] = {
    **{
        name: lambda s, name=name: getattr(s, name)(0)
        for name in (
            *("softmax", "log_softmax", "mean", "sum", "prod", "amax", "amin", "var", "logsumexp", "nansum", "argmax"),
            *("argmin", "count_nonzero", "flip", "cumsum", "cumprod", "logcumsumexp", "squeeze", "argsort"),
        )
    },
    **{
        name: lambda s, name=name: getattr(s, name)(0)[0]
        for name in ("max", "min", "median", "nanmedian", "mode", "sort", "cummax", "cummin")
    },
    "norm": lambda s: s.norm(dim=0),
    "topk": lambda s: s.topk(1, 0)[0],
    "kthvalue": lambda s: s.kthvalue(1, 0)[0],
    "transpose": lambda s: s.transpose(0, -1),
    "unfold": lambda s: s.unfold(0, 1, 1),
    "index_select": lambda s: s.index_select(0, ZERO[None]),
    "gather": lambda s: s.gather(0, ZERO),
    "gather of one": lambda s: s.gather(0, ZERO[None]),
    "scatter": lambda s: (s * 0).scatter(0, ZERO, s),
    "scatter_add": lambda s: s.scatter_add(0, ZERO, s),
}


@pytest.mark.parametrize("name", SCALARS)
def test_a_tensor_without_dimensions_counts_as_one_element(name: str) -> None:
    """Every op on the pixel in row 1 and column 2 sees that pixel and nothing else."""
    trace = record(lambda x: SCALARS[name](x[0, 0, 1, 2]), (torch.rand(1, 1, 3, 4),), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    seen = fields[trace.outputs[0].value]
    assert seen.is_known, fields.engine.reaches[trace.outputs[0].value].why
    pixel = {axis.dim: (interval.lo.min(), interval.hi.max()) for axis, interval in seen.strict.items()}
    assert pixel == {2: (1, 1), 3: (2, 2)}


def test_rows_that_no_group_has_are_unknown():
    """`torch._grouped_mm` writes nothing there: 5 of 6 rows are in a group."""

    def product(x: Tensor) -> Tensor:
        return torch._grouped_mm(x[0].bfloat16(), torch.ones(2, 8, 8).bfloat16(), offs=torch.tensor([2, 5]).int())

    report = inspect_model(product, (1, 6, 8), probe=True)
    field = report.rows[-1].receptive_field
    assert field.verdict is Verdict.UNKNOWN
    assert field.why[0].text.endswith("rows after the last offset hold what was in memory before")
