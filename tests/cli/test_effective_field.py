"""The effective receptive field: the theory of Luo et al. 2016 on networks where it has exact numbers, and the command.

Source: Luo, Li, Urtasun and Zemel, Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
NIPS 2016. Section 2.2: with equal weights the gradient of n layers of k taps is the distribution of a sum of n uniform
variables on k values, whose variance is n (k^2 - 1) / 12. Section 2.3: with random weights that holds for the variance
of the gradient, hence for its mean square. Section 2.1 and 2.4: for large n both are Gaussian.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import comb, sqrt

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.accounts import effective_field
from cnninspect.inspection.accounts.effective_field import EffectiveFields
from cnninspect.render import render
from cnninspect.render.picture import picture
from cnninspect.report.document import FieldStudy
from cnninspect.report.parts import EffectiveInput
from cnninspect.report.quantities import Verdict


def study(model: object, shape: list[int], layer: str | None = None, **options: object) -> FieldStudy:
    account = EffectiveFields(layer, **options)  # type: ignore[arg-type]
    found = inspect_model(model, shape, accounts=[account], command="rf")
    assert isinstance(found, FieldStudy)
    return found


def of(found: FieldStudy) -> EffectiveInput:
    assert found.effective is not None
    (part,) = found.effective.inputs
    return part


def stack(layers: int, kernel: int, channels: int = 1, relu: bool = False) -> nn.Sequential:
    sizes = [1, *[channels] * layers]
    convs = [nn.Conv2d(a, b, kernel, padding="same", bias=False) for a, b in pairwise(sizes)]
    return nn.Sequential(*(part for conv in convs for part in ([conv, nn.ReLU()] if relu else [conv])))


def filled(net: nn.Module, fill: Callable[[torch.Tensor], object]) -> nn.Module:
    with torch.no_grad():
        for parameter in net.parameters():
            fill(parameter)
    return net


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (5, 3), (8, 3), (3, 5), (2, 7)])
def test_equal_weights_have_the_variance_of_a_sum_of_uniform_variables(layers: int, kernel: int) -> None:
    net = filled(stack(layers, kernel), lambda weight: weight.fill_(0.1))
    part = of(study(net, [1, 1, 41, 41], samples=2))
    expected = sqrt(layers * (kernel**2 - 1) / 12)
    assert part.deviation == pytest.approx((expected, expected), rel=1e-3)
    theoretical = part.regions[0]
    assert theoretical.size == (1 + layers * (kernel - 1),) * 2
    assert theoretical.share == 1
    assert part.verdict is Verdict.MATCH


def test_two_taps_are_the_binomial_distribution() -> None:
    """Six layers of two equal taps: 1 6 15 20 15 6 1, of which more than 4.55 % of 20 are all but the ends (0.91)."""
    net = nn.Sequential(*[nn.Conv1d(1, 1, 2, bias=False) for _ in range(6)])
    part = of(study(filled(net, lambda weight: weight.fill_(1.0)), [1, 1, 15], samples=1))
    binomial = [comb(6, tap) for tap in range(7)]
    # The output has 9 positions; that of the middle, 4, sees the pixels 4..10.
    assert part.influence == pytest.approx((0,) * 4 + tuple(each / 20 for each in binomial) + (0,) * 4, abs=1e-3)
    assert [(region.name, region.box, region.pixels) for region in part.regions] == [
        ("theoretical", ((4, 10),), 7),
        # 1 / 20 is 5 %, more than 4.55 %: the ends belong to it.
        ("effective", ((4, 10),), 7),
        # 20 of 64 in the middle; with both neighbours 50; with the next two 62.
        ("50 %", ((6, 8),), 3),
        ("90 %", ((5, 9),), 5),
        ("95.45 %", ((5, 9),), 5),
    ]
    assert [region.share for region in part.regions[2:]] == pytest.approx([50 / 64, 62 / 64, 62 / 64], rel=1e-3)
    assert part.across == 7


@pytest.mark.parametrize("relu", [False, True], ids=["linear", "relu"])
def test_random_weights_are_gaussian_and_grow_with_the_root_of_the_depth(relu: bool) -> None:
    """Loosely: 24 channels and 5 networks are few. The variance is that of equal weights, n (9 - 1) / 12."""
    torch.manual_seed(0)

    def random(layers: int) -> list[EffectiveInput]:
        nets = [filled(stack(layers, 3, channels=24, relu=relu), nn.init.kaiming_normal_) for _ in range(5)]
        return [of(study(net, [1, 1, 37, 37], samples=1)) for net in nets]

    few, many = random(4), random(16)
    widths = [np.mean([part.deviation_of_squares for part in parts]) for parts in (few, many)]
    assert widths == pytest.approx([sqrt(4 * 8 / 12), sqrt(16 * 8 / 12)], rel=0.1)
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.1)
    assert np.mean([ratio_of_boxes(part) for part in many]) == pytest.approx(GAUSSIAN, rel=0.15)


GAUSSIAN = 2.27 / 1.05
"""Side of the box with 95.45 % over that with 50 % of a Gaussian in two dimensions: erf(h / sqrt 2)^2 = 0.9545 at
h = 2.27, 0.5 at h = 1.05. For a uniform distribution it is sqrt(0.9545 / 0.5) = 1.38, for exp(-|x| - |y|) 3.1."""


def ratio_of_boxes(part: EffectiveInput) -> float:
    boxes = {region.name: region.size[0] for region in part.regions}
    return boxes["95.45 %"] / boxes["50 %"]


RESNET_18_LAYER3 = sqrt(
    (7**2 - 1) / 12  # conv1 takes steps of 1 pixel
    + 2**2 * 8 / 12  # the pool takes the largest of 3x3 positions, 2 pixels apart
    + 2 * 2 / 3 * (2 * 4**2 * 8 / 12)  # layer1: two blocks of two convolutions, positions 4 pixels apart
    + 1 / 2 * ((4**2 + 8**2) * 8 / 12) + 2 / 3 * (2 * 8**2 * 8 / 12)  # layer2; its first convolution reads layer1's map
    + 1 / 2 * ((8**2 + 16**2) * 8 / 12) + 2 / 3 * (2 * 16**2 * 8 / 12)  # layer3
)  # fmt: skip
"""Luo et al. 2016 by hand: variances of layers add up, a kernel k on positions j pixels apart adds j^2 (k^2 - 1) / 12.

