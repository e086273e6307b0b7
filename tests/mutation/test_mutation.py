"""The mutation run itself: a change of the arithmetic is noticed, and a number that keeps its verdict is found."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.outcomes import Outcome, compared, numbers
from tests.mutation.sites import ROOMS, broken_code, live_functions, sites

MATCH = {("", "Conv2d", 0, "macs"): ("100", "match")}


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        pytest.param(("100", "match"), Outcome.NO_EFFECT, id="the same number"),
        pytest.param(("99", "match"), Outcome.SILENT, id="another number that keeps its check mark"),
        pytest.param(("99", "differ"), Outcome.CAUGHT, id="another number whose verdict turns"),
        pytest.param(("99", "unknown"), Outcome.CAUGHT, id="another number that says unknown"),
        pytest.param(("100", "unknown"), Outcome.CAUGHT, id="the same number whose verdict turns"),
    ],
)
def test_outcomes(after, outcome):
    assert compared(MATCH, dict.fromkeys(MATCH, after)).outcome is outcome


def test_a_row_that_is_gone_is_noticed():
    assert compared(MATCH, {}).outcome is Outcome.CAUGHT
    assert compared({}, MATCH).outcome is Outcome.UNCLAIMED


def test_a_change_that_nothing_vouched_for_is_not_called_caught():
    assert compared({(): ("1", "not_run")}, {(): ("2", "not_run")}).outcome is Outcome.UNCLAIMED


def test_every_site_breaks_a_function_that_lives():
    living = live_functions()
    found = sites()
    assert {site.file.split("/")[0] for site in found} == set(ROOMS)
    # The acceptance line asks for 500 mutants at least.
    assert len(found) >= 500
    dead = {site.id for site in found if (site.file, *site.function) not in living}
    assert len(dead) < len(found) // 20, sorted(dead)[:20]
    for site in found[::50]:
        assert broken_code(site).co_name == site.function[1]


def test_a_broken_step_of_the_convolution_is_caught(monkeypatch):
    from cnninspect import inspect_model

    def inspected():
        model, x = nn.Conv2d(3, 4, 3, padding=1), torch.rand(1, 3, 8, 8)
        return numbers(inspect_model(model, inputs_from=lambda: (x,), device="cpu").to_dict())

    before = inspected()
    site = next(site for site in sites() if site.function[1] == "conv_size" and "becomes" in site.change)
    (function,) = live_functions()[(site.file, *site.function)]
    monkeypatch.setattr(function, "__code__", broken_code(site))
    assert compared(before, inspected()).outcome is Outcome.CAUGHT


def test_an_excuse_covers_only_the_change_it_is_for():
    other = {**MATCH, ("", "Conv2d", 0, "params"): ("10", "match")}
    after = {**other, **dict.fromkeys(MATCH, ("99", "match"))}

    def of_macs(change: str) -> str | None:
        return "counted in another way" if "macs" in change else None

    assert compared(other, after, of_macs).outcome is Outcome.EQUIVALENT
    assert compared(other, {**after, ("", "Conv2d", 0, "params"): ("11", "match")}, of_macs).outcome is Outcome.SILENT


def test_the_excuses_are_for_mutants_that_exist():
    listed = {(site.file, site.text, site.change) for site in sites()}
    assert EQUIVALENT.keys() <= listed
