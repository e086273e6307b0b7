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
    "flops with zeros": (["flops", "lenet5", "--nonzero"], 0),
    "flops by op": (["flops", "lenet5", "--by", "op"], 0),
    "compare": (["compare", "lenet5", "--max-params", "1K"], 1),
    "compare two": (["compare", "lenet5", "small-cnn"], 1),
    "with everything asked": (
        [
            "flops",
            "lenet5",
            "--elementwise",
            "--backward",
            "--input-grad",
            "--memory",
            "--optimizer",
            "adam",
            "--time",
            "--repeats",
            "1",
            "--warmup",
            "0",
            "--peak-flops",
            "19.5T",
            "--bandwidth",
            "1.5TB",
        ],
        0,
    ),
    "an op without formula": (["summary", "net:Fourier", "--input", "1x3x8x8"], 0),
    "rf": (["rf", "lenet5"], 0),
    "rf of a layer": (["rf", "lenet5", "c3", "--at", "2,3"], 0),
    "rf --vary": (["rf", "lenet5", "--vary", "classes=3,4"], 0),
    "explain": (["explain", "lenet5"], 0),
    "explain a layer": (["explain", "small-cnn", "conv1", "--level", "full", "--matrix"], 0),
    "explain --against": (["explain", "lenet5", "--against", "small-cnn"], 0),
    "formula": (["formula", "lenet5", "--vary", "classes=2,3,5"], 0),
    "formula of an input": (["formula", "small-cnn", "--vary", "input.h"], 0),
    "reconcile": (["reconcile", "lenet5", "--params", "61.7K", "--macs", "417K"], 0),
    "reconcile without explanation": (
        ["reconcile", "net:Net", "--input", "1x3x8x8", "--macs", "1", "--params", "7"],
        1,
    ),
    "flops with other counters": (["flops", "lenet5", "--counters", "thop"], 0),
    "solve": (["solve", "conv", "--in", "32", "--out", "16", "--kernel", "3"], 0),
    "solve with a stride": (["solve", "conv", "--in", "32", "--out", "16", "--kernel", "3", "--stride", "2"], 0),
    "solve --chain with a stride": (["solve", "conv", "--chain", "32,16,8", "--kernel", "3", "--stride", "2"], 0),
    "solve with two axes": (["solve", "conv", "--in", "32,16", "--out", "16,8", "--kernel", "3"], 0),
    "solve conv-transpose": (["solve", "conv-transpose", "--in", "16", "--out", "33"], 0),
    "solve pool": (["solve", "pool", "--in", "32", "--out", "16", "--ceil-mode"], 0),
    "solve --chain": (["solve", "conv", "--chain", "32,16,8", "--kernel", "3"], 0),
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


def test_json_with_baseline_and_claims_validates(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims.csv").write_text("layer,params,macs\nc1,156,117601\n", encoding="utf-8")
    assert cli("compare", "lenet5", "--baseline", "b.json", "--update-baseline").code == 0
    for arguments, code in (
        (("compare", "lenet5", "--baseline", "b.json", "--claims", "claims.csv"), 1),
        (("explain", "lenet5", "--claims", "claims.csv"), 1),
        (("compare", "b.json", "small-cnn"), 1),
    ):
        result = cli(*arguments, "--format", "json")
        assert result.code == code
        jsonschema.validate(json.loads(result.out), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def objects(schema):
    """All parts of the schema that name the properties of an object."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object" and schema is not SCHEMA:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_the_schema_names_every_field():
    """No object may hold what the schema does not name, but rows and totals hold the numbers of accounts."""
    number = {"$ref": "#/$defs/quantity"}
    found = list(objects(SCHEMA))
    assert len(found) > 30
    open_ones = [each for each in found if each.get("additionalProperties") is not False]
    assert [each["additionalProperties"] for each in open_ones] == [number] * len(open_ones)
    assert open_ones == [SCHEMA["$defs"]["row"], SCHEMA["$defs"]["totals"]]


WRONG = [
    ("an unknown that has a value", ("totals", "macs", "status"), "unknown"),
    ("a verdict that is none", ("totals", "params", "verdict"), "good"),
    ("a null that says exact", ("totals", "params", "value"), None),
    ("rows that are no list", ("rows",), {}),
    ("another version", ("schema_version",), 1),
    ("a command that is none", ("command",), "sumary"),
    ("a field that no document has", ("colour",), "red"),
    ("a field that no quantity has", ("totals", "macs", "colour"), "red"),
    ("a fact that no row has", ("rows", 1, "colour"), "red"),
]


@pytest.mark.parametrize(("where", "value"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_documents_do_not_validate(cli, where, value):
    document = json.loads(cli("summary", "lenet5", "--format", "json").out)
    inner = document
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
