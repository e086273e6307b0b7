"""Which tensors share memory, and when it is freed."""

from __future__ import annotations

import gc
import itertools
import weakref

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.elements import Bytes
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


def test_a_recording_leaves_nothing_on_the_parameters_of_a_model_that_lives_on():
    model = nn.Linear(3, 2)
    before = weakref.getweakrefcount(model.weight.untyped_storage())
    for _ in range(3):
        record(model, (torch.zeros(1, 3),), {}, layer_of, device="cpu")
    gc.collect()
    assert weakref.getweakrefcount(model.weight.untyped_storage()) == before


VIEWS = st.tuples(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=3), st.integers(0, 9), st.sampled_from([1, 4])
)
"""(size and stride of each axis, offset, bytes of an element), overlapping, expanded and empty views among them."""


def bytes_of(view):
    """Every byte by its address: the definition of strides, element by element."""
    axes, offset, item = view
    places = itertools.product(*(range(size) for size, _ in axes))
    starts = [item * (offset + sum(i * stride for i, (_, stride) in zip(place, axes, strict=True))) for place in places]
    return {start + byte for start in starts for byte in range(item)}


@given(VIEWS, VIEWS)
def test_sets_of_bytes_are_those_of_the_elements(one, other):
    a, b = view_of(one), view_of(other)
    ours, theirs = bytes_of(one), bytes_of(other)
    for found, expected in ((a, ours), (a | b, ours | theirs), (a & b, ours & theirs), (a - b, ours - theirs)):
        assert addresses(found) == sorted(expected)


def view_of(view):
    axes, offset, item = view
    return Bytes.of_view([size for size, _ in axes], [stride for _, stride in axes], offset, item)


def addresses(found):
    starts, stops = ([found.start], [found.stop]) if found.runs is None else (ends.tolist() for ends in found.runs)
    listed = [byte for start, stop in zip(starts, stops, strict=True) for byte in range(start, stop)]
    assert len(found) == len(listed)
    return listed
