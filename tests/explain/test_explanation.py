"""Derivations of whole networks: every expression comes to the number of its row, and says what a report says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import sympy
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.cli.reports import Kept
from cnninspect.errors import UsageError
from cnninspect.explain.document import Derivation, Explanation, LayerDerivation
from cnninspect.explain.explanation import explained
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.ops.catalogue import _known_base
from cnninspect.ops.registry import MODULES, Formula
from cnninspect.render import render
from cnninspect.render.explanation import as_text
from cnninspect.render.page import Screen
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status
from cnninspect.report.rows import Row
from cnninspect.report.selection import Level

ROUNDING = {"floor": math.floor, "ceil": math.ceil, "max": max, "min": min}


def explain(target: Any, *layers: str, level: Level | None = None, **options: Any) -> tuple[Explanation, Report]:
    kept = Kept()
    report = inspect_model(target, accounts=[kept], **options)
    return explained(report, kept.found.reach, layers, level), report


@cache
def known(target: str) -> tuple[Explanation, Report]:
    return explain(target)


def layer(target: str, label: str) -> LayerDerivation:
    return next(each for each in known(target)[0].layers if each.row.label == label)


def one(found: Sequence[Derivation], **fields: Any) -> Derivation:
    (each,) = [each for each in found if all(getattr(each, name) == value for name, value in fields.items())]
    return each


# --- networks ---------------------------------------------------------------------------------------------------------

QUICK = ("resnet18", "squeezenet1_1", "mobilenet_v3_small")
SWEPT = (
    "googlenet", "densenet121", "efficientnet_b0", "vit_b_16", "swin_t", "convnext_tiny", "shufflenet_v2_x1_0",
    "regnet_y_400mf", "mnasnet0_5", "fcn_resnet50",
)  # fmt: skip


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.sweep) for name in SWEPT)])
def test_every_number_of_a_network_is_derived(name: str) -> None:
    document, report = explain(f"torchvision:{name}")
    rows = {row.id: row for row in report.rows}
    assert len(document.layers) > 20
    for each in document.layers:
        hold(each, rows[each.row])
    for total in document.totals:
        hold_json(total.to_json(), {})


def hold(layer: LayerDerivation, row: Row) -> None:
    """Each derivation against its row; a count that a formula gives must have one."""
    data = layer.to_json()
    for item in data["derivations"]:
        hold_json(item, data["names"])
        number = row.quantities.get(item["quantity"])
        if item["quantity"] == "output_shape":
            assert row.output_shape is not None
            assert item["value"] == row.output_shape.value[item.get("output", 0)][item["axis"]]
        elif isinstance(number, Quantity):
            assert item["value"] == number.value
        if isinstance(number, Quantity) and number.analytic is not None:
            assert item["symbolic"] is not None, f"{row.label}: {item['quantity']} has no derivation"


def hold_json(item: dict[str, Any], names: dict[str, Any]) -> None:
    for part in (item, item.get("jump"), *item.get("parts", {}).values()):
        if part is None or part["symbolic"] is None:
            continue
        value = Fraction(part["value"])
        assert eval(part["substituted"], dict(ROUNDING)) == value
        values = {name: Fraction(number) if isinstance(number, str) else number for name, number in names.items()}
        assert eval(part["symbolic"], {**ROUNDING, **values}) == value


# --- the worked examples: what a report writes, compared as expressions -----------------------------------------------

N, CIN, COUT, H, W, HOUT, WOUT, K, S, P, D, FIN, FOUT = sympy.symbols(
    "N Cin Cout H W Hout Wout k s p d Fin Fout", integer=True, positive=True
)
SIZE = sympy.floor((H + 2 * P - D * (K - 1) - 1) / S) + 1
CONV = {"output_shape": SIZE, "params": K**2 * CIN * COUT + COUT, "macs": N * HOUT * WOUT * COUT * CIN * K**2}
NAMES = {str(symbol): symbol for symbol in (N, CIN, COUT, H, W, HOUT, WOUT, K, S, P, D, FIN, FOUT)}


def symbolic(each: Derivation) -> Any:
    return sympy.sympify(each.to_json()["symbolic"], locals=NAMES)


@pytest.mark.parametrize("name", ["conv1", "conv2", "conv3", "conv4", "conv5"])
def test_a_convolution_of_custom_alexnet(name: str) -> None:
    """Section 5 of the worked examples; the size is torch.nn.Conv2d's."""
    found = layer("custom-alexnet", name)
    assert symbolic(one(found.of("output_shape"), axis=2)) == CONV["output_shape"]
    assert sympy.expand(symbolic(one(found.of("params"))) - CONV["params"]) == 0
    assert sympy.expand(symbolic(one(found.of("macs"))) - CONV["macs"]) == 0


