"""A row's field is `match` only if a probe has seen what it prints; a fault in the algebra never prints as `match`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnninspect.inspection.clean_windows import CleanWindows
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.ops import resampling
from cnninspect.receptive import bounds, digits, forms, joins, rows, taps
from cnninspect.receptive.digits import NOTHING
from cnninspect.receptive.positions import SIDES, Positions
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import Cause
from cnninspect.report.rows import ReceptiveField


class Gated(nn.Module):
    """Strided convolutions, a squeeze-and-excitation gate, a skip connection, a group norm, and a global head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.down = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x))
        x = x * self.gate(x)
        return self.head(self.down(x + self.body(x)))


class Deep(nn.Module):
    """Ten 3x3 convolutions, a larger field than the image is; then a layer that takes no other size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(10)))
        self.head = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).flatten(1))


class OneSize(nn.Module):
    """Ten 3x3 convolutions of an image to which a table of its size is added first."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 1, 8, 8))
        self.body = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(10)))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x + self.table)


class Upsampled(nn.Module):
    """A U of one level: its size depends on the output's phase."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)
        self.low = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 2, 3, padding=1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.last(torch.cat((y, self.low(y)), 1))


def fields(model: Callable[[], nn.Module], size: int) -> dict[str, ReceptiveField]:
    report = inspect_model(model, (1, 1, size, size), probe=True)
    return {row.label: row.receptive_field for row in report.rows if row.receptive_field is not None}


NETWORKS = [(Gated, 32), (Deep, 8), (Upsampled, 32)]


@pytest.mark.parametrize(("model", "size"), NETWORKS)
def test_what_is_printed_is_seen(model: Callable[[], nn.Module], size: int) -> None:
    found = fields(model, size)
    # A flattened map of one channel holds positions along both axes: no period tells its rows from its columns.
    assert {label for label, field in found.items() if field.verdict is not Verdict.MATCH} <= {"Tensor.flatten"}
    assert Verdict.DIFFER not in {field.verdict for field in found.values()}


def test_a_field_that_no_input_shows_is_unknown_and_says_why() -> None:
    found = fields(OneSize, 8)
    # Layer i sees 2 i + 3 pixels from position - (i + 1) to position + (i + 1). Of 8 positions two start inside, at
    # 1 or later, up to padding 5: then size, step and padding follow from them and from two that stop inside.
    assert {found[f"body.{layer}"].verdict for layer in range(5)} == {Verdict.MATCH}
    for layer in range(5, 10):
        field = found[f"body.{layer}"]
        assert field.size == (2 * layer + 3,) * 2
        assert field.verdict is Verdict.UNKNOWN
        assert [reason.cause for reason in field.why] == [Cause.NOT_MEASURED]


def _more(value: Any) -> Any:
    """A number that is one too large, wherever it stands in a size, jump or padding."""
    return [item + 1 for item in value] if isinstance(value, list) else value + 1 if isinstance(value, int) else value


def _wrapped(module: Any, name: str, change: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    right = getattr(module, name)

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, lambda *args, **kwargs: change(right(*args, **kwargs)))

    return plant


def _endless_hull_is_an_intersection(patch: pytest.MonkeyPatch) -> None:
    right = joins.merged

    def wrong(first: bounds.Bounds, second: bounds.Bounds) -> bounds.Bounds:
        found = right(first, second)
        if first.clipped or first.shape != second.shape or first.table.shape != second.table.shape:
            return found
        return bounds.Bounds(np.maximum(first.table, second.table), first.dims, first.space)

    patch.setattr(joins, "merged", wrong)


def _endless_windows_lose_a_tap(patch: pytest.MonkeyPatch) -> None:
    right = bounds.Bounds.slid

    def wrong(self: bounds.Bounds, dim: int, taps: Any) -> bounds.Bounds:
        found = right(self, dim, taps)
        if self.clipped or taps.count < 3:
            return found
        return bounds.Bounds(found.table + np.int32(1), found.dims, found.space)

    patch.setattr(bounds.Bounds, "slid", wrong)


def _steps_are_too_long(patch: pytest.MonkeyPatch) -> None:
    right = digits.lookup

    def wrong(table: Any, axis: int, digit: digits.Digit, indices: Any) -> Any:
        step = digit.step and digit.step + 1
        return right(table, axis, digit._replace(step=step), indices)

    for module in (digits, bounds, joins):
        patch.setattr(module, "lookup", wrong)


def _all_are_gates(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forms, "_is_gate", lambda gate, other, rank: gate.shape != other.shape or gate.cause is not None)


def _positions_with_features_are_features(patch: pytest.MonkeyPatch) -> None:
    right = bounds.Bounds.holds_features

    def wrong(self: bounds.Bounds, dim: int) -> bool:
        return right(self, dim) or len(self.dims[dim]) > 1

    patch.setattr(bounds.Bounds, "holds_features", wrong)


def _without_jump(found: rows.AxisField) -> rows.AxisField:
    return found if found.whole else replace(found, jump=None, padding=None)


FAULTS = {
    "features": _positions_with_features_are_features,
    "no jump": _wrapped(rows, "along", _without_jump),
    "padding of a whole axis": _wrapped(rows, "along", lambda one: replace(one, padding=1) if one.whole else one),
    "size": _wrapped(rows, "_sizes", _more),
    "jump": _wrapped(rows, "_jump", _more),
    "padding": _wrapped(rows, "_padding", _more),
    "hull": _endless_hull_is_an_intersection,
    "taps": _endless_windows_lose_a_tap,
    "steps": _steps_are_too_long,
    "gates": _all_are_gates,
    "covers": _wrapped(rows, "covers", lambda found: not found),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("model", "size"), [(Gated, 32), (Upsampled, 32)])
def test_a_fault_in_the_algebra_never_prints_a_wrong_number_as_match(
    monkeypatch: pytest.MonkeyPatch, fault: str, model: Callable[[], nn.Module], size: int
) -> None:
    right = fields(model, size)
    FAULTS[fault](monkeypatch)
    for label, field in fields(model, size).items():
        wrong = (field.size, field.jump, field.padding) != (right[label].size, right[label].jump, right[label].padding)
        assert not (wrong and field.verdict is Verdict.MATCH), (label, field, right[label])


def test_rows_along_which_nothing_moves_print_no_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean over one of two axes: each output sees all 6 pixels of it, and starts at the first."""

    def mean() -> ReceptiveField:
        return next(iter(fields(Mean, 6).values()))

    assert (mean().size, mean().padding, mean().verdict) == ((6, 1), (0, 0), Verdict.MATCH)
    FAULTS["padding of a whole axis"](monkeypatch)
    assert (mean().padding, mean().verdict) == ((1, 0), Verdict.UNKNOWN)


