"""--no-run: the parameters of a model that is built and does not run; all other numbers say that nothing ran."""

import json
from importlib.resources import files

import jsonschema
import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.errors import UsageError
from cnninspect.render import Format
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import ReceptiveField
from cnninspect.targets.providers import ZooProvider
from cnninspect.targets.resolve import resolve

PAIR = """
import torch
from torch import nn

class Pair(nn.Module):
    def __init__(self, wide=16):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 7))
        self.g = nn.Sequential(nn.Linear(8, wide), nn.BatchNorm1d(wide), nn.Linear(wide, 4))
        self.d = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "att": nn.MultiheadAttention(8, 2), "rnn": nn.LSTM(4, 5)})
        self.tied = nn.Linear(8, wide)
        self.tied.weight = self.g[0].weight
        self.again = self.g[2]
        self.frozen = nn.Linear(2, 3).requires_grad_(False)
        self.register_buffer("table", torch.zeros(3, 3))

def lazy():
    return nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 2))

def function(x: torch.Tensor):
    return x

def halved():
    from torch.nn.utils import prune
    net = nn.ModuleList([nn.Linear(4, 4)])
    prune.l1_unstructured(net[0], "weight", 8)
    return net
"""
PARAMS = {
    "token": 7,
    "g.0": 8 * 16 + 16,
    "g.1": 2 * 16,
    "g.2": 16 * 4 + 4,
    "d.conv": 4 * 3 * 3 * 3 + 4,
    "d.att": 4 * (8 * 8 + 8),
    "d.rnn": 4 * 5 * (4 + 5) + 2 * 4 * 5,
    "tied": 16,
    "frozen": 2 * 3 + 3,
}
"""Hand arithmetic: the tied weight is that of g.0, of an LSTM each of 4 gates has two biases."""

