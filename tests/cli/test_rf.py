"""`cnninspect rf`: growth, one position, pictures, arguments that vary, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from cnninspect.cli import rf as fields


def document(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


def cells(text: str) -> list[list[str]]:
    """The lines of the first table, without its headings."""
    return [line.split() for line in text.split("\n\n")[1].splitlines()[1:]]


def test_growth_layer_by_layer(cli):
    # AlexNet by hand: r += (k - 1) j, P += p j, j *= s; the row of a ReLU repeats the one above.
    result = cli("rf", "custom-alexnet")
    assert result.code == 0
    rows = [row for row in cells(result.out) if row[1] in ("Conv2d", "F.max_pool2d")]
    assert [row[1:] for row in rows] == [
        ["Conv2d", "64x55x55", "11", "4", "1", "11", "4", "2"],
        ["F.max_pool2d", "64x27x27", "3", "2", "1", "19", "8", "2"],
        ["Conv2d", "196x27x27", "5", "1", "1", "51", "8", "18"],
        ["F.max_pool2d", "196x13x13", "3", "2", "1", "67", "16", "18"],
        ["Conv2d", "384x13x13", "3", "1", "1", "99", "16", "34"],
        ["Conv2d", "256x13x13", "3", "1", "1", "131", "16", "50"],
        ["Conv2d", "256x13x13", "3", "1", "1", "163", "16", "66"],
        ["F.max_pool2d", "256x6x6", "3", "2", "1", "195", "32", "66"],
    ]
    assert "195x195, jump 32, padding 66 at the last spatial map (F.max_pool2d use 3)" in result.out
    assert "global  from torch.flatten on" in result.out


def test_the_probe_adds_its_verdict(cli):
    result = cli("rf", "conv-stack", "--probe", "--format", "csv")
    assert [line.rsplit(",", 1)[1] for line in result.out.splitlines()] == ["probe", "match", "match"]
    unprobed = cli("rf", "conv-stack").out
    assert "probe" not in next(line for line in unprobed.splitlines() if line.startswith(" layer"))
    assert " fields not checked: --probe checks them\n" in unprobed


# conv-stack: two 3x3 kernels with padding 1 on 32x32. Output (y, x) sees y - 2 .. y + 2 and x - 2 .. x + 2.
POSITIONS = [
    # id, arguments, layer, position, rows and columns, the same without ends
    ("centre of a layer", ["conv2"], "conv2", [16, 16], [[14, 18], [14, 18]], [[14, 18], [14, 18]]),
    ("a corner", ["conv2", "--at", "0,31"], "conv2", [0, 31], [[0, 2], [29, 31]], [[-2, 2], [29, 33]]),
    ("the last map", ["--at", "5,6"], "conv2", [5, 6], [[3, 7], [4, 8]], [[3, 7], [4, 8]]),
    ("another layer", ["conv1", "--at", "5,6"], "conv1", [5, 6], [[4, 6], [5, 7]], [[4, 6], [5, 7]]),
]


@pytest.mark.parametrize(
    ("arguments", "layer", "at", "local", "endless"),
    [case[1:] for case in POSITIONS],
    ids=[case[0] for case in POSITIONS],
)
def test_one_position(cli, arguments, layer, at, local, endless):
    result = cli("rf", "conv-stack", *arguments, "--format", "json")
    assert result.code == 0
    (*_, last) = document(result.out)["sights"]
    assert (last["layer"], last["at"]) == (layer, at)
    assert last["inputs"] == [
        {"name": "0", "image": [32, 32], "local": local, "strict": local, "endless": endless, "global": False},
    ]


def test_functional_calls_and_later_uses_have_names(cli):
    result = cli("rf", "custom-alexnet", "F.max_pool2d use 2", "--at", "2,9")
    # The pool's output i sees 16 i - 18 .. 16 i + 48: 67 pixels.
    assert "F.max_pool2d use 2 (F.max_pool2d) at 2,9 of 13x13" in result.out
    assert "rows 14..80, columns 126..192  of input 0, 224x224" in result.out


def test_numbers_for_every_value(cli):
    # Two layers of k x k: field 1 + 2 (k - 1), 2 k k weights, each used at 32 * 32 places.
    result = cli("rf", "conv-stack", "--vary", "kernel_size=3,5,7")
    assert cells(result.out) == [
        ["3", "5", "1", "2", "32x32", "18", f"{18 * 1024:,}", "conv2"],
        ["5", "9", "1", "4", "32x32", "50", f"{50 * 1024:,}", "conv2"],
        ["7", "13", "1", "6", "32x32", "98", f"{98 * 1024:,}", "conv2"],
    ]


def test_arguments_vary_together(cli):
    result = cli(
        "rf", "conv-stack", "--arg", "depth=3", "--vary", "stride=1,2", "--vary", "dilation=1,2", "--format=json"
    )
    found = document(result.out)
    assert found["target"]["arguments"] == {"depth": 3}
    # Three layers: r = 1 + 2 d (1 + s + s^2); the map is 32 / s^3.
    assert [(one["arguments"], one["receptive_field"]["size"], one["map"]) for one in found["varied"]] == [
        ({"stride": 1, "dilation": 1}, [7, 7], [32, 32]),
        ({"stride": 1, "dilation": 2}, [13, 13], [32, 32]),
        ({"stride": 2, "dilation": 1}, [15, 15], [4, 4]),
        ({"stride": 2, "dilation": 2}, [29, 29], [4, 4]),
    ]


def test_the_numbers_of_one_layer_and_values_that_are_words(cli):
    result = cli("rf", "unet-small", "pool use 2", "--vary", "up=nearest,transposed", "--format", "csv")
    # Two 3x3, a pool, two 3x3 at jump 2, a pool: 1 + 4 + 1 + 8 + 2 = 16.
    assert [line.split(",")[:4] for line in result.out.splitlines()[1:]] == [
        ["nearest", "16", "4", "6"],
        ["transposed", "16", "4", "6"],
    ]


# Neither has a map, and a vector not even positions. Attention has 4 * 4 * 3 + 4 * 3 = 60 parameters for queries, keys
# and values and 4 * 4 + 4 = 20 behind them, the linear layer 8 n + n.
WITHOUT_MAPS = """
from torch import nn