class Mean(nn.Module):
    """A mean over the rows of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2)


def test_the_last_map_is_held_against_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the algebra takes the second convolution's output for no map, the total would be the first one's."""

    def total() -> ReceptiveField:
        model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2), nn.Flatten(), nn.LazyLinear(2))
        found = inspect_model(model, (1, 1, 16, 16), probe=True).totals["receptive_field"]
        assert isinstance(found, ReceptiveField)
        return found

    # Hand arithmetic: 3, then 3 + (3 - 1) x 1 = 5.
    assert (total().size, total().layer, total().verdict) == ((5, 5), "1", Verdict.MATCH)
    right = rows._is_map
    monkeypatch.setattr(rows, "_is_map", lambda fields, reach: right(fields, reach) and reach.shape[-1] == 14)
    assert (total().size, total().layer, total().verdict) == ((3, 3), "0", Verdict.UNKNOWN)


@pytest.mark.parametrize(("wrong_at", "known"), [(None, True), (0, True), (11, True), (6, False)])
def test_a_field_ends_as_in_an_endless_input_but_near_a_border(wrong_at: int | None, known: bool) -> None:
    """Twelve positions of a 3x3 convolution without padding on 14 pixels, one of which sees a pixel less."""
    lo = np.arange(12, dtype=np.int32)
    endless = np.stack([lo, -(lo + 2)])
    exact = endless.copy()
    if wrong_at is not None:
        exact[:, wrong_at] += 1
    positions = Positions(exact, endless, 14)
    every = {(side, pixel): 14 for side in SIDES for pixel in range(14)}
    assert (positions.wanted(every) is None) is known


