"""`cnninspect solve`: what it prints in each format, and what it refuses."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from io import StringIO

import pytest

SHORT = ("kernel", "stride", "padding", "dilation", "output_padding")


def document(out):
    return json.loads(out)


def settings(solutions):
    return [tuple(one[name] for name in SHORT) for one in solutions]


def test_every_solution_in_json(cli):
    # Section 4 of the worked examples, row `conv s2, 32->16`: p = 1, 1 and 2 for kernels 3, 4 and 5.
    result = cli("solve", "conv", "--in", "32", "--out", "16", "--kernel", "3,4,5", "--stride", "2", "--format", "json")
    found = document(result.out)
    assert (result.code, result.err) == (0, "")
    assert (found["schema_version"], found["command"], found["layer"]) == (2, "solve", "conv")
    assert settings(found["solutions"]) == [(3, 2, 1, 1, 0), (4, 2, 1, 1, 0), (5, 2, 2, 1, 0)]
    assert found["nearest"] == []


def test_no_solution_is_an_answer(cli):
    # 32 + 2p - 4 + 1 = 32 needs p = 1.5; p = 1 gives 31 and p = 2 gives 33.
    command = ("solve", "conv", "--in", "32", "--out", "32", "--kernel", "4", "--stride", "1")
    result = cli(*command)
    assert result.code == 0
    assert "none  no setting of conv takes 32 to 32; nearest 31 and 33" in result.out
    found = document(cli(*command, "--format", "json").out)
    assert found["solutions"] == []
    assert [(one["out"], one["padding"]) for one in found["nearest"]] == [(31, 1), (33, 2)]


def test_the_chain_of_the_worked_example(cli):
    # Section 4, columns of kernels 3 and 4: (padding, output padding) of each step.
    for kernel, expected in (("3", [(1, 0), (1, 0), (1, 1), (1, 1), (1, 0)]), ("4", [(1, 0)] * 4 + [None])):
        result = cli("solve", "conv", "--chain", "32,16,8,16,32,32", "--kernel", kernel, "--format", "json")
        steps = document(result.out)["steps"]
        assert [(step["in"], step["out"]) for step in steps] == [
            ([32], [16]), ([16], [8]), ([8], [16]), ([16], [32]), ([32], [32]),
        ]  # fmt: skip
        found = [[(one["padding"], one["output_padding"]) for one in step["solutions"]] for step in steps]
        assert found == [[each] if each else [] for each in expected]
    assert (
        "none  no setting of conv takes 32 to 32"
        in cli("solve", "conv", "--chain", "32,16,8,16,32,32", "--kernel", "4").out
    )


def test_the_size_is_worked_out_for_the_first_solution(cli):
    result = cli("solve", "conv", "--in", "32", "--out", "16", "--kernel", "5", "--stride", "2")
    # (32 + 4 - 5)/2 = 15.5: the floor makes it 15, and one more is 16.
    assert "floor((32 + 2*2 - 1*(5 - 1) - 1)/2) + 1 = 16" in result.out
    assert "1 solution for 32 to 16" in result.out


def test_ceil_mode_has_a_formula_for_each_solution(cli):
    """A last window that would start in the right padding is left out: ceil(.../s), else ceil(.../s) + 1."""
    command = ("solve", "pool", "--in", "5", "--out", "2", "--ceil-mode", "--kernel", "1-5")
    solutions = document(cli(*command, "--format", "json").out)["solutions"]
    quotients = [-((5 + 2 * p - (k - 1) - 1) // -s) for k, s, p, _, _ in settings(solutions)]
    assert (len(quotients), quotients.count(2), quotients.count(1)) == (30, 5, 25)
    out = " ".join(cli(*command).out.split())
    assert (
        "size ceil((n + 2*p - d*(k - 1) - 1)/s) for 5 of the 30, where a last window would start in the padding" in out
    )
    assert "first ceil((5 + 2*0 - 1*(1 - 1) - 1)/3) = 2" in out
    assert "size ceil((n + 2*p - d*(k - 1) - 1)/s) + 1 for 25 of the 30" in out
    assert "first ceil((5 + 2*0 - 1*(1 - 1) - 1)/4) + 1 = 2" in out


def test_sizes_that_differ_are_both_worked_out(cli):
    out = cli("solve", "conv", "--in", "32,48", "--out", "16,24", "--kernel", "3").out
    assert "floor((32 + 2*1 - 1*(3 - 1) - 1)/2) + 1 = 16" in out
    assert "floor((48 + 2*1 - 1*(3 - 1) - 1)/2) + 1 = 24" in out


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        (
            ["conv"],
            ["for conv: every stride, every padding up to d(k - 1)", "for conv-transpose: every stride for which each"],
        ),
        (
            ["pool"],
            ["for pool: every stride up to the padded input or the kernel, every padding up to half the kernel"],
        ),
        (["--stride", "1,2"], []),
    ],
    ids=["conv", "pool", "stride given"],
)
def test_a_chain_says_where_its_search_stops(cli, arguments, limits):
    command = ("solve", *arguments, "--chain", "32,16,32", "--kernel", "3")
    lines = [line for line in cli(*command).out.splitlines() if "searched" in line]
    assert all(any(limit in line for line in lines) for limit in limits)
    assert bool(lines) == bool(limits)
    steps = document(cli(*command, "--format", "json").out)["steps"]
    assert ["limits" in step["searched"] for step in steps] == [bool(limits)] * 2


def test_a_padding_that_is_given_is_not_said_to_be_searched(cli):
    for layer in ("pool", "conv", "conv-transpose"):
        assert "every padding" in cli("solve", layer, "--in", "8", "--out", "8", "--kernel", "3").out
        out = cli("solve", layer, "--in", "8", "--out", "8", "--kernel", "3", "--padding", "1").out
        assert ("every stride" in out, "every padding" in out) == (True, False)


def test_two_sizes(cli):
    result = cli("solve", "conv", "--in", "32,48", "--out", "16,24", "--kernel", "3", "--format", "json")
    assert settings(document(result.out)["solutions"]) == [(3, 2, 1, 1, 0)]
    result = cli("solve", "conv", "--in", "32", "--out", "16,32", "--kernel", "3", "--format", "json")
    assert settings(document(result.out)["solutions"]) == [(3, [2, 1], 1, 1, 0)]


def test_csv_says_what_solves_and_what_is_only_near(cli):
    lines = list(csv.DictReader(StringIO(
        cli("solve", "pool", "--in", "5", "--out", "3", "--kernel", "2", "--stride", "2,3", "--format", "csv").out
    )))  # fmt: skip
    # floor((5 + 2 - 2)/2) + 1 = 3 with padding 1 and stride 2.
    assert [(line["kernel"], line["stride"], line["padding"], line["result"]) for line in lines] == [
        ("2", "2", "1", "solution")
    ]
    near = cli("solve", "pool", "--in", "5", "--out", "4", "--kernel", "2", "--stride", "2", "--format", "csv").out
    assert {line["result"] for line in csv.DictReader(StringIO(near))} == {"nearest"}


def test_bounds_and_rank(cli):
    command = ("solve", "conv", "--in", "32", "--out", "32", "--kernel", "3,5,7", "--stride", "1", "--channels", "3,8")
    # 3*8*9 + 8, 3*8*25 + 8 and 3*8*49 + 8.
    found = document(cli(*command, "--format", "json").out)["solutions"]
    assert [one["params"] for one in found] == [224, 608, 1184]
    assert [one["receptive_field"] for one in found] == [3, 5, 7]
    found = document(cli(*command, "--max-params", "1K", "--min-field", "5", "--format", "json").out)["solutions"]
    assert [one["kernel"] for one in found] == [5]
    result = cli(*command, "--max-params", "100")
    assert (result.code, "none" in result.out, "keeps the given limits" in result.out) == (0, True, True)


@pytest.mark.parametrize("fmt", ["markdown", "html"])
def test_formats_for_readers(cli, fmt):
    result = cli("solve", "conv", "--in", "32", "--out", "16", "--kernel", "3", "--format", fmt)
    assert (result.code, "any stride" in result.out) == (0, True)


def test_the_file_ending_decides(cli, tmp_path):
    file = tmp_path / "solutions.json"
    assert cli("solve", "conv", "--in", "8", "--out", "8", "--stride", "1", "-o", str(file)).out == ""
    # 8 + 2p - k + 1 = 8: odd kernels from 1 to 11.
    assert [one["kernel"] for one in document(file.read_text())["solutions"]] == [1, 3, 5, 7, 9, 11]


BAD = [
    # id, arguments, words of the message
    ("unknown layer", ["linear", "--in", "4", "--out", "2"], ["not 'linear'", "conv-transpose"]),
    ("no layer", ["--in", "4", "--out", "2"], ["needs a layer: conv, conv-transpose or pool"]),
    ("no sizes", ["conv"], ["needs --in and --out", "--in 32 --out 16"]),
    ("a size that is no number", ["conv", "--in", "big", "--out", "2"], ["'big' is not a whole number", "32,16"]),
    ("size zero", ["conv", "--in", "0", "--out", "2"], ["not between 1 and"]),
    ("sizes that do not fit", ["conv", "--in", "4,4", "--out", "2,2,2"], ["do not fit together"]),
    ("chain and sizes", ["conv", "--chain", "4,2", "--in", "4"], ["Leave out --in and --out"]),
    ("chain without a step", ["conv", "--chain", "4"], ["has no step"]),
    ("kernel that is no number", ["conv", "--in", "4", "--out", "2", "--kernel", "x"], ["'x' is not a number", "1-11"]),
    ("backward range", ["conv", "--in", "4", "--out", "2", "--kernel", "5-3"], ["'5-3' is not a range"]),
    ("stride zero", ["conv", "--in", "4", "--out", "2", "--stride", "0"], ["not between 1 and"]),
    ("ceil mode of a convolution", ["conv", "--in", "4", "--out", "2", "--ceil-mode"], ["is only for pool"]),
    ("output padding of a pool", ["pool", "--in", "4", "--out", "2", "--output-padding", "1"], ["conv-transpose"]),
    ("channels of a pool", ["pool", "--in", "4", "--out", "2", "--channels", "3,8"], ["a pool has no parameters"]),
    ("one channel", ["conv", "--in", "4", "--out", "2", "--channels", "3"], ["is not IN,OUT"]),
    ("params without channels", ["conv", "--in", "4", "--out", "2", "--max-params", "3"], ["--channels IN,OUT"]),
    ("params that are no size", ["conv", "--in", "4", "--out", "2", "--channels", "3,8", "--max-params", "x"], ["5K"]),
    ("unknown rank", ["conv", "--in", "4", "--out", "2", "--rank", "size"], ["kernel, field, params"]),
    ("format that is not offered", ["conv", "--in", "4", "--out", "2", "--format", "junit"], ["no --format junit"]),
    ("unwritable file", ["conv", "--in", "4", "--out", "2", "-o", "nowhere/x.json"], ["cannot write nowhere/x.json"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_refused(cli, arguments, words):
    result = cli("solve", *arguments)
    assert (result.code, result.out) == (2, "")
    for word in words:
        assert word in result.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["pool", "--in", "8", "--out", "8", "--kernel", "2", "--padding", "5"], "at most half the kernel"),
        (
            ["conv-transpose", "--in", "8", "--out", "8", "--kernel", "2", "--stride", "1", "--output-padding", "5"],
            "below the stride",
        ),
    ],
    ids=["pool", "conv-transpose"],
)
def test_settings_that_torch_refuses_are_none_with_the_reason(cli, arguments, reason):
    result = cli("solve", *arguments)
    assert (result.code, "none" in result.out, reason in result.out) == (0, True, True)


def test_torch_is_not_imported():
    code = """
