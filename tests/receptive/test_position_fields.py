"""What one position sees, by hand, and what is nested in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Fields, intervals, name_of
from cnninspect.receptive.position_fields import PositionField, field_at, nested, outermost
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Call


def fields_of(model: nn.Module, *shape: int) -> Fields:
    trace = record(model.to("meta").eval(), (torch.empty(shape, device="meta"),), {}, layer_of, device="meta")
    return intervals(trace, KNOWLEDGE)


def call_of(fields: Fields, name: str) -> Call:
    return next(call for call in fields.trace.calls if name_of(call) == name)


def rows(one: PositionField, form: str = "local") -> Sequence[tuple[int, int] | None]:
    return [getattr(span, form) for span in one.spans]


class Stages(nn.Sequential):
    """Height 12, width 16: a strided 3x3, a block of two 3x3, a 2x2 pool."""

    def __init__(self) -> None:
        block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        pool = nn.MaxPool2d(2)
        super().__init__(OrderedDict(stem=nn.Conv2d(3, 4, 3, 2, 1), block=block, pool=pool, head=nn.Flatten()))


class Gate(nn.Module):
    """A depthwise 3x3 whose output is multiplied with its own mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y * y.mean((2, 3), keepdim=True)


# stem: output i sees 2i - 1 .. 2i + 1. block: two pixels of the stem's map more on each side, so 2i - 5 .. 2i + 5.
# pool: outputs 2i and 2i + 1 of the block, so 4i - 5 .. 4i + 7. The map of the pool is 3x4.
AT = [
    # id, layer, position, positions, local rows and columns, the same without ends
    ("centre", "stem", None, (6, 8), [(5, 7), (7, 9)], [(5, 7), (7, 9)]),
    ("corner", "stem", (0, 7), (6, 8), [(0, 1), (13, 15)], [(-1, 1), (13, 15)]),
    ("inside a block", "block.0", (2, 2), (6, 8), [(1, 7), (1, 7)], [(1, 7), (1, 7)]),
    ("block", "block", (2, 2), (6, 8), [(0, 9), (0, 9)], [(-1, 9), (-1, 9)]),
    ("pool", "pool", (1, 2), (3, 4), [(0, 11), (3, 15)], [(-1, 11), (3, 15)]),
    # All that there is, and nothing beyond.
    ("flattened", "head", None, (), [(0, 11), (0, 15)], [(0, 11), (0, 15)]),
]


