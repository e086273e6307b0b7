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

from cnninspect.conventions.apply import apply
from cnninspect.conventions.differences import differences, own_macs
from cnninspect.conventions.sight import parts_of
from cnninspect.conventions.table import CONVENTIONS
from cnninspect.inspection.other_process import LibraryFailedError, Request, ask
from cnninspect.inspection.run import Options, run_on_cheapest
from cnninspect.measure.libraries import LIBRARIES
from cnninspect.ops.evaluate import evaluate
from cnninspect.targets.inputs import InputOptions
from cnninspect.targets.resolve import resolve
from tests.conventions.record import MODELS, NETS, recorded, request

ROOT = Path(__file__).parents[2]
RECORDED = recorded()
LIGHT = ["thop", "ptflops", "torchinfo", "fvcore", "torchscan"]
"""Libraries of the dev extra: pure Python, without requirements beside torch."""


@cache
def ran(name):
    asked = request(name)
    options = Options(inputs=InputOptions.of(None, asked.inputs))
    trace, run, _, _ = run_on_cheapest(resolve(asked.target), options)
    return trace, parts_of(run.model), own_macs(trace, [estimate.macs for estimate in evaluate(trace)])


@cache
def applied(name, convention):
    trace, parts, _ = ran(name)
    return apply(CONVENTIONS[convention], trace, parts)


def reasons(name, convention):
    trace, _, macs = ran(name)
    return differences(applied(name, convention), trace, macs)


def numbers_of(library):
    return [each.name for each in CONVENTIONS.values() if each.package == library]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", [*MODELS, *NETS])
def test_a_convention_gives_what_the_library_prints(name, library):
    printed = RECORDED["printed"][library][name]
    found = {convention: applied(name, convention).total for convention in numbers_of(library)}
    params = {applied(name, convention).params for convention in numbers_of(library)} - {None}
    assert found == {convention: printed[convention] for convention in found}
    assert params <= {printed["params"]}


def test_parameters_that_the_table_does_not_say():
    """torchinfo counts a convolution of 4*4*9 + 4 = 148 up to three times if two containers share it, in an order."""
    unknown = {(n, c) for n in [*MODELS, *NETS] for c in CONVENTIONS if applied(n, c).params is None}
    assert unknown == {("Shared", "torchinfo")}


@pytest.mark.parametrize("name", [*MODELS, *NETS])
def test_reasons_add_up_to_the_difference(name):
    ours = sum(ran(name)[2])
    for convention, each in CONVENTIONS.items():
        found = sum(reason.amount for reason in reasons(name, convention))
        assert found == applied(name, convention).total - each.per_mac * ours, convention


def test_a_small_network_triggers_every_reason():
    for convention in CONVENTIONS:
        known = {reason.text for name in NETS for reason in reasons(name, convention)}
        found = {reason.text for name in MODELS for reason in reasons(name, convention)}
        assert not found - known, convention


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
        found.setdefault(library, {})[kind.__name__] = printed(library, kind(), given.args, given.kwargs)
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
    assert found == {library: {name: RECORDED["printed"][library][name] for name in NETS} for library in installed}


def test_a_library_in_a_process_of_its_own():
    assert ask("fvcore", request("Tokens")) == {"fvcore": 560 + 210, "params": 8 * 5 + 5 + 5 * 3}


def test_why_a_library_failed():
    with pytest.raises(LibraryFailedError, match="fvcore takes modules, not functions"):
        ask("fvcore", Request("torch.nn.functional:relu", inputs=("1x3",)))


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