# Section 5: the substituted formulas of the report.
PARAMS = {
    "conv1": "3*11**2*64 + 64", "conv2": "64*5**2*196 + 196", "conv3": "196*3**2*384 + 384",
    "conv4": "384*3**2*256 + 256", "conv5": "256*3**2*256 + 256", "fc1": "9216*4096 + 4096",
    "fc2": "4096*1024 + 1024", "fc3": "1024*1000 + 1000",
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), PARAMS.items(), ids=list(PARAMS))
def test_parameters_of_custom_alexnet_with_numbers(name: str, text: str) -> None:
    found = one(layer("custom-alexnet", name).of("params"))
    with sympy.evaluate(False):
        ours, theirs = sympy.sympify(found.to_json()["substituted"]), sympy.sympify(text)
    assert found.value == theirs.doit() == ours.doit()
    # The same terms, each with the same factors, in whatever order.
    assert factors(ours) == factors(theirs)


def factors(tree: Any) -> Any:
    """The numbers of each term, sorted."""
    terms = tree.args if isinstance(tree, sympy.Add) else (tree,)
    return sorted(sorted(str(atom) for atom in sympy.preorder_traversal(term) if not atom.args) for term in terms)


def test_totals_are_the_sums_of_the_report() -> None:
    """Section 5: 45,463,084 parameters, 705,535,424 MACs, twice as many FLOPs."""
    totals = {each.quantity: each for each in known("custom-alexnet")[0].totals}
    text = "23296 + 313796 + 677760 + 884992 + 590080 + 37752832 + 4195328 + 1025000"
    assert totals["params"].to_json()["substituted"] == text
    assert (totals["params"].value, totals["macs"].value, totals["flops"].value) == (
        45_463_084, 705_535_424, 1_411_070_848,
    )  # fmt: skip


def test_a_receptive_field_grows_step_by_step() -> None:
    """Section 11 and Araujo et al.: r = 19 + (5-1)*8 = 51 behind a pool that left a jump of 8."""
    found = one(layer("custom-alexnet", "conv2").of("receptive_field"), axis=0)
    assert found.to_json()["substituted"] == "19 + (5 - 1)*1*8"
    assert (found.value, found.jump.value if found.jump else None) == (51, 8)


def test_two_stacked_3x3_see_5x5() -> None:
    """Section 11."""
    document, _ = explain(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)), input_shape=(1, 1, 9, 9))
    total = one(document.totals, quantity="receptive_field", axis=0)
    assert (total.to_json()["substituted"], total.value) == ("1 + (3 - 1)*1*1 + (3 - 1)*1*1", 5)


def test_a_separable_pair_knows_what_it_saves() -> None:
    """Section 10: 1/N + 1/Dk^2, with N output channels and a kernel of Dk."""
    pair = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 32, 1))
    document, _ = explain(pair, input_shape=(1, 8, 16, 16))
    (aside,) = document.layers[-1].asides
    assert aside.formula is not None
    n, dk = sympy.symbols("Cout k")
    assert sympy.sympify(aside.formula.to_json()["symbolic"]) == 1 / n + 1 / dk**2
    assert aside.formula.to_json()["value"] == "41/288"  # 1/32 + 1/9


# --- joins, other layers, reasons -------------------------------------------------------------------------------------


class Joined(nn.Module):
    """Two branches that meet: by addition or concatenation, aligned or not."""

    def __init__(self, left: nn.Module, right: nn.Module, how: str) -> None:
        super().__init__()
        self.left, self.right, self.how = left, right, how

    def forward(self, x: Any) -> Any:
        a, b = self.left(x), self.right(x)
        return a + b if self.how == "add" else __import__("torch").cat((a, b), 1)


