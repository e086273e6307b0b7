"""Rows in published form: size, jump, padding, global and its cause, by hand for small networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.inspection.pipeline import inspect_model
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.rows import last_map, row_fields
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace

Model = Callable[..., Any]


def trace_of(model: Model, *shapes: tuple[int, ...]) -> Trace:
    inputs = tuple(torch.empty(shape, device="meta") for shape in shapes)
    if isinstance(model, nn.Module):
        model = model.to("meta").eval()
    return record(model, inputs, {}, layer_of, device="meta")


def row(model: Model, *shapes: tuple[int, ...]) -> ReceptiveField | None:
    """The row of the model's output."""
    return row_fields(intervals(trace_of(model, *shapes), KNOWLEDGE))[0]


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, device="meta")


def conv(x: Tensor, kernel: int = 3, **options: Any) -> Tensor:
    """A 2-d convolution that keeps the size if its stride is 1."""
    weight = zeros(x.shape[1], x.shape[1], kernel, kernel)
    return F.conv2d(x, weight, **{"padding": kernel // 2, **options})


def option_a(x: Tensor) -> Tensor:
    """The shortcut without parameters of He et al. 2015: every second position, zeros for the new channels."""
    short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))
    return short + F.conv2d(x, zeros(4, 2, 3, 3), stride=2, padding=1)


def temporal_shift(x: Tensor) -> Tensor:
    """Lin et al. 2019: a quarter of the channels come from the next position, a quarter from the one before."""
    out = torch.zeros_like(x)
    out[:, :2, :-1] = x[:, :2, 1:]
    out[:, 2:4, 1:] = x[:, 2:4, :-1]
    out[:, 4:] = x[:, 4:]
    return out


def windows(x: Tensor, size: int) -> Tensor:
    """[N, C, L] to [N, C, L/size, size]: softmax inside windows, and back."""
    return x.view(*x.shape[:2], -1, size).softmax(3).flatten(2)


def shifted_windows(x: Tensor) -> Tensor:
    return windows(windows(x, 4).roll(-2, 2), 4).roll(2, 2)


def coordinate_gate(x: Tensor) -> Tensor:
    """Hou et al. 2021: one gate per row and one per column."""
    return x * x.mean(3, keepdim=True).sigmoid() * x.mean(2, keepdim=True).sigmoid()


