"""Verdicts of the probe on fields written by hand, right and wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.inspection.named_axes import doubtful_axes
from cnninspect.inspection.probe_check import judged, places, regions_to_probe
from cnninspect.measure.nan_probe import Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.receptive.fields import Field, Interval
from cnninspect.receptive.reach import Axis
from cnninspect.report.quantities import Verdict
from cnninspect.trace.recorder import record
from tests.receptive.test_axes import Stepped

WIDTH = 8
AXIS = Axis("0", 0, 2, WIDTH)


def field(lo: list[int], hi: list[int]) -> Field:
    """The field of a [1, 1, outputs] tensor."""
    interval = Interval(np.array([[lo]]), np.array([[hi]]))
    return Field((1, 1, len(lo)), {AXIS: interval}, {AXIS: interval}, frozenset({"0"}))


PIXELS = field(list(range(WIDTH)), list(range(WIDTH)))
NONE = Field((1, 1, WIDTH))


def verdict(model: Callable[..., Any], output: Field) -> Verdict:
    """The verdict of the last call of `model`, whose output is said to have the field `output`."""
    x = torch.rand(1, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    trace = record(model, (x,), {}, layer_of, device="cpu")
    probe = probe_nan(trace, model, (x,), {}, layer_of, regions_to_probe(trace, {"0": (AXIS,)}))
    return judged(trace, lambda call: [output] * len(call.outputs), probe)[-1].verdict


# A kernel of three without padding: output i sees pixels i..i+2.
CONV = nn.Conv1d(1, 1, 3)
STARTS, STOPS = [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]

# Taps at i and i + 2: pixel i + 1 lies in a hole.
HOLED = nn.Conv1d(1, 1, 2, dilation=2)

JUDGED = [
    pytest.param(CONV, field(STARTS, STOPS), Verdict.MATCH, id="right"),
    pytest.param(CONV, field(STARTS, [2, 3, 4, 5, 6, 6]), Verdict.DIFFER, id="ends-too-early"),
    pytest.param(CONV, field([0, 1, 3, 3, 4, 5], STOPS), Verdict.DIFFER, id="starts-too-late"),
    pytest.param(CONV, field([0, 1, 2, 2, 4, 5], STOPS), Verdict.DIFFER, id="starts-too-early"),
    pytest.param(CONV, field(STARTS, [2, 4, 4, 5, 6, 7]), Verdict.DIFFER, id="ends-too-late"),
    pytest.param(CONV, field([0] * 6, [7] * 6), Verdict.DIFFER, id="everything"),
    pytest.param(CONV, Field((1, 1, 6)), Verdict.DIFFER, id="nothing"),
    pytest.param(CONV, Field((1, 1, 6), unknown="aten.op"), Verdict.UNKNOWN, id="unknown"),
    pytest.param(CONV, Field((1, 1, 6), data_dependent="aten.op"), Verdict.UNKNOWN, id="data-dependent"),
    pytest.param(HOLED, field(STARTS, STOPS), Verdict.MATCH, id="holes"),
    pytest.param(HOLED, field([0, 1, 3, 3, 4, 5], STOPS), Verdict.DIFFER, id="holes-and-too-late"),
    pytest.param(lambda x: x > 0.5, PIXELS, Verdict.UNKNOWN, id="compared"),
    pytest.param(lambda x: torch.nan_to_num(x), PIXELS, Verdict.UNKNOWN, id="swallowed"),
    pytest.param(lambda x: F.avg_pool1d(torch.nan_to_num(x), 1), PIXELS, Verdict.UNKNOWN, id="swallowed-before"),
    pytest.param(lambda x: x**0, PIXELS, Verdict.UNKNOWN, id="a-power-that-is-1"),
    pytest.param(lambda x: 1.0**x, PIXELS, Verdict.UNKNOWN, id="a-power-of-1"),
    pytest.param(lambda x: x**2, PIXELS, Verdict.MATCH, id="a-power"),
    pytest.param(lambda x: x**2, field([0] * 8, [7] * 8), Verdict.DIFFER, id="a-power-said-to-see-everything"),
    pytest.param(
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127), PIXELS, Verdict.UNKNOWN, id="quantised"
    ),
    pytest.param(
        lambda x: torch.linalg.vector_norm(x, 0, 1, True), PIXELS, Verdict.UNKNOWN, id="a-count-of-what-is-not-0"
    ),
    pytest.param(lambda x: torch.where(x > 0, x, x), PIXELS, Verdict.MATCH, id="could-swallow-but-does-not"),
    pytest.param(lambda x: torch.nan_to_num(x).flip(2), field([7] * 8, [7] * 8), Verdict.UNKNOWN, id="swallowed-whole"),
    pytest.param(lambda x: torch.zeros(1, 1, WIDTH), NONE, Verdict.MATCH, id="constant"),
    pytest.param(lambda x: torch.zeros(1, 1, WIDTH, dtype=torch.long), NONE, Verdict.MATCH, id="constant-integers"),
    pytest.param(
        lambda x: x.new_zeros(1, 1, WIDTH).masked_fill(x.new_zeros(1, 1, WIDTH) != 0, -1.0),
        NONE,
        Verdict.MATCH,
        id="a-mask-of-constants",
    ),
    pytest.param(
        lambda x: torch.zeros(1, 1, WIDTH).masked_fill(x > 2, 1.0),
        NONE,
        Verdict.UNKNOWN,
        id="a-mask-of-the-input",
    ),
    # What stands in fresh memory is no value: it may be the NaN of a tensor that is gone.
    pytest.param(lambda x: torch.empty(1, 1, WIDTH), NONE, Verdict.UNKNOWN, id="fresh-memory"),
    pytest.param(lambda x: x.new_empty(1, 1, WIDTH).fill_(torch.nan), NONE, Verdict.UNKNOWN, id="filled-with-nan"),
    # torch pads by filling fresh memory, whose values then are those of the image.
    pytest.param(
        lambda x: F.pad(x, (1, 1), mode="circular"),
        field([WIDTH - 1, *range(WIDTH), 0], [WIDTH - 1, *range(WIDTH), 0]),
        Verdict.MATCH,
        id="filled-memory",
    ),
    # In a batch of copies this is the clean one.
    pytest.param(lambda x: x[:1] * 2, PIXELS, Verdict.MATCH, id="first-sample"),
    pytest.param(lambda x: x[:1] * 2, NONE, Verdict.DIFFER, id="first-sample-said-to-be-constant"),
    pytest.param(lambda x: torch.zeros(1, 1, WIDTH), PIXELS, Verdict.DIFFER, id="constant-said-to-depend"),
]


@pytest.mark.parametrize(("model", "output", "expected"), JUDGED)
def test_verdict(model: Callable[..., Any], output: Field, expected: Verdict) -> None:
    assert verdict(model, output) is expected


def test_too_much_is_no_excuse_even_when_nan_is_swallowed_elsewhere() -> None:
    def model(x: Tensor) -> Tensor:
        return F.avg_pool1d(torch.nan_to_num(x), 1) + x

    assert verdict(model, field([9] * WIDTH, [-1] * WIDTH)) is Verdict.DIFFER


def test_regions_are_slabs_along_each_axis_a_centre_and_a_corner() -> None:
    def model(image: Tensor, tokens: Tensor, scale: Tensor) -> Tensor:
        return image * scale + tokens.sum()

    args = (torch.rand(1, 3, 6, 9), torch.ones(1, 4, dtype=torch.long), torch.rand(1, 3, 1, 1))
    trace = record(model, args, {}, layer_of, device="cpu")
    axes = {"0": (Axis("0", 0, 2, 6), Axis("0", 1, 3, 9))}
    assert regions_to_probe(trace, axes) == [
        Region("0", (0, 0, 0, 0), (0, 2, 2, 8)),
        Region("0", (0, 0, 3, 0), (0, 2, 5, 8)),
        Region("0", (0, 0, 0, 0), (0, 2, 5, 3)),
        Region("0", (0, 0, 0, 4), (0, 2, 5, 8)),
        Region("0", (0, 0, 3, 4), (0, 2, 3, 4)),
        Region("0", (0, 0, 5, 8), (0, 2, 5, 8)),
        Region("2", (0, 0, 0, 0), (0, 2, 0, 0)),
    ]


# Of eight pixels all but 2..5 are NaN. By hand: i..i+2 leaves 2..5 for i = 0, 1 (they start before) and for i = 4, 5
# (they stop at 6 and 7); i = 2, 3 see 2..4 and 3..5, which lie inside.
OUTSIDE = Region("0", (0, 0, 2), (0, 0, 5), outside=True)


def test_a_region_outside_a_box_spoils_all_but_the_box() -> None:
    x = torch.rand(1, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    trace = record(CONV, (x,), {}, layer_of, device="cpu")
    (mask,) = probe_nan(trace, CONV, (x,), {}, layer_of, [OUTSIDE]).masks[trace.calls[-1].index]
    assert mask is not None
    assert mask[0, 0, 0].tolist() == [True, True, False, False, True, True]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(field(STARTS, STOPS), Verdict.MATCH, id="right"),
        pytest.param(field([0, 2, 2, 3, 4, 5], STOPS), Verdict.DIFFER, id="starts-inside-but-sees-before"),
        pytest.param(field(STARTS, [2, 3, 4, 5, 5, 7]), Verdict.DIFFER, id="stops-inside-but-sees-behind"),
        pytest.param(field([0, 1, 1, 3, 4, 5], STOPS), Verdict.DIFFER, id="starts-before-but-sees-the-box-only"),
        pytest.param(field(STARTS, [2, 3, 4, 6, 6, 7]), Verdict.DIFFER, id="stops-behind-but-sees-the-box-only"),
        pytest.param(field([0, 1, 9, 9, 4, 5], [2, 3, -1, -1, 6, 7]), Verdict.MATCH, id="what-sees-nothing-is-outside"),
        pytest.param(Field((1, 1, 6)), Verdict.DIFFER, id="no-input-at-all"),
    ],
)
def test_a_region_outside_a_box_is_predicted(output: Field, expected: Verdict) -> None:
    x = torch.rand(1, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    trace = record(CONV, (x,), {}, layer_of, device="cpu")
    probe = probe_nan(trace, CONV, (x,), {}, layer_of, [OUTSIDE])
    assert judged(trace, lambda call: [output] * len(call.outputs), probe)[-1].verdict is expected


# Of eight pixels 0..2 and 4..7 are clean: i..i+2 holds pixel 3 for i = 1, 2, 3. With ends alone the field 1..5 would
# not have to react, since pixel 3 may be a hole; one that starts or stops at 3 must.
BOXES = Region("0", (0, 0, 0), (0, 0, 2), outside=True, others=(((0, 0, 4), (0, 0, 7)),))


@pytest.mark.parametrize(
    ("starts", "stops", "expected"),
    [
        pytest.param([0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7], Verdict.MATCH, id="right"),
        pytest.param([0, 1, 1, 3, 4, 5], [2, 3, 5, 5, 6, 7], Verdict.MATCH, id="spans-the-gap"),
        pytest.param([3, 1, 2, 3, 4, 5], [4, 3, 4, 5, 6, 7], Verdict.DIFFER, id="starts-in-the-gap-but-sees-a-box"),
        pytest.param([0, 1, 2, 4, 4, 5], [2, 3, 4, 6, 6, 7], Verdict.DIFFER, id="in-a-box-but-sees-the-gap"),
    ],
)
def test_a_region_outside_several_boxes_is_predicted(starts: list[int], stops: list[int], expected: Verdict) -> None:
    x = torch.rand(1, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    trace = record(CONV, (x,), {}, layer_of, device="cpu")
    probe = probe_nan(trace, CONV, (x,), {}, layer_of, [BOXES])
    (mask,) = probe.masks[trace.calls[-1].index]
    assert mask is not None
    assert mask[0, 0, 0].tolist() == [False, True, True, True, False, False]
    output = field(starts, stops)
    assert judged(trace, lambda call: [output] * len(call.outputs), probe)[-1].verdict is expected


class FirstSample(nn.Module):
    """Takes the first sample of its batch: of many copies that is the clean one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[0])