def conv(kernel: int, padding: int) -> nn.Module:
    return nn.Conv2d(1, 2, kernel, padding=padding)


def test_the_larger_branch_covers_the_other() -> None:
    document, _ = explain(Joined(conv(5, 2), conv(3, 1), "add"), input_shape=(1, 1, 9, 9))
    found = one(document.layers[-1].of("receptive_field"), axis=0)
    assert (found.to_json()["symbolic"], found.value) == ("max(r1, r2)", 5)
    assert found.words == "the branch through left (r = 5) covers that through right (r = 3)"


def test_branches_that_are_not_aligned_see_their_union() -> None:
    """Rows 0..2 without padding, rows -2..2 with a padding of 2: 5 in all, here shifted against each other."""
    left = nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(1, 2, 3))
    right = nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.Conv2d(1, 2, 3))
    document, _ = explain(Joined(left, right, "add"), input_shape=(1, 1, 9, 9))
    found = one(document.layers[-1].of("receptive_field"), axis=0)
    # From pixel -2 (left) to pixel 2 (right).
    assert (found.to_json()["substituted"], found.value) == ("max(3 - 2, 3 - 0) + max(2, 0)", 5)


def test_channels_add_up_in_a_concatenation() -> None:
    document, _ = explain(Joined(nn.Conv2d(1, 2, 1), nn.Conv2d(1, 3, 1), "cat"), input_shape=(1, 1, 9, 9))
    found = one(document.layers[-1].of("output_shape"), axis=1)
    assert (found.to_json()["symbolic"], found.value) == ("C1 + C2", 5)


def test_a_transposed_convolution_shrinks_the_jump() -> None:
    document, _ = explain(nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1), input_shape=(1, 3, 8, 8))
    size = one(document.layers[0].of("output_shape"), axis=2)
    # Section 4: out = (in-1)s - 2p + d(k-1) + output_padding + 1.
    assert size.to_json()["substituted"] == "(8 - 1)*2 - 2*1 + 1*(4 - 1) + 0 + 1"
    found = one(document.layers[0].of("receptive_field"), axis=0)
    assert (found.value, found.jump.to_json()["value"] if found.jump else None) == (2, "1/2")


def test_a_field_that_depends_on_the_position_says_its_bounds() -> None:
    """A kernel of 3 moved by 2: an output row lies under one window or under two."""
    document, _ = explain(nn.ConvTranspose2d(1, 1, 3, stride=2), input_shape=(1, 1, 8, 8))
    total = one(document.totals, quantity="receptive_field", axis=0)
    assert (total.value, total.formula) == ((1, 2), None)
    assert total.words == "that of ConvTranspose2d: from 1 to 2 pixels, depending on the position"


def test_why_a_field_depends_on_the_position() -> None:
    """With k = 3 and s = 2 an output lies under 1 or 2 windows; the layer behind has the field of its input."""
    up = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ConvTranspose2d(1, 1, 3, stride=2), nn.ReLU())
    document, _ = explain(up, input_shape=(1, 1, 8, 8))
    words = [one(each.of("receptive_field"), axis=0).words for each in document.layers[1:]]
    assert words == [
        "an output lies under 1 or 2 windows, for k/s = 3/2: 3 + 0*1 = 3 or 3 + 1*1 = 4 pixels",
        "that of its input: from 3 to 4 pixels, depending on the position",
    ]


def test_sizes_of_a_second_output_are_not_said_twice() -> None:
    document, _ = explain(nn.MaxPool2d(2, return_indices=True), input_shape=(1, 1, 8, 8))
    assert len(document.layers[0].of("output_shape")) == 8
    assert render(document).count("Hout = Wout") == 1


def test_without_a_bias_the_layer_says_what_one_would_be() -> None:
    document, _ = explain(nn.Conv2d(3, 8, 3, bias=False), input_shape=(1, 3, 8, 8))
    assert [aside.words for aside in document.layers[0].asides] == ["it has no bias, which would be 8 more parameters"]