# A circular padding by 1 before and 4 after of an axis of 5: the pixel that each of ten positions sees.
WRAPPED = [4, 0, 1, 2, 3, 4, 0, 1, 2, 3]


@pytest.mark.parametrize(("padding", "known"), [pytest.param(1, True, id="right"), pytest.param(6, False, id="wrong")])
def test_a_padding_is_not_confirmed_where_more_positions_show_another(padding: int, known: bool) -> None:
    """Five positions in a row show a padding of 1, four one of 6."""
    seen, endless = np.array(WRAPPED, dtype=np.int32), np.arange(-padding, 10 - padding, dtype=np.int32)
    positions = Positions(np.stack([seen, -seen]), np.stack([endless, -endless]), 5)
    every = {(side, pixel): 5 for side in SIDES for pixel in range(5)}
    assert (positions.wanted(every) is None) is known


@pytest.mark.parametrize(
    ("starts", "stops", "regular"),
    [
        pytest.param(WRAPPED, WRAPPED, True, id="half of the positions follow a rule"),
        pytest.param([0, 1, 2, 3, 4], [4, 4, 4, 4, 4], False, id="from each pixel to the last"),
        pytest.param([NOTHING, 1, 3, 5, 7], [-NOTHING, 2, 4, 6, 8], False, id="the first of five sees nothing"),
        pytest.param([0, 1, 3, 5, 7, 9, 11], [1, 3, 5, 7, 9, 11, 12], True, id="clipped at both ends"),
        pytest.param([0, 2, 5], [0, 2, 5], False, id="three pixels at two distances"),
        pytest.param([0, 0, 0], [9, 9, 9], True, id="constant"),
    ],
)
def test_a_rule_shows_in_the_exact_positions_if_the_endless_ones_lost_it(
    starts: list[int], stops: list[int], regular: bool
) -> None:
    exact = np.stack([np.array(starts, dtype=np.int32), -np.array(stops, dtype=np.int32)])
    lost = exact + np.array([0, 7, 1, 0, 5, 2, 0, 3, 1, 4][: len(starts)], dtype=np.int32)
    assert Positions(exact, lost, 13).is_regular is regular


def test_a_row_that_says_global_is_held_against_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a 1x1 convolution said to be global, the strict probe alone would find nothing wrong with it."""

    def verdict() -> Verdict:
        field = inspect_model(nn.Conv2d(1, 1, 1, 3), (1, 1, 12, 12), probe=True).totals["receptive_field"]
        assert isinstance(field, ReceptiveField)
        return field.verdict

    assert verdict() is Verdict.MATCH
    whole = rows.AxisField(12, 0, 0, whole=True)
    monkeypatch.setattr(rows, "along", lambda fields, axis, own: whole)
    assert verdict() is not Verdict.MATCH


class Outer(nn.Module):
    """Adds to each pixel the product of one of its row and one of its column: neither holds for all positions."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.addr(x[0, 0], x[0, 0, :, 2], x[0, 0, 1])