The rest is ours. A block adds the share of the squared gradient that goes through its convolutions and not past
them. With weights of variance 2 / (9 Cout) a convolution multiplies the sum of squares by 2 Cin / Cout, a ReLU
halves it: through a block 2 * 1/2 * 2 = 2 against 1 past it, so 2/3; in the first block of layer2 and layer3, with
Cin / Cout = 1/2, it is 1 against the 1 of the 1x1 convolution beside it, so 1/2. The root is 21.3 pixels.
"""


def test_a_random_resnet_18_is_gaussian_with_the_width_of_the_theory() -> None:
    """Section 3 and figure 3: the effective field is much smaller than the theoretical, and Gaussian."""
    part = of(study("resnet18", [1, 3, 224, 224], "layer3", samples=2))
    assert part.deviation_of_squares == pytest.approx((RESNET_18_LAYER3, RESNET_18_LAYER3), rel=0.1)
    assert part.regions[0].size == (211, 211)
    assert part.across < 0.65 * 211
    assert ratio_of_boxes(part) == pytest.approx(GAUSSIAN, rel=0.15)
    assert part.verdict is Verdict.MATCH


def test_seeds_are_fixed() -> None:
    torch.manual_seed(0)
    net = stack(3, 3, channels=4, relu=True)
    first = study(net, [1, 1, 15, 15], samples=3)
    torch.rand(5)
    assert study(net, [1, 1, 15, 15], samples=3).effective == first.effective
    assert study(net, [1, 1, 15, 15], samples=4).effective != first.effective


def test_channels_that_add_up_to_a_constant_do_not_hide_their_influence() -> None:
    """The sum of normalised channels is 0 whatever the input, and so is its gradient; each channel has one."""
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(1, 8), nn.Softmax(dim=1))
    part = of(study(net, [1, 1, 9, 9], "2", samples=2))
    # The statistics of the norm see everything; the conv alone 3x3.
    assert part.regions[0].size == (3, 3)
    assert 0.5 < part.regions[0].share < 1
    # The strict field is the whole input: no pixel lies outside, so nothing is checked.
    assert part.verdict is Verdict.NOT_RUN


class Gate(nn.Module):
    """The mean of the upper half times a local convolution, so that the strict field is rows 0..4 and three more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) * x[:, :, :5].mean((2, 3), keepdim=True)


