"""Published numbers and the ways to count that explain them.

Sources: what the libraries print (`tests/data/counters.json`), torchvision's metadata, and arithmetic by hand.
"""

from __future__ import annotations

import json
import random
from functools import cache

import pytest

from cnninspect.cli.app import run
from cnninspect.conventions.search import search
from cnninspect.inspection.reconcile import _Search, reconcile
from cnninspect.inspection.run import Options
from cnninspect.report.published import Published, Quantity
from cnninspect.targets.inputs import InputOptions
from tests.conventions.test_recorded import three_digits

NET = "tests/conventions/nets.py:Plain"
INPUT = "1x3x64x64"
STEM, BLOCK, HEAD = 32 * 32 * 16 * 27, 16 * 16 * 32 * 16 * 9, 32 * 10
"""Its MACs at 64 x 64: output positions, channels, and taps."""


def published(**numbers):
    return [Published.of(Quantity(name), text) for name, text in numbers.items()]


@cache
def own(name):
    return _Search(f"torchvision:{name}", {}, None, Options(), set(Quantity)).own()


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("4.09G", 4_085_000_000, 4_095_000_000),
        ("300M", 299_500_000, 300_500_000),
        ("25,557,032", 25_557_031.5, 25_557_032.5),
        ("4.1e9", 4_050_000_000, 4_150_000_000),
        ("7B", 6_500_000_000, 7_500_000_000),
        ("0.39 G", 385_000_000, 395_000_000),
    ],
)
def test_digits_decide_the_interval(text, low, high):
    (found,) = published(macs=text)
    assert (found.number - found.half, found.number + found.half) == (low, high)


def test_a_negative_number_is_named_as_such():
    with pytest.raises(ValueError, match="'-5' is negative; write the number that is published"):
        Published.of(Quantity.MACS, "-5")


@pytest.mark.parametrize("text", ["", "G", "-4G", "4.09X", "4..1G", "0", "0.0M", "1e400", "nan", "4 09"])
def test_a_text_that_is_no_number(text):
    with pytest.raises(ValueError, match="write"):
        published(macs=text)


def first(target, *inputs, **numbers):
    found = reconcile(target, published(**numbers), options=Options(inputs=InputOptions.of(None, inputs)))
    return found.explanations[0].readings, found.explanations[0].setting.changes


@pytest.mark.parametrize(
    ("target", "numbers", "counter", "words"),
    [
        # torchvision's metadata: 25,557,032 parameters and 4.089 G multiply-accumulates.
        ("torchvision:resnet50", {"macs": "4.09G"}, "multiply-accumulates", ()),
        ("torchvision:resnet50", {"flops": "4.09G"}, "multiply-accumulates", ("MACs are called FLOPs",)),
        ("torchvision:resnet50", {"flops": "8.18G"}, "multiply-accumulates", ()),
        ("torchvision:resnet50", {"macs": "8.178G"}, "multiply-accumulates",
         ("FLOPs, two for each MAC, are called MACs",)),
        # ptflops 0.6.4 and 0.6.9 print 4,121,925,096.
        ("torchvision:resnet50", {"macs": "4.12G"}, "ptflops up to 0.6.9", ()),
        # The 2048 x 1000 weights and 1000 biases of the head: 25,557,032 - 2,049,000.
        ("torchvision:resnet50", {"params": "23508032"}, "every parameter once",
         ("without the last linear layer, the head",)),
        # 12 blocks of two products of 197 x 197 x 768: 17,563,828,224 - 12 * 2 * 197**2 * 768.
        ("torchvision:vit_b_16", {"macs": "16848500736"}, "calflops MACs", ()),
    ],
)  # fmt: skip
def test_plain_explanations_first(target, numbers, counter, words):
    (reading,) = search(published(**numbers), [[own(target.removeprefix("torchvision:"))]]).explanations[0].readings
    assert (reading.counter, reading.differences) == (counter, words)


def test_another_input():
    """At 256 x 256 the maps have 16 times as many positions, and the head is the same."""
    value = 16 * (STEM + BLOCK) + HEAD
    (reading,), changes = first(NET, INPUT, macs=str(value))
    assert (reading.value, changes) == (value, ("an input of 1x3x256x256 instead of 1x3x64x64",))


def test_a_batch():
    value = 8 * (STEM + BLOCK + HEAD)
    (reading,), changes = first(NET, INPUT, macs=str(value))
    assert (reading.value, changes) == (value, ("a batch of 8: an input of 8x3x64x64",))


def test_auxiliary_heads():
    """torchvision's GoogLeNet has 6,624,904 parameters without the heads of the paper, and 13,004,888 with them."""
    (reading,), changes = first("torchvision:googlenet", params="13.0M")
    assert (reading.value, changes) == (13_004_888, ("aux_logits=True: with the auxiliary heads",))
    (reading,), _ = first("torchvision:inception_v3", params="23.83M")  # 27,161,264 less an InceptionAux of 3,326,696
    assert reading.differences == ("without the parts that do not run, such as auxiliary heads",)


