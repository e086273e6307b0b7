"""Which tensors share memory, and when it is freed."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.recorder import record

X = torch.rand(2, 3)


def trace_of(function, *args):
    return record(function, args, {}, layer_of, device="cpu")


def test_the_recorder_keeps_no_intermediate_result_alive():
    """The first relu's result is read by the second and gone before the third runs; the last one is the output."""
    trace = trace_of(lambda x: F.relu(F.relu(F.relu(x))), X)
    first, second, third = (op.outputs[0].storage for op in trace.ops)
    assert trace.freed == {first: 2, second: 3}
    assert trace.outputs[0].storage == third


def test_views_and_in_place_results_share_a_storage():
    trace = trace_of(lambda x: F.relu(x).view(6).add_(1).reshape(3, 2), X)
    assert len({op.outputs[0].storage for op in trace.ops}) == 1


def test_a_view_that_its_schema_does_not_declare_shares_a_storage():
    """The last step of a batched product is `_unsafe_view`, which says nothing about aliases."""
    trace = trace_of(torch.matmul, torch.rand(2, 1, 3, 4), torch.rand(2, 1, 4, 5))
    product, view = trace.ops[-2:]
    assert view.packet == "aten._unsafe_view"
    assert view.outputs[0].storage == product.outputs[0].storage


def test_a_freed_storage_is_not_taken_for_the_next_one_in_its_place():
    """A thousand results in turn, of which the allocator places many where one before was."""

    def net(x):
        for _ in range(1000):
            x = F.relu(x)
        return x

    trace = trace_of(net, X)
    assert len({op.outputs[0].storage for op in trace.ops}) == 1000
