"""torchvision's published parameters and operations, and every row verified.

Source: `num_params` and `_ops` in the metadata of each model's weights; `_ops` are GMACs with three decimals.
"""

import pytest

from cnninspect import inspect_model
from tests.published import MODELS, SPREAD, published
from tests.unverified import unverified


def published_by(report):
    """Parameters and GMACs as the metadata states them."""
    return report.totals["params"].value, round(report.totals["macs"].value / 1e9, 3)


@pytest.mark.parametrize("name", SPREAD)
def test_a_spread_of_families(name):
    report = inspect_model(f"torchvision:{name}")
    assert (published_by(report), unverified(report)) == (published(name), {})


@pytest.mark.sweep
@pytest.mark.parametrize("name", MODELS)
def test_every_model(name):
    report = inspect_model(f"torchvision:{name}")
    assert (published_by(report), unverified(report)) == (published(name), {})


def test_there_are_97_of_them():
    assert len(MODELS) == 97
