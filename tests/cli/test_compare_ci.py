"""`compare` in CI: every exit code with claims, and all targets of a configuration in the formats that servers read."""

import pytest

from cnninspect.render import Format
from tests.cli.conftest import INPUT, NETS
from tests.render.reading import annotations, junit, markdown

CLAIMS = {
    # Net: 3*3*3*8 + 8 = 224 and 8*10 + 10 = 90 parameters; 8*8*8 * 3*3*3 = 13824 and 8*10 = 80 MACs.
    "right.csv": "layer,params,macs\nconv1,3*3*3*8+8,8*8*8*27\nfc,90,80\ntotal,314,13904\n",
    "wrong.csv": "layer,params,macs\nconv1,3*3*3*8,8*8*8*27\nfc,90,160\n",
    "more.csv": "layer,macs\ntotal,13904\n",
    "damaged.csv": "layer,parms\nconv1,224\n",
}
USES = [
    # target, claims, options, exit code, words on stdout, words on stderr
    ("net:Net", "right.csv", ["--strict"], 0, ["match"], []),
    (
        "net:Net",
        "wrong.csv",
        [],
        1,
        ["conv1", "params", "216", "claim", "224", "fc", "MACs", "160", "80", "these are FLOPs"],
        [],
    ),
    ("net:Net", "damaged.csv", [], 2, [], ["damaged.csv", "'parms'", "Nearest: params"]),
    ("net:Failing", "right.csv", [], 3, [], ["the cache is empty"]),
    # 13,904 is more than the 13,824 that are known: nobody can say whether it is right.
    ("net:Fourier", "more.csv", ["--strict"], 4, ["13,904", "claim", "13,824"], []),
    ("net:Interrupted", "right.csv", [], 130, [], ["interrupted"]),
]
IDS = ["fine", "wrong", "usage", "failing", "incomplete", "interrupted"]


@pytest.mark.parametrize(("target", "claims", "options", "code", "out", "err"), USES, ids=IDS)
def test_exit_codes_of_claims(cli, tmp_path, target, claims, options, code, out, err):
    (tmp_path / claims).write_text(CLAIMS[claims])
    line = ("compare", target, "--claims", str(tmp_path / claims), *options, *INPUT)
    result = cli(*line)
    assert (result.code, "Traceback" in result.err) == (code, False), result.err
    for word in out:
        assert word in result.out
    for word in err:
        assert word in result.err


CONFIGURATION = """
[tool.cnninspect]
inputs = ["1x3x8x8"]

[tool.cnninspect.targets]
good = "nets.py:Net"
liar = "nets.py:Planted"
broken = "nets.py:Failing"
heavy = {target = "nets.py:Net", budgets = {max-params = 300}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with networks and a configuration."""
    (tmp_path / "nets.py").write_text(NETS.read_text())
    (tmp_path / "pyproject.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def line_of(text):
    return str(NETS.read_text().splitlines().index(text) + 1)


def test_github_has_an_annotation_for_each_finding_of_each_target(cli, project, monkeypatch):
    summary = project / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = cli("compare", "--format", "github")
    found = annotations([line for line in result.out.splitlines() if line.startswith("::")])
    by_title = {properties["title"]: (level, properties, message) for level, properties, message in found}
    assert result.code == 3
    level, properties, message = by_title["liar: output shape, MACs of liar"]
    assert (level, properties["file"], properties["line"]) == ("error", "nets.py", line_of("class Strided(nn.Conv2d):"))
    assert "liar (Strided), MACs: formula 6,912, torch 1,728." in message
    assert by_title["heavy: params of total"][1]["line"] == line_of("class Net(nn.Module):")
    assert "budget 300, found 314" in by_title["heavy: params of total"][2]
    assert any("the cache is empty" in message for _, _, message in found)
    assert not any(title.startswith("good") for title in by_title)
    assert ("td", "liar") in markdown(summary.read_text())


def test_junit_has_a_suite_for_each_target(cli, project):
    result = cli("compare", "--format", "junit")
    suites = {suite.get("name"): suite for suite in junit(result.out).iter("testsuite")}
    assert {name: int(suite.get("failures")) for name, suite in suites.items()} == {
        "good": 0,
        "liar": 1,
        "broken": 0,
        "heavy": 1,
    }
    failure = suites["heavy"].find("testcase/failure")
    assert failure.get("message") == "total, params: budget 300, found 314 (over the budget)"
    assert f"in nets.py:{line_of('class Net(nn.Module):')}" in failure.text
    assert "the cache is empty" in suites["broken"].find("testcase/error").get("message")


def test_markdown_begins_with_the_sum_of_all_targets(cli, project):
    blocks = markdown(cli("compare", "--format", "markdown").out)
    assert blocks[1] == ("p", "✗ 4 targets: 1 fine, 2 with findings, 1 not checked.")
    cells = [text for kind, text in blocks if kind == "td"]
    assert {"good", "liar", "broken", "heavy", "314"} <= set(cells)


@pytest.mark.parametrize("fmt", Format)
def test_every_format_can_hold_many_targets(cli, project, fmt):
    result = cli("compare", "--format", fmt.value, "--no-probe")
    assert result.code == 3
    assert "heavy" in result.out