class InPlace(nn.Module):
    """A comparison in place makes numbers of NaN."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x.clone().gt_(0.5), 2)


class Binomial(nn.Module):
    """The kernel of torch.binomial waits for ever for a NaN to be small enough."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.binomial(x, torch.full_like(x, 0.5))


def test_a_kernel_that_never_ends_with_nan_is_not_begun() -> None:
    field = inspect_model(Binomial(), (1, 1, 6), probe=True).rows[0].receptive_field
    assert field is not None
    assert field.verdict is Verdict.UNKNOWN
    assert "aten.binomial" in str(field.why)


@pytest.mark.parametrize(
    ("model", "expected"), [(FirstSample, {Verdict.MATCH}), (InPlace, {Verdict.MATCH, Verdict.UNKNOWN})]
)
def test_what_the_probe_cannot_show_is_no_contradiction(model: Callable[[], nn.Module], expected: set[Verdict]) -> None:
    report = inspect_model(model(), (1, 1, 12, 12), probe=True)
    assert {row.receptive_field.verdict for row in report.rows if row.receptive_field} == expected


NAMED = [
    pytest.param(nn.Conv2d(1, 1, 3), (1, 1, 6, 6), (2, 3), id="Conv2d"),
    pytest.param(nn.Conv2d(1, 1, 3), (1, 6, 6), (1, 2), id="Conv2d-unbatched"),
    pytest.param(lambda x: F.max_pool3d(x, 2), (1, 1, 4, 4, 4), (2, 3, 4), id="max_pool3d"),
    pytest.param(nn.LSTM(3, 2), (5, 2, 3), (0,), id="LSTM"),
    pytest.param(nn.LSTM(3, 2, batch_first=True), (2, 5, 3), (1,), id="LSTM-batch-first"),
    pytest.param(nn.BatchNorm1d(3).eval(), (2, 3), (), id="BatchNorm1d-of-features"),
    # docs/conventions.md: without windows and steps all from the third on, or T for [N, T, C] into a linear layer.
    pytest.param(F.relu, (1, 1, 4, 4), (2, 3), id="pointwise"),
    pytest.param(nn.Linear(6, 2), (2, 5, 6), (1,), id="Linear"),
    pytest.param(nn.Linear(6, 2), (2, 4, 5, 6), (1, 2), id="Linear-of-images"),
    pytest.param(lambda x: x.flip(1).relu() @ torch.ones(6, 2), (2, 5, 6), (1,), id="matmul-after-flip"),
    pytest.param(lambda x: x.transpose(1, 2) @ torch.ones(6, 2), (2, 6, 5), (2,), id="matmul-of-channels"),
    pytest.param(lambda x: x.unsqueeze(1).squeeze(1) @ torch.ones(6, 2), (2, 5, 6), (1,), id="matmul-after-squeeze"),
    pytest.param(lambda x: torch.cdist(x, torch.ones(2, 4, 6)), (2, 5, 6), (1,), id="cdist"),
    pytest.param(nn.LayerNorm(6), (2, 5, 6), (1,), id="LayerNorm-of-features"),
    pytest.param(nn.LayerNorm((5, 6)), (2, 5, 6), (2,), id="LayerNorm-of-more"),
    # Samples never meet, the steps of a recurrence do.
    pytest.param(Stepped(lambda x: x), (7, 3, 5), (0,), id="steps-first-by-hand"),
    pytest.param(Stepped(lambda x: x.unbind()), (7, 3, 5), (0,), id="steps-unbound"),
    pytest.param(Stepped(lambda x: [x[t : t + 1] for t in range(7)]), (7, 3, 5), (0,), id="steps-sliced"),
    pytest.param(Stepped(lambda x: x.split(1)), (7, 3, 5), (0,), id="steps-split"),
    pytest.param(Stepped(lambda x: x.unbind(1)), (3, 7, 5), (1,), id="batch-first-by-hand"),
    pytest.param(Stepped(lambda x: x, meet=False), (7, 3, 5), (1,), id="sample-by-sample"),
    pytest.param(Stepped(lambda x: x), (7, 3, 6, 5), (0, 2), id="steps-of-rows"),
    pytest.param(lambda x: nn.Linear(6, 2)(x.select(1, 0)), (2, 3, 5, 6), (1, 2), id="Linear-of-one-channel"),
]
"""A network, its input and the dimensions that hold positions, as the documentation of torch.nn says."""


