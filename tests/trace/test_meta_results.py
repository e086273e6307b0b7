"""Results of ops that are not run again: they have the sizes, strides and dtypes that the op itself gives."""

import pytest
import torch

from cnninspect import inspect_model
from cnninspect.trace.meta_results import MetaResults
from cnninspect.trace.names import schema_of

aten = torch.ops.aten


def empty(*shape, dtype=torch.float32):
    return torch.empty(*shape, dtype=dtype, device="meta")


IMAGES = empty(2, 3, 8, 8)
LAST = IMAGES.to(memory_format=torch.channels_last)
# (op, arguments, other arguments that must not be taken for the first). The oracle is the op itself.
CASES = {
    "sizes": (aten.relu.default, (IMAGES,), (empty(2, 3, 8, 9),)),
    "strides": (aten.relu.default, (IMAGES,), (LAST,)),
    "broadcast strides": (aten.neg.default, (empty(3, 1).expand(3, 4),), (empty(3, 4),)),
    "dtypes": (aten.relu.default, (IMAGES,), (IMAGES.half(),)),
    "an integer or a float": (aten.add.Tensor, (empty(2, dtype=torch.int64), 1), (empty(2, dtype=torch.int64), 1.0)),
    "an integer or a boolean": (aten.add.Tensor, (empty(2, dtype=torch.bool), True), (empty(2, dtype=torch.bool), 1)),
    "lists": (aten.cat.default, ([IMAGES, IMAGES], 1), ([IMAGES, IMAGES, IMAGES], 1)),
    "several results": (aten.max.dim, (IMAGES, 2), (IMAGES, 3)),
    "keepdim": (aten.sum.dim_IntList, (IMAGES, [2]), (IMAGES, [2], True)),
    "convolution": (
        aten.convolution.default,
        (IMAGES, empty(4, 3, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
        (LAST, empty(4, 3, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_known_result_is_that_of_the_op(case):
    op, *given = CASES[case]
    results = MetaResults()
    for arguments in (*given, *given):
        found, expected = (run(*arguments) for run in (bound(results, op), op))
        assert layouts(found) == layouts(expected)
        assert type(found) is type(expected) or isinstance(found, tuple)
    assert len(results.known) == 2


def bound(results, op):
    return lambda *arguments: results.run(op, schema_of(op), arguments, {})


def layouts(output):
    tensors = output if isinstance(output, tuple) else (output,)
    return [(each.shape, each.stride(), each.dtype, each.device, each.untyped_storage().nbytes()) for each in tensors]


def test_a_default_dtype_is_not_taken_for_another():
    results, x = MetaResults(), empty(2, dtype=torch.int64)
    halved = bound(results, aten.div.Tensor)
    assert halved(x, 2).dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert halved(x, 2).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_results_that_share_memory_or_have_values_are_not_known():
    # _unsafe_view shares memory with its input, which its schema does not say; a tensor on the CPU has values.
    results, x = MetaResults(), empty(2, 3)
    for op, arguments in ((aten._unsafe_view.default, (x, [6])), (aten.relu.default, (torch.ones(2),))):
        bound(results, op)(*arguments)
        again = bound(results, op)(*arguments)
        assert not results.known
        assert again.is_meta or again.tolist() == [1, 1]
    assert bound(results, aten._unsafe_view.default)(x, [6]).untyped_storage()._cdata == x.untyped_storage()._cdata


def test_equal_blocks_run_their_kernels_once(monkeypatch):
    # Ten equal blocks: a convolution and an activation each, of which only the first run.
    ran = []
    known = MetaResults.run
    monkeypatch.setattr(
        MetaResults,
        "run",
        lambda self, op, schema, *given: known(self, lambda *a, **k: [ran.append(op), op(*a, **k)][1], schema, *given),
    )
    block = [torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.ReLU()]
    report = inspect_model(torch.nn.Sequential(*(block * 10)), (1, 3, 8, 8))
    assert ran == [aten.convolution.default, aten.relu.default]
    # 3*3*3 multiply-accumulates for each of 3*8*8 outputs, ten times.
    assert report.totals["macs"].value == 10 * 27 * 3 * 64
