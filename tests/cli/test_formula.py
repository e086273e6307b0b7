"""`cnninspect formula`: what it prints in each format, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest
import sympy

FAMILIES = Path(__file__).parent.parent / "data" / "families.py"
PICKY = f"{FAMILIES}:Picky"
SMALL = ("--input", "1x3x8x8")


def equal(text, expected):
    return sympy.expand(sympy.sympify(text) - sympy.sympify(expected)) == 0


def test_json_holds_python_expressions(cli):
    result = cli("formula", "pool-upsample", "--vary=NF=8-12", "--vary=input.h=32,36,40,44,48", "--format=json")
    found = json.loads(result.out)
    assert (result.code, result.err, found["command"], found["schema_version"]) == (0, "", "formula", 2)
    assert found["variables"] == ["NF", "H"]
    # Section 3 with NIC = 1, NC = 24, k = 3 and W = 32: 3520 and 4352 neurons at 32x32, proportional to H.
    assert equal(found["total"]["neurons"], "(3520*NF + 4352*24)*H/32")
    assert equal(found["total"]["weights"], "9*(NF + 4*NF**2 + 24*NF + 576)")
    assert found["checked_on"] == 10
    assert found["failed"] == {}
    first = found["layers"][0]
    assert (first["path"], first["call"], first["kind"], first["functional"]) == ("n.0.0", 0, "Conv2d", False)
    assert equal(first["macs"], "9*NF*32*H")
    assert first["receptive_field"] == "3"


def test_the_text_says_what_it_is_worth(cli):
    result = cli("formula", PICKY, "--vary", "width=3,4,6,7,8,9", *SMALL)
    assert result.code == 0
    # 27 weights and a bias for each of the channels, at 6*6 positions.
    assert "params   28*width" in result.out
    assert "MACs" in result.out
    assert "972*width" in result.out
    assert "width in 3, 4, 6, 7, 8, 9" in result.out
    assert "checked  on 1 instance not used to find them, of 6 inspected" in result.out


def test_what_a_formula_does_not_cover_is_said(cli):
    """pool-upsample pads k//2, which keeps the size for odd kernels only: even ones follow other formulas."""
    result = cli("formula", "pool-upsample", "--vary", "k")
    assert "where k mod 2 = 1  other values of k have other formulas: --vary k=4,6,8,10,12,14,16" in result.out
    even = cli("formula", "pool-upsample", "--vary", "k=4,6,8,10,12,14,16")
    # Blocks 1 and 2 on (33, 17) of 32 and 16: 32*33^2 + 2048*17^2 for the first two, and so on.
    assert "34848*k^2" in even.out
    assert "591872*k^2" in even.out


def test_an_instance_that_fails_is_named(cli):
    result = cli("formula", PICKY, "--vary", "width=3-9", *SMALL)
    assert (result.code, "28*width" in result.out) == (0, True)
    assert "width=5 failed" in result.err
    assert "ValueError: 5 is taken" in result.err


def test_a_number_of_a_list(cli):
    found = json.loads(cli("formula", "lenet5", "--vary", "widths[0]", "--format", "json").out)
    assert (found["variables"], found["meanings"]) == (["widths_0"], {"widths_0": "widths[0]"})
    # 5*5 weights and a bias for each map of C1, and 16*25 weights for each in C3.
    assert equal(found["total"]["params"], "61706 + (26 + 400)*(widths_0 - 6)")


def test_layers_by_name_pattern(cli):
    found = json.loads(cli("formula", "resnet32", "--vary", "blocks=1,2,3,4,5", "--format", "json").out)
    rows = {each["path"]: each for each in found["layers"]}
    assert all(each["is_pattern"] for each in found["layers"])
    # The second convolution of a block of stage 1: 9*8*8 weights and 8 biases in each of them.
    assert equal(rows["stage1.*.body.conv2"]["params"], "584*blocks")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "markdown"], ["$28 \\mathrm{width}$", "| layer |"]),
        (["--format", "html"], ["28*width"]),
        (["--notation", "latex"], ["$972 \\mathrm{width}$"]),
        (["--notation", "python"], ["28*width"]),
    ],
    ids=["markdown", "html", "latex", "python"],
)
def test_formats_and_notations(cli, arguments, words):
    result = cli("formula", PICKY, "--vary", "width=6-10", *SMALL, *arguments)
    assert result.code == 0
    for word in words:
        assert word in result.out


def test_csv(cli):
    lines = list(csv.DictReader(StringIO(cli("formula", PICKY, "--vary", "width=6-10", *SMALL, "--format", "csv").out)))
    assert [(line["layer"], line["params"], line["macs"], line["receptive_field"]) for line in lines] == [
        ("0", "28*width", "972*width", "3")
    ]


def test_no_formula_is_an_answer_with_its_reason(cli):
    result = cli("formula", f"{FAMILIES}:Rounded", "--vary", "width=9-18", *SMALL)
    assert result.code == 0
    assert "params   unknown: no polynomial of degree <= 4 fits in this range" in result.out
    assert "width in 9, 10, 11, 12, 13, 14, 15, 16, 17, 18: no polynomial of degree <= 4 fits" in result.out


