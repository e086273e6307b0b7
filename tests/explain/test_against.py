"""Two networks side by side: ratios by hand, and the expressions that a report derives."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy
import torch
from torch import nn

from cnninspect.explain.against import side_by_side
from cnninspect.explain.document import Compared
from tests.explain.test_explanation import explain


def ratios(one: Any, other: Any, shape: tuple[int, ...]) -> dict[str, Compared]:
    (first, report), (second, others) = (explain(each, input_shape=shape) for each in (one, other))
    document = side_by_side(first, second, report.rows, others.rows)
    assert document.against is not None
    return {each.quantity: each for each in document.against.compared}


def regular(k: int, m: int, n: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(m, n, k, padding=k // 2, bias=False))


def separable(k: int, m: int, n: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(m, m, k, padding=k // 2, groups=m, bias=False), nn.ReLU(), nn.Conv2d(m, n, 1, bias=False)
    )


@pytest.mark.parametrize(("k", "m", "n"), [(3, 8, 8), (3, 8, 16), (5, 6, 12), (5, 5, 5)])
@pytest.mark.parametrize("quantity", ["macs", "params"])
def test_a_separable_convolution_costs_one_over_n_and_one_over_the_kernel(
    k: int, m: int, n: int, quantity: str
) -> None:
    """Worked examples, section 10: 1/N + 1/Dk^2, also where channels and kernel have the same value."""
    found = ratios(regular(k, m, n), separable(k, m, n), (1, m, 14, 14))[quantity]
    assert found.ratio == Fraction(1, n) + Fraction(1, k * k)
    assert found.formula is not None
    cout, kernel = sympy.symbols("Cout k")
    assert sympy.sympify(found.formula.to_json()["symbolic"]) == 1 / cout + 1 / kernel**2


def test_small_cnn_against_small_fcnn() -> None:
    """Section 2: 21,024 against 10,063,872 parameters, 61,632 against 4,992 neurons."""
    (first, report), (second, others) = (explain(name) for name in ("small-cnn", "small-fcnn"))
    document = side_by_side(first, second, report.rows, others.rows)
    assert document.against is not None
    found = {each.quantity: each.values for each in document.against.compared}
    assert (found["params"], found["neurons"]) == ((21_024, 10_063_872), (61_632, 4_992))


def test_two_3x3_against_one_5x5_see_the_same_for_less() -> None:
    """2*3^2 = 18 weights instead of 5^2 = 25 for each pair of channels; both see 5x5."""
    two = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2)))
    found = ratios(regular(5, 8, 8), two, (1, 8, 14, 14))
    assert found["params"].ratio == Fraction(18, 25)
    assert found["receptive_field"].values == (5, 5)


class Join(nn.Module):
    """A convolution beside its input, joined by addition or concatenation, and a 3x3 convolution behind."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.branch = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.after = nn.Conv2d(16 if how == "add" else 32, 16, 3, padding=1, bias=False)

    def forward(self, x: Any) -> Any:
        y = self.branch(x)
        return self.after(x + y if self.how == "add" else torch.cat((x, y), 1))


def test_addition_against_concatenation() -> None:
    """Addition keeps 16 channels, concatenation has 32, which the next convolution reads: 3 instead of 2 units."""
    (first, report), (second, others) = (explain(Join(how), input_shape=(1, 16, 8, 8)) for how in ("add", "cat"))
    document = side_by_side(first, second, report.rows, others.rows)
    assert document.against is not None
    found = {each.quantity: each for each in document.against.compared}
    # 16*16*9 for the branch, and 16*16*9 against 32*16*9 behind it.
    assert (found["params"].values, found["params"].ratio) == ((2 * 2304, 3 * 2304), Fraction(3, 2))
    assert found["macs"].ratio == Fraction(3, 2)
    # The sum is 16*8*8 numbers that are computed; a concatenation only moves data, so it has no neurons.
    assert found["neurons"].values == (3 * 16 * 64, 2 * 16 * 64)
    # The field is that of the branch and the convolution behind it, whatever the join.
    assert found["receptive_field"].values == (5, 5)
    added, joined = (layer for document in (first, second) for layer in document.layers if layer.row.functional)
    (channels, joined_channels) = (each.of("output_shape")[1].to_json() for each in (added, joined))
    assert (channels["symbolic"], joined_channels["symbolic"]) == ("C", "C + C")


def test_basic_against_bottleneck() -> None:
    """256 channels in and out: two 3x3 convolutions against 1x1 to 64, 3x3, 1x1 back."""
    basic = nn.Sequential(*(nn.Conv2d(256, 256, 3, padding=1, bias=False) for _ in range(2)))
    bottleneck = nn.Sequential(
        nn.Conv2d(256, 64, 1, bias=False),
        nn.Conv2d(64, 64, 3, padding=1, bias=False),
        nn.Conv2d(64, 256, 1, bias=False),
    )
    found = ratios(basic, bottleneck, (1, 256, 8, 8))["macs"]
    assert found.ratio == Fraction(256 * 64 + 9 * 64 * 64 + 64 * 256, 2 * 9 * 256 * 256)


def test_a_layer_without_macs_has_no_ratio() -> None:
    found = ratios(nn.Sequential(nn.ReLU()), regular(3, 8, 8), (1, 8, 4, 4))["macs"]
    assert (found.values[0], found.ratio) == (0, None)


def test_what_addition_and_concatenation_of_equal_maps_give() -> None:
    # 8 and 8 channels: 8 after addition, 8 + 8 = 16 one after the other; neither has parameters or MACs.
    class Joined(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x + x, torch.cat((x, x), 1)

    labels = ("Tensor.add", "torch.cat")
    (first, report), (second, _) = (explain(Joined(), label, input_shape=(1, 8, 4, 4)) for label in labels)
    rows = [[row for row in report.rows if row.label == label] for label in labels]
    against = side_by_side(first, second, *rows).against
    assert against is not None
    found = {each.quantity: each.values for each in against.compared}
    assert found["output_shape[1]"] == (8, 16)
    assert not {"params", "macs", "flops", "output_shape[0]", "output_shape[2]"} & found.keys()
