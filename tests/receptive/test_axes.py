"""Which dimensions of an input hold positions: told by what the network does with them, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.inspection.pipeline import inspect_model
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Fields, intervals
from cnninspect.receptive.rows import row_fields
from cnninspect.report.rows import ReceptiveField
from cnninspect.trace.recorder import record

Model = Callable[..., Any]
Shape = tuple[int, ...]


class Chain(nn.Module):
    """Modules and functions of one tensor, one after the other."""

    def __init__(self, *steps: Callable[[Tensor], Any]):
        super().__init__()
        self.layers = nn.ModuleList(step for step in steps if isinstance(step, nn.Module))
        self.steps = steps

    def forward(self, x: Tensor) -> Any:
        for step in self.steps:
            x = step(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


class SelfAttention(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        return super().forward(x, x, x)


class TokenMixer(nn.Module):
    """Tolstikhin et al. 2021: norm over features, then a layer over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(4), nn.Linear(9, 9)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.norm(x).transpose(1, 2)).transpose(1, 2)


class Stepped(nn.Module):
    """[T, N, C] read step by step; `parts` gives the steps, and the states of a recurrence meet or stay apart."""

    def __init__(self, parts: Callable[[Tensor], Iterable[Tensor]], meet: bool = True, dim: int = 0) -> None:
        super().__init__()
        self.parts, self.meet, self.dim = parts, meet, dim
        self.read, self.again = nn.Linear(5, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        states: list[Tensor] = []
        for part in self.parts(x):
            before = self.again(states[-1]) if states and self.meet else 0
            states.append(torch.tanh(self.read(part) + before))
        return torch.stack(states, self.dim)


def last_three(dim: int) -> Callable[[Tensor], Tensor]:
    """Three neighbours along a dimension, their features side by side."""

    def windows(x: Tensor) -> Tensor:
        parts = x.unbind(dim)
        return torch.stack([torch.cat(parts[i : i + 3], -1) for i in range(len(parts) - 2)], dim)

    return windows


def swapped(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def attend(x: Tensor) -> Tensor:
    return (x @ x.transpose(1, 2)).softmax(-1) @ x


def rows_then_columns(x: Tensor) -> Tensor:
    """[N, C, H, W]: a 1-d convolution of 3 along every column, then one of 5 along every row."""
    n, c, h, w = x.shape
    columns = F.conv1d(x.permute(0, 3, 1, 2).reshape(n * w, c, h), torch.ones(c, c, 3), padding=1)
    rows = columns.view(n, w, c, h).permute(0, 3, 2, 1).reshape(n * h, c, w)
    return F.conv1d(rows, torch.ones(c, c, 5), padding=2).view(n, h, c, w).transpose(1, 2)


def fields_of(model: Model, *shapes: Shape) -> tuple[Fields, ReceptiveField | None]:
    trace = record(model, tuple(torch.rand(shape) for shape in shapes), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    return fields, row_fields(fields)[0]


GRU = (4, 3)
ENCODER = (4, 2, 8)

SPACE = [
    # model, input, the dimensions that are its space, size of the output's field (None: global)
    pytest.param(nn.Conv1d(4, 4, 3), (2, 4, 9), (2,), (3,), id="convolution"),
    pytest.param(Chain(swapped, nn.Conv1d(4, 4, 3)), (2, 9, 4), (1,), (3,), id="tokens-into-a-convolution"),
    pytest.param(Chain(swapped, nn.Conv1d(6, 4, 3)), (2, 6, 6), (1,), (3,), id="as-many-tokens-as-features"),
    pytest.param(Chain(channels_first, nn.Conv2d(3, 4, 3)), (1, 8, 7, 3), (1, 2), (3, 3), id="channels-last"),
    pytest.param(Chain(swapped, nn.Conv3d(3, 2, (1, 3, 3))), (1, 4, 3, 6, 6), (1, 3, 4), (1, 3, 3), id="frames-first"),
    pytest.param(Chain(nn.Flatten(0, 1), nn.Conv2d(3, 2, 3)), (1, 4, 3, 6, 6), (3, 4), (3, 3), id="frames-as-a-batch"),
    pytest.param(rows_then_columns, (1, 2, 8, 9), (2, 3), (3, 5), id="one-convolution-per-axis"),
    pytest.param(Chain(nn.PixelUnshuffle(2), nn.Conv2d(12, 3, 3)), (1, 3, 8, 8), (2, 3), (6, 6), id="space-to-depth"),
    pytest.param(nn.Conv2d(3, 2, (1, 5)), (1, 3, 1, 20), (2, 3), (1, 5), id="one-row"),
    pytest.param(nn.Conv2d(3, 2, 3), (3, 7, 6), (1, 2), (3, 3), id="without-batch"),
    pytest.param(Chain(lambda x: x[:, None], nn.Conv2d(1, 2, (4, 5))), (1, 4, 20), (1, 2), (4, 5), id="electrodes"),
    pytest.param(Chain(lambda x: x[:, None], nn.Conv1d(1, 2, 5)), (2, 20), (1,), (5,), id="series"),
    pytest.param(Chain(lambda x: x.view(-1, 1, 6, 6), nn.Conv2d(1, 2, 3)), (2, 36), (), None, id="vector-as-an-image"),
    # Step t of a recurrence sees the steps up to itself.
    pytest.param(Chain(nn.GRU(*GRU, batch_first=True)), (2, 9, 4), (1,), ([1, 9],), id="recurrence"),
    pytest.param(Chain(nn.GRU(*GRU)), (9, 2, 4), (0,), ([1, 9],), id="recurrence-time-first"),
    pytest.param(Chain(swapped, nn.GRU(*GRU, batch_first=True)), (2, 4, 9), (2,), ([1, 9],), id="features-first"),
    pytest.param(Chain(nn.Linear(4, 4), nn.GRU(*GRU)), (9, 2, 4), (0,), ([1, 9],), id="embedded-time-first"),
    pytest.param(Chain(lambda x: x[..., None], nn.GRU(1, 3, batch_first=True)), (2, 9), (1,), ([1, 9],), id="numbers"),
    pytest.param(Chain(lambda x: x[:, 0], nn.GRU(4, 3, batch_first=True)), (2, 1, 6, 4), (2, 3), ([1, 6], 4),
                 id="rows"),
    pytest.param(SelfAttention(4, 2, batch_first=True), (2, 9, 4), (1,), None, id="attention"),
    pytest.param(SelfAttention(4, 2), (9, 2, 4), (0,), None, id="attention-tokens-first"),
    pytest.param(Chain(nn.Flatten(2), swapped, SelfAttention(4, 2, batch_first=True)), (1, 4, 3, 5), (2, 3), None,
                 id="attention-between-pixels"),
    pytest.param(nn.TransformerEncoderLayer(*ENCODER, batch_first=True, norm_first=True), (2, 9, 4), (1,), None,
                 id="encoder"),
    pytest.param(Chain(nn.Linear(4, 4), nn.TransformerEncoderLayer(*ENCODER)), (9, 2, 4), (0,), None,
                 id="embedded-encoder-tokens-first"),
    pytest.param(attend, (2, 9, 4), (1,), None, id="attention-by-hand"),
    pytest.param(Chain(swapped, attend), (2, 4, 9), (2,), None, id="attention-by-hand-features-first"),
    pytest.param(nn.Linear(4, 3), (2, 9, 4), (1,), (1,), id="linear"),
    pytest.param(nn.Linear(3, 3), (1, 8, 7, 3), (1, 2), (1, 1), id="linear-channels-last"),
    pytest.param(lambda x: F.bilinear(x, x, torch.ones(3, 4, 4)), (2, 9, 4), (1,), (1,), id="bilinear"),
    # Entry (i, j) sees tokens i and j.
    pytest.param(lambda x: torch.cdist(x, x), (2, 9, 4), (1,), ([1, 9],), id="distances"),
    pytest.param(TokenMixer(), (2, 9, 4), (1,), None, id="token-mixing"),
    pytest.param(Chain(nn.Flatten(), nn.Linear(36, 3)), (1, 1, 6, 6), (2, 3), None, id="perceptron"),
    # A recurrence by hand reads T of [T, N, C] or of [N, T, C]; samples of a batch that are read one by one never meet.
    pytest.param(Stepped(lambda x: x), (7, 3, 5), (0,), ([1, 7],), id="steps-first-by-hand"),
    pytest.param(Stepped(lambda x: x.unbind()), (7, 3, 5), (0,), ([1, 7],), id="steps-unbound"),
    pytest.param(Stepped(lambda x: [x[t : t + 1][0] for t in range(7)]), (7, 3, 5), (0,), ([1, 7],), id="sliced"),
    pytest.param(Stepped(lambda x: x.split(1)), (7, 3, 5), (0,), ([1, 7],), id="split"),
    pytest.param(Stepped(lambda x: x.unbind(1), dim=1), (3, 7, 5), (1,), ([1, 7],), id="batch-first-by-hand"),
    pytest.param(Stepped(lambda x: x, meet=False), (7, 3, 5), (1,), (1,), id="sample-by-sample"),
    pytest.param(Stepped(lambda x: x), (7, 3, 6, 5), (0, 2), ([1, 7], 1), id="steps-of-rows"),
    pytest.param(Stepped(lambda x: [x.mean(0)]), (7, 3, 5), (0,), None, id="mean-of-steps"),
    pytest.param(Chain(nn.Linear(5, 5), Stepped(lambda x: x)), (7, 3, 5), (0,), ([1, 7],), id="layer-before-the-steps"),
    pytest.param(Chain(nn.Linear(5, 4), last_three(1)), (3, 7, 5), (1,), (3,), id="windows-of-steps"),
    pytest.param(Chain(last_three(0), nn.Linear(15, 4)), (7, 3, 5), (0,), (3,), id="windows-of-the-first-dimension"),
    pytest.param(Chain(nn.Linear(5, 4), lambda x: x - x.mean(0)), (3, 7, 5), (1,), (1,), id="mean-of-the-batch"),
    pytest.param(Chain(nn.Linear(5, 4), lambda x: x.mean((1, 2)).cumsum(0)), (3, 7, 5), (1,), None, id="loss"),
    pytest.param(nn.LayerNorm(7), (1, 3, 8, 7), (1, 2), (1, 1), id="norm-alone"),
    pytest.param(Chain(nn.LayerNorm(7), nn.Conv2d(3, 3, 3)), (1, 3, 8, 7), (2, 3), (3, 3), id="norm-over-columns"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "shape", "space", "size"), SPACE)
def test_space_is_what_the_network_slides_over_or_steps_through(
    model: Model, shape: Shape, space: Shape, size: tuple[Any, ...] | None
) -> None:
    fields, found = fields_of(model, shape)
    assert tuple(axis.dim for axis in fields.axes["0"]) == space
    assert (found.size if found is not None else None) == size
    assert found is None or size is not None or found.is_global


def test_every_input_has_axes_of_its_own() -> None:
    """A sequence [T, N, C], the keys that it attends to, and a vector that scales it."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.scale = nn.MultiheadAttention(4, 2), nn.Linear(5, 4)

        def forward(self, x: Tensor, keys: Tensor, vector: Tensor, unused: Tensor) -> Tensor:
            attended: Tensor = self.attention(x, keys, keys)[0]
            return attended * self.scale(vector)

    fields, _ = fields_of(Model(), (3, 1, 4), (7, 1, 4), (1, 5), (1, 2, 8))
    assert {name: [axis.dim for axis in axes] for name, axes in fields.axes.items()} == {
        "0": [0], "1": [0], "2": [], "3": [2],
    }  # fmt: skip


def test_padding_moves_nothing() -> None:
    """What a padding adds sees nothing: that others beside it do is no movement along batch and channels."""
    pools = [
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d((2, 3), stride=(1, 2), padding=(1, 1)),
        nn.LPPool2d(2, 2, 1),
    ]
    model = nn.Sequential(*pools, nn.MaxPool2d(2, 1, dilation=2), nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(3, 2, 2))
    field = inspect_model(model, (1, 3, 15, 15)).totals["receptive_field"]
    # Rows: 3, 3 + 2, 5 + 2, 7 + 2 * 2, 11 + 2; columns: 3, 3 + 2 * 2, 7 + 4, 11 + 2 * 4, 19 + 4.
    assert (field.image, field.size, field.jump) == ((15, 15), (13, 23), (2, 4))
