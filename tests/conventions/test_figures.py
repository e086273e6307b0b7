"""The page of published figures holds what `reconcile` says: a sample here, every row under the `sweep` marker."""

from __future__ import annotations

import pytest

from tests.conventions.figures import FIGURES, PAGE, row, says

SAMPLE = ["googlenet --params 6.6M", "mobilenet_v2 --macs 320M", "alexnet --params 60M", "vit_b_16 --params 86M"]


def check(figure):
    assert row(figure, says(figure)) in PAGE.read_text().splitlines()


@pytest.mark.parametrize("figure", [each for each in FIGURES if each.key in SAMPLE], ids=lambda each: each.key)
def test_a_sample_of_the_page(figure):
    check(figure)


@pytest.mark.sweep
@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.key)
def test_every_row_of_the_page(figure):
    check(figure)


def test_every_row_has_a_figure():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and "--" in line]
    assert len(rows) == len(FIGURES)
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
