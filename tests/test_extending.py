"""The examples of docs/extending.md, run as they stand there: each is one file of an installed package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import cnninspect

PAGE = (Path(__file__).parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(# acme/(\w+)\.py\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = {name: text for text, name in BLOCKS}
INPUT = ("--input", "1x3x8x12", "-q")

CONV = 8 * 6 * 10 * 3 * 3 * 3
"""Hand arithmetic: 3x3 without padding takes 8x12 to 6x10, with 8 channels of 3 * 3 * 3 taps."""
FILTER = 8 * 6 * 6 * 5
"""Hand arithmetic: 5 taps along the columns take 10 to 6."""

SERVER = """
import contextlib, io, json, os, sys
from cnninspect.cli.app import run
for line in sys.stdin:
    folder, arguments = json.loads(line)
    os.chdir(folder)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    texts = [stream.flush() or stream.buffer.getvalue().decode() for stream in (out, err)]
    print(json.dumps([code, *texts]), flush=True)
"""
"""Runs command lines one after the other, each in its folder, and answers with exit code, stdout and stderr."""

ALL = "low_rank products outline bytes_hint"


class Done(NamedTuple):
    """What a command line left behind."""

    returncode: int
    stdout: str
    stderr: str


Shell = Callable[..., Done]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """A process for each set of plug-ins, which are installed as pip would install them."""
    running: dict[tuple[str, str], subprocess.Popen[str]] = {}

    def server(plugins: str, path: str) -> subprocess.Popen[str]:
        if (plugins, path) not in running:
            folder = tmp_path_factory.mktemp("installed")
            install(folder, plugins.split())
            paths = [path, str(folder), os.environ.get("PYTHONPATH", "")]
            running[plugins, path] = subprocess.Popen(
                [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
                cwd=folder, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )  # fmt: skip
        return running[plugins, path]

    yield server
    for process in running.values():
        process.communicate()


@pytest.fixture
def shell(servers: Callable[[str, str], subprocess.Popen[str]], tmp_path: Path) -> Shell:
    """Runs a command line where these examples are installed, and other packages in the folder `path`."""

    def run(plugins: str, *arguments: str, code: int = 0, path: str = "") -> Done:
        process = servers(plugins, path)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(tmp_path), arguments]) + "\n")
        process.stdin.flush()
        done = Done(*json.loads(process.stdout.readline()))
        assert done.returncode == code, done.stderr
        return done

    return run


def install(folder: Path, plugins: list[str]) -> None:
    (folder / "acme").mkdir(exist_ok=True)
    for name, text in EXAMPLES.items():
        (folder / "acme" / f"{name}.py").write_text(text, encoding="utf-8")
    points = [f"{name} = acme.{name}" for name in plugins]
    info = folder / "acme-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n", encoding="utf-8")
    groups = ["[cnninspect.plugins]", *points, "[cnninspect.models]", "acme = acme.models"]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def rows(done: Done) -> dict[str, Any]:
    return {row["kind"]: row for row in json.loads(done.stdout)["rows"]}


def test_every_task_has_its_example() -> None:
    assert set(EXAMPLES) == {"low_rank", "row_filter", "products", "outline", "models", "bytes_hint"}
    assert len(BLOCKS) == PAGE.count("```python")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_import_from_one_place(name: str) -> None:
    imported = set(re.findall(r"^\s*(?:from|import) ([\w.]+)", EXAMPLES[name], re.MULTILINE))
    assert imported <= {"cnninspect.extend", "torch", *sys.stdlib_module_names}


def test_a_layer_is_one_row(shell: Shell) -> None:
    arguments = ("flops", "acme.low_rank:LowRank", "--arg", "features=8", "--arg", "rank=2", "--arg", "out=6")
    found = rows(shell(ALL, *arguments, "--input", "5x8", "--format", "json", "-q"))
    assert list(found) == ["LowRank"]
    row = found["LowRank"]
    assert (row["params"]["analytic"], row["params"]["verdict"]) == (8 * 2 + 2 * 6, "match")
    assert (row["macs"]["analytic"], row["macs"]["verdict"]) == (5 * 8 * 2 + 5 * 2 * 6, "match")
    assert (row["output_shape"]["analytic"], row["output_shape"]["verdict"]) == ([[5, 6]], "match")


def test_an_op_has_shapes_macs_and_a_field(shell: Shell) -> None:
    row = rows(shell(ALL, "flops", "acme.row_filter:Net", *INPUT, "--format", "json"))["acme.row_filter"]
    assert row["output_shape"]["analytic"] == [[1, 8, 6, 6]]
    assert (row["macs"]["analytic"], row["macs"]["status"]) == (FILTER, "exact")
    assert (row["receptive_field"]["size"], row["receptive_field"]["jump"]) == ([3, 3 + 4], [1, 1])


def test_nan_reaches_what_the_field_of_the_op_says(shell: Shell) -> None:
    done = shell(ALL, "summary", "acme.row_filter:Net", *INPUT, "--probe", "--format", "json")
    assert rows(done)["acme.row_filter"]["receptive_field"]["verdict"] == "match"


def test_an_op_without_registration_leaves_a_lower_bound(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text(EXAMPLES["row_filter"].partition("register_op(\n")[0], encoding="utf-8")
    done = shell("", "flops", "bare.py:Net", *INPUT, "--format", "json", path=str(tmp_path))
    document = json.loads(done.stdout)
    row = {row["kind"]: row for row in document["rows"]}["acme.row_filter"]
    assert (row["macs"]["status"], row["receptive_field"]["status"]) == ("unknown", "unknown")
    assert (document["totals"]["macs"]["value"], document["totals"]["macs"]["status"]) == (CONV, "lower_bound")


def test_a_counter_has_a_column(shell: Shell) -> None:
    document = json.loads(shell(ALL, "flops", "acme.row_filter:Net", *INPUT, "--format", "json").stdout)
    macs = {row["kind"]: row["macs"] for row in document["rows"]}
    assert macs["Conv2d"]["measured"]["products"] == CONV
    assert macs["acme.row_filter"]["reasons"]["products"] == "products does not count acme.row_filter"
    assert document["counters"]["products"]["own_total"] == CONV
    assert "MACs by products" in shell(ALL, "flops", "acme.row_filter:Net", *INPUT, "--format", "markdown").stdout


@pytest.mark.parametrize("how", ["name", "ending", "configuration"])
def test_a_format_writes_its_text(shell: Shell, tmp_path: Path, how: str) -> None:
    file = tmp_path / "net.outline"
    chosen = {"name": ("--format", "outline"), "ending": ("-o", str(file)), "configuration": ()}[how]
    if how == "configuration":
        (tmp_path / "pyproject.toml").write_text('[tool.cnninspect]\nformat = "outline"\n', encoding="utf-8")
    done = shell(ALL, "summary", "acme.row_filter:Net", *INPUT, *chosen)
    text = file.read_text(encoding="utf-8") if how == "ending" else done.stdout
    assert text.splitlines()[1] == f"  conv: {CONV} MACs"
    assert text.splitlines()[2].endswith(f"row_filter: {FILTER} MACs")


def test_the_view_cuts_a_format(shell: Shell) -> None:
    text = shell(ALL, "summary", "acme.row_filter:Net", *INPUT, "--depth", "0", "--format", "outline").stdout
    assert len(text.splitlines()) == 1


def test_a_provider_has_models_by_name(shell: Shell) -> None:
    assert shell("", "models", "acme:", "-q").stdout == "acme:narrow\nacme:wide\n"
    row = rows(shell("", "summary", "acme:narrow", "--arg", "classes=3", "--format", "json", "-q"))["Linear"]
    assert row["params"]["value"] == 4 * 3 + 3


def test_a_hint_explains_a_claim(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text(f"layer,params\nconv,{4 * 8 * 3 * 3 * 3}\n", encoding="utf-8")
    arguments = ("compare", "acme.row_filter:Net", *INPUT, "--claims", "claims.csv")
    sentence = "these are bytes: a float32 parameter has 4"
    assert sentence in " ".join(shell(ALL, *arguments, code=1).stdout.split())
    assert sentence not in " ".join(shell("", *arguments, code=1).stdout.split())


def test_an_option_is_a_change_of_one_file(shell: Shell, tmp_path: Path) -> None:
    copy = tmp_path / "changed" / "cnninspect"
    shutil.copytree(Path(cnninspect.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    [change] = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    file = copy / "cli" / "options.py"
    file.write_text(changed(file.read_text(encoding="utf-8"), change), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.cnninspect]\nlargest = true\n", encoding="utf-8")
    summary = ("summary", "acme.row_filter:Net", *INPUT, "--format", "csv", "--columns", "kind,macs")
    largest = f"kind,macs\nConv2d,{CONV}\n"
    changed_shell = partial(shell, "", path=str(copy.parent))
    assert changed_shell(*summary).stdout == largest
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    assert changed_shell(*summary, "--largest").stdout == largest
    assert changed_shell(*summary).stdout == f"{largest}acme.row_filter,{FILTER}\n"
    help_text = " ".join(changed_shell("summary", "--help").stdout.replace("│", " ").split())
    assert re.search(r"--largest (<bool> )?The row with the most MACs alone\.", help_text)
    assert re.search(r"^largest +true +command line$", changed_shell("config", "--largest").stdout, re.MULTILINE)


def changed(text: str, change: str) -> str:
    """The text after a change; each of its parts takes away what stands in the text once."""
    for part in change.strip().split("\n\n"):
        old, new = ("".join(f"{line[1:]}\n" for line in part.splitlines() if line[0] == sign) for sign in "-+")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


BROKEN = "cnninspect: note: the plug-in 'missing' (acme.missing) cannot be imported: ModuleNotFoundError"


def test_a_plugin_that_cannot_be_imported_costs_a_note(shell: Shell) -> None:
    done = shell("missing", "summary", "lenet5")
    assert BROKEN in done.stderr
    assert done.stderr.count("the plug-in 'missing'") == 1


def test_an_unknown_format_names_the_plugin_that_cannot_be_imported(shell: Shell) -> None:
    done = shell("missing outline", "summary", "lenet5", "--format", "outlien", code=2)
    assert "'outlien' is not one of table, json, csv, markdown, html, github, junit, latex, outline" in done.stderr
    assert "the plug-in 'missing' (acme.missing) cannot be imported" in done.stderr


BAD = "from cnninspect.extend import format_, hint\n\n\n"


def test_a_format_that_fails_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(f"{BAD}@format_('bad')\ndef bad(document, view):\n    raise KeyError('x')\n")
    (tmp_path / "bad-1.dist-info").mkdir()
    (tmp_path / "bad-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (tmp_path / "bad-1.dist-info" / "entry_points.txt").write_text("[cnninspect.plugins]\nbad = bad\n")
    done = shell("", "summary", "lenet5", "--format", "bad", "-q", code=2, path=str(tmp_path))
    assert done.stderr == (
        "cnninspect: the format 'bad' cannot write this Report: KeyError: 'x'. Choose another --format.\n"
    )


def test_a_file_that_is_a_plugin_and_the_target_at_once_is_run_once(tmp_path: Path) -> None:
    install(tmp_path, ["low_rank"])
    arguments = ("--arg", "features=8", "--arg", "rank=2", "--arg", "out=6", "--input", "5x8", "--format", "json")
    done = subprocess.run(
        [sys.executable, "-m", "cnninspect", "flops", "acme/low_rank.py:LowRank", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert [row["kind"] for row in json.loads(done.stdout)["rows"]] == ["LowRank"]
    assert done.stderr == ""