@pytest.mark.parametrize(("model", "shape", "dims"), NAMED)
def test_axes_are_held_against_the_names_of_the_layers(
    model: Callable[..., Any], shape: tuple[int, ...], dims: tuple[int, ...]
) -> None:
    trace = record(model, (torch.rand(shape),), {}, layer_of, device="cpu")

    def doubt(read: tuple[int, ...]) -> object:
        return doubtful_axes(trace, {"0": [Axis("0", index, dim, shape[dim]) for index, dim in enumerate(read)]})

    assert doubt(dims) is None
    assert not dims or doubt(dims[1:]) is not None


@pytest.mark.parametrize(
    ("model", "shared"),
    [
        pytest.param(nn.Unfold(3, stride=2), {2}, id="windows-of-rows-and-columns"),
        pytest.param(lambda x: x.flatten(1), set(), id="a-flattened-map-of-two-channels"),
        pytest.param(lambda x: x.flatten(2), {2}, id="positions-of-two-channels"),
        pytest.param(lambda x: x.relu(), set(), id="a-map"),
    ],
)
def test_a_dimension_that_several_axes_share_holds_positions_unless_parts_are_alike(
    model: Callable[..., Any], shared: set[int]
) -> None:
    x = torch.rand(1, 2, 12, 14)
    axes = (Axis("0", 0, 2, 12), Axis("0", 1, 3, 14))
    trace = record(model, (x,), {}, layer_of, device="cpu")
    probe = probe_nan(trace, model, (x,), {}, layer_of, regions_to_probe(trace, {"0": axes}))
    assert [found.shared for found in places(probe, trace.calls[-1], axes).values()] == [shared, shared]