def test_a_shared_layer_is_counted_once_and_says_so() -> None:
    shared = nn.Linear(4, 4)
    document, _ = explain(nn.Sequential(shared, shared), input_shape=(1, 4))
    first, second = (one(each.of("params")) for each in document.layers)
    assert (first.value, second.value) == (4 * 4 + 4, 0)
    assert second.words == "its parameters were counted where they were first read"


def test_an_unknown_number_says_why() -> None:
    import torch

    document, _ = explain(torch.fft.rfft2, input_shape=(1, 3, 8, 8))
    found = one(document.layers[-1].of("macs"))
    assert (found.value, found.formula) == (None, None)
    assert "aten._fft_r2c" in found.words


class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rank = 2
        self.down = nn.Parameter(__import__("torch").zeros(2, 6))

    def forward(self, x: Any) -> Any:
        return x @ self.down.T


class Spectrum(nn.Module):
    """A transform whose multiply-accumulates nobody knows, and a convolution whose are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x: Any) -> Any:
        return self.conv(x) + __import__("torch").fft.rfft2(x).abs().sum()


def test_a_sum_with_an_unknown_part_is_a_bound_and_says_so() -> None:
    document, _ = explain(Spectrum(), input_shape=(1, 3, 8, 8))
    total = one(document.totals, quantity="macs")
    assert (total.value, total.formula, total.status) == (4 * 8 * 8 * 3, None, Status.LOWER_BOUND)
    assert "aten._fft_r2c" in total.words
    assert "MACs        ≥ 768\n" in render(document)


def test_a_plug_ins_formula_explains_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """out = in; params = rank * features, twice; MACs the same for each row."""
    name = f"{LowRank.__module__}.{LowRank.__qualname__}"
    formula = Formula(
        name="low rank", source="nobody 2026", modules=(name,), hyperparameters=("rank",), roles=("down",),
        output=lambda use: ((*use.input[:-1], use["rank"]),),
        params=lambda use: {"down": use["rank"] * use.input[-1]},
        macs=lambda use: use.input[0] * use.input[-1] * use["rank"],
    )  # fmt: skip
    monkeypatch.setitem(MODULES, name, formula)
    _known_base.cache_clear()
    document, _ = explain(LowRank(), input_shape=(5, 6))
    _known_base.cache_clear()
    (found,) = document.layers
    assert [one(found.of(each)).to_json()["symbolic"] for each in ("params", "macs")] == ["rank*F", "N*F*rank"]
    assert one(found.of("macs")).source == "nobody 2026"


def test_a_layer_may_be_named_and_a_container_stands_for_all_in_it() -> None:
    document, _ = explain("resnet18", "layer1.0")
    labels = [each.row.label for each in document.layers]
    assert labels[:2] == ["layer1.0", "layer1.0.conv1"]
    assert "layer1.0 Tensor.add_" in labels
    # 64*64*3^2 twice, and two norms with 2*64 each.
    assert one(document.layers[0].of("params")).to_json()["substituted"] == "36864 + 128 + 36864 + 128"
    assert document.totals == ()


def test_a_layer_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no layer is called 'layer1.0.conv9'. Nearest: layer1.0.conv1"):
        explain("resnet18", "layer1.0.conv9")


def test_a_call_without_a_layer_derives_from_its_function() -> None:
    document, _ = explain(LowRank(), input_shape=(5, 6))
    found = one(document.layers[-1].of("macs"))
    assert (found.to_json()["symbolic"], found.value) == ("n*k*m", 5 * 6 * 2)


def test_a_size_that_is_a_setting_is_no_size_of_the_input() -> None:
    # 16x16 comes in and 4x4 goes out: the shape does not stay.
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(4))
    text = as_text(explain(net, level=Level.SHORT, input_shape=[1, 3, 16, 16])[0], Screen())
    pool = text.partition("AdaptiveAvgPool2d")[2].partition("total")[0]
    assert "the shape stays" not in pool
    assert "output_size" in pool


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def test_a_shape_that_loses_its_axes_does_not_stay() -> None:
    # The mean over height and width takes 1 x 3 x 4 x 4 to 1 x 3. Source: torch.mean, `dim`.
    text = as_text(explain(Mean(), level=Level.SHORT, input_shape=[1, 3, 4, 4])[0], Screen())
    assert "the shape stays" not in text
    assert "N x C = 1 x 3" in text


class Gated(nn.Module):
    """A squeeze-and-excitation block. Source: Hu et al. 2018, figure 1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool, self.gate = nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(self.pool(x)))


