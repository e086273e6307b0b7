"""Every exit code of the contract for every use of `compare`.

The networks stand in tests/data/nets.py. Net has 3*3*3*8 + 8 + 8*10 + 10 = 314 params and 8*8 * 8 * 27 + 80 = 13,904
MACs at 8x8; with a width of 9 it has 3*3*3*9 + 9 + 9*10 + 10 = 352 params.
"""

import json

import pytest

from cnninspect import inspect_model
from cnninspect.checks.baseline import save_baseline
from cnninspect.render import Format, render
from tests.cli.conftest import INPUT, NETS

WIDER = ("--arg", "width=9")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder of the files that the command lines name."""
    folder = tmp_path_factory.mktemp("expected")
    net = inspect_model(f"{NETS}:Net", (1, 3, 8, 8))
    save_baseline(net, folder / "net.json")
    save_baseline(inspect_model(f"{NETS}:Fourier", (1, 3, 8, 8)), folder / "fourier.json")
    (folder / "saved.json").write_text(render(net, Format.JSON), encoding="utf-8")
    (folder / "later.json").write_text('{"schema_version": 3}', encoding="utf-8")
    return folder


def placed(arguments, folder):
    """The arguments with the whole path of files, `@net.json`."""
    return [f"{folder}/{each[1:]}" if each.startswith("@") else each for each in arguments]


USES = [
    # id, arguments, exit code, words on stdout, words on stderr
    ("itself: fine", ["net:Net"], 0, ["match."], []),
    ("itself: wrong", ["net:Planted"], 1, ["liar", "MACs", "6,912", "formula", "1,728", "torch"], []),
    ("itself: usage", ["net:Net", "--input", "1x0"], 2, [], ["size 0"]),
    ("itself: failing", ["net:Failing"], 3, [], ["the cache is empty"]),
    ("itself: incomplete", ["net:Fourier", "--strict"], 4, ["torch.fft.rfft2"], []),
    ("itself: interrupted", ["net:Interrupted"], 130, [], ["interrupted"]),
    ("baseline: fine", ["net:Net", "--baseline", "@net.json", "--strict"], 0, ["net.json"], []),
    (
        "baseline: wrong",
        ["net:Net", *WIDER, "--baseline", "@net.json"],
        1,
        ["conv1", "params", "224", "baseline", "252", "+12.5 %", "out_channels 8 -> 9", "314", "352"],
        [],
    ),
    ("baseline: usage", ["net:Net", "--baseline", "@none.json"], 2, [], ["there is no baseline", "--update-baseline"]),
    ("baseline: another schema", ["net:Net", "--baseline", "@later.json"], 2, [], ["schema_version 3"]),
    ("baseline: failing", ["net:Failing", "--baseline", "@net.json"], 3, [], ["the cache is empty"]),
    ("baseline: incomplete", ["net:Fourier", "--baseline", "@fourier.json", "--strict"], 4, ["torch.fft.rfft2"], []),
    ("baseline: interrupted", ["net:Interrupted", "--baseline", "@net.json"], 130, [], ["interrupted"]),
    ("budget: fine", ["net:Net", "--max-params", "314", "--max-macs", "14K", "--strict"], 0, ["match"], []),
    (
        "budget: wrong",
        ["net:Net", "--max-params", "300"],
        1,
        ["total", "params", "300", "budget", "314", "+4.7 %", "over the budget"],
        [],
    ),
    ("budget: usage", ["net:Net", "--max-params", "few"], 2, [], ["--max-params: 'few' is not a size"]),
    ("budget: failing", ["net:Failing", "--max-params", "300"], 3, [], ["the cache is empty"]),
    (
        "budget: incomplete",
        ["net:Fourier", "--max-macs", "1G", "--strict"],
        4,
        ["only a bound is known", "13,824"],
        [],
    ),
    ("budget: a bound that is over", ["net:Fourier", "--max-macs", "13K", "--strict"], 1, ["over the budget"], []),
    ("budget: interrupted", ["net:Interrupted", "--max-params", "300"], 130, [], ["interrupted"]),
    ("model: fine", ["net:Net", "net:Chatty", "--strict"], 0, ["Same numbers.", "the same"], []),
    ("model: a saved report", ["@saved.json", "net:Net"], 0, ["Same numbers."], []),
    ("model: two saved reports", ["@saved.json", "@net.json"], 0, ["Same numbers."], []),
    (
        "model: wrong",
        ["net:Net", *WIDER, "@saved.json"],
        1,
        ["Different numbers.", "conv1", "252", "224", "0.8889"],
        [],
    ),
    ("model: usage", ["net:Net", "@none.json"], 2, [], ["there is no file", "none.json"]),
    ("model: failing", ["net:Net", "net:Failing"], 3, [], ["the cache is empty"]),
    ("model: incomplete", ["net:Fourier", "net:Fourier", "--strict"], 4, ["as far as they are known"], []),
    ("model: interrupted", ["net:Net", "net:Interrupted"], 130, [], ["interrupted"]),
]


@pytest.mark.parametrize(("arguments", "code", "out", "err"), [use[1:] for use in USES], ids=[use[0] for use in USES])
def test_exit_codes_of_every_use(cli, files, arguments, code, out, err):
    size = () if "--input" in arguments else INPUT
    result = cli("compare", *placed(arguments, files), *size)
    assert (result.code, "Traceback" in result.err) == (code, False), result.err
    for word in out:
        assert word in result.out
    for word in err:
        assert word in result.err


def test_a_baseline_is_written_where_there_was_none_and_then_matches(cli, tmp_path):
    file = tmp_path / "main.json"
    written = cli("compare", "net:Net", "--baseline", str(file), "--update-baseline", *INPUT)
    assert (written.code, written.out) == (0, "")
    assert f"wrote the baseline {file}" in written.err
    assert cli("compare", "net:Net", "--baseline", str(file), *INPUT).code == 0


def test_updating_a_baseline_exits_0_whatever_has_changed(cli, tmp_path, files):
    file = tmp_path / "main.json"
    file.write_bytes((files / "net.json").read_bytes())
    assert cli("compare", "net:Net", *WIDER, "--baseline", str(file), "--update-baseline", *INPUT).code == 0
    assert cli("compare", "net:Net", *WIDER, "--baseline", str(file), *INPUT).code == 0
    assert cli("compare", "net:Net", "--baseline", str(file), *INPUT).code == 1


TOLERANCES = [
    # 314 -> 352 params are +12.1 %; conv1 224 -> 252 +12.5 %, fc 90 -> 100 +11.1 %; no tolerance covers the shape.
    ("13%", {"output_shape"}),
    ("params=13%", {"output_shape", "macs", "neurons", "activation_bytes"}),
    ("13%,params=12.2%", {"output_shape", "params"}),
]


@pytest.mark.parametrize(("tolerance", "names"), TOLERANCES, ids=[case[0] for case in TOLERANCES])
def test_tolerance(cli, files, tolerance, names):
    line = ("compare", "net:Net", *WIDER, "--baseline", str(files / "net.json"), "--tolerance", tolerance)
    checks = json.loads(cli(*line, "--format", "json", *INPUT).out)["checks"]
    assert {check["name"] for check in checks if check["verdict"] == "differ"} == names


def test_json_has_every_check_with_what_a_script_needs(cli, files):
    line = ("compare", "net:Net", *WIDER, "--baseline", str(files / "net.json"), "--max-params", "300")
    document = json.loads(cli(*line, "--format", "json", *INPUT).out)
    failed = [check for check in document["checks"] if check["verdict"] == "differ"]
    keys = ("name", "path", "call", "expected", "found", "source")
    found = [tuple(check[key] for key in keys) for check in failed]
    assert ("params", "conv1", 0, 224, 252, "baseline") in found
    assert ("output_shape", "conv1", 0, [[1, 8, 8, 8]], [[1, 9, 8, 8]], "baseline") in found
    assert ("params", "total", 0, 300, 352, "budget") in found
    assert {check["source"] for check in document["checks"]} == {"formula", "baseline", "budget"}
    assert document["verdict"] == "differ"


def test_json_of_two_models_has_both_side_by_side(cli):
    document = json.loads(cli("compare", "net:Net", "net:Net", "--format", "json", *INPUT).out)
    conv1 = document["aligned"][0]
    assert (conv1["target"]["path"], conv1["other"]["path"]) == ("conv1", "conv1")
    assert (conv1["params"], conv1["macs"], conv1["verdict"]) == ([224, 224], [13824, 13824], "match")
    assert document["other"]["totals"]["params"]["value"] == 314


def test_a_wrong_formula_is_found_beside_a_baseline_that_matches(cli, tmp_path):
    file = str(tmp_path / "planted.json")
    cli("compare", "net:Planted", "--baseline", file, "--update-baseline", *INPUT)
    result = cli("compare", "net:Planted", "--baseline", file, *INPUT)
    assert result.code == 1
    assert "6,912" in result.out


@pytest.mark.parametrize(
    ("options", "code", "note"),
    [([], 0, True), (["--strict"], 4, False), (["-q"], 0, False), (["--max-params", "3"], 1, False)],
    ids=["undecided", "strict", "quiet", "something else fails"],
)
def test_what_could_not_be_decided_does_not_pass_in_silence(cli, options, code, note):
    """Of the Fourier transform and of the total's budget nobody can say how many MACs there are."""
    result = cli("compare", "net:Fourier", "--max-macs", "1G", *options, *INPUT)
    assert result.code == code
    assert ("note: 2 checks could not be decided: exit code 4 with --strict." in result.err) is note


