"""`compare` without a TARGET: all targets of the configuration, one report, the worst exit code."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import cnninspect
from tests.cli.conftest import NETS

RUN = 'inputs = ["1x3x8x8"]\nprobe = false'
FINE = f'target = "{NETS}:Net"\n{RUN}'
PLANTED = f'target = "{NETS}:Planted"\n{RUN}'
FOURIER = f'target = "{NETS}:Fourier"\n{RUN}'
FAILING = f'target = "{NETS}:Failing"\n{RUN}'
UNKNOWN = 'target = "zoo:lenet6"'


def targets(**tables):
    return "".join(f"[tool.cnninspect.targets.{name}]\n{table}\n" for name, table in tables.items())


def differing(report):
    return {(check["source"], check["name"]) for check in report["checks"] if check["verdict"] == "differ"}


def results(output):
    return {entry["name"]: entry["exit_code"] for entry in json.loads(output)["targets"]}


CODES = [
    # id, targets, arguments, the worst exit code
    ("all fine", {"a": FINE, "b": FINE}, [], 0),
    ("a finding", {"a": FINE, "b": PLANTED}, [], 1),
    ("incomplete", {"a": FINE, "b": FOURIER}, [], 0),
    ("incomplete, strict", {"a": FINE, "b": FOURIER}, ["--strict"], 4),
    ("a finding outranks what is incomplete", {"a": PLANTED, "b": FOURIER}, ["--strict"], 1),
    ("a failure outranks a finding", {"a": FAILING, "b": PLANTED}, [], 3),
    ("a usage error outranks a failure", {"a": FAILING, "b": UNKNOWN}, [], 2),
]


@pytest.mark.parametrize(("tables", "arguments", "code"), [case[1:] for case in CODES], ids=[case[0] for case in CODES])
def test_the_worst_exit_code(cli, project, tables, arguments, code):
    project(targets(**tables))
    assert cli("compare", *arguments).code == code


def test_a_failing_target_does_not_stop_the_others(cli, project):
    project(targets(first=FAILING, second=UNKNOWN, third=PLANTED, last=FINE))
    result = cli("compare", "--format", "json")
    assert results(result.out) == {"first": 3, "second": 2, "third": 1, "last": 0}
    assert "cnninspect: second: no model is called 'lenet6'. Nearest: zoo:lenet5." in result.err
    assert json.loads(result.out)["exit_code"] == result.code == 2


def test_one_line_for_each_target_and_the_findings_of_each(cli, project):
    project(targets(planted=PLANTED, fine=FINE, broken=UNKNOWN))
    out = cli("compare").out
    # The declared stride 1 gives 4 * 8*8 * 27 = 6912 MACs, the stride 2 that runs 4 * 4*4 * 27 = 1728.
    assert "6,912" in out
    assert "1,728" in out
    assert out.splitlines()[-1] == "3 targets: 1 with findings, 1 fine, 1 not checked."
    overview = out[out.index("targets of the configuration") :]
    assert [line.split()[0] for line in overview.splitlines()[3:6]] == ["planted", "fine", "broken"]


def test_csv_names_the_target_of_each_check(cli, project):
    project(targets(planted=PLANTED, broken=UNKNOWN))
    rows = list(csv.DictReader(io.StringIO(cli("compare", "--format", "csv").out)))
    assert {row["target"] for row in rows} == {"planted", "broken"}
    assert [(row["layer"], row["what"], row["found"]) for row in rows if row["target"] == "broken"] == [
        ("total", "run", "failed")
    ]


def test_junit_has_a_suite_for_each_target(cli, project):
    project(targets(planted=PLANTED, fine=FINE, broken=UNKNOWN))
    suites = ElementTree.fromstring(cli("compare", "--format", "junit").out).findall("testsuite")
    failed = [(suite.get("name"), suite.get("failures") != "0", suite.get("errors")) for suite in suites]
    assert failed == [("planted", True, "0"), ("fine", False, "0"), ("broken", False, "1")]
    assert suites[2].find("testcase/error").get("message").startswith("not checked: no model is called 'lenet6'.")


def test_github_says_of_a_target_that_it_was_not_checked_and_why(cli, project):
    project(targets(broken=UNKNOWN))
    lines = cli("compare", "--format", "github").out.splitlines()
    assert lines[0].startswith("::error title=broken%3A not checked::not checked: no model is called 'lenet6'. Near")
    assert not lines[0].endswith("..")
    assert lines[1:] == ["broken: not checked.", "1 target: 1 not checked."]


def test_sections_have_the_name_of_their_target_and_its_own_verdict(cli, project):
    project(targets(planted=PLANTED, fourier=FOURIER))
    lines = cli("compare", "--format", "markdown").out.splitlines()
    sections = [index for index, line in enumerate(lines) if line.startswith("### ")][1:]
    assert [lines[index].split(":")[0] for index in sections] == ["### planted", "### fourier"]
    assert [lines[index + 2][:4] for index in sections] == ["✗ **", "? **"]


@pytest.mark.parametrize("form", ["markdown", "html", "github"])
def test_every_format_names_every_target_and_why_one_failed(cli, project, form):
    project(targets(planted=PLANTED, fine=FINE, broken=UNKNOWN))
    out = cli("compare", "--format", form).out
    assert "3 targets: 1 with findings, 1 fine, 1 not checked." in out
    for words in ("planted", "fine", "broken", "lenet6"):
        assert words in out


def test_a_target_is_held_against_its_own_expectations(cli, project):
    folder = project(
        targets(
            claimed=f'{FINE}\nclaims = "claims.csv"',
            limited=f"{FINE}\nbudgets = {{max-params = 300}}",
            saved=f'{FINE}\nbaseline = "saved.json"',
        )
    )
    (folder / "claims.csv").write_text("layer,params\nconv1,216\n")
    assert cli("compare", "--update-baseline").code == 0
    saved = (folder / "saved.json").read_text()
    (folder / "saved.json").write_text(saved.replace("13824", "13825"))
    report = json.loads(cli("compare", "--format", "json").out)
    found = {entry["name"]: differing(entry["report"]) for entry in report["targets"]}
    assert found["claimed"] == {("claim", "params")}
    assert found["limited"] == {("budget", "params")}
    assert ("baseline", "macs") in found["saved"]


def test_common_budgets_and_options_hold_for_targets_that_have_none(cli, project):
    text = "[tool.cnninspect]\narguments = {width = 4}\n[tool.cnninspect.budgets]\nmax-params = 300\n"
    project(
        text
        + targets(
            narrow=FINE,
            wide=f"{FINE}\narguments = {{width = 8}}",
            allowed=f"{FINE}\narguments = {{width = 8}}\nbudgets = {{max-params = 314}}",
        )
    )
    # width 4: 112 + 50 = 162 parameters; width 8: 224 + 90 = 314.
    assert results(cli("compare", "--format", "json").out) == {"narrow": 0, "wide": 1, "allowed": 0}
    assert results(cli("compare", "--arg", "width=4", "--format", "json").out) == {"narrow": 0, "wide": 0, "allowed": 0}


def test_update_baseline_writes_those_that_are_named(cli, project):
    folder = project(targets(a=f'{FINE}\nbaseline = "a.json"', b=FINE), below="inner")
    result = cli("compare", "--update-baseline")
    assert (result.code, result.out) == (0, "")
    assert "a: wrote the baseline ../a.json." in result.err
    assert [file.name for file in folder.glob("*.json")] == ["a.json"]


def test_files_and_modules_stand_beside_the_configuration(cli, project):
    folder = project(
        targets(file='target = "nets_here.py:net"\n' + RUN, module='target = "nets_here:net"\n' + RUN), below="inner"
    )
    (folder / "nets_here.py").write_text("from torch import nn\n\ndef net():\n    return nn.Conv2d(3, 8, 3)\n")
    assert results(cli("compare", "--format", "json").out) == {"file": 0, "module": 0}


MISUSE = [
    # id, configuration, arguments, message
    (
        "no targets",
        "",
        [],
        "no TARGET is given, and no pyproject.toml has [tool.cnninspect.targets]. Name one: `cnninspect compare",
    ),
    ("one baseline for many", targets(a=FINE), ["--baseline", "b.json"], "--baseline and --claims need a TARGET."),
    ("claims for many", targets(a=FINE), ["--claims", "b.csv"], "--baseline and --claims need a TARGET."),
]


@pytest.mark.parametrize(
    ("text", "arguments", "message"), [case[1:] for case in MISUSE], ids=[case[0] for case in MISUSE]
)
def test_misuse(cli, project, text, arguments, message):
    project(text)
    result = cli("compare", *arguments)
    assert result.code == 2
    assert message in result.err


def test_interrupted(shell, project):
    project(targets(a=f'target = "{NETS}:Interrupted"\n{RUN}', b=FINE))
    result = shell("compare", PYTHONPATH=str(Path(cnninspect.__file__).parents[1]))
    assert (result.code, result.out) == (130, "")