def test_the_gradient_is_a_second_source_for_the_ends_of_a_field() -> None:
    part = of(study(Gate(), [1, 1, 10, 10], samples=1, at=(1, 5)))
    assert part.verdict is Verdict.MATCH
    influence = np.array(part.influence)
    assert (influence[5:] == 0).all()
    assert influence[:5].min() > 0


def test_a_field_that_is_too_small_is_contradicted(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    right = effective_field.field_at

    def one_row_less(*arguments: object) -> object:
        found = right(*arguments)  # type: ignore[arg-type]
        rows, columns = found.spans
        cut = (rows.strict[0] + 1, rows.strict[1])
        return replace(found, spans=(replace(rows, local=cut, strict=cut), columns))

    net = filled(stack(2, 3), lambda weight: weight.fill_(0.5))
    assert of(study(net, [1, 1, 11, 11], samples=1)).verdict is Verdict.MATCH
    monkeypatch.setattr(effective_field, "field_at", one_row_less)
    found = study(net, [1, 1, 11, 11], samples=1)
    assert of(found).verdict is Verdict.DIFFER
    assert "pixels outside the theoretical field have an influence" in render(found, "table")
    assert "✗" in render(found, "table")
    assert cli("rf", "conv-stack", "--effective").code == 0
    assert cli("rf", "conv-stack", "--effective", "--strict").code == 1


class InPlace(nn.Module):
    """Writes into its input and over its results."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = filled(nn.Conv1d(1, 1, 3, bias=False), lambda weight: weight.fill_(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.mul_(2)
        y = self.conv(x)
        kept = y.clone()
        y.zero_()
        return kept + y


def test_the_influence_on_a_result_is_that_before_it_is_overwritten() -> None:
    assert of(study(InPlace(), [1, 1, 9], "conv", samples=1)).influence == (0, 0, 0, 1, 1, 1, 0, 0, 0)


class Rolled(nn.Module):
    """A convolution whose columns are moved on by five, around the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = filled(nn.Conv2d(1, 1, 3, padding=1, bias=False), lambda weight: weight.fill_(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.roll(self.conv(x), 5, -1)


def test_boxes_lie_around_the_field_in_the_input() -> None:
    part = of(study(Rolled(), [1, 1, 20, 20], at=(3, 2), samples=1))
    # Column 2 is what was column 17: the convolution there sees 16..18.
    assert [region.box for region in part.regions] == [((2, 4), (16, 18))] * 5
    assert part.verdict is Verdict.MATCH


def uniform() -> FieldStudy:
    """Two 3x3 layers of equal weights: 1 2 3 2 1 along each axis."""
    return study(filled(stack(2, 3), lambda weight: weight.fill_(1.0)), [1, 1, 9, 9], samples=1)


def test_the_table_and_the_drawing() -> None:
    lines = [line.rstrip() for line in render(uniform(), "table").splitlines()]
    assert lines[2:8] == [
        " region                    rows  columns  pixels  influence",
        " theoretical field            5        5      25    100.0 %",
        # All 25 products of 1 2 3 2 1 but none: the corners are 1 of 9, 11 %.
        " effective field              5        5      25    100.0 %",
        # The middle 3x3 holds 7 of 9 along each axis: 49 of 81.
        " 50 % of the influence        3        3       9     60.5 %",
        " 90 % of the influence        5        5      25    100.0 %",
        " 95.45 % of the influence     5        5      25    100.0 %",
    ]
    facts = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[9:15]}
    assert facts["effective"] == "5.0 pixels across, the root of its 25 pixels theoretical 5"
    # 4 / 3 along each axis, and 1 4 9 4 1 of 19 for the squares: (4 + 4 + 4 + 4) / 19.
    assert facts["deviation"] == "1.15 rows, 1.15 columns 0.918 rows, 0.918 columns of squares"
    assert facts["outside"] == "0 at every pixel outside the theoretical field ✓"
    # Lines stand for the rows 0..1, 2..3, 4..5 and 6..8. 9 and 6 of 9 are more than half of the largest, 4 is not.
    assert [line[1:] for line in lines[-4:]] == ["·········", "··▓▓█▓▓··", "··▓███▓··", "··▓▓▓▓▓··"]


def test_csv_and_json_hold_the_regions() -> None:
    found = uniform()
    assert render(found, "csv").splitlines()[:3] == [
        "input,region,rows,columns,pixels,share_percent",
        "0,theoretical,5,5,25,100.0",
        "0,effective,5,5,25,100.0",
    ]
    document = json.loads(render(found, "json"))
    assert FieldStudy.from_dict(document).effective == found.effective
    (part,) = document["effective"]["inputs"]
    assert part["regions"][2] == {"name": "50 %", "box": [[3, 5], [3, 5]], "pixels": 9, "share": 0.604938}
    assert part["influence"][4] == [0, 0, 0.333, 0.667, 1, 0.667, 0.333, 0, 0]


@pytest.mark.parametrize("shape", [[1, 1, 9, 9], [1, 1, 9]], ids=["image", "line"])
def test_the_picture_shows_the_influence_inside_the_field(shape: list[int], tmp_path: object) -> None:
    conv = nn.Conv2d if len(shape) == 4 else nn.Conv1d
    net = filled(nn.Sequential(conv(1, 1, 3, padding=1, bias=False)), lambda weight: weight.fill_(1.0))
    found = study(net, shape, samples=1)
    text = picture(found, "svg").decode()
    assert "effective field: 3.0" in text
    assert "theoretical field: 3" in text
    file = tmp_path / "f.png"  # type: ignore[operator]
    file.write_bytes(picture(found, "png"))
    pixels = imread(file)[..., :3]
    # Lines are thin: what is black or red on more than a hundredth of the picture is the influence.
    assert ((np.ptp(pixels, axis=-1) > 0.3) | (pixels.max(-1) < 0.2)).mean() > 0.01


NETS = """
import torch
from torch import nn

class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)
    def forward(self, x):
        with torch.no_grad():
            return self.conv(x)

class Off(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)
    def forward(self, x):
        return torch.relu(-self.conv(x).abs())

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.conv = nn.Embedding(9, 4), nn.Conv1d(4, 4, 3)
    def forward(self, x):
        return self.conv(self.embedding(x).transpose(1, 2))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 1, 3), nn.Linear(36, 2)
    def forward(self, x):
        return self.head(self.conv(x).flatten(1))

def inputs():
    return torch.zeros(3, 1, 8, 8)
"""

X = ("--input", "1x1x8x8")
WRONG = [
    # id, arguments, exit code, words
    ("meta", ["Net", *X, "--device", "meta"], 2, "Leave --device out, or use cpu or cuda."),
    ("samples alone", None, 2, "Give --effective too."),
    ("no samples", ["Net", *X, "--samples", "0"], 2, "--samples"),
    ("vary", ["Net", *X, "--vary", "a=1"], 2, "Keep one of the options."),
    ("columns", ["Net", *X, "--columns", "layer"], 2, "Leave out --columns"),
    ("inputs and samples", ["Net", "--inputs-from", "nets.py:inputs", "--samples", "2"], 2, "Leave out --samples."),
    ("no map", ["Net", "head", *X], 2, "head: its output has no spatial positions. Name a layer with a map, such as"),
    ("no gradient", ["Detached", *X], 3, "or gradients are switched off. Use rf without --effective"),
    ("all off", ["Off", *X], 3, "its gradient is 0 at every pixel: units that are switched off"),
    ("integers", ["Words", "--input", "1x9:int64"], 3, "only those have a gradient. Use rf without --effective"),
    ("no such layer", ["Net", "convolution", *X], 2, "no layer is called 'convolution'. Nearest: conv"),
    ("outside", ["Net", "conv", "--at", "9,9", *X], 2, "9,9 lies outside"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_goes_wrong_in_one_sentence(cli, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    target, *rest = arguments or ["Net", *X, "--samples", "3"]
    result = cli("rf", f"nets.py:{target}", *rest, *(["--effective"] if arguments else []))
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err


def test_inputs_of_the_user_are_taken_as_they_are(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    result = cli("rf", "nets.py:Net", "conv", "--inputs-from", "nets.py:inputs", "--effective", "-f", "json")
    assert result.code == 0
    assert (document := json.loads(result.out))["effective"]["drawn"] is False
    assert document["run"]["inputs"][0]["shape"] == [3, 1, 8, 8]
