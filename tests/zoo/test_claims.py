"""The claim files of the zoo: every cell is right, apart from the slips of the reports that they keep."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from cnninspect.report import Report
from tests.zoo.worked.base import inspected

CLAIMS = files("cnninspect.zoo") / "claims"
COLUMNS = ("output_shape", "params", "macs", "flops", "neurons")

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

# What the reports have wrong: (layer, call, column).
SLIPS = {
    "nethw-prose.csv": {
        ("maxpool", 1, "output_shape"),
        ("conv_3", 0, "output_shape"),
        ("conv_3", 0, "macs"),
        ("maxpool", 2, "output_shape"),
    },
    "conv-transpose-kernel-4.csv": {("n.4.0", 0, "output_shape")},
    "custom-alexnet.csv": {("total", 0, "flops")},
}


def read(name: str) -> list[dict[str, Any]]:
    text = (CLAIMS / name).read_text()
    if name.endswith(".json"):
        return json.loads(text)
    if name.endswith(".yaml"):
        return yaml.safe_load(text)
    if name.endswith(".md"):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
        return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]
    return list(csv.DictReader(text.splitlines()))


def cells_of(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The cells that claim something, as numbers and shapes."""
    for column in COLUMNS:
        text = str(row.get(column, "")).replace(",", "").replace("^", "**")
        if text:
            yield column, tuple(map(int, text.split("x"))) if column == "output_shape" else eval(text)


def found(report: Report, row: dict[str, Any], column: str) -> list[Any]:
    """What the tool says, in every form in which the cell may state it."""
    if row["layer"] == "total":
        return [report.total(column).value]
    (match,) = (
        found
        for found in report.rows
        if (found.path, found.call) == (row["layer"], int(row.get("call") or 0))
        and found.kind == (row.get("kind") or found.kind)
    )
    value = getattr(match, column).value
    return [value[0], value[0][1:]] if column == "output_shape" else [value]


def test_every_file_is_listed() -> None:
    names = {entry.name for entry in CLAIMS.iterdir()} - {"README.md"}
    explained = (CLAIMS / "README.md").read_text()
    assert names == set(NETWORKS)
    assert all(f"`{name}`" in explained for name in names)


@pytest.mark.parametrize("name", NETWORKS)
def test_slips_and_nothing_else_are_wrong(name: str) -> None:
    network, arguments = NETWORKS[name]
    report = inspected(network, **arguments)
    wrong = {
        (row["layer"], int(row.get("call") or 0), column)
        for row in read(name)
        for column, claimed in cells_of(row)
        if claimed not in found(report, row, column)
    }
    assert wrong == SLIPS.get(name, set())