import sys
from cnninspect.cli.app import run
run(["solve", "conv", "--in", "32", "--out", "16"])
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_many_solutions_are_cut_for_readers_and_complete_for_programs(cli):
    # Every stride from 342 on: ceil((1024 - 1)/342) = 3. torch itself is the oracle of the solver in tests/explain.
    command = ("solve", "pool", "--in", "1024", "--out", "3", "--ceil-mode")
    found = document(cli(*command, "-f", "json").out)["solutions"]
    assert len(found) == len(list(csv.DictReader(StringIO(cli(*command, "-f", "csv").out)))) > 100
    short, whole = cli(*command).out, cli(*command, "--all").out
    assert f"{len(found) - 100:,} more solutions; --all shows them" in short
    assert "--all" not in whole
    lines = len(found) - 100
    assert len(whole.splitlines()) == len(short.splitlines()) + lines - 1
    # 2 windows of k beyond the padding and one that starts in it: each formula has its share, and both make up all.
    shares = [line for line in short.splitlines() if f"of the {len(found)}" in line]
    assert sum(int(line.split(" for ")[1].split()[0]) for line in shares) == len(found)


def test_few_solutions_are_not_cut(cli):
    assert "--all" not in cli("solve", "conv", "--in", "32", "--out", "16", "--stride", "2").out
