"""Two networks side by side, built by hand in `samples.py`."""

import re
from dataclasses import replace

import pytest
from torch import nn

from cnninspect import inspect_model
from cnninspect.checks.differences import compare_models
from cnninspect.render import Format, render
from cnninspect.render.comparison import HEADINGS
from cnninspect.render.page import Screen
from cnninspect.report.quantities import Unit
from cnninspect.report.selection import Ops, View
from tests.render.samples import agreed, doubtful, tiny, wider


@pytest.fixture
def lines():
    return render(compare_models(tiny(), wider())).splitlines()


def line(lines, name):
    (found,) = [each.split() for each in lines if each.split()[:1] == [name]]
    return found


def test_the_title_names_both(lines):
    assert lines[0].startswith("tiny (zoo) against tiny (zoo) · 1x3x8x8")


def test_a_layer_stands_beside_its_counterpart(lines):
    # 27648 / 13824 = 2
    numbers = ["stem", "224", "13,824", "stem", "448", "27,648", "2", "✗"]
    assert line(lines, "stem") == [*numbers, "output", "shape,", "params,", "MACs"]
    assert line(lines, "block.0") == ["block.0", "576", "36,864", "block.0", "576", "36,864", "1", "✓"]


def test_a_layer_that_the_other_lacks_stands_alone(lines):
    assert line(lines, "fc") == ["fc", "1,290", "1,280", "(none)", "✗", "only", "in", "the", "first"]


def test_layers_that_cost_nothing_are_shown_on_request():
    report = compare_models(tiny(), wider())
    assert "F.relu" not in render(report)
    assert "F.relu" in render(report, view=View(ops=Ops.ALL))


def test_totals_have_their_change_and_ratio(lines):
    # 64512 / 51968 = 1.2413..., 1040 / 2106 = 0.4938...
    assert line(lines, "MACs") == ["MACs", "51,968", "against", "64,512", "+24.1", "%,", "ratio", "1.241"]
    assert line(lines, "params") == ["params", "2,106", "against", "1,040", "-50.6", "%,", "ratio", "0.4938"]


def test_a_layer_that_costs_nothing_has_a_line_where_it_differs():
    """tiny's ReLU puts out 8x8x8 = 512 neurons."""
    wide = agreed(513, Unit.ELEMENTS, "hooks")
    rows = tuple(replace(row, neurons=wide) if row.kind == "F.relu" else row for row in tiny().rows)
    lines = render(compare_models(replace(tiny(), rows=rows), tiny())).splitlines()
    assert line(lines, "F.relu") == ["F.relu", "·", "·", "F.relu", "·", "·", "✗", "neurons"]


def changed(**changes):
    """tiny with another total, or on something else."""
    totals = {name: number for name, number in changes.items() if name in tiny().totals}
    run = {name: value for name, value in changes.items() if name not in totals}
    return replace(tiny(), totals={**tiny().totals, **totals}, run={**tiny().run, **run})


IMAGE = {"name": "0", "shape": (1, 3, 16, 16), "dtype": "float32"}
FINDINGS = [
    # id, the other network, the line that says why the numbers differ
    ("buffers", changed(buffers=agreed(18, Unit.ELEMENTS, "storage")), "buffers 17 against 18 +5.9 %"),
    ("a frozen layer", changed(trainable_params=agreed(6, Unit.PARAMS, "storage")), "trainable params 2,106 against 6"),
    ("the training mode", changed(training=True), "training False against True"),
    ("the type", changed(dtype="float16"), "dtype float32 against float16"),
    ("the input", changed(inputs=[IMAGE]), "input 1x3x8x8 against 1x3x16x16"),
]


@pytest.mark.parametrize(("other", "words"), [case[1:] for case in FINDINGS], ids=[case[0] for case in FINDINGS])
def test_whatever_differs_has_a_line(other, words):
    lines = [" ".join(line.split()) for line in render(compare_models(tiny(), other)).splitlines()]
    assert any(line.startswith(words) for line in lines)