IMAGE = (1, 2, 12, 12)
PUBLISHED = [
    # The hull of i-1..i+1 at jump 2 with 2 i.
    pytest.param(option_a, [IMAGE], (3, 3), (2, 2), (1, 1), id="shortcut-padded-with-zero-channels"),
    pytest.param(lambda x: torch.cat([zeros(1, 2, 3, 12), conv(x)], 2), [IMAGE], (3, 3), (1, 1), (4, 1), id="zeros"),
    pytest.param(lambda x: conv(F.pad(x, (2, 2, 2, 2), mode="circular"), 5, padding=0), [IMAGE], (5, 5), (1, 1), (2, 2),
                 id="circular-padding"),
    pytest.param(lambda x: conv(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, padding=0), [IMAGE], (5, 5), (1, 1), (2, 2),
                 id="reflect-padding"),
    pytest.param(temporal_shift, [(1, 8, 10)], (3,), (1,), (1,), id="temporal-shift"),
    # Two 2x2 taps: positions 2i and 2i+1.
    pytest.param(lambda x: F.pixel_unshuffle(x, 2), [IMAGE], (2, 2), (2, 2), (0, 0), id="space-to-depth"),
    pytest.param(lambda x: F.pixel_shuffle(conv(x), 2), [(1, 4, 6, 6)], (3, 3), ("1/2", "1/2"), (1, 1), id="shuffle"),
    # k = 4, s = 2, p = 1: output 2i sees i-1 and i, output 2i+1 sees i and i+1.
    pytest.param(lambda x: F.conv_transpose2d(x, zeros(2, 2, 4, 4), stride=2, padding=1), [IMAGE], (2, 2),
                 ("1/2", "1/2"), (1, 1), id="transposed"),
    # k = 3, s = 2, p = 1: output 2i sees i alone, output 2i+1 sees i and i+1.
    pytest.param(lambda x: F.conv_transpose2d(x, zeros(2, 2, 3, 3), stride=2, padding=1), [IMAGE], ([1, 2],) * 2,
                 ("1/2", "1/2"), (0, 0), id="transposed-two-phases"),
    # k = 1, s = 2: every other output depends on nothing.
    pytest.param(lambda x: F.conv_transpose2d(x, zeros(2, 2, 1, 1), stride=2), [IMAGE], ([0, 1],) * 2,
                 ("1/2", "1/2"), (0, 0), id="transposed-with-gaps"),
    pytest.param(lambda x: conv(F.adaptive_avg_pool2d(x, (4, 6))), [IMAGE], (9, 6), (3, 2), (3, 2), id="adaptive"),
    # 5 to 3: windows 0..1, 1..3, 3..4, and so on with every 5 pixels.
    pytest.param(lambda x: F.adaptive_avg_pool1d(x, 3), [(1, 2, 5)], ([2, 3],), ("5/3",), (0,), id="uneven"),
    pytest.param(lambda x: conv(x)[:, :, 3:, :-2], [IMAGE], (3, 3), (1, 1), (-2, 1), id="crop"),
    pytest.param(lambda x: windows(x, 4), [(1, 2, 16)], (4,), (1,), (0,), id="windows"),
    # Windows 2..5, 6..9, ... of positions that see 0..3, 4..7, ...; output 0 lies in window -2..1 and sees -4..3.
    pytest.param(shifted_windows, [(1, 2, 16)], (8,), (1,), (4,), id="shifted-windows"),
    pytest.param(lambda x: conv(conv(x)), [IMAGE], (5, 5), (1, 1), (2, 2), id="two-convolutions"),
    pytest.param(lambda x: F.layer_norm(conv(x).permute(0, 2, 3, 1), (2,)), [IMAGE], (3, 3), (1, 1), (1, 1), id="nhwc"),
    pytest.param(lambda x: conv(x).flatten(2).transpose(1, 2), [IMAGE], (3, 3), (1, 1), (1, 1), id="tokens"),
    pytest.param(lambda x: F.conv2d(x, zeros(3, 2, 3, 3)), [(2, 12, 12)], (3, 3), (1, 1), (0, 0), id="without-batch"),
    pytest.param(lambda x: F.conv3d(x, zeros(1, 2, 1, 3, 5), stride=(2, 1, 1)), [(1, 2, 4, 6, 8)], (1, 3, 5), (2, 1, 1),
                 (0, 0, 0), id="three-axes"),
    pytest.param(lambda x: F.linear(x, zeros(3, 5)), [(1, 7, 5)], (1,), (1,), (0,), id="features-last"),
    pytest.param(nn.LSTM(4, 3), [(7, 2, 4)], ([1, 7],), None, None, id="time-first"),
    pytest.param(lambda x: x.tile(1, 1, 2, 1), [IMAGE], (1, 1), (1, 1), (0, 0), id="tiles"),
    pytest.param(lambda x, y: conv(x) + y, [IMAGE, IMAGE], (3, 3), (1, 1), (1, 1), id="two-inputs-show-the-first"),
    pytest.param(lambda x, y: conv(y), [IMAGE, IMAGE], (3, 3), (1, 1), (1, 1), id="the-first-it-depends-on"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "shapes", "size", "jump", "padding"), PUBLISHED)
def test_size_jump_padding(model: Model, shapes: list[tuple[int, ...]], size: Any, jump: Any, padding: Any) -> None:
    found = row(model, *shapes)
    assert found is not None
    assert (found.size, found.jump, found.padding, found.status) == (size, jump, padding, Status.EXACT)
    assert found.cause is None