def test_three_values_of_the_contract_are_filled_up(cli):
    found = json.loads(cli("formula", "pool-upsample", "--vary", "k=1,3,5", "--format=json").out)
    # Section 3 with NIC = 1, NF = 32, NC = 24: 5,472 weights for each tap, and 304 of the norms.
    assert equal(found["total"]["params"], "5472*k**2 + 304")
    assert found["added"] == {"k": [7, 9, 11, 13, 15, 17, 19]}
    assert found["holds_for"] == ["k in 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 (7, 9, 11, 13, 15, 17, 19 added to the list)"]


def test_sizes_that_fail_are_named_and_one_is_too_few(cli):
    """LeNet-5 takes 32x32 to 1x1 before its linear layers: 36 and 40 leave more."""
    result = cli("formula", "lenet5", "--vary", "input.h=32,36,40")
    assert result.code == 0
    assert "params   unknown: too few values: 2 needed for degree 0, 1 value of H works" in result.out
    assert "failed   2 instances: input.h=36; input.h=40" in result.out
    assert "input.h=36 failed: the forward pass failed in `f6`" in result.err


@pytest.mark.parametrize("values", ["", "=4,6,8,10,12,14,16", "=1,3,5"])
def test_the_class_that_is_suggested_for_a_field_has_its_formula(cli, values):
    words = cli("formula", "pool-upsample", "--vary", f"k{values}").out
    suggestion = re.search(r"it is where k mod 4 = \d: --vary (k=[\d,]+)", words)
    assert suggestion is not None
    found = json.loads(cli("formula", "pool-upsample", "--vary", suggestion[1], "--format=json").out)
    field = found["total"]["receptive_field"]
    ends = re.findall(r"[\d*()k +-]*k[\d*()k +-]*", str(field))
    # 5 convolutions at jumps 1, 2, 4, 2 and 1 add (k - 1)(1 + 2 + 4 + 2 + 1) pixels, upsampling what its phase adds.
    assert {sympy.diff(sympy.sympify(end), "k") for end in ends} == {10}


BAD = [
    # id, arguments, exit code, words of the message
    ("nothing varies", ["lenet5"], 2, ["--vary width"]),
    ("unknown argument", ["lenet5", "--vary", "clases"], 2, ["takes no --arg clases", "Nearest: classes"]),
    ("no such place", ["small-cnn", "--vary", "widths[7]=8,16,32"], 2, ["has 3 numbers", "widths[0] to widths[2]"]),
    ("a list", ["lenet5", "--vary", "widths"], 2, ["is not an integer", "--vary 'widths[0]'"]),
    ("a number that a list lacks", ["lenet5", "--vary", "widths[7]"], 2, ["has no number 7"]),
    ("a flag", [PICKY, "--vary", "bias"], 2, ["True is not an integer"]),
    ("a text", ["unet-small", "--vary", "up"], 2, ["'transposed' is not an integer", "or a size such as input.h"]),
    ("a float", [PICKY, "--vary", "scale"], 2, ["1.0 is not an integer", "--vary scale=1,2,3"]),
    ("a negative value", ["lenet5", "--vary", "classes=-1"], 2, ["'-1' is not a whole number from 0"]),
    ("half a value", ["lenet5", "--vary", "classes=1.5,2,3"], 2, ["'1.5' is not a whole number from 0"]),
    ("a value that is no integer", ["lenet5", "--vary", "classes=a,b,c"], 2, ["'a' is not a number"]),
    ("too few values", ["lenet5", "--vary", "classes=3,4"], 2, ["Give at least 3"]),
    ("no name", ["lenet5", "--vary", "3=4"], 2, ["is not NAME or NAME=A,B,C"]),
    ("unknown size", ["lenet5", "--vary", "input.x"], 2, ["no such size", "input.h"]),
    ("size of another input", ["lenet5", "--vary", "input.l"], 2, ["no such dimension", "input.n, input.c"]),
    ("twice", ["lenet5", "--vary", "classes", "--vary", "classes=1,2,3"], 2, ["names one thing twice"]),
    ("unknown notation", ["lenet5", "--vary", "classes", "--notation", "word"], 2, ["text, python or latex"]),
    ("no default", [f"{FAMILIES}:required", "--vary", "width", *SMALL], 2, ["no default", "width=1,2,3,4,5"]),
    ("no value works", ["conv-transpose", "--vary", "k=2,4,6"], 3, ["no instance", "works", "no integer padding"]),
    ("format that is not offered", ["lenet5", "--vary", "classes", "--format", "github"], 2, ["no --format github"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_refused(cli, arguments, code, words):
    result = cli("formula", *arguments)
    assert (result.code, result.out) == (code, "")
    for word in words:
        assert word in result.err


def test_why_an_instance_failed_is_said_in_whole(cli):
    # A map of 64 pixels can be halved six times; torch's message has three sentences.
    result = cli("formula", "unet-small", "--vary", "depth=5,6,7", "--arg", "width=1")
    assert "depth=7 failed: the forward pass failed in `pool` (MaxPool2d)" in result.err
    assert "Output size is too small (input 1x64x1x1)." in result.err
    assert "It runs with" not in result.err