def test_a_field_without_its_gate_says_so() -> None:
    # The map itself sees 3 x 3 pixels; the gate is a mean of the whole map, and it multiplies every output.
    document, _ = explain(Gated(), input_shape=[1, 3, 9, 9])
    words = "with gates and statistics, every output depends on the whole input since Tensor.mul"
    assert [aside.words for aside in document.layers[-1].asides] == [words]
    fields = [each for each in document.totals if each.quantity == "receptive_field"]
    assert [(each.value, each.words) for each in fields] == [(3, f"the last map, Tensor.mul; {words}")] * 2


def test_a_field_without_the_statistics_of_one_axis_says_so_of_that_axis() -> None:
    # LayerNorm over the last axis of N x C x H x W takes mean and variance of 9 columns; rows stay apart.
    net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.LayerNorm(9), nn.Conv2d(3, 3, 3, padding=1))
    document, _ = explain(net, input_shape=[1, 3, 9, 9])
    words = "with gates and statistics, every output depends on all columns since 1"
    assert [[aside.words for aside in layer.asides] for layer in document.layers] == [[], [words], []]
    fields = [each for each in document.totals if each.quantity == "receptive_field"]
    assert [(each.value, each.words) for each in fields] == [(5, "the last map, 2"), (5, f"the last map, 2; {words}")]


def test_a_flatten_ends_the_map_and_does_not_see_it_all() -> None:
    # Each of the 2*4*4 outputs of the flatten is one place of the map, which sees 3 x 3 of the 6 x 6 pixels.
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 5))
    _, flat, linear = explain(net, input_shape=[1, 1, 6, 6])[0].layers
    assert one(flat.of("receptive_field")).words == "the map ends here: its positions become features"
    assert one(linear.of("receptive_field")).words.startswith("every output depends on the whole input")


def test_the_indices_of_an_embedding_are_batch_and_length() -> None:
    # [N, L] -> [N, L, E]. Source: torch.nn.Embedding, "Shape".
    net = nn.Sequential(nn.Embedding(20, 8))
    document, _ = explain(net, inputs=["2x6:int64"])
    assert [each.name for each in document.layers[0].of("output_shape")] == ["N", "L", "E"]


def test_the_states_of_a_recurrent_layer_are_no_time_steps() -> None:
    # h_n and c_n are [directions*layers, N, features]. Source: torch.nn.LSTM, "Outputs".
    (found,) = explain(nn.LSTM(6, 8, 2, bidirectional=True), input_shape=[5, 2, 6])[0].layers
    states = [each for each in found.of("output_shape") if each.output > 0 and each.axis == 0]
    assert [(each.name, each.value) for each in states] == [("states", 2 * 2)] * 2


class Branches(nn.Module):
    """A 3x3 and a 5x5 convolution side by side, and a 3x3 one behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2)
        self.last = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.a(x) + self.b(x))


def test_the_field_of_all_is_the_sum_along_the_widest_branch() -> None:
    # 1 + (5 - 1) + (3 - 1) = 7 pixels: the 3x3 convolution beside the 5x5 one adds nothing.
    totals = explain(Branches(), input_shape=[1, 1, 16, 16])[0].totals
    for each in (each for each in totals if each.quantity == "receptive_field"):
        assert (each.to_json()["substituted"], each.value) == ("1 + (5 - 1)*1*1 + (3 - 1)*1*1", 7)


class Shifted(nn.Module):
    """Two 3x3 convolutions of which one looks two pixels further to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)[..., 2:] + self.b(x)[..., :-2]


def test_a_union_of_branches_is_no_sum_over_windows() -> None:
    # Along the width one branch sees pixels 0 to 2 and the other 2 to 4: five, as 1 + (3 - 1) + (3 - 1) happens to be,
    # but the two windows do not stand behind each other. Along the height both see the same three.
    totals = explain(Shifted(), input_shape=[1, 1, 12, 12])[0].totals
    height, width = (each for each in totals if each.quantity == "receptive_field")
    assert (height.to_json()["substituted"], height.value) == ("1 + (3 - 1)*1*1", 3)
    assert (width.formula, width.value) == (None, 5)