MISUSED = [
    (["--update-baseline"], "--update-baseline needs --baseline FILE"),
    (["--tolerance", "1%"], "--tolerance needs --baseline FILE or OTHER"),
    (["net:Net", "--max-params", "5M"], "not both"),
    (["--baseline", "@net.json", "--tolerance", "mac=1%"], "Nearest: macs"),
    (["--baseline", "@damaged.json"], "is not JSON"),
    (["--max-layer-share", "0.4"], "is not a share"),
    (["--max-layer-share", "140%"], "no layer can have more than 140%"),
    (["net:Net", "--columns", "expected"], "there is no column 'expected'"),
    (["--columns", "other_macs"], "there is no column 'other_macs'"),
]


@pytest.mark.parametrize(
    ("arguments", "noted"),
    [(["--input", "1x3x16x16"], True), (["--train"], True), (["--no-probe"], False), ([], False)],
    ids=["input", "mode", "probe", "nothing"],
)
def test_options_of_a_run_do_not_change_a_saved_report_in_silence(cli, files, arguments, noted):
    result = cli("compare", str(files / "saved.json"), *arguments)
    assert result.code == 0
    assert ("saved.json is a saved report: options that change the run have no effect" in result.err) is noted


def test_a_baseline_alone_is_nothing_to_check(cli, files):
    """Forgetting --baseline before the file must not pass for ever."""
    result = cli("compare", str(files / "net.json"))
    assert (result.code, result.out) == (2, "")
    assert "there is nothing to check: the baseline of Net holds no measurements." in result.err
    assert cli("compare", str(files / "net.json"), "--max-params", "314").code == 0