def test_a_formula_that_is_contradicted_has_a_line():
    text = render(compare_models(doubtful(), doubtful()))
    assert "  conv (Conv2d), MACs: formula 13,824, torch 3,456 (in tiny, the first network)\n" in text
    assert "  conv (Conv2d), MACs: formula 13,824, torch 3,456 (in tiny, the other network)\n" in text


def test_equal_bounds_are_not_said_to_be_the_same():
    """Two networks of at least 16036 MACs each may have any numbers of them."""
    (macs,) = [line for line in render(compare_models(doubtful(), doubtful())).splitlines() if line[:5] == " MACs"]
    assert macs.split() == ["MACs", "≥16,036", "against", "≥16,036"]


VERDICTS = [
    ("the same", tiny(), "Same numbers. "),
    ("different", wider(), "Different numbers. "),
    ("of the same training mode only", replace(tiny(), run={**tiny().run, "training": True}), "Different numbers. "),
]


@pytest.mark.parametrize(("other", "words"), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS])
def test_the_last_sentence_is_the_verdict(other, words):
    assert render(compare_models(tiny(), other)).splitlines()[-1].startswith(words)


def test_columns_are_chosen_by_name():
    text = render(compare_models(tiny(), wider()), Format.CSV, view=View(columns=("layer", "other_params", "ratio")))
    assert text.splitlines()[:2] == ["layer,other_params,ratio", "stem,448,2"]


def test_a_file_for_programs_has_every_layer_and_column():
    lines = render(compare_models(tiny(), wider()), Format.CSV).splitlines()
    assert lines[0].split(",") == list(HEADINGS)
    # stem, F.relu, block.0, block.1, F.max_pool2d and fc; a view is no layer.
    assert len(lines) == 1 + 6


CONV, NORM = 8 * 8 * 3 * 3 + 8, 2 * 8
"""Params of a convolution from 8 to 8 channels with kernel 3, and of its norm."""


class Chain(nn.Sequential):
    """A first convolution, and blocks of a convolution and a norm."""

    def __init__(self, blocks):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)) for _ in range(blocks))
        )


@pytest.fixture(scope="module")
def chains():
    four, seven = (replace(inspect_model(Chain(blocks), inputs=["1x3x8x8"]), command="compare") for blocks in (4, 7))
    return compare_models(four, seven)


def table(report, screen, **view):
    lines = render(report, view=View(**view), screen=screen).splitlines()
    return {" ".join(line.split()[:4]): line.split() for line in lines[lines.index("") + 2 :]}


def test_equal_blocks_of_two_networks_are_folded_and_the_side_that_lacks_them_is_named(chains):
    """Three equal blocks follow the first in both, three more are in the second network alone: one and two."""
    lines = table(chains, Screen(120))
    both = f"{3 * (CONV + NORM):,}"
    row = lines["blocks.1 … 3 ×3"]
    assert row[4] == both
    assert row[6:11] == ["blocks.1", "…", "3", "×3", both]
    assert row[-1] == "✓"
    alone = next(row for name, row in lines.items() if "blocks.5 … 6 ×2" in " ".join(row))
    assert alone[0] == "(none)"
    assert alone[5] == f"{2 * (CONV + NORM):,}"
    assert alone[-5:] == ["✗", "only", "in", "the", "other"]
    assert any("--no-fold shows all" in " ".join(row) for row in lines.values())


def test_no_fold_and_files_show_every_layer(chains):
    for text in (render(chains), render(chains, view=View(fold=False), screen=Screen(120))):
        assert "×" not in text
        assert all(f"blocks.{block}" in text for block in range(7))


