"""Maps that are written part by part, cut into tiles, or put together again.

Expected fields by hand: a convolution of k taps sees k pixels, a tile no pixel of its neighbours, a class token what it
is a mean of; a loop that writes position t sees what `torch.stack` of the same values sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.report.quantities import Verdict


class Network(nn.Module):
    def __init__(self, forward: Callable[[Network, Tensor], Tensor]):
        super().__init__()
        self.of = forward
        self.one, self.three = nn.Conv1d(2, 2, 1), nn.Conv1d(2, 2, 3, padding=1)
        self.nine, self.square = nn.Conv1d(2, 2, 9, padding=4), nn.Conv2d(2, 2, 3, padding=1)
        self.cell, self.norm, self.gate = nn.GRUCell(2, 4), nn.GroupNorm(1, 2), nn.Linear(2, 2)
        self.mixing = nn.Linear(4, 4)

    def forward(self, x):
        return self.of(self, x)


def field(forward: Callable[[Network, Tensor], Tensor], *shape: int) -> Any:
    return inspect_model(Network(forward), shape, probe=True).totals["receptive_field"]


def test_results_for_parts_of_an_image_as_features_of_it_see_all_together():
    """[1, 4]: the means of the upper and of the lower half. As of a flattened map, no dimension holds positions."""
    halves = Network(lambda net, x: torch.cat([part.mean((2, 3)) for part in x.chunk(2, 2)], 1))
    found = inspect_model(halves, (1, 2, 12, 10)).rows[0].receptive_field
    assert found.is_global


def row_by_row(net: Network, x: Tensor) -> Tensor:
    """Pan et al. 2018, Spatial CNN, figure 3: each row gets a convolution of 3 of the row before it."""
    rows = list(net.square(x).split(1, 2))
    for i in range(1, len(rows)):
        rows[i] = rows[i] + F.conv2d(rows[i - 1], net.three.weight[:, :, None], padding=(0, 1)).relu()
    return torch.cat(rows, 2)


def wider_rows(net: Network, x: Tensor) -> Tensor:
    """Rows 3 to 5 see 9 columns more than the others."""
    y, wide = net.square(x), net.nine.weight[:, :, None]
    return torch.cat(
        [F.conv2d(y[:, :, i : i + 1], wide, padding=(0, 4)) if i > 2 else y[:, :, i : i + 1] for i in range(6)], 2
    )


def frames_as_channels(net: Network, x: Tensor) -> Tensor:
    """[1, 12, 6, 7]: the channels of all 6 images of a video, which a position sees together."""
    y = F.conv3d(x, torch.ones(2, 2, 3, 3, 3, device=x.device), padding=1)
    return torch.cat([y[:, :, t] for t in range(6)], 1)


def strips_as_channels(net: Network, x: Tensor) -> Tensor:
    return torch.cat([part.mean(2, keepdim=True) for part in net.square(x).chunk(3, 2)], 1)


def out_of_order(net: Network, x: Tensor) -> Tensor:
    y = net.three(x)
    return torch.cat([y[..., 4 * t : 4 * t + 4].mean(2, keepdim=True) for t in (0, 2, 1, 3)], 2)


def quadrants(net: Network, x: Tensor) -> Tensor:
    """[1, 4, 2]: a token for each quadrant, with two features."""
    tiles = (tile for strip in net.square(x).chunk(2, 2) for tile in strip.chunk(2, 3))
    return torch.stack([tile.mean((2, 3)) for tile in tiles], 1)


def written_at_pairs(net: Network, x: Tensor) -> Tensor:
    """Channel 0 of position 3 sees pixel 10, channel 1 pixels 2 to 4: together 9 pixels."""
    y = net.three(x).clone()
    y[0, [0, 1], [3, 4]] = x[0, 0, 10:12]
    return y


PARTS = [
    # Row i sees rows 0..i + 1, and i more columns on each side; at the borders fewer.
    pytest.param(row_by_row, (1, 2, 6, 24), ([2, 6], [2, 13]), None, id="rows that follow from each other"),
    pytest.param(wider_rows, (1, 2, 6, 24), (3, [3, 11]), (1, 1), id="rows of which some see more"),
    pytest.param(frames_as_channels, (1, 2, 6, 6, 7), (6, 3, 3), (0, 1, 1), id="images as channels"),
    pytest.param(strips_as_channels, (1, 2, 12, 14), (12, 3), (0, 1), id="means of strips as channels"),
    pytest.param(out_of_order, (1, 2, 16), ([5, 6],), None, id="parts in another order"),
    pytest.param(quadrants, (1, 2, 12, 12), (7, 7), None, id="quadrants as tokens"),
    pytest.param(written_at_pairs, (1, 2, 16), ([2, 9],), None, id="written at pairs of channel and position"),
]


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize(("forward", "shape", "size", "jump"), PARTS)
def test_parts_side_by_side_are_positions_or_channels(forward, shape, size, jump, probe):
    """By the probe of single pixels, position by position, all channels of one together."""
    found = inspect_model(Network(forward), shape, probe=probe).rows[0].receptive_field
    assert (found.size, found.jump) == (size, jump)
    assert found.verdict in (Verdict.MATCH, Verdict.UNKNOWN, Verdict.NOT_RUN)


# --- written one by one, or in part ------------------------------------------------------------------------------


def steps(net: Network, x: Tensor) -> Tensor:
    """[1, 16, 2]: the state of a recurrent cell after every step."""
    state, out = x.new_zeros(len(x), 4), x.new_zeros(*x.shape[:2], 4)
    for t in range(x.shape[1]):
        state = net.cell(x[:, t], state)
        out[:, t] = state
    return out


def steps_back(net: Network, x: Tensor) -> Tensor:
    state, out = x.new_zeros(len(x), 4), x.new_empty(*x.shape[:2], 4)
    for t in reversed(range(x.shape[1])):
        state = net.cell(x[:, t], state)
        out[:, t] = state
    return out


def pooled(net: Network, x: Tensor) -> Tensor:
    """2 pixels at a time, between two convolutions of 3: 3 + 1, then 2 (3 - 1) more."""
    y = net.three(x)
    out = y.new_empty(1, 2, x.shape[-1] // 2)
    for t in range(out.shape[-1]):
        out[..., t] = y[..., 2 * t : 2 * t + 2].amax(-1)
    return net.three(out)


def filtered(net: Network, x: Tensor) -> Tensor:
    padded, out = F.pad(x, (1, 1)), torch.empty_like(x)
    for t in range(x.shape[-1]):
        out[..., t] = padded[..., t : t + 3].sum(-1)
    return out


def grid(net: Network, x: Tensor) -> Tensor:
    y = net.square(x)
    out = y.new_zeros(1, 2, 6, 6)
    for i in range(6):
        for j in range(6):
            out[..., i, j] = y[..., 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].sum((2, 3))
    return out


def wider_third(net: Network, x: Tensor) -> Tensor:
    y = net.three(x)
    y[..., :16] = net.nine(x)[..., :16]
    return y


def class_token(net: Network, x: Tensor) -> Tensor:
    y = x.new_empty(1, 2, x.shape[-1] + 1)
    y[..., 0] = x.mean(-1)
    y[..., 1:] = net.three(x)
    return y


def one_phase(net: Network, x: Tensor) -> Tensor:
    """Positions 4k see pixel 4k + 3 as well."""
    y = net.three(x)
    y.view(1, 2, 12, 4)[..., 0] += x.view(1, 2, 12, 4)[..., 3]
    return y


def first_of_each_window(net: Network, x: Tensor) -> Tensor:
    """The first of 8 positions sees what all of them see: 8 + 2."""
    y = net.three(x).unflatten(-1, (6, 8)).clone()
    y[..., 0] = y.mean(-1)
    return y.flatten(2)


def phases(net: Network, x: Tensor) -> Tensor:
    y = net.three(x)[..., None].repeat(1, 1, 1, 4)
    y[..., 0] = net.nine(x)
    return y.flatten(2)


def border(net: Network, x: Tensor) -> Tensor:
    """Boundary conditions: the outermost positions repeat their neighbours, or are 0."""
    y = net.three(x)
    y[..., 0], y[..., -1] = y[..., 1], 0
    return y


def slots(net: Network, x: Tensor) -> Tensor:
    """Pixels 8 to 11 and pixel 30 side by side, and the largest of them: 8 to 30."""
    out = x.new_zeros(1, 2, 5)
    out[..., :4], out[..., 4] = x[..., 8:12], x[..., 30]
    return out.amax(-1, keepdim=True)


def last_three(net: Network, x: Tensor) -> Tensor:
    """A buffer that moves on by one place for each step, as those of WaveNet and Mamba do, and its sum."""
    buffer, sums = x.new_zeros(1, 2, 3), []
    for t in range(x.shape[-1]):
        buffer[..., :-1] = buffer[..., 1:].clone()
        buffer[..., -1] = x[..., t]
        sums.append(buffer.sum(-1))
    return torch.stack(sums, -1)


def test_the_last_place_of_a_buffer_is_no_border():
    """Slots of a buffer are no map; what they hold is added up. The first two sums see one and two steps."""
    found = inspect_model(Network(slots), (1, 2, 40), probe=True).rows[0].receptive_field
    assert (found.size, found.verdict) == ((23,), Verdict.MATCH)
    assert field(last_three, 1, 2, 24).size == ([1, 3],)


def means(net: Network, x: Tensor) -> Tensor:
    """Means of 4 pixels, one after the other, behind a convolution of 3: an average pool by hand."""
    return torch.cat([part.mean(2, keepdim=True) for part in net.three(x).chunk(x.shape[2] // 4, 2)], 2)


def overlapping(net: Network, x: Tensor) -> Tensor:
    return torch.cat([x[..., t : t + 6].amax(2, keepdim=True) for t in range(0, x.shape[2] - 5, 3)], 2)


def mixed_apart(net: Network, x: Tensor) -> Tensor:
    """Each 4 pixels mixed by one linear layer: 4 features for each part of the map."""
    return torch.cat([net.mixing(part) for part in net.three(x).chunk(x.shape[2] // 4, 2)], 2)


def mean_grid(net: Network, x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels, put together along the columns, and those along the rows."""
    strips = ([tile.mean((2, 3), keepdim=True) for tile in strip.chunk(5, 3)] for strip in x.chunk(6, 2))
    return torch.cat([torch.cat(strip, 3) for strip in strips], 2)


