"""`flops`: what each option adds, and what is wrong before anything runs."""

import json

import pytest

from cnninspect.cli.flops import Optimizer
from cnninspect.measure.memory import OPTIMIZER_STATES
from tests.cli.conftest import INPUT

# net:Net on 1x3x8x8: a convolution of 8*8 * 8 * 27 = 13824 MACs, the mean over its map, a linear layer of 80.
CONV, FC = 13824, 80


@pytest.fixture
def flops(cli):
    """The JSON document of `flops` on the sample network with these options."""

    def run(*options):
        result = cli("flops", "net:Net", *INPUT, "-q", "--format", "json", *options)
        assert result.code == 0, result.err
        return json.loads(result.out)

    return run


def rows(document, key="path"):
    return {row[key]: row for row in document["rows"]}


def test_without_options_every_layer_has_its_traffic_and_every_counter_its_convention(flops):
    document = flops()
    conv = rows(document)["conv1"]
    # 3*8*8 numbers in, 224 parameters, 8*8*8 numbers out, four bytes each
    assert conv["bytes_moved"]["value"] == 4 * (192 + 224 + 512)
    assert conv["intensity"]["value"] == pytest.approx(CONV / (4 * 928))
    assert document["counters"]["torch"] == {
        "convention": "counts a MAC as two flops", "own_total": 2 * (CONV + FC), "needs_kernels": False,
    }  # fmt: skip
    assert not {"element_operations", "backward_macs", "output_bytes", "latency", "bound_by"} & conv.keys()


def test_elementwise_adds_the_mean(flops):
    document = flops("--elementwise")
    assert rows(document, "kind")["Tensor.mean"]["element_operations"]["value"] == 8 * 8 * 8
    assert document["totals"]["element_operations"]["parts"] == {"reduction": 512}


def test_backward_has_gradients_of_inputs_and_weights(flops):
    document = flops("--backward")
    assert rows(document)["fc"]["backward_macs"]["parts"] == {"inputs": FC, "weights": FC}
    total = document["totals"]["backward_macs"]
    assert (total["value"], total["verdict"]) == (CONV + 2 * FC, "match")


def test_memory_and_an_optimizer(flops):
    document = flops("--optimizer", "adam")
    # 314 parameters in four tensors: two moments each and a step, four bytes each
    assert document["totals"]["optimizer_bytes"]["value"] == 2 * 4 * 314 + 4 * 4
    assert rows(document)["conv1"]["output_bytes"]["value"] == 4 * 512
    assert flops("--memory")["totals"]["optimizer_bytes"]["value"] == 0


def test_time_runs_on_the_cpu(flops):
    document = flops("--time", "--repeats", "2", "--warmup", "0")
    assert document["run"]["device"] == "cpu"
    assert document["timing"] == {"warmup": 0, "repeats": 2}
    assert rows(document)["conv1"]["latency"]["value"] > 0
    assert "fvcore" in rows(document)["conv1"]["macs"]["measured"]


def test_a_machine_says_what_layers_wait_for(flops):
    # Per second 100 bytes and, in FLOPs, first so few that they take longer than any byte, then so many that none do.
    slow = flops("--peak-flops", "1", "--bandwidth", "100")
    fast = flops("--peak-flops", "1T", "--bandwidth", "100B")
    found = [rows(document)["conv1"]["bound_by"]["value"] for document in (slow, fast)]
    assert found == ["compute", "memory"]
    assert slow["machine"] == {"peak_flops": 1, "bandwidth": 100}


VIEWS = {
    "module": ("path", {"": 0, "conv1": CONV, "fc": FC}),
    "kind": ("kind", {"Conv2d": CONV, "Linear": FC, "Tensor.mean": 0}),
    "op": ("kind", {"aten.convolution": CONV, "aten.addmm": FC, "aten.mean": 0, "aten.t": 0}),
}


@pytest.mark.parametrize("by", VIEWS)
def test_rows_of_another_view(flops, by):
    key, expected = VIEWS[by]
    assert {row[key]: row["macs"]["value"] for row in flops("--by", by)["rows"]} == expected


def test_top_and_sort(flops):
    assert [row["path"] for row in flops("--top", "1")["rows"]] == ["conv1"]
    assert [row["path"] for row in flops("--sort", "name")["rows"]] == ["", "conv1", "fc"]
    assert [row["path"] for row in flops("--sort", "params", "--top", "2")["rows"]] == ["conv1", "fc"]


def test_a_table_of_kinds(cli):
    result = cli("flops", "net:Net", *INPUT, "-q", "--by", "kind", "--top", "1")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[2].split()[:4] == ["kind", "calls", "params", "MACs"]
    assert lines[3].split()[:4] == ["Conv2d", "1", "224", "13,824"]
    assert any(line.split() == ["shown", "1", "of", "3", "rows", "13,824", "of", "13,904", "MACs"] for line in lines)


WRONG = [
    # id, options, words on stderr
    ("a name that is none", ["--sort", "mac"], "--sort: there is no number 'mac'. Nearest: macs"),
    (
        "a time that was not asked for",
        ["--sort", "latency"],
        "--sort latency: these rows do not have this number. Give --time, with --by layer, module or kind.",
    ),
    (
        "gradients of ops",
        ["--backward", "--by", "op", "--sort", "backward_macs"],
        "--sort backward_macs: these rows do not have this number. Give --backward, with --by layer, module or kind.",
    ),
    (
        "calls of single layers",
        ["--sort", "calls"],
        "--sort calls: these rows do not have this number. Give --by module, kind or op.",
    ),
    ("half a machine", ["--peak-flops", "1T"], "Give both or neither."),
    ("no size", ["--peak-flops", "fast", "--bandwidth", "1GB"], "--peak-flops: 'fast' is not a size"),
    ("no bandwidth", ["--peak-flops", "1T", "--bandwidth", "0"], "--bandwidth must be more than 0."),
    ("no such view", ["--by", "row"], "'layer', 'module', 'kind', 'op'"),
    ("no rows", ["--top", "0"], "--top"),
    ("no such optimizer", ["--optimizer", "lion"], "'adam'"),
    ("time on meta", ["--time", "--device", "meta"], "nothing runs on meta"),
]


@pytest.mark.parametrize(("options", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_cannot_be_asked_for(cli, options, words):
    result = cli("flops", "net:Net", *INPUT, *options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_every_optimizer_whose_state_is_known_can_be_asked_for():
    assert {optimizer.value for optimizer in Optimizer} == set(OPTIMIZER_STATES)


def test_a_backward_pass_that_fails_is_incomplete_under_strict(cli):
    options = ("flops", "net:Overwriting", *INPUT, "--backward")
    assert cli(*options).code == 0
    result = cli(*options, "--strict")
    assert result.code == 4
    assert "note: the backward pass failed: RuntimeError: one of the variables" in result.err