POSITION_DEPENDENT = [
    # Corners of both maps coincide: 0, 5/11, 10/11, ...: the last output sees one pixel twice.
    pytest.param(lambda x: F.interpolate(x, 12, mode="linear", align_corners=True), (1, 2, 6), ([1, 2],), id="corners"),
    # An output of jump 1 added to one of jump 2: hulls of i..i and 2i..2i at 4 outputs, 0, 1, 2, 3.
    pytest.param(lambda x: x[:, :, :4] + x[:, :, ::2], (1, 2, 8), ([1, 4],), id="different-jumps"),
    pytest.param(lambda x: torch.cat([zeros(1, 1, 2), x.flatten(2).transpose(1, 2)], 1), (1, 2, 4, 4), ([0, 1],) * 2,
                 id="class-token"),
    pytest.param(lambda x: x + x.flip(2), (1, 2, 8), ([2, 8],), id="mirror"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "shape", "size"), POSITION_DEPENDENT)
def test_sizes_that_depend_on_the_position_have_no_jump(model: Model, shape: tuple[int, ...], size: Any) -> None:
    found = row(model, shape)
    assert found is not None
    assert (found.size, found.jump, found.padding) == (size, None, None)


GLOBAL = [
    pytest.param(lambda x: conv(x).mean((2, 3)), "Tensor.mean", id="mean"),
    pytest.param(lambda x: conv(x).flatten(1), "Tensor.flatten", id="flatten"),
    pytest.param(lambda x: F.linear(conv(x).flatten(1), zeros(3, 288)), "F.linear", id="flatten-linear"),
    pytest.param(lambda x: x + x.flatten(2).softmax(2).view_as(x), "Tensor.softmax", id="residual"),
    pytest.param(lambda x: conv(x, stride=2, padding=0).amax((2, 3)), "Tensor.amax", id="last-pixel-never-read"),
    pytest.param(lambda x: torch.cat([conv(x), conv(x).mean((2, 3), True).expand(1, 2, 12, 12)], 1), "Tensor.mean",
                 id="a-global-branch-in-a-concatenation"),
    pytest.param(lambda x: torch.fft.fft2(x).real, "torch.fft.fft2", id="fourier"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "cause"), GLOBAL)
def test_global_names_what_left_the_field_without_a_place(model: Model, cause: str) -> None:
    found = row(model, IMAGE)
    assert found is not None
    assert found.is_global
    assert found.cause == cause


def test_where_a_map_of_one_position_is_flattened_all_that_follows_is_global_from_there() -> None:
    """12 - 12 + 1 = 1 position. The network, flatten, three layers, relu and the sum: seven rows, one cause."""

    def model(x: Tensor) -> Tensor:
        flat = F.conv2d(x, zeros(4, 2, 12, 12)).relu().flatten(1)
        return F.linear(F.linear(flat, zeros(3, 4)).relu(), zeros(3, 3)) + F.linear(flat, zeros(3, 4))

    trace = trace_of(model, IMAGE)
    found = row_fields(intervals(trace, KNOWLEDGE))
    rows = [(call.kind, row) for call, row in zip(trace.calls, found, strict=True) if row is not None]
    assert [found.size for kind, found in rows if kind in ("F.conv2d", "Tensor.relu")][:2] == [(12, 12)] * 2
    assert [found.cause for _, found in rows if found.is_global] == ["Tensor.flatten"] * 7


GATES = [
    pytest.param(lambda x: conv(x) * conv(x).mean((2, 3), True), "Tensor.mul", id="factor"),
    pytest.param(lambda x: conv(x) - conv(x).mean((2, 3), True), "Tensor.sub", id="summand"),
    pytest.param(lambda x: conv(x).mul_(conv(x).mean((2, 3), True).expand(1, 2, 12, 12)), "Tensor.mul_", id="expanded"),
    pytest.param(lambda x: coordinate_gate(conv(x)), "Tensor.mul use 2", id="one-gate-per-axis"),
    pytest.param(lambda x: F.conv2d(x, conv(x).mean((2, 3)).view(1, 2, 1, 1).expand(3, 2, 3, 3), padding=1),
                 "F.conv2d use 2", id="kernel-computed-from-the-input"),
    pytest.param(lambda x: F.group_norm(conv(x), 1), "F.group_norm", id="statistics"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "cause"), GATES)
