"""The conventions against what the libraries print: for torchvision's models, and for one network for each reason.

Source of every expected number: `tests/data/counters.json`, which `tests/conventions/record.py` writes by running the
libraries. The light ones run here as well, on the small networks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from cnninspect.cli import flops
from cnninspect.cli.app import run
from cnninspect.conventions.apply import apply
from cnninspect.conventions.costs import NAMES
from cnninspect.conventions.differences import differences, own_macs
from cnninspect.conventions.search import search
from cnninspect.conventions.table import CONVENTIONS
from cnninspect.inspection.accounts.other_counters import seen
from cnninspect.inspection.other_process import LibraryFailedError, ask
from cnninspect.inspection.reconcile import setting_of
from cnninspect.inspection.run import Options, run_on_cheapest
from cnninspect.measure.libraries import LIBRARIES, Library, printed
from cnninspect.ops.evaluate import evaluate
from cnninspect.report.published import Published, Quantity
from cnninspect.targets.inputs import InputOptions
from cnninspect.targets.resolve import resolve
from tests.conventions.record import MODELS, NETS, recorded, request

ROOT = Path(__file__).parents[2]
RECORDED = recorded()
LIGHT = ["thop", "ptflops", "torchinfo", "fvcore", "torchscan"]
"""Libraries of the dev extra: pure Python, without requirements beside torch."""


@cache
def own(name):
    """The trace of a model, what counters see of it, and our MACs of each call."""
    asked = request(name)
    options = Options(inputs=InputOptions.of(None, asked.inputs))
    trace, run, _, _ = run_on_cheapest(resolve(asked.target), options)
    return trace, seen(run), own_macs(trace, [estimate.macs for estimate in evaluate(trace)]), run


@cache
def applied(name, convention):
    return apply(CONVENTIONS[convention], own(name)[1])


def reasons(name, convention):
    trace, _, macs, _ = own(name)
    return differences(applied(name, convention), trace, macs)


@cache
def reasons_of_small_networks(convention):
    return {reason.text for name in NETS for reason in reasons(name, convention)}


def printed_by(convention, name):
    """(the number, the parameters) that the library of a convention prints for a model; (None, None) if it fails."""
    printed = RECORDED["printed"][CONVENTIONS[convention].package][name]
    return (None, None) if "error" in printed else (printed[convention], printed["params"])


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", NETS)
def test_a_convention_gives_what_the_library_prints_for_a_small_network(name, convention):
    found = applied(name, convention)
    number, params = printed_by(convention, name)
    assert found.total == number, found.unknown
    if number is None:
        return
    # torchinfo counts a convolution of 4*4*9 + 4 = 148 up to three times if two containers share it, in an order.
    assert found.params == (None if (name, convention) == ("Shared", "torchinfo") else params)
    difference = sum(reason.amount for reason in reasons(name, convention))
    assert difference == number - CONVENTIONS[convention].per_mac * sum(own(name)[2])


class Call(nn.Module):
    """Calls a layer with its input by name."""

    def __init__(self, layer, name):
        super().__init__()
        self.layer, self.name = layer, name

    def forward(self, x):
        return self.layer(**{self.name: x})


class Transformed(nn.Module):
    """A layer that is called for one sample, and runs for the batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return torch.vmap(self.layer)(x)


class Raw(nn.Module):
    """An op of ATen that the code calls by itself."""

    def forward(self, x):
        return torch.ops.aten.mm(x, x)


class Packed(nn.Module):
    """Sequences of unlike length."""

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(8, 4, batch_first=True)

    def forward(self, x):
        return self.layer(nn.utils.rnn.pack_padded_sequence(x, [5, 3], batch_first=True))[1][0]


class Frozen(nn.Module):
    """Attention whose weights are not trained, with or without a mask by position."""

    def __init__(self, mask=False):
        super().__init__()
        self.attention, self.mask = nn.MultiheadAttention(8, 2, batch_first=True).requires_grad_(mask), mask

    def forward(self, x):
        return self.attention(x, x, x, *([None] if self.mask else []))[0]