WRITTEN = [
    pytest.param(steps, (1, 16, 2), ([1, 16],), None, Verdict.MATCH, id="a state at every step"),
    pytest.param(steps_back, (1, 16, 2), ([1, 16],), None, Verdict.MATCH, id="from the last step on"),
    pytest.param(pooled, (1, 2, 40), (8,), (2,), Verdict.MATCH, id="two pixels at a time"),
    pytest.param(filtered, (1, 2, 40), (3,), (1,), Verdict.MATCH, id="three pixels at a time"),
    pytest.param(grid, (1, 2, 12, 12), (4, 4), (2, 2), Verdict.MATCH, id="rows and columns"),
    pytest.param(wider_third, (1, 2, 48), ([2, 9],), None, Verdict.UNKNOWN, id="a third that sees more"),
    pytest.param(class_token, (1, 2, 24), ([2, 24],), None, Verdict.UNKNOWN, id="a class token"),
    pytest.param(one_phase, (1, 2, 48), ([3, 5],), (1,), Verdict.MATCH, id="one phase of a view"),
    pytest.param(first_of_each_window, (1, 2, 48), ([3, 10],), (1,), Verdict.MATCH, id="the first of each window"),
    pytest.param(phases, (1, 2, 48), ([3, 9],), ("1/4",), Verdict.MATCH, id="phases of an upsampling"),
    pytest.param(means, (1, 2, 48), (6,), (4,), Verdict.MATCH, id="means of parts"),
    pytest.param(overlapping, (1, 2, 48), (6,), (3,), Verdict.MATCH, id="parts that overlap"),
    pytest.param(mixed_apart, (1, 2, 48), (6,), (1,), Verdict.MATCH, id="a linear layer for each part"),
    pytest.param(mean_grid, (1, 2, 12, 10), (2, 2), (2, 2), Verdict.MATCH, id="means of tiles"),
    pytest.param(border, (1, 2, 48), (3,), (1,), Verdict.MATCH, id="the border alone"),
]


