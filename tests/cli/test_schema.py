"""The JSON of every command is what the schema in the package says."""

import json
from importlib.resources import files

import jsonschema
import pytest

SCHEMA = json.loads((files("cnninspect.report") / "schema.json").read_text(encoding="utf-8"))
COMMANDS = {
    "summary": (["summary", "lenet5"], 0),
    "summary of a part": (["summary", "net:Net", "--input", "1x3x8x8", "--filter", "conv*"], 0),
    "flops": (["flops", "lenet5", "--elementwise", "--backward", "--memory"], 0),
    "flops by op": (["flops", "lenet5", "--by", "op"], 0),
    "compare": (["compare", "lenet5", "--max-params", "1K"], 1),
    "compare two": (["compare", "lenet5", "small-cnn"], 1),
    "rf": (["rf", "lenet5"], 0),
    "rf of a layer": (["rf", "lenet5", "c3"], 0),
    "rf --vary": (["rf", "lenet5", "--vary", "classes=3,4"], 0),
    "explain": (["explain", "lenet5"], 0),
    "formula": (["formula", "lenet5", "--vary", "classes=2,3,5"], 0),
    "solve": (["solve", "conv", "--in", "32", "--out", "16", "--kernel", "3"], 0),
    "solve without solution": (["solve", "conv", "--in", "32", "--out", "64", "--kernel", "3"], 0),
    "models": (["models", "zoo:lenet"], 0),
    "config": (["config"], 0),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_json_validates(cli, name):
    arguments, code = COMMANDS[name]
    result = cli(*arguments, "--format", "json")
    assert result.code == code
    jsonschema.validate(json.loads(result.out), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_json_of_several_targets_validates(cli, project):
    project('[tool.cnninspect.targets]\none = {target = "lenet5"}\ntwo = {target = "no-such-model"}\n')
    result = cli("compare", "--format", "json")
    assert result.code == 3 or result.code == 2
    jsonschema.validate(json.loads(result.out), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


WRONG = [
    ("an unknown that has a value", ("totals", "macs", "status"), "unknown"),
    ("a verdict that is none", ("totals", "params", "verdict"), "good"),
    ("a null that says exact", ("totals", "params", "value"), None),
    ("rows that are no list", ("rows",), {}),
    ("another version", ("schema_version",), 1),
    ("a command that is none", ("command",), "sumary"),
]


@pytest.mark.parametrize(("where", "value"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_documents_do_not_validate(cli, where, value):
    document = json.loads(cli("summary", "lenet5", "--format", "json").out)
    inner = document
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