def test_tied_weights():
    """nn.Embedding(10, 6) and a head with its weight: 60 parameters, counted at each use 120."""
    (reading,), _ = first("tests/conventions/nets.py:Tied", params="120")
    assert (reading.value, reading.differences) == (120, ("with tied weights at every use",))


def test_activations():
    """The paper on RegNet (Radosavovic et al. 2020) gives ResNet-50 11.1 M activations, outputs of convolutions."""
    (reading,), _ = first("torchvision:resnet50", activations="11.1M")
    assert (reading.value, reading.counter) == (11_113_984, "outputs of convolutions")


def test_several_numbers_together():
    """thop counts a batch norm's elements four times: those of 16 x 32 x 32 and 32 x 16 x 16."""
    norms = 4 * (16 * 32 * 32 + 32 * 16 * 16)
    # An adaptive pool of 32 maps of 8 x 8 to one value each: 64 + 1.
    thop = STEM + BLOCK + HEAD + norms + 32 * (64 + 1)
    params = 3 * 9 * 16 + 2 * 16 + 16 * 9 * 32 + 32 + 2 * 32 + 32 * 10 + 10
    readings, _ = first(NET, INPUT, macs=str(thop), params=str(params))
    assert [reading.counter for reading in readings] == ["thop", "every parameter once"]


def test_numbers_that_only_fit_alone():
    options = Options(inputs=InputOptions.of(None, [INPUT]))
    found = reconcile(NET, published(macs=str(STEM + BLOCK + HEAD), params="25.6M"), options=options)
    assert not found.explanations
    assert [(each.text, alone.readings[0].value) for each, alone in found.alone] == [("1622336", 1_622_336)]


@pytest.mark.parametrize(("name", "text"), [("resnet18", "1.82G"), ("vit_b_16", "17.6G")])
def test_the_sum_of_an_explanation_is_its_value(name, text):
    every = search(published(macs=text), [[own(name)]]).explanations
    assert every
    for each in every:
        for reading in (*each.readings, *each.readings[0].also):
            assert sum(number for _, number in reading.terms) == reading.value


def share_of_wrong_numbers_that_fit(name, inputs, count):
    """Of numbers of three digits, between a third and three times the true one, and of tenfold more."""
    options = Options(inputs=InputOptions.of(None, inputs))
    every = _Search(name, {}, None, options, set(Quantity))
    setting = every.own()
    changed = list(every.changed(setting))
    true, draw = sum(setting.macs.values()), random.Random(0)
    texts = [three_digits(int(true * 3 ** draw.uniform(-1, 1))) for _ in range(count)]
    return sum(bool(search(published(macs=text), [[setting], changed]).explanations) for text in texts) / count


def test_wrong_numbers_fit_nothing():
    assert share_of_wrong_numbers_that_fit(NET, [INPUT], 100) <= 0.1


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_b_16", "swin_t"])
def test_wrong_numbers_fit_nothing_of_a_large_model(name):
    share = share_of_wrong_numbers_that_fit(f"torchvision:{name}", [], 1000)
    print(f"{name}: {share:.1%}")
    assert share <= 0.05


def test_exit_codes_and_json(capsys):
    value = STEM + BLOCK + HEAD
    assert run(["-q", "reconcile", NET, "--input", INPUT, "--macs", f"{value}", "-f", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    best = data["explanations"][0]
    assert {"value", "unit", "counter", "input", "differences", "distance"} <= best.keys()
    assert (best["value"], best["input"], best["differences"], best["distance"]) == (value, INPUT, [], 0)
    assert [term["value"] for term in best["terms"]] == [STEM + BLOCK, HEAD]
    (text,) = data["published"]
    assert text == {"quantity": "macs", "text": str(value), "low": value - 0.5, "high": value + 0.5}
    assert run(["-q", "reconcile", NET, "--input", INPUT, "--macs", "98765"]) == 1
    out = capsys.readouterr().out
    assert "none" in out
    assert "98,764.5 to 98,765.5" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([NET], 2, "reconcile needs a published number"),
        ([NET, "--macs", "many"], 2, "--macs: 'many' is not a number"),
        ([NET, "--macs", "4G", "-f", "junit"], 2, "no --format junit"),
        (["no_such_model", "--macs", "4G"], 2, "no_such_model"),
        ([NET, "--macs", "4G", "--input", "1x4x64x64"], 3, "1x4x64x64"),
    ],
)
def test_wrong_command_lines(capsys, arguments, code, message):
    assert run(["reconcile", *arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "html"])
def test_every_format_has_the_value(capsys, form):
    assert run(["-q", "reconcile", NET, "--input", INPUT, "--macs", "1.62M", "-f", form]) == 0
    out = capsys.readouterr().out
    assert "1,622,336" in out or "1622336" in out


def test_the_limits_of_a_number_with_a_fraction_are_not_rounded(capsys):
    assert run(["reconcile", "lenet5", "--macs", "1.5", "-q"]) == 1
    assert "1.45 to 1.55 are rounded to it" in capsys.readouterr().out
