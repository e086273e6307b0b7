"""The claim files of the zoo: every cell is right, apart from the slips of the reports that they keep."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import read_claims
from cnninspect.report.quantities import Verdict
from tests.zoo.worked.base import inspected

CLAIMS = files("cnninspect.zoo") / "claims"

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "nethw.csv": ("nethw", {}),
    "nethw-prose.csv": ("nethw", {}),
    "small-cnn.md": ("small-cnn", {}),
    "small-fcnn.csv": ("small-fcnn", {}),
    "pool-upsample.csv": ("pool-upsample", {}),
    "conv-transpose.csv": ("conv-transpose", {}),
    "conv-transpose-kernel-4.csv": ("conv-transpose", {"k": 4, "last_padding": 2}),
    "conv-transpose-kernel-5.csv": ("conv-transpose", {"k": 5}),
    "custom-alexnet.csv": ("custom-alexnet", {}),
    "ciresan.json": ("ciresan", {}),
    "ciresan-residual.csv": ("ciresan-residual", {}),
    "three-layer-functional.csv": ("three-layer-functional", {}),
    "three-layer-module.yaml": ("three-layer-module", {}),
    "three-layer-sequential.csv": ("three-layer-sequential", {}),
    "conv-separable.csv": ("conv-separable", {}),
    "lenet5.csv": ("lenet5", {}),
}

# What the reports have wrong: (layer, call, column) and what happened, as the README of the files says it.
SLIPS = {
    "nethw-prose.csv": {
        ("maxpool", 1, "output_shape"): "the input is taken from an earlier stage: 8x32x32 of conv_1",
        ("conv_3", 0, "output_shape"): "the input is taken from an earlier stage: 8x16x16 of conv_2",
        ("conv_3", 0, "macs"): "follows from the output shape claimed, 16x16x16",
        ("maxpool", 2, "output_shape"): "follows from the output claimed of conv_3, 16x16x16",
    },
    "conv-transpose-kernel-4.csv": {
        ("n.4.0", 0, "output_shape"): "calculated with half a pixel less padding; padding is an integer and was "
        "rounded up"
    },
    "custom-alexnet.csv": {("total", 0, "flops"): "these are MACs: 1 MAC is 2 FLOPs"},
}


def test_every_file_is_listed() -> None:
    names = {entry.name for entry in CLAIMS.iterdir()} - {"README.md"}
    explained = (CLAIMS / "README.md").read_text()
    assert names == set(NETWORKS)
    assert all(f"`{name}`" in explained for name in names)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_slips_and_nothing_else_are_found(name: str) -> None:
    network, arguments = NETWORKS[name]
    checks = check_claims(inspected(network, **arguments), read_claims(str(CLAIMS / name)))
    found = {(check.path, check.call, check.name): check.hint for check in checks if check.verdict is Verdict.DIFFER}
    assert found == SLIPS.get(name, {})
    assert {check.verdict for check in checks} <= {Verdict.MATCH, Verdict.DIFFER}