UNKNOWN = {
    "no batch": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 9, 9), "DeepSpeed MACs", "F.conv2d"),
    "projected": (lambda: nn.Sequential(nn.LSTM(8, 4, proj_size=3)), (2, 5, 8), "ptflops", "nn.LSTM"),
    "sequence": (lambda: nn.Sequential(nn.GRU(8, 4)), (5, 8), "thop", "nn.GRU"),
    "named": (lambda: Call(nn.Linear(8, 8), "input"), (2, 8), "ptflops", "nn.Linear"),
    "fused": (lambda: nn.Sequential(Frozen()), (2, 5, 8), "calflops MACs", "nn.MultiheadAttention"),
    "transformed": (Transformed, (2, 8), "thop", "nn.Linear"),
    "raw op": (lambda: Call(Raw(), "x"), (4, 4), "fvcore", "aten.mm"),
    "packed": (Packed, (2, 5, 8), "calflops MACs", "nn.LSTM"),
    "many inputs": (lambda: Frozen(mask=True), (2, 5, 8), "ptflops", "nn.MultiheadAttention"),
    "computed": (lambda: nn.Sequential(weight_norm(nn.Linear(3, 4))), (2, 3), "torch-scan", "ParametrizedLinear"),
}
"""Model, shape of its input, a counter whose number differed from what the table said, and the name of the culprit."""


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_convention_has_no_number_where_the_table_does_not_describe_the_use(case):
    """Source: the released libraries printed something else for each of these; by which rule is not described."""
    make, shape, convention, name = UNKNOWN[case]
    _, run, *_ = run_on_cheapest(resolve(make()), Options(inputs=InputOptions.of(None, ("x".join(map(str, shape)),))))
    found = apply(CONVENTIONS[convention], seen(run))
    assert (found.total, name in found.unknown) == (None, True), found


def test_a_bug_in_a_cost_is_named(monkeypatch):
    """It must not read like a gap of the table, and it gives no number."""

    def broken(_):
        raise KeyError("axis")

    monkeypatch.setitem(NAMES, "in_features", broken)
    found = apply(CONVENTIONS["thop"], own("Tokens")[1])
    assert found.total is None
    assert "the cost of nn.Linear for thop failed: LookupError: in_features asks for 'axis' (apply.py:" in found.unknown


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_torchvision(name):
    """What each library prints is what its convention gives; every reason is one that a small network triggers.

    `reconcile`, given the number with three digits under the library's own word, names the counter among the first
    three explanations.
    """
    trace, _, macs, run = own(name)
    setting = setting_of(trace, run, evaluate(trace), ())
    for convention, each in CONVENTIONS.items():
        number, params = printed_by(convention, name)
        assert (applied(name, convention).total, applied(name, convention).params) == (number, params), convention
        found = reasons(name, convention)
        assert sum(reason.amount for reason in found) == number - each.per_mac * sum(macs), convention
        assert {reason.text for reason in found} <= reasons_of_small_networks(convention), convention
        word = Quantity.FLOPS if "flop" in each.says.lower() else Quantity.MACS
        text = three_digits(number)
        best = search([Published.of(word, text)], [[setting]]).explanations[:3]
        counters = {n for e in best for r in e.readings for n in (r.counter, *(other.counter for other in r.also))}
        assert convention in counters, (convention, text)


def three_digits(number):
    """`4.13G`, `320M`, `15.5G`: as papers print it."""
    power = len(str(number)) - 1
    scale, unit = next((s, u) for s, u in ((9, "G"), (6, "M"), (3, "K")) if power >= s)
    return f"{number / 10**scale:.{2 - (power - scale)}f}{unit}"


def test_reasons_in_words():
    """Arithmetic: a batch norm of 2*4*6*6 = 288 elements, twice as many with weights; four normalised layers."""
    texts = {reason.text: reason.amount for reason in reasons("Tokens", "torchinfo")}
    # nn.Linear(8, 5) on 2*7 positions is 560 MACs, nn.Linear(5, 3) 210; torchinfo counts 2*40 + 2*15 and 2*5 biases.
    assert texts == {
        "counts less for nn.Linear: first_axis * weight_size": 2 * 40 + 2 * 15 - 560 - 210,
        "counts biases: first_axis * bias_size for nn.Linear": 2 * 5,
    }


def test_versions_of_the_table_are_those_that_were_recorded():
    described = {each.package: each.version for each in CONVENTIONS.values()}
    assert described == {library: RECORDED["versions"][library]["version"] for library in LIBRARIES}


ALL_NETS = """
import json, sys
import torch
from cnninspect.measure.libraries import printed
from cnninspect.targets.torchvision_ops import tolerate_missing_operators
from cnninspect.targets.grammar import parse_inputs
from cnninspect.targets.input_values import tensors
from tests.conventions.nets import INPUTS
tolerate_missing_operators()
found = {}
for library in sys.argv[1:]:
    for kind, shape in INPUTS.items():
        given = tensors(parse_inputs([shape]), "cpu", torch.float32)
        try:
            number = printed(library, kind(), given.args, given.kwargs)
        except Exception:
            number = "fails"
        found.setdefault(library, {})[kind.__name__] = number
print("\\n" + json.dumps(found))
"""


