"""`[tool.cnninspect]`: which file counts, what its tables may hold, and how a mistake in it is said."""

from pathlib import Path

import pytest

from cnninspect.cli.config_file import read_config
from cnninspect.cli.settings import schema
from cnninspect.errors import UsageError
from cnninspect.render import Format

TABLE = "[tool.cnninspect]\n"


def configured(folder, text, below="."):
    """The configuration that holds in a folder under one whose pyproject.toml says `text`."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    start = folder / below
    start.mkdir(parents=True, exist_ok=True)
    return read_config(schema(), start)


def test_no_file():
    assert read_config(schema(), Path("/")).file is None


WHICH = [
    # id, text of the outer file, text of the inner one, device found
    ("here", "", f'{TABLE}device = "cpu"', "cpu"),
    ("above", f'{TABLE}device = "cpu"', None, "cpu"),
    ("the nearest", f'{TABLE}device = "cpu"', f'{TABLE}device = "meta"', "meta"),
    ("the nearest with our table", f'{TABLE}device = "cpu"', "[tool.other]\nx = 1", "cpu"),
    ("none of our business", f'{TABLE}device = "cpu"', "this is [not TOML", "cpu"),
]


@pytest.mark.parametrize(("outer", "inner", "device"), [case[1:] for case in WHICH], ids=[case[0] for case in WHICH])
def test_which_file_counts(outer, inner, device, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_text(outer)
    if inner is not None:
        (folder / "pyproject.toml").write_text(inner)
    found = read_config(schema(), folder)
    assert found.values["device"] == device
    assert found.file == (tmp_path if inner is None or "device" not in inner else folder) / "pyproject.toml"


def test_values(tmp_path):
    text = f"""{TABLE}device = "cpu"
batch_size = 4
train = true
format = "github"
inputs = ["1x3x8x8", "mask=1x4:bool"]
arguments = {{width = 8, ratio = 0.5, name = "relu", norm = false, kernel = [3, 3]}}

[tool.cnninspect.budgets]
max-params = "5M"
max_macs = 600000

[tool.cnninspect.targets]
small = "zoo:lenet5"

[tool.cnninspect.targets.large]
target = "models.py:Large"
arguments = {{width = 64}}
claims = "large.csv"
budgets = {{max-layer-share = "40%"}}
"""
    assert configured(tmp_path, text).values == {
        "device": "cpu",
        "batch-size": 4,
        "train": True,
        "format": Format.GITHUB,
        "inputs": ["1x3x8x8", "mask=1x4:bool"],
        "arguments": {"width": 8, "ratio": 0.5, "name": "relu", "norm": False, "kernel": [3, 3]},
        "budgets": {"max-params": "5M", "max-macs": "600000"},
        "targets": {
            "small": {"target": "zoo:lenet5"},
            "large": {
                "target": "models.py:Large",
                "arguments": {"width": 64},
                "claims": "large.csv",
                "budgets": {"max-layer-share": "40%"},
            },
        },
    }


WRONG = [
    # id, text, message after the file's name
    ("key", f'{TABLE}devise = "cpu"', ": [tool.cnninspect] has no key 'devise'. Nearest: device."),
    ("far key", f"{TABLE}zzz = 1", ": [tool.cnninspect] has no key 'zzz'. Keys: arguments, inputs, inputs-from, "),
    ("key twice", f"{TABLE}batch-size = 1\nbatch_size = 2", "has 'batch-size' twice, with a dash and"),
    ("number for a string", f"{TABLE}device = 3", ": [tool.cnninspect] device must be a string, not 3."),
    ("string for a number", f'{TABLE}depth = "two"', " depth must be a whole number from 0, not 'two'."),
    ("too small", f"{TABLE}batch-size = 0", " batch-size must be a whole number from 1, not 0."),
    ("truth for a number", f"{TABLE}depth = true", " depth must be a whole number from 0, not true."),
    ("string for a truth", f'{TABLE}strict = "yes"', " strict must be true or false, not 'yes'."),
    ("choice", f'{TABLE}ops = "every"', " ops must be one of none, compute, all, not 'every'."),
    ("string for a list", f'{TABLE}inputs = "1x3x8x8"', " inputs must be a list of strings, not '1x3x8x8'."),
    ("numbers in a list", f"{TABLE}inputs = [1, 3]", " inputs must be a list of strings, not [1, 3]."),
    ("list for a table", f'{TABLE}arguments = ["width=8"]', " arguments must be a table of numbers, strings,"),
    ("date", f"{TABLE}arguments = {{day = 2020-01-01}}", " arguments must be a table of numbers, strings,"),
    ("no table", "[tool]\ncnninspect = 3", ": [tool.cnninspect] must be a table, not 3."),
    ("budget", f"{TABLE}budgets = {{max-param = 3}}", ": [tool.cnninspect.budgets] has no key 'max-param'. Nearest:"),
    ("type of a budget", f"{TABLE}budgets = {{max-macs = 1.5}}", ': [tool.cnninspect.budgets] max-macs must be a'),
    ("size of a budget", f'{TABLE}budgets = {{max-macs = "5X"}}', ".budgets] max-macs: '5X' is not a size"),
    ("share", f'{TABLE}budgets = {{max-layer-share = "40"}}', ".budgets] max-layer-share: '40' is not a share"),
    ("budgets", f"{TABLE}budgets = 3", ": [tool.cnninspect.budgets] must be a table, not 3."),
    ("targets", f'{TABLE}targets = "resnet18"', ": [tool.cnninspect.targets] must be a table, not 'resnet18'."),
    ("a target", f"{TABLE}targets = {{r18 = 3}}", ": [tool.cnninspect.targets.r18] must be a table, not 3."),
    ("key of a target", f'{TABLE}targets = {{r18 = {{targt = "x"}}}}', ".r18] has no key 'targt'. Nearest: target."),
    ("no target", f"{TABLE}targets = {{r18 = {{}}}}", ": [tool.cnninspect.targets.r18] lacks the key 'target'."),
    ("TOML", f"{TABLE}device = ", " is not TOML: Invalid value (at end of document)."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_mistake_names_the_file_the_table_and_the_key(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        configured(tmp_path, text)
    assert str(caught.value).startswith("pyproject.toml")
    assert message in str(caught.value)


def test_a_file_above_is_named_from_here(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises(UsageError, match=r"^\.\./pyproject\.toml: \[tool\.cnninspect\] has no key"):
        configured(tmp_path, f"{TABLE}devise = 1", "inner")


def test_every_key_is_documented():
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text()
    keys = {**schema(), **schema()["budgets"], **schema()["targets"].schema}
    assert [key for key in keys if f"`{key}`" not in page and f"{key} =" not in page] == []