def test_axes_of_a_field_have_names() -> None:
    # A 3x1 kernel sees three pixels along the height and one along the width.
    net = nn.Conv2d(1, 1, (3, 1))
    text = as_text(explain(net, level=Level.SHORT, input_shape=[1, 1, 9, 9])[0], Screen())
    assert "= 3, jump j = jin*s = 1*1 = 1  (height)" in text
    assert "= 1, jump j = jin*s = 1*1 = 1  (width)" in text


class Neighbours(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(torch.maximum(x[..., 1:], x[..., :-1]))


def test_a_field_has_as_many_axes_as_it_has() -> None:
    # Every dimension after batch and channels is an axis: four of them, and two neighbours along the last.
    document, _ = explain(Neighbours(), input_shape=[1, 2, 3, 4, 5, 6])
    assert [each.value for each in document.layers[-1].of("receptive_field")] == [1, 1, 1, 2]


def test_jumps_that_differ_between_axes_are_both_said() -> None:
    # Stride 2 along the height and 1 along the width: both see 3 pixels, the jumps are 2 and 1.
    net = nn.Conv2d(3, 4, 3, stride=(2, 1), padding=1)
    text = as_text(explain(net, level=Level.SHORT, input_shape=[1, 3, 16, 16])[0], Screen())
    assert [line for line in text.splitlines() if "j = " in line] != []
    assert "= 2" in text.partition("(height)")[0].rpartition("j =")[2]
    assert "= 1" in text.partition("(width)")[0].rpartition("j =")[2]


# --- words beside the numbers -----------------------------------------------------------------------------------------


def test_windows_as_columns_have_features_before_places():
    # torch.nn.Unfold: [N, C*k*k, L]; 3*3*3 = 27, and (8 - 2)*(9 - 2) = 42 places.
    document, _ = explain(nn.Unfold(3), input_shape=(2, 3, 8, 9))
    sizes = document.layers[0].of("output_shape")
    assert [(each.name, each.value) for each in sizes] == [("N", 2), ("Fout", 27), ("Lout", 42)]


@pytest.mark.parametrize(
    ("mode", "filled"),
    [
        ("zeros", "zeros"),
        ("reflect", "reflected pixels"),
        ("replicate", "copies of the border"),
        ("circular", "pixels"),
    ],
)
def test_what_padding_same_adds(mode: str, filled: str):
    document, _ = explain(nn.Conv2d(3, 4, 3, padding="same", padding_mode=mode), input_shape=(1, 3, 8, 8))
    (aside,) = document.layers[0].asides
    assert aside.words.startswith(f"padding 'same' adds as many {filled}")
    assert ("zeros" in aside.words) == (mode == "zeros")


def test_a_setting_that_is_a_size_names_its_axis():
    # torch.nn.LSTM, "Outputs": output [N, L, Hout], h_n and c_n [num_layers, N, Hout].
    document, _ = explain(nn.LSTM(5, 4, batch_first=True), input_shape=(2, 7, 5))
    text = " ".join(as_text(document, Screen()).split())
    assert "layers = 1 ✓ measured by hooks (axis 0 of output 2, axis 0 of output 3)" in text


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_the_list_of_symbols_is_in_the_notation_of_the_equations(form: str):
    document, _ = explain(nn.Conv2d(3, 4, (3, 5), (1, 2)), input_shape=(1, 3, 9, 9), level=Level.FULL)
    text = render(document, form)
    (listed,) = [line for line in text.splitlines() if line.startswith("With ")]
    for symbol in ("k_{h}", "k_{w}", "s_{h}", "s_{w}", r"C_{\mathrm{in}}"):
        assert f"${symbol}$ = " in listed
    assert " kh = " not in listed


# --- where dimensions lie, what totals hold ---------------------------------------------------------------------------


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mix(self.stem(x).permute(0, 2, 3, 1)) + 1
        return F.pad(x, (0, 0, 1, 1, 2, 2)).permute(0, 3, 1, 2) * 2


def names(layer: LayerDerivation) -> list[str]:
    return [each.name for each in layer.of("output_shape")]


def test_maps_whose_channels_come_last_are_named_so():
    # torch.nn.functional.pad starts at the last dimension: 2 rows above and below, 1 column on either side.
    document, _ = explain(ChannelsLast(), input_shape=(1, 3, 10, 12))
    stem, mix, add, pad, mul = document.layers
    assert (names(stem), names(mix)) == (["N", "Cout", "Hout", "Wout"], ["N", "H", "W", "Fout"])
    assert (names(add), names(mul)) == (["N", "H", "W", "C"], ["N", "C", "H", "W"])
    sizes = [(each.name, each.to_json()["substituted"]) for each in pad.of("output_shape")[1:]]
    assert sizes == [("Hout", "10 + 2 + 2"), ("Wout", "12 + 1 + 1"), ("Cout", "16 + 0 + 0")]
    assert {term.meaning for term in pad.terms if term.name[0] == "p"} == {"padding"}


def test_maps_of_one_dimension_have_channels_and_a_length():
    document, _ = explain(nn.Sequential(nn.Conv1d(3, 8, 3), nn.ReLU()), input_shape=(2, 3, 16))
    assert names(document.layers[1]) == ["N", "C", "L"]


def test_a_vision_transformers_tokens_are_no_map():
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, stride=4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.patches(x).flatten(2).transpose(1, 2) + 1

    document, _ = explain(Tokens(), input_shape=(1, 3, 16, 16))
    assert names(document.layers[-1]) == ["N", "L", "F"]


class Mixed(nn.Module):
    """Tokens and an image in, a layer of half precision, one layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.conv, self.last = nn.Embedding(100, 16), nn.Conv2d(1, 1, 3, padding=1), nn.Linear(8, 4).half()

    def forward(self, tokens: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.words(tokens), self.last(self.conv(self.conv(image)).half())


def test_the_memory_of_all_adds_up_what_each_data_type_takes():
    document, _ = explain(Mixed(), inputs=["2x7:int64", "1x1x8x8"])
    memory = {
        each.name: (each.to_json()["substituted"], each.value) for each in document.totals if each.quantity == "memory"
    }
    # int64 takes 8 bytes, float32 4, float16 2; 100*16 + 9 + 1 = 1610 and 8*4 + 4 = 36 parameters; the embedding gives
    # 2*7*16 = 224 numbers, the convolution twice 64, the linear layer 8*4 = 32.
    assert memory == {
        "inputs": ("8*2*7 + 4*8*8", 368),
        "parameters": ("4*1610 + 2*36", 6512),
        "activations": ("2*4*(224 + 64 + 64) + 2*2*32", 2944),
        "memory": ("368 + 6512 + 2944", 9824),
    }


def test_of_several_outputs_the_total_says_whose_field_it_is():
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine, self.coarse = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, stride=2)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            fine = self.fine(x)
            return fine, self.coarse(fine)

    (field,) = [each for each in explain(Pyramid(), input_shape=(1, 3, 16, 16))[0].totals if each.name == "r"][:1]
    assert (field.value, field.words) == (3, "the last map, fine, on the way to the first of 2 outputs")
    (none,) = [each for each in explain(Mixed(), inputs=["2x7:int64", "1x1x8x8"])[0].totals if each.name == "r"]
    assert (none.value, none.words) == (None, "no map leads to the first of 2 outputs; each layer above has its own")


def test_a_layer_of_fewer_axes_than_the_image_has_its_own_step():
    class Volume(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv3d(1, 8, (3, 5, 5)), nn.Conv2d(8, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x[:, None]).mean(2))

    # 3 slices make one; along the height and the width 1 + 4 = 5, then 5 + 2 = 7 pixels.
    document, _ = explain(Volume(), input_shape=(1, 3, 16, 16))
    fields = [(each.value, each.to_json()["substituted"]) for each in document.layers[-1].of("receptive_field")]
    assert fields == [(3, "3"), (7, "5 + (3 - 1)*1*1"), (7, "5 + (3 - 1)*1*1")]
    text = as_text(document, Screen())
    assert "1 + (5 - 1)*1*1 = 5  (height and width: the last map, first)" in text
