"""Answers that other tools get wrong: branches, phases, global parts, data-dependent and unknown ops, borders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Field, intervals
from cnninspect.receptive.rows import row_fields
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace
from tests.receptive import literature
from tests.receptive.blocks import Gate


def seen(model: Callable[..., Any], *shape: int, training: bool = False) -> tuple[Trace, Field, ReceptiveField]:
    """The trace, and the field of the first output as intervals and in published form."""
    trace = record(model, (torch.rand(shape),), {}, layer_of, device="cpu", training=training)
    fields = intervals(trace, KNOWLEDGE)
    published = row_fields(fields)[0]
    assert published is not None
    return trace, fields[trace.outputs[0].value], published


def ends(field: Field, axis: int = 0, *, local: bool = False) -> tuple[list[int], list[int]]:
    """First and last pixel of every output position along one axis, in the first row and channel of the others."""
    bounds = field.local if local else field.strict
    interval = next(interval for key, interval in bounds.items() if key.index == axis)
    index = tuple(slice(None) if dim == axis + 2 else 0 for dim in range(len(field.shape)))
    lo, hi = (np.broadcast_to(end, field.shape)[index].tolist() for end in (interval.lo, interval.hi))
    return lo, hi


def sizes(field: Field, axis: int = 0) -> list[int]:
    return [hi - lo + 1 for lo, hi in zip(*ends(field, axis), strict=True)]


class TestBranches:
    def test_equal_jumps_and_different_centres_give_the_hull(self) -> None:
        """conv3 sees i-1..i+1, conv5 three positions on sees i+1..i+5: together i-1..i+5."""
        _, field, published = seen(literature.ShiftedBranches(), 1, 1, 24)
        lo, hi = ends(field)
        assert (lo[10], hi[10]) == (9, 15)
        assert (published.size, published.jump, published.padding) == ((7,), (1,), (1,))

    def test_different_jumps_depend_on_the_index(self) -> None:
        """google-research/receptive_field raises on its unaligned network. At 8 px the outputs see

        0..2 and 0..4, 0..4 and 1..5, 2..6 and 2..6, 4..7 and 3..7.
        """
        _, field, published = seen(literature.UnalignedBranches(), 1, 1, 8, 8)
        assert ends(field) == ([0, 0, 2, 3], [4, 5, 6, 7])
        assert sizes(field, 1) == [5, 6, 5, 5]
        assert (published.size, published.jump, published.padding) == (([5, 6], [5, 6]), None, None)


UPS = [
    pytest.param(literature.up_conv, {188, 204}, id="up-conv"),
    pytest.param(literature.upsample("nearest"), {188, 204}, id="nearest"),
    pytest.param(literature.upsample("bilinear"), {220, 236}, id="bilinear"),
]


class TestPhases:
    """U-Net of depth 4, two 3x3 convolutions per level, one final output: its field depends on the output index mod 16.

    By hand for the path through the bottom: the naive recursion says 200, and no output sees that.
    """

    @pytest.mark.parametrize(("up", "expected"), UPS)
    def test_unet_sees_two_sizes(self, up: Callable[[], nn.Module], expected: set[int]) -> None:
        _, field, published = seen(literature.UNet(4, 1, up), 1, 1, 512, 512)
        inside = sizes(field)[240:272]
        assert set(inside) == expected
        assert inside[:16] == inside[16:]
        assert published.size == ([min(expected), max(expected)],) * 2
        assert published.jump == (1, 1)

    def test_a_fractional_jump(self) -> None:
        """Two outputs for each input pixel."""
        _, field, published = seen(nn.Upsample(scale_factor=2), 1, 1, 6)
        assert ends(field) == ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],) * 2
        assert published.size == (1,)
        assert published.jump == ("1/2",)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


class TokenMixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x.flatten(2)).view_as(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 3, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.transpose(1, 2))[0].transpose(1, 2)


class Fourier(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x, dim=3), dim=3)


GLOBAL = [
    pytest.param(nn.AdaptiveAvgPool2d(1), (1, 2, 8, 8), id="global-pooling"),
    pytest.param(nn.Sequential(nn.Flatten(), nn.Linear(128, 3)), (1, 2, 8, 8), id="flatten-linear"),
    pytest.param(Attention(), (1, 2, 8, 8), id="attention"),
    pytest.param(TokenMixing(), (1, 2, 8, 8), id="token-mixing"),
    pytest.param(Recurrent(), (1, 2, 8), id="bidirectional-lstm"),
]


@pytest.mark.parametrize(("model", "shape"), GLOBAL)
def test_the_local_path_itself_is_global(model: nn.Module, shape: tuple[int, ...]) -> None:
    _, field, published = seen(model, *shape)
    assert (published.size, published.status) == (None, Status.EXACT)
    assert published.is_global
    for axis, interval in field.strict.items():
        assert (interval.lo.min(1) == 0).all()
        assert (interval.hi.max(1) == axis.size - 1).all()


def test_fft_is_global_on_the_axes_it_transforms() -> None:
    _, field, _ = seen(Fourier(), 1, 2, 6, 8)
    assert ends(field, 0) == ([0, 1, 2, 3, 4, 5],) * 2
    assert ends(field, 1) == ([0] * 8, [7] * 8)


STATISTICS = [
    pytest.param(Gate(4), False, id="squeeze-and-excitation"),
    pytest.param(nn.GroupNorm(2, 4), False, id="group-norm"),
    pytest.param(nn.InstanceNorm2d(4), False, id="instance-norm"),
    pytest.param(nn.BatchNorm2d(4), True, id="batch-norm-in-training"),
]


@pytest.mark.parametrize(("part", "training"), STATISTICS)
def test_statistics_and_gates_leave_the_local_field_and_name_the_cause(part: nn.Module, training: bool) -> None:
    """A 3x3 convolution before and one after: the local field is 5x5, the strict one everything."""
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), part, nn.Conv2d(4, 2, 3, padding=1))
    _, field, published = seen(model, 1, 2, 12, 12, training=training)
    assert (published.size, published.jump, published.padding) == ((5, 5), (1, 1), (2, 2))
    assert published.cause is not None
    assert published.cause.startswith("1")
    assert ends(field) == ([0] * 12, [11] * 12)
    assert ends(field, local=True)[0] == [0, 0, 0, *range(1, 10)]


def test_a_gate_of_a_map_of_one_column_is_a_gate_along_both_axes() -> None:
    """Channel 0 reads columns 0..2, channel 1 columns 1..5; both are scaled by one number for all rows."""

    def model(x: Tensor) -> Tensor:
        columns = torch.cat([x[..., :3].sum(3, keepdim=True), x[..., 1:].sum(3, keepdim=True)], 1)
        return columns * columns.mean((1, 2, 3), keepdim=True)

    _, field, _ = seen(model, 1, 1, 4, 6)
    bounds = {axis.index: interval for axis, interval in field.local.items()}
    shape = (1, 2, 4, 1)
    lo, hi = (np.broadcast_to(end, shape)[0, :, 0, 0].tolist() for end in (bounds[1].lo, bounds[1].hi))
    assert (lo, hi) == ([0, 1], [2, 5])
    assert ends(field, 0, local=True) == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert ends(field, 1)[1] == [5]


def test_the_first_cause_stands() -> None:
    model = nn.Sequential(nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 3), nn.InstanceNorm2d(2), Gate(2))
    _, _, published = seen(model, 1, 2, 9, 9)
    assert published.cause == "0"


class Sampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        grid = x[:, :2].permute(0, 2, 3, 1)
        return F.grid_sample(x, grid, align_corners=False)


class Indexed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, x[0, 0].argmax(1)]


@pytest.mark.parametrize("model", [Sampled(), Indexed()], ids=["grid-sample", "index-from-data"])
def test_where_data_say_what_is_read(model: nn.Module) -> None:
    _, field, published = seen(nn.Sequential(model, nn.Conv2d(2, 2, 1)), 1, 2, 6, 6)
    assert field.data_dependent is not None
    assert published.status is Status.UNKNOWN
    assert published.size is None


def by_maximum(x: Tensor) -> Tensor:
    return x / x.max().item()


def by_list(x: Tensor) -> Tensor:
    return x + torch.tensor(x.flatten().tolist()).view(x.shape)


def by_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(2 * x.numpy())


def by_dlpack(x: Tensor) -> Tensor:
    return torch.from_dlpack(2 * x)


def by_comparison(x: Tensor) -> Tensor:
    return x if torch.equal(x, x.flip(2)) else 2 * x


READ_OUT = [
    pytest.param(by_maximum, "Tensor.item", id="item"),
    pytest.param(by_list, "Tensor.tolist", id="tolist"),
    pytest.param(by_numpy, "Tensor.numpy", id="numpy"),
    pytest.param(by_dlpack, "Tensor.__dlpack__", id="dlpack"),
    pytest.param(by_comparison, "torch.equal", id="branch"),
]


@pytest.mark.parametrize(("function", "name"), READ_OUT)
def test_what_follows_a_look_at_the_elements_may_depend_on_any_of_them(
    function: Callable[[Tensor], Tensor], name: str
) -> None:
    """No op leads from the elements that Python code saw to what it makes of them."""
    conv = nn.Conv1d(1, 1, 3)
    trace, field, published = seen(lambda x: function(conv(x)), 1, 1, 12)
    assert (field.data_dependent, published.status, published.size) == (name, Status.UNKNOWN, None)
    before = row_fields(intervals(trace, KNOWLEDGE))[1]
    assert before is not None
    assert before.size == (3,)


def test_a_look_at_what_no_input_reaches_says_nothing() -> None:
    scale = torch.tensor([2.0, 3.0])
    _, field, published = seen(lambda x: F.conv1d(x, torch.ones(1, 1, 3)) * scale.max().item(), 1, 1, 12)
    assert (field.data_dependent, published.size) == (None, (3,))


def test_an_op_without_a_rule_is_named_and_taints_what_follows() -> None:
    """Never treated as elementwise: a roll in disguise moves every pixel."""
    with torch.library._scoped_library("receptive_test", "FRAGMENT") as library:
        library.define("mystery(Tensor x) -> Tensor")
        library.impl("mystery", lambda x: x.roll(1, 2), "CPU")

        class Mystery(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.ops.receptive_test.mystery(x)

        model = nn.Sequential(nn.Conv1d(1, 1, 3), Mystery(), nn.Conv1d(1, 1, 3))
        trace, field, published = seen(model, 1, 1, 12)
        fields = row_fields(intervals(trace, KNOWLEDGE))
    assert field.unknown is not None
    assert "receptive_test.mystery" in field.unknown
    assert published.status is Status.UNKNOWN
    by_path = {call.path: fields[call.index] for call in trace.calls if not call.functional}
    assert by_path["0"].size == (3,)
    assert by_path["1"].status is Status.UNKNOWN
    assert by_path["2"].status is Status.UNKNOWN


def test_border_units_are_exact_where_clipping_the_theoretical_interval_is_not() -> None:
    """Taps at i-3 and i+1: output 0 sees pixel 1 alone, although -3..1 clipped would be 0..1."""
    _, field, published = seen(nn.Conv1d(1, 1, 2, dilation=4, padding=3), 1, 1, 10)
    assert ends(field) == ([1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, 9, 6, 7, 8])
    assert (published.size, published.padding) == ((5,), (3,))


def test_outputs_that_see_only_padding_see_nothing() -> None:
    """A 1x1 convolution with padding 1: the first and the last output see no pixel."""
    _, field, _ = seen(nn.Conv1d(1, 1, 1, padding=1), 1, 1, 4)
    lo, hi = ends(field)
    assert [a <= b for a, b in zip(lo, hi, strict=True)] == [False, True, True, True, True, False]


def test_an_output_that_depends_on_no_input_sees_nothing() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.ones(1, 2, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.table * 2

    _, field, published = seen(Table(), 1, 2, 4)
    assert not field.inputs
    assert published.size == (0,)