class Attending(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]

def vector(n):
    return nn.Linear(8, n)
"""


@pytest.mark.parametrize(
    ("target", "shape", "vary", "expected"),
    [
        ("Attending", "1x9x4", "heads=1,2", [["1", "global", "80"], ["2", "global", "80"]]),
        ("vector", "1x8", "n=2,3", [["2", "", "18"], ["3", "", "27"]]),
    ],
    ids=["global", "no-space"],
)
def test_networks_without_a_map(cli, tmp_path, target, shape, vary, expected):
    file = tmp_path / "nets.py"
    file.write_text(WITHOUT_MAPS)
    result = cli("rf", f"{file}:{target}", "--input", shape, "--vary", vary, "--format", "csv")
    found = [line.split(",") for line in result.out.splitlines()[1:]]
    assert [[line[0], line[1], line[5]] for line in found] == expected


WRITTEN = """
import torch

class Slots(torch.nn.Module):
    def forward(self, x):
        y = x.new_zeros(1, 2, 2)
        y[..., 0], y[..., 1] = x[..., 3], x[..., 9]
        return y.amax(-1, keepdim=True)

class Over(torch.nn.Module):
    # The first map, rewritten place by place with the second, by the network itself or by a part of it.

    def __init__(self, part=False):
        super().__init__()
        self.a, self.b = torch.nn.Conv1d(2, 2, 3, padding=1), torch.nn.Conv1d(2, 2, 5, padding=2)
        self.part = Over() if part else None

    def forward(self, x):
        if self.part is not None:
            return self.part(x).flatten(1)
        y = self.a(x)
        z = self.b(y)
        for i in range(y.shape[-1]):
            y[..., i] = z[..., i]
        return y
