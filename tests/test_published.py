"""torchvision's published parameters and operations, and every row verified.

Source: `num_params` and `_ops` in the metadata of each model's weights; `_ops` are GMACs with three decimals.
"""

import pytest

from cnninspect import inspect_model
from tests.published import MODELS, SPREAD, published


def check(name):
    params, gmacs = published(name)
    report = inspect_model(f"torchvision:{name}")
    assert report.totals["params"].value == params
    assert round(report.totals["macs"].value / 1e9, 3) == gmacs
    assert report.totals["macs"].status.value == "exact"
    unverified = {
        (row.label, number): quantity.verdict.value
        for row in report.rows
        for number, quantity in row.quantities.items()
        if quantity.verdict.value not in ("match", "not_run")
    }
    assert not unverified


@pytest.mark.parametrize("name", SPREAD)
def test_a_spread_of_families(name):
    check(name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", MODELS)
def test_every_model(name):
    check(name)


def test_there_are_97_of_them():
    assert len(MODELS) == 97