@pytest.mark.parametrize(("arguments", "words"), MISUSED, ids=[" ".join(case[0][-2:]) for case in MISUSED])
def test_misuse(cli, files, arguments, words):
    (files / "damaged.json").write_text("conv1, 64", encoding="utf-8")
    result = cli("compare", "net:Net", *placed(arguments, files), *INPUT)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_a_baseline_that_cannot_be_written_is_noticed_before_the_model_runs(cli, tmp_path):
    file = str(tmp_path / "none" / "main.json")
    result = cli("compare", "net:Failing", "--baseline", file, "--update-baseline", *INPUT)
    assert result.code == 2
    assert "there is no directory" in result.err


REGISTERING = """
import torch
from torch import nn
from cnninspect.extend import Formula, register

class Gated(nn.Module):
    def __init__(self, size=4):
        super().__init__()
        self.size, self.weight = size, nn.Parameter(torch.randn(size, size))

    def forward(self, x):
        return x @ self.weight

class Wide(Gated):
    def __init__(self):
        super().__init__(8)

register(Formula(
    name="gated", source="this file", modules=(f"{Gated.__module__}.Gated",), hyperparameters=("size",),
    output=lambda use: (use.input,), params=lambda use: {"weight": use["size"] ** 2},
    macs=lambda use: use.input[0] * use["size"] ** 2,
))
"""


def test_two_networks_of_one_file_that_registers_something(cli, tmp_path):
    """The file is run for each; what it registers replaces what it registered before. 4 * 4 and 2 * 4 * 4."""
    file = tmp_path / "gated.py"
    file.write_text(REGISTERING, encoding="utf-8")
    result = cli("compare", f"{file}:Gated", f"{file}:Gated", "--input", "2x4", "--format", "csv")
    assert result.code == 0, result.err
    assert result.out.splitlines()[1].split(",")[3:5] == ["16", "32"]
