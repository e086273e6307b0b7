"""Models that do not fit the memory, and very deep ones: what they cost, and that their numbers are right.

python -m pytest -m sweep tests/test_large.py    # timm's largest vision transformers, 10,000 layers (2 minutes)
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cnninspect import inspect_model
from cnninspect.errors import RunError
from cnninspect.inspection import run
from cnninspect.inspection.accounts.work import Time
from cnninspect.render import render
from cnninspect.report.quantities import Verdict
from tests import large

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is not there")

WORDS = 128
WIDTH, HIDDEN, VOCABULARY, LAYERS = 4096, 11008, 32000, 32
MATRICES = LAYERS * (4 * WIDTH**2 + 3 * WIDTH * HIDDEN)
PARAMS = MATRICES + LAYERS * 2 * WIDTH + WIDTH + 2 * VOCABULARY * WIDTH
"""6.7 billion; LLaMA 7B has 6,738,415,616."""

# Each word takes every matrix once, and the head; each layer the scores of all pairs of words, and their sums.
MACS = WORDS * (MATRICES + WIDTH * VOCABULARY) + LAYERS * 2 * WORDS**2 * WIDTH


def test_seven_billion_parameters(tmp_path):
    """25 GiB of weights: summary, flops, rf and compare against a baseline, all in one process of 600 MiB at most."""
    target = f"{large.__file__}:Transformer --input 1x{WORDS}:int64"
    found, field = tmp_path / "found.json", tmp_path / "field.json"
    peak = large.peak_mebibytes(
        tmp_path / "status",
        f"summary {target} -o {found}",
        f"flops {target} -o {tmp_path / 'flops.csv'}",
        f"rf {target} -o {field}",
        f"compare {target} --baseline {found}",
    )
    report = json.loads(found.read_text())
    params, macs = report["totals"]["params"], report["totals"]["macs"]
    assert (params["value"], params["verdict"]) == (PARAMS, "match")
    assert PARAMS == 6_738_415_616
    assert (macs["value"], macs["verdict"]) == (MACS, "match")
    assert report["totals"]["params_bytes"]["value"] == 4 * PARAMS
    assert report["totals"]["peak_memory"]["value"] > 25 * 2**30
    assert len(json.loads(field.read_text())["rows"]) == len(report["rows"]) > 32 * 25
    assert peak < 600


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(run, "free_bytes", lambda: 2**20)


class Wide(torch.nn.Module):
    """4 MiB of weights, which may not be filled."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(1024, 1024, 1, bias=False)
        assert self.layer.weight.is_meta, "the weights are made"

    def forward(self, x):
        return self.layer(x)


WHERE = {
    "a device": ({"device": "cpu"}, "Without --device the numbers come from meta, which needs no memory"),
    "a time": ({"accounts": (Time(),)}, "Without --time the numbers come from meta, which needs no memory"),
}


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize(("options", "step"), WHERE.values(), ids=WHERE)
def test_real_weights_that_do_not_fit_are_not_made(options, step):
    with pytest.raises(RunError) as refused:
        inspect_model(Wide, (1, 1024, 2, 2), **options)
    assert str(refused.value) == (
        "`Wide` does not fit the memory: on the CPU its parameters take 4 MiB, 1 MiB are free. "
        f"{step}, and --dtype bfloat16 takes half of float32."
    )


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("probe", [True, None])
def test_a_probe_that_does_not_fit_is_left_out_with_a_note(probe):
    report = inspect_model(Wide, (1, 1024, 2, 2), command="compare", probe=probe)
    assert report.totals["params"].value == 1024 * 1024
    (note,) = [note for note in report.notes if "CPU" in note]
    assert note == (
        "nothing is measured on the CPU, neither by fvcore nor with NaN: the run takes 4 MiB, 1 MiB are free. "
        "Use a machine with more memory, or --dtype bfloat16."
    )
    fields = [row.receptive_field.verdict for row in report.rows]
    assert set(fields) == {Verdict.UNKNOWN if probe else Verdict.NOT_RUN}


@pytest.mark.usefixtures("little_room")
def test_a_model_that_is_in_memory_already_runs_there():
    assert inspect_model(torch.nn.Linear(1024, 1024), (1, 1024), device="cpu").run["device"] == "cpu"


COUNT = """
import cProfile, pstats, torch
from cnninspect import inspect_model
from tests import large

def calls(layers):
    with torch.device("meta"):
        network = large.deep(layers)
    profile = cProfile.Profile()
    profile.runcall(lambda: render(inspect_model(network, (1, 4, 32, 32))))
    return pstats.Stats(profile).total_calls

print(calls(10), calls(100), calls(200))
"""


@pytest.mark.sweep
def test_the_cost_of_a_layer_does_not_depend_on_the_number_of_layers():
    """How many functions are called for the report and the table of a chain of layers, in a process of its own.

    The rest, which is the same for every network, makes the quotient smaller than 2.
    """
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, timeout=300, check=True)
    _, of_100, of_200 = map(int, done.stdout.split())
    assert of_200 < 2.02 * of_100


@pytest.mark.sweep
def test_ten_thousand_layers(tmp_path):
    """5,000 convolutions of 4*4*3*3 + 4 weights on 32 x 32 positions; each widens the field by 2 pixels."""
    report = inspect_model(large.deep, (1, 4, 32, 32))
    assert report.totals["params"].value == 5_000 * (4 * 4 * 3 * 3 + 4)
    assert report.totals["macs"].value == 5_000 * 4 * 4 * 3 * 3 * 32 * 32
    assert report.totals["receptive_field"].size == (10_001, 10_001)
    assert all(row.verdict is Verdict.MATCH for row in report.rows)
    assert render(report).count("\n") > 10_000
    of = f"summary {large.__file__}:deep --input 1x4x32x32 --arg layers="
    few, many = (large.peak_mebibytes(tmp_path / "status", f"{of}{layers} -q") for layers in (1_000, 10_000))
    assert (many - few) * 1024 < 9_000 * 20, "more than 20 KiB a layer"


# Millions of parameters. Source: Zhai et al. 2022, "Scaling Vision Transformers", table 2 (without the class token's
# head of timm for ImageNet-1k, 1000 * width); for EVA: Fang et al. 2023, "EVA", table 3.
GIANTS = {"vit_giant_patch14_224": 1011, "vit_gigantic_patch14_224": 1843, "eva_giant_patch14_224": 1011}


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "millions"), GIANTS.items())
def test_vision_transformers_of_a_billion_parameters(name, millions, tmp_path):
    import timm

    with torch.device("meta"):
        model = timm.create_model(name).eval().requires_grad_(False)
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH):
            model(torch.empty(1, 3, 224, 224))
    found = tmp_path / "found.json"
    peak = large.peak_mebibytes(tmp_path / "status", f"summary timm:{name} -o {found}", f"rf timm:{name} -q")
    totals = json.loads(found.read_text())["totals"]
    assert totals["params"]["value"] == sum(each.numel() for each in model.parameters())
    assert abs(totals["params"]["value"] / 1e6 - millions) < 0.005 * millions
    assert (totals["macs"]["value"], totals["macs"]["verdict"]) == (counter.get_total_flops() // 2, "match")
    assert peak < 900