NOT_RUN = (
    "macs",
    "flops",
    "neurons",
    "activation_bytes",
    "input_bytes",
    "total_bytes",
    "peak_activation_bytes",
    "peak_memory",
)


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(PAIR, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_the_parameters_of_modules_without_a_forward(cli):
    found = json.loads(cli("summary", "nets.py:Pair", "--no-run", "--format", "json").out)
    leaves = [row for row in found["rows"] if row["leaf"]]
    assert {row["path"]: row["params"]["value"] for row in leaves} == PARAMS
    assert {row["params"]["verdict"] for row in leaves} == {"match"}
    assert all(set(row["params"]["measured"]) == {"storage"} for row in leaves)
    whole = sum(PARAMS.values())
    totals = {
        name: found["totals"][name]["value"] for name in ("params", "trainable_params", "params_bytes", "buffers")
    }
    # The batch norm has 16 means, 16 variances and a counter.
    assert totals == {"params": whole, "trainable_params": whole - 9, "params_bytes": 4 * whole, "buffers": 9 + 33}
    assert found["run"] == {"device": "meta", "dtype": "float32", "training": False, "inputs": [], "ran": False}
    schema = json.loads((files("cnninspect.report") / "schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)


def test_every_number_that_needs_a_run_says_so(cli):
    found = json.loads(cli("summary", "nets.py:Pair", "--no-run", "--format", "json").out)
    numbers = [found["totals"][name] for name in (*NOT_RUN, "receptive_field")]
    numbers += [
        row[name] for row in found["rows"] for name in ("output_shape", "macs", "flops", "neurons", "receptive_field")
    ]
    assert {number["verdict"] for number in numbers} == {"not_run"}
    assert {number["status"] for number in numbers} == {"unknown"}
    assert {number["why"][0]["cause"] for number in numbers} == {"not_run"}
    assert {number["why"][0]["text"] for number in numbers} == {"nothing ran (--no-run)"}
    assert {number.get("value", number.get("size")) for number in numbers} == {None}


@pytest.mark.parametrize("name", [*ZooProvider().names()[::5], "vit_b_16", "lstm", "transformer"])
def test_they_are_the_parameters_of_a_run(name):
    """The oracle is torch's own list of parameters; `run=False` sees each that a run sees, and no other."""
    made = {"lstm": lambda: nn.LSTM(3, 4, 2, bidirectional=True), "transformer": lambda: nn.Transformer(8, 2, 1, 1, 16)}
    target = made.get(name, name)
    model = resolve(target).build("meta")
    if not isinstance(model, nn.Module):
        with pytest.raises(UsageError, match="is a plain function, which lists no parameters"):
            inspect_model(target, run=False)
        return
    report = inspect_model(target, run=False)
    whole = report.total("params")
    assert whole.value == sum(parameter.numel() for parameter in model.parameters())
    assert whole.verdict is Verdict.MATCH
    assert sum(row.params.value for row in report.rows if row.leaf) == whole.value


def test_formats_and_exit_codes(cli):
    for form in Format:
        result = cli("-q", "summary", "nets.py:Pair", "--no-run", "--format", form.value)
        assert (result.code, result.err) == (0, "")
    table = cli("summary", "nets.py:Pair", "--no-run")
    assert table.out.splitlines()[0].startswith("nets.py:Pair · not run · eval")
    assert table.out.splitlines()[2].split() == ["layer", "kind", "params", "✓"]
    assert "MACs" not in table.out
    assert "not run" in cli("summary", "nets.py:Pair", "--no-run", "--columns", "layer,macs,output_shape").out
    # What was left out on request is not incomplete.
    assert cli("summary", "nets.py:Pair", "--no-run", "--strict").code == 0


def test_lazy_parameters_are_unknown_and_no_0(cli):
    result = cli("summary", "nets.py:lazy", "--no-run", "--strict")
    assert result.code == 4
    assert "params unknown in 1 row (0): parameters get their shape in the first forward" in result.err
    report = inspect_model("nets.py:lazy", run=False)
    assert [row.params.value for row in report.rows if row.leaf] == [None, 10]
    assert (report.total("params").value, report.total("params").status) == (10, Status.LOWER_BOUND)
    assert inspect_model("nets.py:lazy", (1, 6)).total("params").value == 6 * 4 + 4 + 10


def test_masks_are_said(cli):
    result = cli("summary", "nets.py:halved", "--no-run")
    assert "8 of 20 parameters are 0 by masks" in result.err


def test_what_needs_a_run_names_the_way_out(cli):
    for command in ("flops", "rf", "explain"):
        result = cli(command, "nets.py:Pair", "--no-run")
        assert (result.code, result.out) == (2, "")
        assert f"{command} needs a forward pass" in result.err
        assert "`cnninspect summary nets.py:Pair --no-run`" in result.err
    assert "has no effect with --no-run" in cli("summary", "nets.py:Pair", "--no-run", "--input", "1x2").err
    function = cli("summary", "nets.py:function", "--no-run")
    assert (function.code, "is a plain function" in function.err) == (2, True)
    assert "--no-run counts the parameters of a module without one" in cli("summary", "nets.py:Pair").err


def test_compare(cli):
    """One check for each of the 12 modules and parameters and for 4 totals; two networks also for what both have."""
    result = cli("compare", "nets.py:Pair", "--no-run", "--max-params", "900", "--strict")
    assert result.code == 0
    assert "17 checks: 17 match." in result.out
    assert cli("compare", "nets.py:Pair", "--no-run", "--max-params", "895").code == 1
    # A budget on what needs a run cannot be decided.
    assert cli("compare", "nets.py:Pair", "--no-run", "--max-macs", "1G", "--strict").code == 4
    assert cli("compare", "nets.py:Pair", "nets.py:Pair", "--no-run").code == 0
    assert cli("compare", "lenet5", "small-cnn", "--no-run").code == 1


def test_baselines_of_models_that_do_not_run(cli):
    assert cli("compare", "nets.py:Pair", "--no-run", "--baseline", "b.json", "--update-baseline").code == 0
    same = cli("compare", "nets.py:Pair", "--no-run", "--baseline", "b.json", "--strict")
    assert (same.code, "MACs, neurons, activation bytes of total: nothing ran" in same.out) == (0, True)
    wide = cli("compare", "nets.py:Pair", "--arg", "wide=17", "--no-run", "--baseline", "b.json")
    assert (wide.code, "out_features 16 -> 17" in wide.out) == (1, True)
    assert cli("compare", "lenet5", "--baseline", "lenet.json", "--update-baseline").code == 0
    mixed = cli("compare", "lenet5", "--no-run", "--baseline", "lenet.json")
    assert (mixed.code, "is a report of no run, and the baseline is of one" in mixed.err) == (2, True)


def test_a_report_without_a_run_goes_to_json_and_back():
    report = inspect_model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 5)), run=False)
    again = type(report).from_dict(json.loads(json.dumps(report.to_dict())))
    assert again == report
    assert isinstance(again.totals["receptive_field"], ReceptiveField)
    assert isinstance(again.totals["macs"], Quantity)


def test_a_device_and_a_type_are_those_of_the_model(cli):
    found = json.loads(
        cli("summary", "nets.py:Pair", "--no-run", "--device", "cpu", "--dtype", "bfloat16", "-f", "json").out
    )
    assert (found["run"]["device"], found["run"]["dtype"]) == ("cpu", "bfloat16")
    assert found["totals"]["params_bytes"]["value"] == 2 * sum(PARAMS.values())
    assert torch.get_default_dtype() is torch.float32