def test_gates_and_statistics_stay_out_of_the_local_field(model: Model, cause: str) -> None:
    found = row(model, IMAGE)
    assert found is not None
    assert (found.size, found.jump, found.padding) == ((3, 3), (1, 1), (1, 1))
    assert found.cause == cause


def test_what_stood_together_advances_again_when_taken_apart() -> None:
    """Coordinate attention as published: both means in one tensor for the layers that they share, then split."""

    def model(x: Tensor) -> Tensor:
        x = conv(x)
        means = torch.cat([x.mean(3, True), x.mean(2, True).transpose(2, 3)], 2)
        rows, columns = F.conv2d(means, zeros(2, 2, 1, 1)).sigmoid().split(12, 2)
        return x * rows * columns.transpose(2, 3)

    found = row(model, IMAGE)
    assert found is not None
    assert (found.size, found.jump, found.padding) == ((3, 3), (1, 1), (1, 1))
    assert found.cause is not None


def test_a_gate_of_only_a_part_of_the_map_is_a_branch() -> None:
    """The mean of the upper half is not computed from all that the map sees."""
    found = row(lambda x: x * x[:, :, :6].mean((2, 3), True), IMAGE)
    assert found is not None
    assert found.cause is None
    assert found.jump is None


def test_a_row_that_depends_on_no_input_has_size_0() -> None:
    found = row(lambda x: zeros(4, 4) + 1, IMAGE)
    assert found == ReceptiveField((0, 0), status=Status.EXACT)


@pytest.mark.parametrize("shape", [(2, 77), (5,), ()])
def test_inputs_without_spatial_axes_have_no_field(shape: tuple[int, ...]) -> None:
    assert row(lambda x: x * 2, shape) is None


def test_a_map_of_one_position_keeps_its_jump() -> None:
    """4 - 3 + 1 = 2 at stride 2 leaves one position."""
    found = row(lambda x: F.group_norm(F.conv2d(x, zeros(2, 2, 3, 3), stride=2), 1), (1, 2, 4, 4))
    assert found is not None
    assert (found.size, found.jump) == ((3, 3), (2, 2))


def test_what_was_written_later_does_not_change_an_earlier_row() -> None:
    def model(x: Tensor) -> Tensor:
        first = x * 1
        view = first.narrow(2, 3, 6)
        wide = conv(first, 5)
        first[:, :, 3:9] = wide[:, :, 3:9]
        return first + 0, view - 0

    trace = trace_of(model, IMAGE)
    fields = {
        call.kind: field
        for call, field in zip(trace.calls, row_fields(intervals(trace, KNOWLEDGE)), strict=True)
        if call.functional
    }
    assert fields["Tensor.mul"] == ReceptiveField((1, 1), (1, 1), (0, 0), Status.EXACT)
    assert fields["Tensor.narrow"] == ReceptiveField((1, 1), (1, 1), (-3, 0), Status.EXACT)
    assert fields["Tensor.add"] is not None
    assert fields["Tensor.add"].size == ([1, 5], [1, 5])
    assert fields["Tensor.sub"] is not None
    assert fields["Tensor.sub"].size == (5, 5)


def rest(x: Tensor, dim: int) -> Tensor:
    """What is left of a map without its mean along a dimension."""
    return x - x.mean(dim, keepdim=True)