def test_a_container_that_matches_is_one_row_where_the_screen_is_low(chains):
    """The blocks differ, so only single blocks may be summed up: 4 of the first network are not those of the second."""
    same = compare_models(*(replace(inspect_model(Chain(4), inputs=["1x3x8x8"]), command="compare"),) * 2)
    lines = table(same, Screen(120, height=10))
    row = next(row for row in lines.values() if row[:1] == ["blocks"])
    assert row[1] == f"{4 * (CONV + NORM):,}"
    assert row[-1] == "✓"
    low = table(chains, Screen(120, height=10))
    assert not any(row[:1] == ["blocks"] for row in low.values())


def test_depth_sums_the_layers_of_a_container_on_both_sides(chains):
    lines = table(chains, Screen(), depth=1)
    row = next(row for row in lines.values() if row[:1] == ["blocks"])
    assert (row[1], row[4]) == (f"{4 * (CONV + NORM):,}", f"{7 * (CONV + NORM):,}")
    assert row[-5:] == ["✗", "only", "in", "the", "other"]


def test_the_largest_layers_come_first_on_request():
    lines = render(compare_models(tiny(), wider()), view=View(top=2)).splitlines()
    start = next(index for index, row in enumerate(lines) if row.split()[:1] == ["layer"])
    assert [row.split()[:1] for row in lines[start + 1 : start + 4]] == [["block.0"], ["stem"], ["✓"]]


def test_the_verdict_and_what_differs_in_which_network_come_first(chains):
    """Three of seven blocks are in the second network alone."""
    lines = render(chains, screen=Screen(90, height=24)).splitlines()
    assert lines[1:4] == ["", " ✗ Different numbers.", "   only in the other network: blocks.4, blocks.5, blocks.6"]
    named = replace(chains, other=replace(chains.other, target={**chains.other.target, "name": "Long"}))
    assert render(named).splitlines()[3] == "   only in Long: blocks.4, blocks.5, blocks.6"
    assert render(compare_models(tiny(), tiny())).splitlines()[2] == " ✓ Same numbers."


def test_a_row_for_the_rest_has_the_sums_of_both_networks():
    """Ten layers of 1x1 convolutions differ in their channels, i against i + 1: no two rows are alike."""
    nets = [nn.Sequential(*(nn.Conv2d(n, n + 1, 1, bias=False) for n in range(first, first + 10))) for first in (1, 2)]
    one, other = (
        replace(inspect_model(net, inputs=[f"1x{n}x4x4"]), command="compare") for n, net in enumerate(nets, 1)
    )
    report = compare_models(one, other)
    lines = render(report, screen=Screen(120, height=18)).splitlines()
    assert len(lines) + 1 <= 18
    shown = [line.split() for line in lines if re.match(r" \d ", line)]
    (rest,) = [line.split() for line in lines if line.startswith(" … ")]
    assert [row[0] for row in shown] == [str(index) for index in range(len(shown))]
    left = 10 - len(shown)
    assert rest[:3] == ["…", str(left), "more"]
    assert "✗" in rest
    # Layer i of the first network has (i + 1) * (i + 2) weights, of the second (i + 2) * (i + 3).
    assert rest[3] == f"{sum((i + 1) * (i + 2) for i in range(len(shown), 10)):,}"
    assert rest[8] == f"{sum((i + 2) * (i + 3) for i in range(len(shown), 10)):,}"
    assert any("--no-fold shows all 10 layers" in line for line in lines)


class Flat(nn.Sequential):
    """Convolutions and norms in turn, in one sequence."""

    def __init__(self, blocks):
        layers = (layer for _ in range(blocks) for layer in (nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)))
        super().__init__(*layers)


def test_blocks_of_one_sequence_are_named_by_their_first_and_last_layer():
    flat = replace(inspect_model(Flat(4), inputs=["1x8x8x8"]), command="compare")
    lines = table(compare_models(flat, flat), Screen(120))
    row = lines["2 … 7 ×3"]
    assert row[4] == f"{3 * (CONV + NORM):,}"