@pytest.mark.parametrize(("forward", "shape", "size", "jump", "verdict"), WRITTEN)
def test_a_map_that_is_written_part_by_part(forward, shape, size, jump, verdict):
    """A third is no border, nor is a class token: [least, most] inside the image, as `torch.cat` of the parts has it.

    There the outermost position of a convolution of 3 sees 2 pixels.
    """
    found = field(forward, *shape)
    assert (found.size, found.jump, found.verdict) == (size, jump, verdict)


def test_a_map_that_is_overwritten_does_not_stand_for_the_network():
    """The total is that of the map as it is put out, not of the convolution whose output was written over."""
    report = inspect_model(Network(one_phase), (1, 2, 48), probe=True)
    assert report.totals["receptive_field"].layer == "Network"


# --- tiles --------------------------------------------------------------------------------------------------------


def windows(net: Network, x: Tensor) -> Tensor:
    tiles = x.view(1, 2, 6, 8).transpose(1, 2).reshape(6, 2, 8)
    return net.nine(tiles).view(1, 6, 2, 8).transpose(1, 2).reshape(1, 2, 48)


def squares(net: Network, x: Tensor) -> Tensor:
    """A 3x3 convolution, then one in windows of 4x4, as in CSWin: 5 pixels, 4 at the border of a window."""
    tiles = net.square(x).view(1, 2, 4, 4, 4, 4).permute(0, 2, 4, 1, 3, 5).reshape(16, 2, 4, 4)
    return net.square(tiles).view(1, 4, 4, 2, 4, 4).permute(0, 3, 1, 4, 2, 5).reshape(1, 2, 16, 16)