OMITTED = [
    # A gate is left out along the axes of which it sees everything: cause if those are all, else by axis.
    pytest.param(lambda x: rest(conv(x), 3), (3, 3), None, (None, "Tensor.sub"), id="mean-over-columns"),
    pytest.param(lambda x: rest(conv(x), 2), (3, 3), None, ("Tensor.sub", None), id="mean-over-rows"),
    pytest.param(lambda x: rest(rest(conv(x), 3), 2), (3, 3), "Tensor.sub use 2", (), id="one-after-the-other"),
    pytest.param(lambda x: conv(F.layer_norm(x, (12,))), (3, 3), None, (None, "F.layer_norm"), id="norm-before"),
    pytest.param(lambda x: F.avg_pool2d(rest(x, 3), 2), (2, 2), None, (None, "Tensor.sub"), id="pooled"),
    pytest.param(lambda x: rest(x, 3).transpose(2, 3), (1, 1), None, (None, "Tensor.sub"), id="axes-of-the-input"),
    # A map and its normalised copy side by side: some channels of every position see all of the image.
    pytest.param(
        lambda x: torch.cat([conv(x), F.group_norm(conv(x), 1)], 1), (3, 3), "F.group_norm", (), id="some-channels"
    ),
    pytest.param(lambda x: torch.cat([x, rest(x, 3)], 1), (1, 1), None, (None, "Tensor.sub"), id="columns-of-channels"),
    # Two of six rows have statistics of their own: no word could say which, and they count.
    pytest.param(
        lambda x: torch.cat([x[:, :, :8], rest(x[:, :, 8:], 3)], 2), (1, [1, 12]), None, (), id="some-rows"
    ),
    # Since the product every output sees all rows, and, counting the mean, all columns.
    pytest.param(lambda x: zeros(12, 12) @ rest(x, 3), (12, 1), "Tensor.matmul", (), id="beside-global"),
]  # fmt: skip


def coordinates(x: Tensor) -> Tensor:
    """Hou et al. 2021, Coordinate Attention, figure 2c: both means in one map, mixed, parted, and two gates."""
    rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)
    of_rows, of_columns = conv(torch.cat([rows, columns], 2), 1).split(12, 2)
    return x * of_rows * of_columns.transpose(2, 3)


def test_the_cause_is_what_sees_all_and_no_part_of_it() -> None:
    # The first gate leaves out the columns of a row, the second the rows of a column: from there on all is seen.
    trace = trace_of(lambda x: coordinates(conv(x)), IMAGE)
    fields = row_fields(intervals(trace, KNOWLEDGE))
    first, second = [field for call, field in zip(trace.calls, fields, strict=True) if call.kind == "Tensor.mul"]
    assert (first.cause, first.global_along) == (None, (None, "Tensor.mul"))
    assert (second.cause, second.global_along) == ("Tensor.mul use 2", ())
    # The means of halves see half of the image each, and the product of both is the first to see all.
    halves = lambda x: F.linear(torch.cat([half.mean((2, 3)) for half in conv(x).chunk(2, 2)], 1), zeros(3, 4))  # noqa: E731
    found = row(halves, IMAGE)
    assert found is not None
    assert (found.is_global, found.cause) == (True, "F.linear")


@pytest.mark.parametrize(("model", "size", "cause", "along"), OMITTED)
def test_what_a_row_leaves_out_is_named_with_its_axes(
    model: Model, size: tuple[Any, ...], cause: str | None, along: tuple[str | None, ...]
) -> None:
    found = row(model, IMAGE)
    assert found is not None
    assert (found.size, found.cause, found.global_along) == (size, cause, along)


LAST = [
    pytest.param(lambda x: F.linear(F.relu(conv(x)).flatten(1), zeros(3, 288)), "F.relu", id="before-flatten"),
    pytest.param(lambda x: conv(x).mean((2, 3)), "F.conv2d", id="before-the-global-mean"),
    pytest.param(lambda x: conv(x).flatten(2).transpose(1, 2).softmax(1), "F.conv2d", id="tokens-are-no-map"),
    pytest.param(lambda x: F.avg_pool2d(conv(x), 12), "F.avg_pool2d", id="a-window-as-large-as-the-map"),
    pytest.param(lambda x: F.conv_transpose2d(x, zeros(2, 2, 1, 1), stride=2), "F.conv_transpose2d", id="holes"),
]


