"""The steps of a derivation on a student's sheet: their columns, calculations in several steps, and their slips."""

from __future__ import annotations

from typing import Any

import pytest

from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import read_claims
from cnninspect.report.rows import Check
from tests.zoo.worked.base import inspected


def check(folder: Any, layer: str, column: str, cell: str, target: str = "custom-alexnet", more: str = "") -> Check:
    """The check of one cell of a sheet; `more` are other columns of the same row."""
    names, cells = f"layer,{column}", f'{layer},"{cell}"'
    if more:
        name, _, text = more.partition(":")
        names, cells = f"{names},{name}", f"{cells},{text}"
    file = folder / "sheet.csv"
    file.write_text(f"{names}\n{cells}\n", encoding="utf-8")
    checks = check_claims(inspected(target), read_claims(str(file)))
    return next(each for each in checks if each.name == column)


# Section 5 of the worked examples: conv1 3->64 k11 s4 p2 on 3x224x224, conv2 64->196 k5 p2 behind a pool 3x3 s2.
RIGHT = [
    ("conv1", "input_shape", "3x224x224"),
    ("conv1", "kernel", "11"),
    ("conv1", "kernel", "11x11"),
    ("conv1", "stride", "4"),
    ("conv1", "padding", "(2, 2)"),
    ("conv1", "dilation", "1"),
    ("conv1", "groups", "1"),
    ("conv1", "height", "floor((224 + 2*2 - 1*(11-1) - 1)/4) + 1 = floor(54.25) + 1 = 55"),
    ("conv1", "height", "floor((224 + 4 - 11)/4) + 1 = floor(217/4) + 1 = floor(54.3) + 1 = 54 + 1 = 55"),
    ("conv1", "height", "floor((224 + 4 - 11)/4) + 1 = floor(54) + 1"),
    ("conv1", "width", "= ⌊(224 + 4 - 11)/4⌋ + 1"),
    ("conv1", "weight", "3*11^2*64 = 23,232"),
    ("conv1", "bias", "64"),
    ("conv1", "params", "3*11^2*64 + 64 = 23,232 + 64 = 23,296"),
    ("conv1", "params", "3*11^2*64 + 64 ≈ 23.3K"),
    ("conv1", "output_shape", "64x(floor(217/4)+1)x55 = 64x55x55"),
    ("conv2", "padding", "same"),  # 2p = 5 - 1, stride 1
    ("conv3", "padding", "Same"),
    ("conv2", "receptive_field", "19 + (5-1)*8 = 51"),
    ("conv2", "jump", "8*1"),
    ("fc1", "input_shape", "256*6*6 = 9216"),
]


@pytest.mark.parametrize(("layer", "column", "cell"), RIGHT)
def test_a_right_step(layer: str, column: str, cell: str, tmp_path: Any) -> None:
    found = check(tmp_path, layer, column, cell)
    assert (found.verdict, found.hint in (None, "rounds to the claim")) == ("match", True)
    assert found.written == cell


WRONG = [
    # layer, column, cell, expected (the first wrong step), hint
    ("conv1", "kernel", "3", (3,), None),
    ("conv1", "padding", "valid", (0, 0), None),
    ("conv1", "input_shape", "3x32x32", ((3, 32, 32),), None),
    ("conv1", "height", "(224+2*2-11)/4 + 1 = 55", 55.25,
     "(224+2*2-11)/4 + 1 is 55.25: the size is rounded down, and floor is left out"),
    ("conv1", "height", "54", 54, "the padding is left out"),  # floor(213/4) + 1
    ("conv1", "params", "3*11*64 + 64 = 23296", 2176,
     "3*11*64 + 64 is 2,176; one side of the kernel is counted, not its area"),
    ("conv1", "params", "3*11^2*64 + 64 = 23,269", 23269, "3*11^2*64 + 64 is right, but it is not 23,269"),
    ("conv1", "weight", "11^2*64", 7744, "the input channels are left out"),
    ("conv1", "bias", "3", 3, None),
    # 217/4 = 54.25, and floor of all of these is 54: the size is right, the step is not.
    ("conv1", "height", "floor((224 + 4 - 11)/4) + 1 = floor(54.9) + 1 = 55", 55,
     "floor(54.9) + 1: the step before has 54.25 there, not 54.9"),
    ("conv1", "height", "floor((224 + 4 - 11)/4) + 1 = floor(218/4) + 1 = 55", 55,
     "floor(218/4) + 1: the step before has 54.25 there, not 54.5"),
    ("conv1", "width", "⌊(224 + 4 - 11)/4⌋ + 1 = ⌊54.24⌋ + 1 = 55", 55,
     "⌊54.24⌋ + 1: the step before has 54.25 there, not 54.24"),
    ("conv1", "output_shape", "64x(floor(217/4)+1)x55 = 64x(floor(54.75)+1)x55", ((64, 55, 55),),
     "64x(floor(54.75)+1)x55: the step before has 54.25 there, not 54.75"),
    ("conv2", "receptive_field", "11 + (5-1)*8 = 43", (43,), "pooling is left out"),
    ("conv2", "input_shape", "196x27x27", ((196, 27, 27),), "this is the layer's own output"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "column", "cell", "expected", "hint"), WRONG)
