"""`compare --claims`: each exit code, and the words of each finding."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import INPUT

RUN = (*INPUT, "--no-probe")
RIGHT = "layer,params,macs\nconv1,3*3*3*8 + 8,8*8*8 * 27\ntotal,224 + 90,\n"
WRONG = "layer,params\nconv1,3*3*3*8\n"

EXITS = [
    # id, network, claims, further arguments, exit code, words on stdout, words on stderr
    ("right", "Net", RIGHT, [], 0, ["match"], []),
    ("a wrong cell", "Net", WRONG, [], 1, ["conv1", "params", "216", "claim", "224", "the bias is left out"], []),
    (
        "an unknown column",
        "Net",
        "layer,parms\nconv1,3\n",
        [],
        2,
        [],
        ["no column is called 'parms'. Nearest: params."],
    ),
    ("a model that does not run", "Failing", RIGHT, [], 3, [], ["the cache is empty"]),
    ("a number nobody knows", "Fourier", "layer,macs\ntotal,13.9K\n", ["--strict"], 4, ["unknown"], []),
    ("interrupted", "Interrupted", RIGHT, [], 130, [], ["cnninspect: interrupted."]),
]


@pytest.mark.parametrize(
    ("network", "claims", "further", "code", "out", "err"),
    [case[1:] for case in EXITS],
    ids=[case[0] for case in EXITS],
)
def test_exit_codes(cli, tmp_path, network, claims, further, code, out, err):
    file = tmp_path / "claims.csv"
    file.write_text(claims)
    result = cli("compare", f"net:{network}", *RUN, "--claims", str(file), *further)
    assert result.code == code
    assert "Traceback" not in result.err
    for word in out:
        assert word in result.out
    for word in err:
        assert word in result.err


FINDINGS = [
    # id, network, claims, exit code, words
    ("a layer that is not there", "Net", "layer,params\nconv2,3\n", 1, "no layer is called 'conv2'. Nearest: conv1"),
    ("no arithmetic", "Net", "layer,params\nconv1,3+\n", 2, "line 2: cannot understand params '3+'"),
    ("less than the least", "Fourier", "layer,macs\ntotal,13823\n", 1, "it is at least 13,824"),
    ("more than the least", "Fourier", "layer,macs\ntotal,13.9K\n", 0, "unknown"),
]


@pytest.mark.parametrize(
    ("network", "claims", "code", "words"), [case[1:] for case in FINDINGS], ids=[case[0] for case in FINDINGS]
)
def test_words_of_a_finding(cli, tmp_path, network, claims, code, words):
    file = tmp_path / "claims.csv"
    file.write_text(claims)
    result = cli("compare", f"net:{network}", *RUN, "--claims", str(file))
    assert result.code == code
    assert words in result.out + result.err


def test_the_file_is_read_before_torch_is_imported(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("layer,parms\nconv1,3\n")
    code = "import sys; from cnninspect.cli.app import run; print(run(sys.argv[1:]), 'torch' in sys.modules)"
    command = [sys.executable, "-c", code, "compare", "lenet5", "--claims", str(file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["2", "False"]


def test_claims_in_json(cli, tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("layer,output_shape,params\nconv1,8x8x4,216\n")
    result = cli("compare", "net:Net", *RUN, "--claims", str(file), "--format", "json")
    claims = [check for check in json.loads(result.out)["checks"] if check["source"] == "claim"]
    assert [(check["name"], check["expected"], check["found"], check["verdict"]) for check in claims] == [
        ("output_shape", [[8, 8, 4]], [[1, 8, 8, 8]], "differ"),
        ("params", 216, 224, "differ"),
    ]


def test_claims_against_a_saved_report(cli, tmp_path):
    saved, file = tmp_path / "net.json", tmp_path / "claims.csv"
    file.write_text(WRONG)
    cli("summary", "net:Net", *INPUT, "--format", "json", "-o", str(saved))
    result = cli("compare", str(saved), "--claims", str(file))
    assert result.code == 1
    assert "the bias is left out" in result.out


def test_claims_are_about_one_network(cli, tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text(RIGHT)
    result = cli("compare", "net:Net", "net:Net", *RUN, "--claims", str(file))
    assert result.code == 2
    assert "TARGET is compared with OTHER, or with a baseline, claims and budgets, not both." in result.err
