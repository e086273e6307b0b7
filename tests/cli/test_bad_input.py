"""What users get wrong ends in one sentence and the right exit code, never in a traceback."""

import pytest

from tests.cli.conftest import INPUT

BAD = [
    # id, arguments, exit code, words of the message
    ("unknown name", ["resnet_18"], 2, ["no model is called 'resnet_18'", "Nearest: torchvision:resnet18"]),
    ("unknown name of a provider", ["zoo:lenet"], 2, ["no model is called 'lenet'", "zoo:lenet5"]),
    ("misspelt attribute", ["net:Nett", *INPUT], 2, ["has no 'Nett'", "Nearest: Net"]),
    ("attribute that is no model", ["net:number", *INPUT], 3, ["is of type int"]),
    ("no such file", ["nowhere.py:Net"], 2, ["there is no file 'nowhere.py'"]),
    ("file without attribute", ["nets.py"], 2, ["nets.py:Net"]),
    ("module that does not exist", ["no.such:Net"], 2, ["no"]),
    ("constructor that raises", ["net:Raising", *INPUT], 3, ["cannot be built", "ValueError: there is no depth 7"]),
    ("unknown argument", ["net:Net", *INPUT, "--arg", "widht=3"], 2, ["takes no --arg widht", "Nearest: width"]),
    ("argument without value", ["net:Net", *INPUT, "--arg", "width"], 2, ["--arg 'width' is not NAME=VALUE"]),
    (
        "forward that raises",
        ["net:Failing", *INPUT],
        3,
        ["RuntimeError: the cache is empty (input 1x3x8x8). --input gives another one, --debug"],
    ),
    ("forward that exits", ["net:Exiting", *INPUT], 3, ["calls sys.exit(5)", "without that call"]),
    (
        "wrong number of channels",
        ["net:Net", "--input", "1x4x32x32"],
        3,
        ["`conv1` (Conv2d)", "expects 3 input channels, got 4", "--input 1x3x32x32"],
    ),
    ("negative size", ["net:Net", "--input", "1x-3x8x8"], 2, ["size -3 is not positive"]),
    ("size zero", ["net:Net", "--input", "1x3x0x8"], 2, ["size 0 is not positive"]),
    ("empty shape", ["net:Net", "--input", ""], 2, ["has no shape", "1x3x224x224"]),
    ("no shape", ["net:Net", "--input", "large"], 2, ["is not a size"]),
    ("unknown dtype", ["net:Net", *INPUT, "--dtype", "floaty"], 2, ["there is no dtype 'floaty'", "float32"]),
    ("unknown dtype of an input", ["net:Net", "--input", "1x3x8x8:floaty"], 2, ["there is no dtype 'floaty'"]),
    ("missing CUDA device", ["net:Net", *INPUT, "--device", "cuda:99"], 3, ["sees no device cuda:99"]),
    ("unknown device", ["net:Net", *INPUT, "--device", "warp"], 2, ["no device is called 'warp'"]),
    ("pickle", ["weights.pth"], 2, ["is a pickle", "torch.export"]),
    ("saved weights that are missing", ["weights.safetensors"], 2, ["there is no file 'weights.safetensors'"]),
    ("saved report", ["report.json"], 2, ["is a saved report"]),
    ("empty target", [""], 2, ["the target is empty"]),
    (
        "file in a folder that is missing",
        ["net:Net", *INPUT, "-o", "nowhere/x.json"],
        2,
        ["cannot write nowhere/x.json"],
    ),
    ("folder instead of a file", ["net:Net", *INPUT, "-o", "."], 2, ["it is a directory"]),
    ("output without a name", ["net:Net", *INPUT, "-o", ""], 2, ["the name of the file to write is empty"]),
    ("values on meta", ["net:Reading", *INPUT, "--device", "meta"], 3, ["on meta", "Use --device cpu."]),
    ("factory taken for a function", ["net:factory", *INPUT], 3, ["If it builds a model instead, give --arg depth="]),
    (
        "heading for a column",
        ["net:Net", "--columns", "layer,field"],
        2,
        ["The heading field is that of receptive_field."],
    ),
    ("unknown column", ["net:Net", "--columns", "layer,mac"], 2, ["there is no column 'mac'", "Nearest: macs"]),
    ("unknown format", ["net:Net", "--format", "xml"], 2, ["'--format'", "'xml' is not one of", "markdown"]),
    ("unknown choice of ops", ["net:Net", "--ops", "some"], 2, ["'--ops'", "compute"]),
    ("depth that is no number", ["net:Net", "--depth", "deep"], 2, ["'--depth': write a whole number from 0."]),
    ("negative depth", ["net:Net", "--depth", "-1"], 2, ["'--depth'"]),
    ("batch of nothing", ["net:Net", "--batch-size", "0"], 2, ["'--batch-size'"]),
    ("unknown option", ["net:Net", "--fromat", "json"], 2, ["--fromat", "Nearest: --format"]),
    ("no target", [], 2, ["missing argument 'TARGET'", "cnninspect summary --help"]),
    ("two targets", ["net:Net", "lenet5"], 2, ["unexpected extra argument"]),
]


