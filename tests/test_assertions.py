"""What tests can assert about a report, on reports made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from cnninspect.checks.baseline import save_baseline
from cnninspect.errors import UsageError
from cnninspect.report.quantities import Unit
from cnninspect.testing import Snapshots, current
from tests.render.samples import agreed, doubtful, tiny


def wider():
    """The network with 225 parameters in its stem and 2107 in all, of which nothing else is told."""
    params = agreed(225, Unit.PARAMS, "storage")
    rows = tuple(replace(row, params=params, where="nets.py:4") if row.path == "stem" else row for row in tiny().rows)
    return replace(tiny(), rows=rows, totals={**tiny().totals, "params": agreed(2107, Unit.PARAMS, "storage")})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory; names of baselines are files in its folder `baselines`, as where no plugin runs."""
    monkeypatch.chdir(tmp_path)
    token = current.set(Snapshots())
    yield tmp_path
    current.reset(token)


@pytest.fixture
def updating(tmp_path):
    token = current.set(Snapshots(tmp_path / "kept", update=True))
    yield tmp_path / "kept"
    current.reset(token)


def message_of(call, *arguments, **keywords):
    with pytest.raises(AssertionError) as raised:
        call(*arguments, **keywords)
    return str(raised.value).splitlines()


def test_formulas_that_match():
    tiny().assert_matches_formulas(strict=True)


def test_formulas_that_differ_are_named_with_both_sides_and_the_line():
    assert message_of(doubtful().assert_matches_formulas) == [
        "tiny does not match its formulas: 2 findings",
        "  conv (Conv2d), output shape: formula 1x8x8x8, hooks 1x8x4x4 [nets.py:41]",
        "  conv (Conv2d), MACs: formula 13,824, torch 3,456 [nets.py:41]",
    ]


def test_what_is_unknown_fails_only_if_strict():
    rows = tuple(row for row in doubtful().rows if row.path != "conv")
    unsure = replace(doubtful(), rows=rows)
    unsure.assert_matches_formulas()
    found = message_of(unsure.assert_matches_formulas, strict=True)
    assert "  mix (torch.fft.rfft2), MACs: formula unknown, torch 0" in found


# tiny has 2106 parameters and 51968 MACs, of which 36864 in block.0: 70.9 %.
WITHIN = {
    "sizes": {"max_params": "2.2K", "max_macs": "52K", "max_flops": "104K"},
    "numbers": {"max_params": 2106, "max_macs": 51968},
    "share": {"max_layer_share": "71%"},
    "nothing": {},
}
BEYOND = {
    # id: limits, the finding
    "params": ({"max_params": 2105}, "total, params: budget 2,105, found 2,106 (over the budget)"),
    "one of several": (
        {"max_params": "3K", "max_macs": "50K"}, "total, MACs: budget 50,000, found 51,968 (over the budget)",
    ),
    "share": (
        {"max_layer_share": "70%"}, "block.0 (Conv2d), layer share: budget 70 %, found 70.94 % (over the budget)",
    ),
    "a field that nobody computed": (
        {"min_rf": 3}, "total, receptive field: budget 3, found unknown (receptive fields were not computed)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("limits", WITHIN.values(), ids=WITHIN)
def test_within_budgets(limits):
    tiny().assert_within(**limits)


@pytest.mark.parametrize(("limits", "finding"), BEYOND.values(), ids=BEYOND)
def test_beyond_budgets(limits, finding):
    assert message_of(tiny().assert_within, **limits) == ["tiny is not within its budgets: 1 finding", f"  {finding}"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"max_parms": 1}, "Nearest: max_params"), ({"max_params": "many"}, "--max-params: 'many' is not a size")],
    ids=["unknown budget", "no size"],
)
def test_a_budget_that_cannot_be_understood_is_an_error_of_usage(limits, words):
    with pytest.raises(UsageError, match=words):
        tiny().assert_within(**limits)


def test_a_baseline_that_matches(folder):
    save_baseline(tiny(), folder / "net.json")
    tiny().assert_matches_baseline("net.json")
    tiny().assert_matches_baseline(folder / "net.json")


def test_a_baseline_that_does_not(folder):
    (folder / "baselines").mkdir()
    save_baseline(tiny(), folder / "baselines" / "net.json")
    assert message_of(wider().assert_matches_baseline, "net") == [
        f"tiny differs from {Path('baselines/net.json')}: 2 findings",
        "  stem (Conv2d), params: baseline 224, found 225 [nets.py:4]",
        "  total, params: baseline 2,106, found 2,107",
    ]


def test_a_tolerance(folder):
    save_baseline(tiny(), folder / "net.json")
    wider().assert_matches_baseline("net.json", tolerance="1%")
    wider().assert_matches_baseline("net.json", tolerance="params=1%")
    assert len(message_of(wider().assert_matches_baseline, "net.json", tolerance="params=0.1%")) == 2


def test_a_baseline_that_is_not_there_says_how_to_write_it(folder):
    (text,) = message_of(tiny().assert_matches_baseline, "net")
    assert text.startswith(f"there is no baseline {Path('baselines/net.json')}. `pytest --update-cnninspect-baselines`")


def test_a_damaged_baseline_is_an_error_of_usage(folder):
    (folder / "net.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a report of cnninspect"):
        tiny().assert_matches_baseline("net.json")


def test_baselines_are_written_on_request(updating):
    wider().assert_matches_baseline("nets/wide")
    current.set(Snapshots(updating))
    wider().assert_matches_baseline("nets/wide")
    assert message_of(tiny().assert_matches_baseline, "nets/wide")[1:] == [
        "  stem (Conv2d), params: baseline 225, found 224",
        "  total, params: baseline 2,107, found 2,106",
    ]


def test_long_lists_are_cut():
    # 30 rows with shape and MACs wrong: 60 findings, of which 20 are listed.
    conv = next(row for row in doubtful().rows if row.path == "conv")
    many = replace(doubtful(), rows=tuple(replace(conv, path=f"conv{index}", parent=None) for index in range(30)))
    lines = message_of(many.assert_matches_formulas)
    assert (lines[0], len(lines), lines[-1]) == ("tiny does not match its formulas: 60 findings", 22, "  and 40 more")