def test_the_light_libraries_themselves():
    """What each prints for every small network, in a process of its own: some replace functions of torch."""
    installed = [library for library in LIGHT if LIBRARIES[library].is_installed]
    done = subprocess.run(
        [sys.executable, "-c", ALL_NETS, *installed], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    recorded = {library: {name: RECORDED["printed"][library][name] for name in NETS} for library in installed}
    assert found == {
        library: {name: "fails" if "error" in number else number for name, number in printed.items()}
        for library, printed in recorded.items()
    }


def test_counters_beside_ours(capsys):
    """The library runs in a process of its own; nn.Linear(8, 5) and nn.Linear(5, 3) at 2 * 7 positions."""
    target = request("Tokens")
    arguments = ["-q", "flops", target.target, "--input", target.inputs[0], "--counters", "fvcore", "-f", "json"]
    assert run(arguments) == 0
    data = json.loads(capsys.readouterr().out)
    (found,) = data["other_counters"]
    assert (found["printed"], found["expected"], found["ours"], found["differences"]) == (770, 770, 770, [])
    assert data["macs_by_work"] == found["by_work"] == {"linear layers": 14 * (8 * 5 + 5 * 3)}


@pytest.mark.parametrize("asked", ["ALL", "All", " all "])
def test_all_counters_in_any_case(asked):
    assert flops.WorkOptions(counters=asked).libraries == flops.LIBRARIES


def test_a_missing_library_has_its_convention_and_the_command_that_installs_it(capsys, monkeypatch):
    monkeypatch.setattr(Library, "is_installed", False)
    target = request("Tokens")
    assert run(["-q", "flops", target.target, "--input", target.inputs[0], "--counters", "thop,calflops"]) == 0
    out = capsys.readouterr().out
    assert "by its convention; not installed: `python -m pip install thop`" in out
    assert "not installed: `python -m pip install calflops transformers`" in out
    assert "1,540 FLOPs" in out  # two for each of the 770 MACs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--counters", "tohp"], "--counters: no counter is called 'tohp'. Nearest: thop."),
        (["--counters", "all", "--train"], "--counters counts a forward pass in eval mode. Leave --train out."),
    ],
)
def test_wrong_counters(capsys, arguments, message):
    assert run(["flops", request("Tokens").target, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_library_that_fails_costs_its_column(capsys, monkeypatch):
    def fail(*_):
        raise LibraryFailedError("it was not done after 600 seconds")

    monkeypatch.setattr("cnninspect.inspection.accounts.other_counters.ask", fail)
    target = request("Tokens")
    assert run(["-q", "flops", target.target, "--input", target.inputs[0], "--counters", "fvcore"]) == 0
    assert "by its convention; it failed: it was not done after 600 seconds" in capsys.readouterr().out


def test_what_the_table_does_not_describe_has_no_number(capsys, tmp_path):
    """ptflops unpacks a batch of sequences from three positional inputs; this is one sequence."""
    file = tmp_path / "one.py"
    file.write_text("from torch import nn\ndef make():\n    return nn.Transformer(8, 2, 1, 1, 16)\n")
    inputs = ["--input", "5x8", "--input", "5x8"]
    assert run(["-q", "flops", f"{file}:make", *inputs, "--counters", "ptflops", "-f", "json"]) == 0
    for found in json.loads(capsys.readouterr().out)["other_counters"]:
        assert (found["expected"], found["by_work"], found["differences"]) == (None, {}, [])
        assert "how ptflops" in found["failed"]
        assert "counts nn.MultiheadAttention: its input has no batch dimension" in found["failed"]


def test_the_command_line_knows_every_library():
    assert set(flops.LIBRARIES) == set(LIBRARIES)


def test_libraries_take_modules_only():
    with pytest.raises(ValueError, match="fvcore takes modules, not functions"):
        printed("fvcore", torch.relu, (torch.zeros(1),), {})


def test_a_library_has_a_limit_of_time():
    with pytest.raises(LibraryFailedError, match=r"it was not done after 0\.01 seconds"):
        ask("fvcore", request("Tokens"), seconds=0.01)


@pytest.mark.sweep
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", MODELS)
def test_the_library_itself_on_models_of_torchvision(name, library):
    if not LIBRARIES[library].is_installed:
        pytest.skip(LIBRARIES[library].install)
    assert ask(library, request(name)) == RECORDED["printed"][library][name]