def test_a_factor_that_does_not_see_everything_is_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def field() -> ReceptiveField:
        found = inspect_model(Outer(), (1, 1, 5, 6), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    # Hand arithmetic: (4, 5) sees (4, 5), (4, 2) and (1, 5): 4 x 4 pixels; (1, 2) sees itself alone.
    assert (field().size, field().verdict) == (([1, 4], [1, 4]), Verdict.MATCH)
    monkeypatch.setattr(forms, "covers", lambda table, hull: True)
    # Taken for gates, the factors still do not see all of the map, so that the row counts them.
    assert (field().size, field().verdict) == (([1, 4], [1, 4]), Verdict.UNKNOWN)


class Added(nn.Module):
    """Adds to each row a sum over all rows: with one value for each row, or one value for all of them."""

    def __init__(self, one_for_all: bool) -> None:
        super().__init__()
        self.one_for_all = one_for_all

    def forward(self, x: Tensor) -> Tensor:
        return x + (x.sum(2, keepdim=True) if self.one_for_all else torch.ones(5, 5) @ x)


def test_a_summand_with_a_value_for_each_position_is_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def field(one_for_all: bool) -> ReceptiveField:
        found = inspect_model(Added(one_for_all), (1, 1, 5, 6), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    # docs/conventions.md: a gate is one factor or summand for all positions, and the row shows the field without it.
    assert (field(True).size, field(True).verdict) == ((1, 1), Verdict.MATCH)
    assert (field(False).size, field(False).verdict) == ((5, 1), Verdict.MATCH)
    with monkeypatch.context() as patch:
        patch.setattr(forms, "_is_gate", lambda gate, other, rank: not gate.moves(2) and other.moves(2))
        assert (field(False).size, field(False).verdict) == ((1, 1), Verdict.UNKNOWN)
    monkeypatch.setattr(forms, "gates_among", lambda parts, rank: set())
    assert (field(True).size, field(True).verdict) == ((5, 1), Verdict.UNKNOWN)


class Dynamic(nn.Module):
    """A convolution whose weights are computed from all positions of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv2d(x, x.mean((2, 3)).reshape(2, 1, 1, 1), groups=2)


def test_weights_computed_from_all_positions_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def field() -> ReceptiveField:
        found = inspect_model(Dynamic(), (1, 2, 5, 6), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    assert (field().size, field().cause, field().verdict) == ((1, 1), "F.conv2d", Verdict.MATCH)
    monkeypatch.setattr(forms, "gates_among", lambda parts, rank: set())
    assert (field().size, field().verdict) == (None, Verdict.UNKNOWN)


class Steps(nn.Module):
    """Two recurrent cells, one after the other at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.GRUCell(3, 3), nn.GRUCell(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        one = two = None
        for step in x.unbind(1):
            one = self.first(step, one)
            two = self.second(one, two)
        return two


def test_the_first_call_that_sees_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def field() -> ReceptiveField:
        found = inspect_model(Steps(), (1, 4, 3), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    assert (field().size, field().cause, field().verdict) == (None, "first use 4", Verdict.MATCH)
    monkeypatch.setattr(rows, "_first_global", lambda fields, ref: "second")
    assert (field().cause, field().verdict) == ("second", Verdict.UNKNOWN)


def test_a_row_that_prints_the_whole_input_as_a_size_is_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    def field() -> ReceptiveField:
        found = inspect_model(nn.AdaptiveAvgPool2d(1), (1, 2, 5, 6), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    assert (field().size, field().verdict) == (None, Verdict.MATCH)
    right = rows.along
    monkeypatch.setattr(rows, "along", lambda fields, axis, own: replace(right(fields, axis, own), whole=False))
    assert (field().size, field().verdict) == ((5, 6), Verdict.UNKNOWN)


class MeanOfRows(nn.Module):
    """A convolution, and the mean over its rows: no map, since nothing moves along them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(2, keepdim=True) * 2


def test_a_result_along_which_nothing_moves_is_not_the_last_map(monkeypatch: pytest.MonkeyPatch) -> None:
    def total() -> ReceptiveField:
        found = inspect_model(MeanOfRows(), (1, 1, 12, 14), probe=True).totals["receptive_field"]
        assert isinstance(found, ReceptiveField)
        return found

    assert (total().layer, total().size, total().verdict) == ("conv", (3, 3), Verdict.MATCH)
    monkeypatch.setattr(rows, "_is_map", lambda fields, reach: True)
    assert (total().layer, total().jump, total().verdict) == ("Tensor.mul", (0, 1), Verdict.UNKNOWN)


class Beside(nn.Module):
    """A map and a convolution of it side by side along a new dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, (1, 3), padding=(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x, self.conv(x)], -1)


def test_stacked_maps_are_channels_unless_they_are_other_places(monkeypatch: pytest.MonkeyPatch) -> None:
    def field() -> ReceptiveField:
        found = inspect_model(Beside(), (1, 1, 6, 12), probe=True).rows[0].receptive_field
        assert found is not None
        return found

    # Hand arithmetic: both maps of a position together see what the wider one sees, three pixels in a row.
    assert (field().size, field().padding, field().verdict) == ((1, 3), (0, 1), Verdict.MATCH)

    def as_places(part: bounds.Bounds, dim: int, alone: bool = False) -> bounds.Bounds:
        one = part.completed(dim)
        return part if alone else one.replaced(one.table, dim, (one.dims[dim][0]._replace(kind=part.space.place),))

    monkeypatch.setattr(bounds.Bounds, "placed", as_places)
    assert (field().size, field().verdict) == ((1, [1, 3]), Verdict.UNKNOWN)


class Corners(nn.Module):
    """From 7 pixels to 10 with aligned corners: output i stands at 6 i / 9, so i = 0, 3, 6 stand on a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(10, mode="linear", align_corners=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)


class Normed(nn.Module):
    """A pixel sees itself, and all others by the statistics alone."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


@pytest.mark.parametrize("position", range(10))
def test_a_list_of_sizes_is_seen_at_each_position(monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    def verdict() -> Verdict:
        (field,) = [
            row.receptive_field for row in inspect_model(Corners(), (1, 1, 7), probe=True).rows if row.path == "up"
        ]
        assert field is not None
        return field.verdict

    assert verdict() is Verdict.MATCH
    right = resampling.linear_taps

    def wrong(*args: Any) -> taps.Taps:
        index = right(*args).index.copy()
        index[position] = index[position].clip(1, 5) if position in (0, 9) else index[position, :1]
        return taps.Taps(index)

    monkeypatch.setattr(resampling, "linear_taps", wrong)
    assert verdict() is not Verdict.MATCH


def test_a_row_that_hides_what_its_statistics_see_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    def norm() -> ReceptiveField:
        return next(field for field in fields(Normed, 6).values() if field.size)

    assert (norm().verdict, norm().cause) == (Verdict.MATCH, "norm")
    monkeypatch.setattr(rows, "_is_strictly_global", lambda *_: False)
    assert (norm().verdict, norm().cause) == (Verdict.DIFFER, None)


class Offset(nn.Module):
    """Adds a constant that no input reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.ones(1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offset.expand(1, 1, 6, 6)


class Resized(nn.Module):
    """Nearest places of an axis of 5 for three outputs."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(x, size=(3, 3), mode="nearest-exact")


def test_three_outputs_of_a_resized_map_prove_no_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """floor((i + 1/2) 5/3) = 0, 2, 4: at equal distances, and yet the jump is the ratio of the sizes."""
    right = rows.along

    def total() -> ReceptiveField:
        found = inspect_model(Resized(), (1, 1, 5, 5), probe=True).totals["receptive_field"]
        assert isinstance(found, ReceptiveField)
        return found

    assert total().jump == ("5/3", "5/3")

    def by_two(fields: Any, axis: Any, own: forms.Forms) -> rows.AxisField:
        # The period of a single output: what a fault in the search for the shortest period makes of these three.
        own.endless = bounds.Bounds(own.endless.table[:, :, :1], own.endless.dims, own.endless.space)
        return replace(right(fields, axis, own), jump=2)

    monkeypatch.setattr(rows, "along", by_two)
    assert total().verdict is not Verdict.MATCH


def test_a_row_that_moves_nowhere_and_sees_all_is_global(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the sum over an image of 5 x 5 a field of 5 x 5 that stands still, it would not say that it is global."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1))

    def pooled() -> ReceptiveField:
        return fields(lambda: model, 5)["1"]

    assert (pooled().is_global, pooled().verdict) == (True, Verdict.MATCH)
    right = rows.along
    monkeypatch.setattr(rows, "along", lambda *args: replace(right(*args), whole=False))
    monkeypatch.setattr(rows, "_is_strictly_global", lambda *_: False)
    assert (pooled().size, pooled().jump, pooled().verdict) == ((5, 5), (0, 0), Verdict.DIFFER)


class Shuffled(nn.Module):
    """A flipped image, and rows of it added where their columns decide: no dimension stands for the rows."""

    def forward(self, x: Tensor) -> Tensor:
        flipped = x.flip(2)
        index = (torch.arange(20, device=x.device) * 7 % 5).reshape(1, 1, 4, 5)
        return flipped.scatter_add(2, index, flipped)


def test_an_output_that_may_be_a_map_leaves_the_total_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def total() -> ReceptiveField:
        found = inspect_model(Shuffled(), (1, 1, 5, 6), device="cpu", probe=True).totals["receptive_field"]
        assert isinstance(found, ReceptiveField)
        return found

    assert (total().layer, total().verdict) == ("Tensor.scatter_add", Verdict.UNKNOWN)
    right = rows._is_map
    monkeypatch.setattr(rows, "_is_map", lambda fields, reach: right(fields, reach) and reach.shape[-2:] == (5, 6)
                        and field_moves(fields, reach))  # fmt: skip
    assert (total().layer, total().verdict) == ("Tensor.flip", Verdict.UNKNOWN)


def field_moves(fields: Any, reach: Any) -> bool:
    """Whether the rows of a tensor move by one pixel, as those of a flipped image do."""
    return all(rows.along(fields, axis, reach.forms[axis]).jump == 1 for axis in rows.axes_of(fields, reach))


def test_a_row_without_a_jump_prints_what_lies_inside_the_image_along_every_axis() -> None:
    """conventions.md: where there is no jump, the sizes are the exact ones inside the image.

    Rows 7 -> 5 by 0.7, which is not 5/7, follow no rule. Columns follow one; at a border a
    5 x 5 window sees 3 or 4 of its columns.
    """
    model = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.Upsample(scale_factor=(0.7, 1.0), mode="nearest"))
    field = inspect_model(model, (1, 1, 7, 9), probe=True).totals["receptive_field"]
    assert isinstance(field, ReceptiveField)
    assert (field.size, field.jump) == (([3, 5], [3, 5]), None)


def test_what_no_input_reaches_has_size_0_or_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    def expanded() -> ReceptiveField:
        return fields(Offset, 6)["Tensor.expand"]

    assert (expanded().size, expanded().verdict) == ((0, 0), Verdict.MATCH)
    right = rows.field_of

    def wrong(*args: Any) -> ReceptiveField | None:
        found = right(*args)
        return replace(found, size=(1, 1)) if found is not None and found.size == (0, 0) else found

    monkeypatch.setattr(rows, "field_of", wrong)
    assert (expanded().size, expanded().verdict) == ((1, 1), Verdict.DIFFER)


class Merged(nn.Module):
    """Parts of an image of other phases side by side, normed together. Of a batch, `contiguous` makes a copy: an op."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 1), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).transpose(0, 1).contiguous().permute(1, 2, 3, 0)
        return self.norm(torch.cat((x[:, ::2], x[:, 1::2]), 3))


def test_statistics_stay_clean_where_a_batch_runs_other_ops() -> None:
    """By hand: a channel of row i is that of pixel 2 i or 2 i + 1, so a position sees 2 pixels; other columns none."""
    (norm,) = [field for label, field in fields(Merged, 8).items() if label == "norm"]
    assert (norm.size, norm.jump, norm.padding) == ((2, 1), (2, 1), (0, 0))
    assert (norm.verdict, norm.why) == (Verdict.MATCH, ())


def test_windows_share_copies_and_never_touch() -> None:
    """By hand, 3 pixels wide on 12: from pixel 1 on [1..3] and [2..3] are clean, up to pixel 8 [6..8] and [6..7].

    A field that stops at 5 or later may share the windows of the one that starts at 1: [1..q - 1] and [2..q].
    """
    windows = CleanWindows(12)
    for end in [("start", 1), ("start", 6), ("stop", 4)]:
        windows.add(end, 3)
    assert windows.copies == [[(1, 3), (6, 8)], [(2, 4), (7, 8)]]
    assert windows.seen == {("start", 1): 3, ("start", 6): 3, ("stop", 4): 3}
    windows.add(("stop", 9), 12)
    assert windows.copies[2:] == [[(0, 9)], [(0, 8)]]


def test_a_window_shows_an_end_of_fields_that_fit_alone() -> None:
    """Two positions of 3 pixels a pixel apart, of 9: neither start is seen through a window of 2."""
    lo = np.array([2, 3, 4, 5], dtype=np.int32)
    table = np.stack([lo, -(lo + 2)])
    positions = Positions(table, table, 9)
    every = {(side, pixel): 3 for side in SIDES for pixel in range(9)}
    assert positions.wanted(every) is None
    assert positions.wanted(dict.fromkeys(every, 2)) == positions.wanted({})