@pytest.mark.parametrize(("arguments", "code", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_ends_in_one_sentence(cli, arguments, code, words):
    result = cli("summary", *arguments)
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("cnninspect: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


FILES = [
    # id, name, contents, words of the message
    ("module that fails to import", "broken.py", b"import a_package_that_is_missing\n", ["a_package_that_is_missing"]),
    ("module that raises", "broken.py", b"1 / 0\n", ["ZeroDivisionError"]),
    ("syntax error", "broken.py", b"x = 1\ndef broken(:\n", ["line 2"]),
    ("bytes", "broken.py", b"\x00\xff\xfe", ["is not Python"]),
    ("archive that is none", "model.pt2", b"not an archive", ["model.pt2"]),
]


@pytest.mark.parametrize(("name", "contents", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_files_that_hold_no_network(cli, tmp_path, name, contents, words):
    (tmp_path / name).write_bytes(contents)
    target = tmp_path / name
    result = cli("summary", f"{target}:Net" if name.endswith(".py") else str(target), *INPUT)
    assert result.code == 3
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err


def test_an_unwritable_file(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    result = cli("summary", "net:Net", *INPUT, "-o", str(tmp_path / "x.txt"))
    assert result.code == 2
    assert "permission denied" in result.err


def test_debug_shows_the_traceback_and_keeps_the_exit_code(cli):
    result = cli("summary", "net:Failing", *INPUT, "--debug")
    assert result.code == 3
    assert "Traceback" in result.err
    assert "in forward" in result.err
    assert result.err.splitlines()[-1].startswith("cnninspect: the forward pass failed")


def test_a_fault_of_the_tool_is_one_sentence_too(cli, monkeypatch):
    def broken(*arguments):
        raise KeyError("rows")

    monkeypatch.setattr("cnninspect.cli.reports.write", broken)
    result = cli("-q", "summary", "net:Net", *INPUT)
    assert result.code == 3
    assert result.err == (
        "cnninspect: an error in cnninspect itself: KeyError: 'rows'. Please report it; --debug shows the traceback.\n"
    )


def test_a_misspelt_command(cli):
    result = cli("sumary", "lenet5")
    assert result.code == 2
    assert "no such command 'sumary'. Nearest: 'summary'" in result.err


def test_no_command_shows_the_help(cli):
    result = cli()
    assert result.code == 2
    assert "Usage: cnninspect" in result.out


@pytest.mark.parametrize("command", ["summary", "flops", "compare", "rf", "explain"])
def test_a_filter_that_no_row_fits_says_so(cli, command):
    for pattern, named in (("zzz*", "c1, c3, c5"), ("outptu", "output")):
        result = cli(command, "lenet5", "--filter", pattern)
        assert result.code == 0
        assert f"note: no row fits --filter '{pattern}'. There are, for example, {named}." in result.err
    assert "no row fits" not in cli(command, "lenet5", "--filter", "c?").err