def strips(net: Network, x: Tensor) -> Tensor:
    return torch.cat([net.three(tile) for tile in x.chunk(4, -1)], -1)


def strips_written(net: Network, x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for start in range(0, x.shape[-1], 12):
        out[..., start : start + 12] = net.three(x[..., start : start + 12])
    return out


def with_halo(net: Network, x: Tensor) -> Tensor:
    wide = F.pad(x, (1, 1))
    return torch.cat([F.conv1d(wide[..., 12 * i : 12 * i + 14], net.three.weight) for i in range(4)], -1)


def mirrored(net: Network, x: Tensor) -> Tensor:
    """A convolution of 3 in windows of 8 that are padded with their own pixels: 3, 2 beside the border of a window."""
    tiles = F.pad(x.view(1, 2, 6, 8).transpose(1, 2).reshape(6, 2, 8), (1, 1), mode="replicate")
    return F.conv1d(tiles, net.three.weight).view(1, 6, 2, 8).transpose(1, 2).reshape(1, 2, 48)


@pytest.mark.parametrize(
    ("forward", "shape", "size", "verdict"),
    [
        pytest.param(mirrored, (1, 2, 48), ([2, 3],), Verdict.MATCH, id="windows padded with their own pixels"),
        pytest.param(windows, (1, 2, 48), ([5, 8],), Verdict.MATCH, id="windows as samples"),
        pytest.param(squares, (1, 2, 16, 16), ([4, 5], [4, 5]), Verdict.MATCH, id="windows of an image"),
        pytest.param(strips, (1, 2, 48), ([2, 3],), Verdict.UNKNOWN, id="strips put together"),
        pytest.param(strips_written, (1, 2, 48), ([2, 3],), Verdict.UNKNOWN, id="strips written"),
        pytest.param(with_halo, (1, 2, 48), (3,), Verdict.MATCH, id="strips with what lies beside them"),
    ],
)
def test_the_padding_of_a_tile_hides_its_neighbour(forward, shape, size, verdict):
    found = field(forward, *shape)
    assert (found.size, found.verdict) == (size, verdict)


@pytest.mark.parametrize(
    ("forward", "size"),
    [
        pytest.param(lambda net, t: t - t.mean(-1, keepdim=True), [9, 10], id="centred"),
        pytest.param(lambda net, t: net.norm(t), [9, 10], id="normalised"),
        pytest.param(lambda net, t: t * net.gate(t.mean(-1)).sigmoid()[..., None], [9, 10], id="squeezed and excited"),
    ],
)
def test_statistics_and_gates_of_a_tile_count(forward, size):
    """Tiles of 8 behind a convolution of 3: 8 + 2, one less at both ends. Nothing sees all, so nothing is left out."""
    found = field(lambda net, x: torch.cat([forward(net, t) for t in net.three(x).split(8, -1)], -1), 1, 2, 40)
    assert (found.size, found.is_global, found.verdict) == ((size,), False, Verdict.UNKNOWN)


def test_a_gate_of_the_whole_map_is_left_out_and_named():
    found = field(lambda net, x: net.norm(net.three(x)), 1, 2, 40)
    assert (found.size, found.cause, found.verdict) == ((3,), "norm", Verdict.MATCH)
