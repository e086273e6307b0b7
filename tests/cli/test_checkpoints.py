"""Checkpoints on the command line: `summary` and `compare` take them, all else says where to look."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import textwrap
from importlib.resources import files

import jsonschema
import pytest
import torch

from cnninspect.cli.app import run
from cnninspect.render import Format
from tests.safetensors_files import BYTES, ELEMENTS, SMALL, header, index, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "w.safetensors", SMALL)
    return tmp_path


def test_the_table(cli, folder):
    result = cli("summary", "w.safetensors")
    assert (result.code, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines() if line]
    assert lines[0][0] == "w.safetensors"
    assert lines[1] == ["tensor", "dtype", "shape", "elements", "bytes", "✓"]
    assert lines[2:6] == [
        ["body.0", "40", "160", "✓"],
        ["body.0.bias", "float32", "8", "8", "32", "✓"],
        ["body.0.weight", "float32", "8x4", "32", "128", "✓"],
        ["head.weight", "bfloat16", "3x8", "24", "48", "✓"],
    ]
    assert ["elements", "64", "float32", "40,", "bfloat16", "24"] in lines
    assert "shape and place in the file agree for 3 of 3 tensors" in result.out


def test_torch_is_not_imported(folder):
    code = "import sys; from cnninspect.cli.app import run; run(['summary', 'w.safetensors'])"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("form", [each.value for each in Format])
def test_every_format(cli, folder, form):
    result = cli("summary", "w.safetensors", "--format", form)
    assert (result.code, result.err) == (0, "")
    assert "w.safetensors" in result.out or form == "csv"
    assert form == "github" or "head" in result.out


def test_csv_has_a_line_for_every_tensor(cli, folder):
    lines = list(csv.DictReader(io.StringIO(cli("summary", "w.safetensors", "--format", "csv").out)))
    assert [line["path"] for line in lines] == ["body.0.bias", "body.0.weight", "head.weight"]
    assert sum(int(line["elements"]) for line in lines) == ELEMENTS
    assert sum(int(line["bytes"]) for line in lines) == BYTES
    assert lines[2]["shape"] == "3x8"


def test_json_is_what_the_schema_says(cli, folder):
    write(folder / "more.safetensors", header(("x", "U8", (1, 3), 3)))
    found = json.loads(cli("summary", "./", "--format", "json").out)
    schema = json.loads((files("cnninspect.report") / "schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    assert found["target"]["provider"] == "checkpoint"
    assert found["totals"]["elements"]["value"] == ELEMENTS + 3
    assert [shard["file"] for shard in found["shards"]] == ["more.safetensors", "w.safetensors"]
    row = next(row for row in found["rows"] if row["path"] == "x")
    assert (row["kind"], row["output_shape"]["value"], row["bytes"]["value"]) == ("uint8", [[1, 3]], 3)
    assert row["file"]["value"] == "more.safetensors"


def test_equal_blocks_are_folded_by_name_and_shape(cli, folder):
    """Four blocks of 4*4 + 4 elements: the first, and a row for the other three. A scale is no bias of its size."""
    entries = [(f"l.{n}.{name}", "F32", shape, size) for n in range(4)
               for name, shape, size in (("w", (4, 4), 64), ("b", (4,), 16), ("s", (4,), 16))]  # fmt: skip
    write(folder / "blocks.safetensors", header(*entries))
    lines = [line.split() for line in cli("summary", "blocks.safetensors", "--fold").out.splitlines()]
    assert ["l.1", "…", "3", "×3,", "each", "24", "72", "288", "✓"] in lines
    assert [line[0] for line in lines if line and line[0].startswith("l.0.")] == ["l.0.b", "l.0.s", "l.0.w"]


def test_rows_are_sorted_and_filtered_by_what_a_tensor_has(cli, folder):
    result = cli("summary", "w.safetensors", "--sort", "bytes", "--filter", "weight", "--columns", "path,bytes")
    assert [line.split() for line in result.out.splitlines()[3:5]] == [["body.0.weight", "128"], ["head.weight", "48"]]
    wrong = cli("summary", "w.safetensors", "--sort", "macs")
    assert (wrong.code, "It takes name, kind, elements, bytes" in wrong.err) == (2, True)
    assert cli("summary", "w.safetensors", "--columns", "params").code == 2


def test_a_name_does_not_steer_the_terminal(cli, folder):
    write(folder / "w.safetensors", header(("x\x1b[31m.\n", "F32", (1,), 4), ("y", "\x1b[2J", (1,), 4)))
    for command in ("summary", "compare"):
        result = cli(command, "w.safetensors")
        assert "\x1b" not in result.out + result.err
    assert r"x\x1b[31m.\n" in cli("summary", "w.safetensors").out


def test_options_of_a_run_have_no_effect(cli, folder):
    result = cli("summary", "w.safetensors", "--device", "cpu")
    assert result.code == 0
    assert "nothing runs: options that change the run have no effect" in result.err


def test_a_cut_file_is_shown_and_fails_where_it_is_checked(cli, folder):
    write(folder / "w.safetensors", SMALL, BYTES - 8)
    assert cli("summary", "w.safetensors").code == 0
    assert cli("summary", "w.safetensors", "--strict").code == 1
    result = cli("compare", "w.safetensors")
    assert result.code == 1
    assert "w.safetensors is cut off" in result.err


def test_a_missing_shard_is_incomplete(cli, folder):
    index(folder / "w.safetensors.index.json", {**dict.fromkeys(SMALL, "w.safetensors"), "x": "gone.safetensors"})
    for target in ("./", "w.safetensors.index.json"):
        result = cli("summary", target, "--strict")
        assert result.code == 4
        assert "1 of 2 files is missing: gone.safetensors" in result.err
    assert cli("compare", "./", "w.safetensors").code == 1


# --- compare ----------------------------------------------------------------------------------------------------------

OTHERS = {
    "the same": (SMALL, 0, "8 checks: 8 match"),
    "another type": ({**SMALL, "head.weight": {**SMALL["head.weight"], "dtype": "F16"}}, 1, "float16"),
    "another shape": ({**SMALL, "head.weight": {**SMALL["head.weight"], "shape": [4, 6]}}, 1, "4x6"),
    "one more": ({**SMALL, "extra": {"dtype": "U8", "shape": [2], "data_offsets": [208, 210]}}, 1, "removed"),
    "one less": ({name: SMALL[name] for name in ("body.0.weight", "body.0.bias")}, 1, "added"),
}


@pytest.mark.parametrize(("entries", "code", "word"), OTHERS.values(), ids=OTHERS)
def test_two_checkpoints(cli, folder, entries, code, word):
    """3 types, 3 shapes, all elements; the bytes of both sides were checked alone."""
    write(folder / "other.safetensors", entries)
    result = cli("compare", "w.safetensors", "other.safetensors")
    assert result.code == code, result.out
    assert word.replace("8 checks: 8", "7 checks: 7") in result.out
    assert cli("summary", "other.safetensors", "-o", "other.json").code == 0
    for arguments in (("w.safetensors", "other.json"), ("w.safetensors", "--baseline", "other.json")):
        assert cli("compare", *arguments).code == code


REFUSED = {
    "a network": (["w.safetensors", "lenet5"], "w.safetensors is a checkpoint and lenet5 is not"),
    "after a network": (["lenet5", "w.safetensors"], "w.safetensors is a checkpoint and lenet5 is not"),
    "a budget": (["w.safetensors", "--max-params", "1K"], "claims and budgets do not apply"),
    "a new baseline": (
        ["w.safetensors", "--baseline", "b.json", "--update-baseline"],
        "takes no --update-baseline. `cnninspect summary w.safetensors -o tensors.json`",
    ),
    "a revision": (["w.safetensors", "--since", "HEAD"], "takes no --since"),
    "a tolerance": (["w.safetensors", "w.safetensors", "--tolerance", "1%"], "takes no --tolerance"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_what_a_checkpoint_is_not_compared_with(cli, folder, arguments, words):
    result = cli("compare", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


# --- other commands, and files that are no safetensors ----------------------------------------------------------------

COMMANDS = (["flops"], ["rf"], ["explain"], ["formula", "--vary", "k=1,2,3"], ["reconcile", "--params", "1K"])


@pytest.mark.parametrize("words", COMMANDS, ids=[each[0] for each in COMMANDS])
@pytest.mark.parametrize("target", ["w.safetensors", "./", "sub"])
def test_a_command_that_runs_a_network_names_the_one_that_lists_tensors(cli, folder, words, target):
    (folder / "sub").mkdir()
    write(folder / "sub" / "w.safetensors", SMALL)
    result = cli(words[0], target, *words[1:])
    assert (result.code, result.out) == (2, "")
    assert "holds weights, not a network" in result.err
    named = re.search("`(cnninspect summary [^`]*)`", result.err)[1]
    assert run(shlex.split(named)[1:]) == 0


FORMS = {"a state": lambda state: state, "lightning": lambda state: {"state_dict": state, "epoch": 3},
         "with an optimizer": lambda state: {"model": state, "optimizer": {"step": 1}}}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_command_that_converts_a_pickle_works(cli, folder, form):
    """Also with the line breaks of a terminal; tied weights and transposed ones are saved as they are."""
    weight = torch.zeros(3, 4)
    torch.save(FORMS[form]({"a.weight": weight, "b.weight": weight, "c": weight.t()}), "old.pth")
    result = cli("summary", "old.pth")
    assert result.code == 2
    command = re.search("`(python[^`]*)`", result.err)[1]
    assert "`summary` takes the old.safetensors that it writes" in result.err
    program, flag, code = shlex.split("\n".join(textwrap.wrap(command, 78, subsequent_indent="  ")))
    assert (program, flag) == ("python", "-c")
    exec(compile(code, "converted", "exec"), {})
    assert run(["summary", "old.safetensors"]) == 0


def test_the_package_that_converts_is_named_where_it_is_missing(cli, monkeypatch):
    assert "pip install" not in cli("summary", "old.pth").err
    monkeypatch.setattr("cnninspect.targets.grammar.find_spec", lambda name: None)
    assert "`python -m pip install safetensors`, and `python -c" in cli("summary", "old.pth").err


def test_the_index_of_pickles_is_refused(cli):
    result = cli("summary", "pytorch_model.bin.index.json")
    assert (result.code, "is the index of pickles" in result.err) == (2, True)


def test_gguf_is_refused(cli):
    result = cli("summary", "llama.gguf")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is a GGUF file of llama.cpp, whose blocks of quantised weights are not read" in result.err
