"""The configuration through the command line: what it changes, what wins, and what `config` says about it."""

import json
from pathlib import Path

import pytest

import cnninspect
from cnninspect.render.page import Screen
from tests.cli.conftest import INPUT


def settings(result):
    return {key: (setting["value"], setting["source"]) for key, setting in json.loads(result.out)["settings"].items()}


def test_a_value_of_the_file_holds(cli, project):
    project('[tool.cnninspect]\nformat = "csv"\ncolumns = "layer,params"\n')
    assert cli("summary", "net:Net", *INPUT).out.splitlines()[0].startswith("layer,params")


def test_the_command_line_wins(cli, project):
    project('[tool.cnninspect]\nformat = "csv"\ninputs = ["1x1x1x1"]\n')
    assert json.loads(cli("summary", "net:Net", *INPUT, "--format", "json").out)["run"]["inputs"][0]["shape"] == [
        1, 3, 8, 8,
    ]  # fmt: skip


def test_a_default_given_on_the_command_line_wins_too(cli, project):
    project("[tool.cnninspect]\ntrain = true\n")
    assert "· train ·" in cli("summary", "net:Net", *INPUT).out
    assert "· eval ·" in cli("summary", "net:Net", *INPUT, "--eval").out


def test_arguments_of_the_file(cli, project):
    project("[tool.cnninspect]\narguments = {width = 4}\n")
    report = json.loads(cli("summary", "net:Net", *INPUT, "--format", "json").out)
    # 3*3*3*4 + 4 and 4*10 + 10.
    assert report["totals"]["params"]["value"] == 112 + 50


def test_files_stand_beside_the_configuration(cli, project):
    folder = project('[tool.cnninspect]\noutput = "report.csv"\nformat = "csv"\n', below="inner")
    assert cli("summary", "net:Net", *INPUT).code == 0
    assert (folder / "report.csv").exists()


def test_budgets_of_the_file_fail_a_comparison(cli, project):
    project('[tool.cnninspect.budgets]\nmax-params = 300\nmax-macs = "20K"\n')
    result = cli("compare", "net:Net", *INPUT)
    assert result.code == 1
    assert "over the budget" in result.out
    assert cli("compare", "net:Net", *INPUT, "--max-params", "314").code == 0


def test_budgets_of_the_file_do_not_hinder_the_comparison_of_two(cli, project):
    project("[tool.cnninspect.budgets]\nmax-params = 300\n")
    assert cli("compare", "net:Net", "net:Net", *INPUT).code == 0


def test_config_writes_a_table_or_json_only(cli, project):
    """A format of the configuration is one of reports: `config` shows it and writes its table."""
    project('[tool.cnninspect]\nformat = "csv"\n')
    assert 'format                   "csv"' in cli("config").out
    for given in (("-f", "csv"), ("-o", "x.csv")):
        refused = cli("config", *given)
        assert (refused.code, refused.out) == (2, "")
        assert "this command has no --format csv. Choose among table, json." in refused.err
    help_text = " ".join(cli("config", "--help").out.split())
    assert "Format of the list: table, json." in help_text
    assert "Format of the report" not in help_text


def test_config_says_what_is_in_force_and_where_it_comes_from(cli, project):
    text = '[tool.cnninspect]\ndevice = "cpu"\nstrict = true\n[tool.cnninspect.budgets]\nmax-params = "5M"\n'
    project(f'{text}[tool.cnninspect.targets]\nsmall = "lenet5"\n', below="inner")
    found = settings(cli("config", "--depth", "2", "--format", "json"))
    assert found["device"] == ("cpu", "../pyproject.toml")
    assert found["strict"] == (True, "../pyproject.toml")
    assert found["depth"] == (2, "command line")
    assert found["ops"] == ("compute", "default")
    assert found["dtype"] == (None, "default")
    assert found["budgets.max-params"] == ("5M", "../pyproject.toml")
    assert found["budgets.max-macs"] == (None, "default")
    assert found["targets.small.target"] == ("lenet5", "../pyproject.toml")


def test_config_as_a_table(cli, project):
    project('[tool.cnninspect]\ndevice = "cpu"\n')
    lines = [line.split() for line in cli("config").out.splitlines()]
    assert lines[0] == ["key", "value", "from"]
    assert ["device", '"cpu"', "pyproject.toml"] in lines
    assert ["dtype", "-", "default"] in lines


def test_a_low_terminal_has_the_defaults_side_by_side(cli, project, monkeypatch):
    project('[tool.cnninspect]\ndevice = "cpu"\n')
    monkeypatch.setattr("cnninspect.render.page.Screen.of", lambda _: Screen(60, height=24))
    lines = cli("config").out.splitlines()
    assert [line.split() for line in lines[:3]] == [["key", "value", "from"], ["device", '"cpu"', "pyproject.toml"], []]
    assert lines[3] == "defaults: arguments [], inputs [], inputs-from, batch-size,"
    assert lines[4].startswith("  dtype, train false, ")
    assert len(lines) < 24
    assert max(map(len, lines)) <= 60
    project("")
    assert cli("config").out.startswith("Nothing is set here.\n\ndefaults: arguments []")


def test_config_without_a_file(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("config", "--format", "json")
    assert json.loads(result.out)["file"] is None
    assert {source for _, source in settings(result).values()} == {"default", "command line"}


@pytest.mark.parametrize("command", [("summary", "lenet5"), ("flops", "lenet5"), ("compare", "lenet5"), ("config",)])
def test_a_mistake_in_the_file_is_one_sentence_in_every_command(cli, project, command):
    project('[tool.cnninspect]\ndevise = "cpu"\n')
    result = cli(*command)
    assert (result.code, result.out) == (2, "")
    assert result.err == "cnninspect: pyproject.toml: [tool.cnninspect] has no key 'devise'. Nearest: device.\n"


LIMITS = [
    ("max-params", 'a whole number or a size such as "5M"'),
    ("max-peak-memory", 'a number of bytes or a size such as "200MB"'),
    ("max-layer-share", 'a share such as "40%"'),
]


@pytest.mark.parametrize(("key", "words"), LIMITS, ids=[key for key, _ in LIMITS])
def test_a_limit_of_the_wrong_type(cli, project, key, words):
    project(f"[tool.cnninspect.budgets]\n{key} = 0.4\n")
    result = cli("config")
    assert result.code == 2
    assert f"pyproject.toml: [tool.cnninspect.budgets] {key} must be {words}, not 0.4." in result.err


def test_help_does_not_mind_a_mistake_in_the_file(cli, project):
    project('[tool.cnninspect]\ndevise = "cpu"\n')
    assert cli("summary", "--help").code == 0


def test_a_mistake_through_the_shell(shell, project):
    project("[tool.cnninspect]\ndepth = 'two'\n")
    result = shell("config", PYTHONPATH=str(Path(cnninspect.__file__).parents[1]))
    assert result.code == 2
    assert "depth must be a whole number from 0, not 'two'." in result.err