@pytest.mark.parametrize(
    ("layer", "at", "positions", "local", "endless"), [case[1:] for case in AT], ids=[case[0] for case in AT]
)
def test_a_position_by_hand(
    layer: str,
    at: tuple[int, ...] | None,
    positions: tuple[int, ...],
    local: list[tuple[int, int]],
    endless: list[tuple[int, int]],
) -> None:
    fields = fields_of(Stages(), 1, 3, 12, 16)
    found = field_at(fields, call_of(fields, layer), at)
    assert found.positions == positions
    assert found.at == (at or tuple(size // 2 for size in positions))
    assert rows(found) == rows(found, "strict") == local
    assert rows(found, "endless") == endless


def test_a_gate_is_seen_strictly() -> None:
    fields = fields_of(Gate(), 1, 2, 9, 9)
    found = field_at(fields, call_of(fields, "Tensor.mul"), (4, 0))
    assert rows(found) == [(3, 5), (0, 1)]
    assert rows(found, "strict") == [(0, 8), (0, 8)]


def test_a_hole_that_no_tap_reaches_sees_nothing() -> None:
    # A transposed 1x1 convolution with stride 2 writes every second row and column: there is nothing in row 1.
    model = nn.Sequential(nn.ConvTranspose2d(1, 1, 1, stride=2))
    fields = fields_of(model, 1, 1, 4, 4)
    assert rows(field_at(fields, call_of(fields, "0"), (1, 2))) == [None, None]
    assert rows(field_at(fields, call_of(fields, "0"), (4, 2))) == [(2, 2), (1, 1)]


def test_a_map_of_one_position_has_one() -> None:
    """(6 - 3) / 4 + 1 = 1 row and column."""
    fields = fields_of(nn.Sequential(nn.Conv2d(2, 2, 3, stride=4)), 1, 2, 6, 6)
    found = field_at(fields, call_of(fields, "0"), (0, 0))
    assert (found.positions, found.at, rows(found)) == ((1, 1), (0, 0), [(0, 2), (0, 2)])


def test_one_axis_and_three() -> None:
    line = fields_of(nn.Sequential(nn.Conv1d(2, 2, 3, padding=2, dilation=2)), 1, 2, 20)
    assert rows(field_at(line, call_of(line, "0"), (5,))) == [(3, 7)]
    video = fields_of(nn.Sequential(nn.Conv3d(1, 1, (1, 3, 5))), 1, 1, 4, 9, 9)
    assert rows(field_at(video, call_of(video, "0"), (3, 1, 2))) == [(3, 3), (1, 3), (2, 6)]


WRONG = [
    ("too few numbers", "stem", (1,), "its map has 6x8: give 2 numbers, not 1"),
    ("beyond the map", "stem", (1, 8), "its map has 6x8, from 0 on: 1,8 lies outside"),
    ("negative", "stem", (-1, 0), "its map has 6x8, from 0 on: -1,0 lies outside"),
    ("no map", "head", (0,), "its output has no spatial positions: leave out --at"),
]


@pytest.mark.parametrize(("layer", "at", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_positions_that_are_not_there(layer: str, at: tuple[int, ...], words: str) -> None:
    fields = fields_of(Stages(), 1, 3, 12, 16)
    with pytest.raises(ValueError, match=words):
        field_at(fields, call_of(fields, layer), at)


class Sampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=False)


def test_a_field_that_is_not_known_is_not_drawn() -> None:
    fields = fields_of(Sampled(), 1, 2, 4, 4)
    with pytest.raises(ValueError, match=r"is not known: the field rule of aten\.grid_sampler_2d does not cover"):
        field_at(fields, call_of(fields, "F.grid_sample"))


def test_nested_regions_grow_around_the_same_centre() -> None:
    fields = fields_of(Stages(), 1, 3, 12, 16)
    goal = field_at(fields, call_of(fields, "pool"), (1, 2))
    # Without ends the pool sees rows -1 .. 11 and columns 3 .. 15, centred at 5 and 9. The stem's outputs 2 and 3 are
    # centred at 4 and 6, both 1 away: the first is taken; of its columns 4 and 5 at 8 and 10 again the first.
    found = nested(fields, goal)
    assert [name_of(one.call) for one in found] == ["stem", "block", "pool"]
    assert [one.at for one in found] == [(2, 4), (2, 4), (1, 2)]
    assert [rows(one, "endless") for one in found] == [[(3, 5), (7, 9)], [(-1, 9), (3, 13)], [(-1, 11), (3, 15)]]


def test_all_maps_lead_to_what_sees_everything() -> None:
    fields = fields_of(Stages(), 1, 3, 12, 16)
    goal = field_at(fields, call_of(fields, "head"))
    assert goal.is_global
    # Around the centre of the image, rows 5 and 6, columns 7 and 8. The pool sees 13 pixels, more than there are rows.
    found = nested(fields, goal)
    assert [name_of(one.call) for one in found] == ["stem", "block", "pool", "head"]
    assert [one.is_global for one in found] == [False, False, False, True]


def test_where_stages_are_few_their_parts_are_shown() -> None:
    model = nn.Sequential(OrderedDict(features=nn.Sequential(*[nn.Conv2d(1, 1, 3) for _ in range(20)])))
    fields = fields_of(model, 1, 1, 50, 50)
    found = nested(fields, field_at(fields, call_of(fields, "features")))
    assert len(found) == 8
    assert name_of(found[0].call) == "features.0"
    assert found[-1].call is call_of(fields, "features")
    sizes = [one.spans[0].endless[1] - one.spans[0].endless[0] + 1 for one in found if one.spans[0].endless]
    assert sizes == sorted(set(sizes))
    assert (sizes[0], sizes[-1]) == (3, 41)


def test_the_outermost_call_stands_for_a_tensor() -> None:
    fields = fields_of(Stages(), 1, 3, 12, 16)
    assert name_of(outermost(fields.trace, call_of(fields, "block.2"))) == "block"
    assert name_of(outermost(fields.trace, call_of(fields, "block.0"))) == "block.0"