"""


def test_zeros_that_are_written_later_are_no_map_to_look_at(cli, tmp_path):
    file = tmp_path / "nets.py"
    file.write_text(WRITTEN)
    target = [f"{file}:Slots", "--input", "1x2x12"]
    result = cli("rf", *target)
    # The larger of pixels 3 and 9 sees 3..9: 7 pixels.
    assert (result.code, [line[-3] for line in cells(result.out)[:1]]) == (0, ["7"])
    whole = document(cli("rf", f"{file}:Over", "--input", "1x2x16", "--at", "8", "--format", "json").out)
    # 3 + 5 - 1 = 7 pixels, 3 on each side.
    assert (whole["totals"]["receptive_field"]["size"], whole["sights"][-1]["inputs"][0]["local"]) == ([7], [[5, 11]])
    part = document(cli("rf", f"{file}:Over", "--arg", "part=True", "--input", "1x2x16", "--format", "json").out)
    assert (part["totals"]["receptive_field"]["layer"], part["sights"][-1]["layer"]) == ("part", "part")
    named = cli("rf", *target, "Tensor.new_zeros")
    assert (named.code, "`cnninspect rf TARGET --ops all` shows which layers do" in named.err) == (2, True)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture(cli, tmp_path, kind):
    file = tmp_path / f"field.{kind}"
    result = cli("rf", "conv-stack", "--picture", str(file))
    assert result.code == 0
    assert file.read_bytes().startswith({"svg": b"<?xml", "png": b"\x89PNG"}[kind])
    assert "conv2" in result.out


LINEAR = ["--arg", "in_features=8", "--arg", "out_features=2", "--input", "1x8"]

WRONG = [
    # id, arguments, exit code, words
    ("no such layer", ["conv-stack", "conv3"], 2, "no layer is called 'conv3'. Nearest: conv1, conv2."),
    ("name of another network", ["lenet5", "conv1"], 2, "no layer is called 'conv1'. Nearest: c1, c3, c5."),
    ("name of no kind", ["lenet5", "encoder.9"], 2, "no layer is called 'encoder.9'. Nearest: c1, c3, c5."),
    ("no such position", ["conv-stack", "conv2", "--at", "32,0"], 2, "its map has 32x32, from 0 on: 32,0 lies outside"),
    ("one number for two", ["conv-stack", "--at", "3"], 2, "conv2: its map has 32x32: give 2 numbers, not 1."),
    ("no numbers", ["conv-stack", "--at", "a,b"], 2, "--at 'a,b' is not a position"),
    (
        "no map",
        ["torch.nn:Linear", *LINEAR, "--at", "1"],
        2,
        "the network ends in no map that --at could select. Leave out --at",
    ),
    ("no values", ["conv-stack", "--vary", "depth="], 2, "--vary 'depth=' is not NAME=A,B,C"),
    ("no name", ["conv-stack", "--vary", "3,5"], 2, "--vary '3,5' is not NAME=A,B,C"),
    ("twice", ["conv-stack", "--vary", "depth=1", "--vary", "depth=2"], 2, "names one argument twice"),
    ("no such argument", ["conv-stack", "--vary", "width=1,2"], 2, "width"),
    ("other file", ["conv-stack", "--picture", "field.gif"], 2, "must end in .svg or .png"),
    ("no folder", ["conv-stack", "--picture", "none/field.svg"], 2, "there is no directory none"),
    ("image alone", ["conv-stack", "--image", "cat.png"], 2, "Give --picture FILE too"),
    (
        "no image",
        ["conv-stack", "--picture", "f.svg", "--image", "cat.png"],
        2,
        "--image cat.png: there is no such file",
    ),
    ("many pictures", ["conv-stack", "--picture", "f.svg", "--vary", "depth=1"], 2, "--vary inspects several networks"),
    ("columns", ["conv-stack", "conv1", "--columns", "layer"], 2, "--columns works only for the table of all layers"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_goes_wrong_in_one_sentence(cli, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    result = cli("rf", *arguments)
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_option_says_how_to_get_it(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(fields, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    result = cli("rf", "conv-stack", "--picture", str(tmp_path / "f.svg"))
    assert result.code == 2
    assert "python -m pip install matplotlib" in result.err
    # The terminal shows the region all the same: a row of five columns, three of which the first layer sees.
    assert "·21112·" in cli("rf", "conv-stack", "conv2").out


def test_what_nobody_asked_for_is_not_imported():
    unasked = (
        "matplotlib",
        "cnninspect.inspection.on_cpu",
        "cnninspect.inspection.probe_check",
        "cnninspect.measure.nan_probe",
        "fvcore.nn",
    )
    lines = ["import sys", "from cnninspect.cli.app import run"]
    runs = [f"run({arguments!r})" for arguments in (["summary", "conv-stack"], ["rf", "conv-stack", "conv2"])]
    code = "\n".join([*lines, *runs, f"print({{*{unasked!r}}} & {{*sys.modules}})"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


BROKEN_RULE = """
import torch
from torch import nn
from cnninspect.extend import register_op

@torch.library.custom_op("broken::double", mutates_args=())
def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2

@double.register_fake
def _(x):
    return torch.empty_like(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return double(self.conv(x))

def rule(op, x):
    return {}["missing"]

register_op("broken.double", output=lambda x: (x.shape,), field=rule, source="this file")
"""


def test_the_error_of_a_broken_rule_is_shown(cli, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text(BROKEN_RULE, encoding="utf-8")
    failed = "the field rule of broken.double failed: KeyError: 'missing'"
    table = cli("rf", f"{file}:Net", "--input", "1x3x8x8")
    assert table.code == 0
    assert table.out.splitlines()[3].split()[0] == "conv"
    assert "unknown  from broken.double on" in table.out
    assert failed in table.err
    layer = cli("rf", f"{file}:Net", "broken.double", "--input", "1x3x8x8")
    assert layer.code == 2
    assert f"broken.double: its receptive field is not known: {failed}" in layer.err
    picture = cli("rf", f"{file}:Net", "--input", "1x3x8x8", "--picture", str(tmp_path / "x.svg"))
    assert picture.code == 2
    assert failed in picture.err


def test_a_network_without_positions_has_a_word_on_it(cli, tmp_path):
    (tmp_path / "flat.py").write_text("from torch import nn\nnet = nn.Linear(4, 3)\n")
    result = cli("rf", f"{tmp_path}/flat.py:net", "--input", "2x4")
    assert result.code == 0
    assert "no layer has a field: no input has a dimension of positions" in result.err
