"""The list of networks: cheap to read, and every entry builds and runs as it says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnninspect.zoo import ENTRIES
from tests.zoo.worked import EXAMPLES

PROMISED = {
    "nethw", "small-cnn", "small-fcnn", "pool-upsample", "conv-transpose", "custom-alexnet", "ciresan",
    "ciresan-residual", "three-layer-functional", "three-layer-module", "three-layer-sequential", "plain32", "resnet32",
    "resnet47", "lenet5", "unet-small",
}  # fmt: skip


def test_the_promised_networks_are_there() -> None:
    assert set(ENTRIES) >= PROMISED


def test_every_network_has_a_hand_calculation() -> None:
    assert {example.name for example in EXAMPLES} == set(ENTRIES)


def test_listing_names_does_not_import_torch() -> None:
    listing = "import sys, cnninspect.zoo; print(len(cnninspect.zoo.ENTRIES), 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [str(len(ENTRIES)), "False"]


@pytest.mark.parametrize("name", ENTRIES)
def test_meta_construction_allocates_no_weights(name: str) -> None:
    entry = ENTRIES[name]
    with torch.device("meta"):
        model = entry.factory()
        inputs = [torch.empty(shape) for shape in entry.input_shapes()]
    output = model(*inputs)
    assert output.is_meta
    if isinstance(model, torch.nn.Module):
        assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


@pytest.mark.parametrize("name", ENTRIES)
def test_factory_and_forward_say_where_they_come_from(name: str) -> None:
    factory = ENTRIES[name].factory
    assert inspect.signature(factory).parameters, "a network of the zoo has arguments to vary"
    assert "Source:" in _docstrings(factory.load()), "the docstring names no source"


def _docstrings(factory: object) -> str:
    made = getattr(factory, "func", factory)
    return f"{inspect.getdoc(made)} {inspect.getdoc(inspect.getmodule(made))}"


@pytest.mark.parametrize(
    ("name", "arguments", "shapes"),
    [
        pytest.param("nethw", {}, ((1, 3, 32, 32),), id="defaults of the factory"),
        pytest.param("nethw", {"in_channels": 1, "size": 64}, ((1, 1, 64, 64),), id="channels and size follow"),
        pytest.param("pool-upsample", {"NIC": 3}, ((1, 3, 32, 32),), id="symbols of the derivation"),
        pytest.param("plain32", {"in_channels": 4}, ((1, 4, 32, 32),), id="a setting of a configurable class"),
        pytest.param("conv-separable", {"m": 16}, ((1, 16, 14, 14),), id="a factory function"),
        pytest.param("pixel-shuffle", {"upscale_factor": 2}, ((1, 27, 64, 64),), id="no size depends on it"),
    ],
)
def test_default_inputs_fit_the_arguments(name: str, arguments: dict, shapes: tuple) -> None:
    assert ENTRIES[name].input_shapes(arguments) == shapes


@pytest.mark.parametrize("name", ENTRIES)
def test_the_guide_lists_every_network_with_its_input_and_arguments(name: str) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "zoo.md").read_text()
    (line,) = (line for line in guide.splitlines() if line.startswith(f"| `{name}` |"))
    (shape,) = ENTRIES[name].input_shapes()
    missing = [
        argument for argument in inspect.signature(ENTRIES[name].factory).parameters if f"`{argument}" not in line
    ]
    assert f"| {'x'.join(map(str, shape))} |" in line
    assert missing == []
