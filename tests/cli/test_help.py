"""Help texts: examples that parse, exit codes, and no line that is broken within a word."""

import re
import shlex

import pytest
import typer
from typer.main import get_command

from cnninspect.cli.app import app
from cnninspect.cli.help import BRIEF, EXAMPLES
from cnninspect.cli.session import Session
from cnninspect.render.page import Screen

COMMANDS = sorted(get_command(app).commands)


def test_every_command_has_examples():
    assert sorted(EXAMPLES) == COMMANDS


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_examples_are_parsed(line):
    _, name, *arguments = shlex.split(line)
    try:
        assert get_command(app).commands[name].make_context(name, arguments, obj=Session())
    except typer.Exit:
        pytest.fail("it asks for help")


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_fits_the_terminal_and_is_calm(cli, name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = cli(*filter(None, [name]), "--help").out
    assert [line for line in text.splitlines() if len(line) > columns] == []
    assert "<bool>" not in text
    assert "\\[" not in text
    assert "Exit codes:" in text
    assert "Examples:" in text
    parameters = (get_command(app).commands[name] if name else get_command(app)).params
    words = {re.sub(r"[,;].*", "", word) for word in text.split()}
    assert {opt for parameter in parameters if not parameter.hidden for opt in parameter.opts if "--" in opt} <= words


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(cli, option):
    assert cli(option).out.startswith("cnninspect ")


VALUES = [["--format", "JSON"], ["-f", "Json"], ["--ops", "NONE", "-f", "json"]]


@pytest.mark.parametrize("options", VALUES, ids=[" ".join(each) for each in VALUES])
def test_values_are_read_in_any_case(cli, options):
    result = cli("solve" if "--ops" not in options else "summary", *(
        ["conv", "--in", "32", "--out", "16"] if "--ops" not in options else ["lenet5"]
    ), *options)  # fmt: skip
    assert result.code == 0
    assert result.out.startswith("{")


MISSPELT = [
    (["sumary", "lenet5"], "summary"), (["compair", "lenet5"], "compare"),
    (["summary", "lenet5", "--dpeth", "1"], "--depth"), (["flops", "lenet5", "--memroy"], "--memory"),
    (["summary", "lenet5", "--inptu", "1x1x32x32"], "--input"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "meant"), MISSPELT, ids=[" ".join(each) for each, _ in MISSPELT])
def test_did_you_mean(cli, arguments, meant):
    result = cli(*arguments)
    assert result.code == 2
    assert re.search(rf"Nearest: .*{meant}", result.err)


def test_arguments_are_named_as_they_are_written(cli):
    first = {
        name: cli(name, "--help").out.splitlines()[0] for name in ("summary", "rf", "explain", "compare", "models")
    }
    assert first == {
        "summary": "Usage: cnninspect summary [OPTIONS] TARGET",
        "rf": "Usage: cnninspect rf [OPTIONS] TARGET [LAYER]",
        "explain": "Usage: cnninspect explain [OPTIONS] TARGET [LAYER]...",
        "compare": "Usage: cnninspect compare [OPTIONS] [TARGET] [OTHER]",
        "models": "Usage: cnninspect models [OPTIONS] [PATTERN]",
    }


def test_every_command_has_one_line_in_the_list(cli):
    text = cli("--help").out
    assert sorted(BRIEF) == COMMANDS
    assert all(re.search(rf"^  {name} +{re.escape(line)}$", text, re.MULTILINE) for name, line in BRIEF.items())


def test_titles_are_bold_where_there_are_colours(monkeypatch):
    context = get_command(app).make_context("cnninspect", [], resilient_parsing=True, obj=Session())
    for colour, count in ((True, 4), (False, 0)):
        screen = Screen(80, colour=colour)
        monkeypatch.setattr("cnninspect.cli.help.Screen.of", lambda _, screen=screen: screen)
        assert context.get_help().count("\x1b[1m") == count


@pytest.mark.parametrize(("name", "options"), [("solve", ("--in", "--out", "--chain")), ("formula", ("--vary",))])
def test_what_a_command_needs_is_no_other_option(cli, name, options):
    # The contract writes these in the command's own line: solve --in N --out N, formula TARGET --vary NAME.
    needed, _, others = cli(name, "--help").out.partition("Other options:")
    assert all(f"  {option} " in needed and f"  {option} " not in others for option in options)