@pytest.mark.parametrize(("model", "kind"), LAST)
def test_the_last_map(model: Model, kind: str) -> None:
    call = last_map(intervals(trace_of(model, IMAGE), KNOWLEDGE)).call
    assert call is not None
    assert call.kind == kind


def test_a_result_that_is_not_the_first_of_its_op_is_the_last_map() -> None:
    """Rows 4 and on of a 3x3 convolution with padding 1: the first sees row 3. Only the root returns them first."""
    fields = intervals(trace_of(lambda x: conv(x).split([4, IMAGE[2] - 4], 2)[1], IMAGE), KNOWLEDGE)
    call = last_map(fields).call
    assert call is not None
    assert call.parent is None
    assert row_fields(fields)[call.index] == ReceptiveField((3, 3), (1, 1), (-3, 1), Status.EXACT)


def test_a_map_of_two_images_is_a_map() -> None:
    call = last_map(intervals(trace_of(lambda x, y: torch.cat([conv(x), conv(y)], 1), IMAGE, IMAGE), KNOWLEDGE)).call
    assert call is not None
    assert call.kind == "torch.cat"


def test_no_map_at_all() -> None:
    assert last_map(intervals(trace_of(lambda x: x * 2, (3, 4)), KNOWLEDGE)).call is None


def test_a_map_whose_field_is_not_known_is_not_passed_over_for_an_earlier_one():
    class Searched(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            y = self.conv(x)
            # Where it reads depends on what the convolution found: nothing is known of the map that comes out.
            return F.grid_sample(y, y.permute(0, 2, 3, 1).expand(-1, -1, -1, 2), align_corners=False)

    field = inspect_model(Searched(), (1, 1, 8, 8)).totals["receptive_field"]
    assert field.status is Status.UNKNOWN
    assert field.size is None
    assert not field.is_global


def patched(x: Tensor) -> Tensor:
    """The input, its rows from the third on replaced by those of a convolution."""
    y = x.clone()
    y[:, :2, 2:] = conv(x)[:, :, 2:]
    return y


def test_a_map_that_is_written_in_place_later_does_not_stand_for_the_network() -> None:
    # The row of `clone` says 1, what the convolution brings sees 3x3; no row shows the field after the assignment.
    flat = last_map(intervals(trace_of(lambda x: patched(x).flatten(1), IMAGE), KNOWLEDGE))
    assert flat.overwritten


BLANK = [
    pytest.param(lambda x: conv(x).zero_(), id="set-to-0-in-place"),
    pytest.param(lambda x: torch.zeros_like(conv(x)), id="zeros-of-its-shape"),
]


@pytest.mark.parametrize("model", BLANK)
def test_an_earlier_map_does_not_stand_for_a_result_that_sees_nothing(model: Model) -> None:
    assert last_map(intervals(trace_of(model, IMAGE), KNOWLEDGE)).call is None
    # Written anew after that, it is a map of what was written.
    rewritten = last_map(intervals(trace_of(lambda x: model(x).add_(conv(x, 5)), IMAGE), KNOWLEDGE)).call
    assert rewritten is not None
    assert rewritten.kind == "Tensor.add_"


class Patched(nn.Module):
    """Returns a map that was written in place."""

    def __init__(self, flat: bool = False) -> None:
        super().__init__()
        self.flat = flat

    def forward(self, x: Tensor) -> Tensor:
        y = patched(x)
        return y.flatten(1) if self.flat else y


def test_the_total_is_that_of_the_output_after_it_was_written_in_place() -> None:
    field = inspect_model(Patched(), IMAGE).totals["receptive_field"]
    assert (field.size, field.layer) == ((3, 3), "Patched")
    unknown = inspect_model(Patched(flat=True), IMAGE).totals["receptive_field"]
    assert (unknown.size, unknown.status) == (None, Status.UNKNOWN)
    assert "written in place later" in str(unknown.why[0])