def test_a_wrong_step(layer: str, column: str, cell: str, expected: Any, hint: str | None, tmp_path: Any) -> None:
    found = check(tmp_path, layer, column, cell)
    assert (found.verdict, found.expected, found.hint) == ("differ", expected, hint)


def test_numbers_that_follow_from_a_wrong_input(tmp_path: Any) -> None:
    """Section 1: conv_3 is given the input of a stage before, 8x16x16 instead of 8x8x8, and its output follows."""
    found = check(tmp_path, "conv_3", "output_shape", "16x16x16", "nethw", "input_shape:8x16x16")
    assert (found.verdict, found.hint) == ("differ", "follows from the input claimed, 8x16x16")
    found = check(tmp_path, "conv_3", "input_shape", "8x16x16", "nethw")
    assert found.hint == "this is the output of conv_2, an earlier stage"


@pytest.mark.parametrize(
    ("layer", "column"), [("fc1", "height"), ("fc1", "kernel"), ("F.relu", "jump"), ("fc1", "jump")]
)
def test_a_step_that_a_layer_does_not_have_is_unknown(layer: str, column: str, tmp_path: Any) -> None:
    if layer == "F.relu":
        assert check(tmp_path, "", "jump", "4", more="kind:F.relu").verdict == "match"
        return
    assert check(tmp_path, layer, column, "4").verdict == "unknown"


def test_a_padding_in_words_that_frameworks_read_differently_is_unknown(tmp_path: Any) -> None:
    """conv1 has stride 4: Keras pads what it takes to have 224/4 places, torch refuses it."""
    assert check(tmp_path, "conv1", "padding", "same").verdict == "unknown"


def test_a_padding_that_the_layer_has_in_words_is_read_as_numbers(tmp_path: Any) -> None:
    from torch import nn

    from cnninspect import inspect_model

    report = inspect_model(nn.Sequential(nn.Conv2d(1, 1, 5, padding="same", dilation=2)), input_shape=(1, 1, 9, 9))
    file = tmp_path / "sheet.csv"
    file.write_text("layer,padding\n0,4\n", encoding="utf-8")
    assert [each.verdict for each in check_claims(report, read_claims(str(file)))] == ["match"]


def test_the_parts_of_shared_parameters_are_unknown(tmp_path: Any) -> None:
    """The weight of a row whose parameters were counted before is not told from its params, which are 0."""
    assert check(tmp_path, "n.0.1", "weight", "32", "pool-upsample").verdict == "unknown"


def test_steps_against_a_saved_report(tmp_path: Any) -> None:
    """A report that was written and read again has lists for tuples, and the same verdicts."""
    import json

    report = inspected("nethw")
    saved = type(report).from_dict(json.loads(json.dumps(report.to_dict())))
    file = tmp_path / "sheet.csv"
    file.write_text("layer,kernel,stride,weight,input_shape,jump,height\nconv_2,5x5,1,8*8*25,8x16x16,2,16\n")
    assert [each.verdict for each in check_claims(saved, read_claims(str(file)))] == ["match"] * 6


def test_the_text_of_a_cell_survives_in_json(tmp_path: Any) -> None:
    from cnninspect.report.json_rows import check_of, check_to_json

    found = check(tmp_path, "conv1", "params", "3*11*64 + 64")
    assert check_to_json(found)["written"] == "3*11*64 + 64"
    assert check_of(check_to_json(found)) == found
