"""Rows as parts that add up to the whole: grouped, sorted, cut."""

import pytest

from cnninspect import inspect_model
from cnninspect.checks import check_budgets, parse_budget, with_checks
from cnninspect.cli.flops import WorkOptions
from cnninspect.render import render
from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.selection import By, Ops, View, cut, select, shares
from tests.render.samples import agreed, doubtful, report, row, tiny


def bytes_moved(count, status=Status.EXACT):
    return {"bytes_moved": Quantity(count, Unit.BYTES, status)}


def network(**changes):
    """Two blocks of two layers, one of them shared, and functional calls.

    MACs 100 + 200 + 200 + 30 = 530, of which blocks.0 has 300, blocks.1 200 and the head 30.
    Bytes moved: 10 for each layer, 5 for the addition in blocks.1.
    """
    rows = (
        row("", "Net", (1, 8), params=60, macs=530, parent=None, leaf=False),
        row("blocks.0", "Block", (1, 8), params=30, macs=300, leaf=False),
        row("blocks.0.a", "Linear", (1, 8), params=10, macs=100, parent=1, extra=bytes_moved(10)),
        row("shared", "Conv1d", (1, 8), params=20, macs=200, parent=1, extra=bytes_moved(10)),
        row("blocks.1", "Block", (1, 8), macs=200, leaf=False),
        row("shared", "Conv1d", (1, 8), call=1, macs=200, parent=4, extra=bytes_moved(10)),
        row("blocks.1", "Tensor.add", (1, 8), parent=4, extra=bytes_moved(5)),
        row("", "Tensor.view", (1, 8), computes=False, layer_like=False),
        row("head", "Linear", (1, 8), params=30, macs=30, extra=bytes_moved(10)),
    )
    return report(rows, params=60, macs=530, neurons=0, **changes)


def macs(sample, view):
    return {row.path or row.kind: row.macs.value for row in select(sample, view).rows}


def names(sample, view):
    return [f"{row.path} {row.kind} {row.call}".strip() for row in select(sample, view).rows]


def test_parts_are_the_leaves_in_order_without_a_tree():
    shown = select(network(), View(sort="name"))
    assert all(row.parent is None for row in shown.rows)
    assert names(network(), View(sort="name")) == [
        "blocks.0.a Linear 0", "blocks.1 Tensor.add 0", "head Linear 0", "shared Conv1d 0", "shared Conv1d 1",
    ]  # fmt: skip


def test_top_takes_the_largest_and_ties_keep_their_order():
    assert names(network(), View(top=3)) == ["shared Conv1d 0", "shared Conv1d 1", "blocks.0.a Linear 0"]


def test_a_cut_says_what_it_leaves_of_the_parts():
    found = cut(network(), View(top=2))
    assert (found.shown, found.rows, found.macs.value) == (2, 5, 200 + 200)
    assert cut(network(), View(top=5)) is None
    assert cut(network(), View(sort="macs")) is None


def test_shares_of_the_whole_and_up_to_each_part():
    """Of 530 MACs; what has rows below it has a share of its own and adds nothing to the running sum."""
    found = shares(select(network(), View(ops=Ops.NONE)))
    own, cumulative = (530, 300, 100, 200, 200, 200, 30), (None, None, 100, 300, None, 500, 530)
    assert [share.own.percent for share in found] == [100 * macs / 530 for macs in own]
    assert [share.cumulative and share.cumulative.percent for share in found] == [
        macs and 100 * macs / 530 for macs in cumulative
    ]


def test_depth_folds_the_tree_into_its_parts():
    assert names(network(), View(depth=1, sort="macs")) == ["blocks.0 Block 0", "blocks.1 Block 0", "head Linear 0"]


def test_by_module_every_layer_is_with_its_module_and_a_shared_one_with_itself():
    assert macs(network(), View(by=By.MODULE)) == {"blocks.0.a": 100, "shared": 400, "blocks.1": 0, "head": 30}


def test_by_module_to_a_depth():
    found = select(network(), View(by=By.MODULE, depth=1))
    assert [(row.path, row.kind, row.macs.value) for row in found.rows] == [
        ("blocks", "", 100), ("shared", "Conv1d", 400), ("head", "Linear", 30),
    ]  # fmt: skip


def test_by_kind_most_multiply_accumulates_come_first():
    assert macs(network(), View(by=By.KIND)) == {"Conv1d": 400, "Linear": 130, "Tensor.add": 0}
    assert list(macs(network(), View(by=By.KIND))) == ["Conv1d", "Linear", "Tensor.add"]


def test_by_module_the_order_is_that_of_the_run():
    assert list(macs(network(), View(by=By.MODULE))) == ["blocks.0.a", "shared", "blocks.1", "head"]


def test_by_kind_of_folded_blocks():
    assert macs(network(), View(by=By.KIND, depth=1)) == {"Block": 500, "Linear": 30}


@pytest.mark.parametrize("by", [By.MODULE, By.KIND])
def test_views_are_rows_on_request_only(by):
    kinds = {row.kind for row in select(network(), View(by=by)).rows}
    assert "Tensor.view" not in kinds
    assert len(select(network(), View(by=by, ops=Ops.ALL)).rows) == len(select(network(), View(by=by)).rows) + 1


@pytest.mark.parametrize("by", [By.MODULE, By.KIND])
@pytest.mark.parametrize("depth", [0, 1, 2, None])
def test_groups_add_up_to_the_whole(by, depth):
    rows = select(network(), View(by=by, depth=depth)).rows
    assert sum(row.macs.value for row in rows) == 530
    assert sum(row.params.value for row in rows) == 60


def test_a_group_adds_up_what_its_parts_have():
    """By hand: two uses of a layer with 20 parameters, 200 MACs and 10 bytes each; 400 / 20 = 20 MACs per byte."""
    (found,) = [row for row in select(network(), View(by=By.KIND)).rows if row.kind == "Conv1d"]
    assert found.params == agreed(20, Unit.PARAMS, "storage")
    assert found.macs == agreed(400, Unit.MACS, "torch")
    assert found.flops == agreed(800, Unit.FLOPS, "torch")
    assert found.extra["calls"].value == 2
    assert found.extra["bytes_moved"].value == 20
    assert found.extra["intensity"].value == 20


def test_a_group_waits_for_what_its_sums_say():
    """By hand: at 50 FLOPs and 1 byte a second the arithmetic takes 800/50 = 16 s and the 20 bytes 20 s."""
    sample = network(machine=Machine(peak_flops=50, bandwidth=1))
    (found,) = [row for row in select(sample, View(by=By.KIND)).rows if row.kind == "Conv1d"]
    assert found.extra["bound_by"].value == "memory"


def test_an_unknown_part_leaves_a_lower_bound_and_errors_stay_errors():
    found = {row.kind: row for row in select(doubtful(), View(by=By.KIND, depth=1)).rows}
    assert (found["torch.fft.rfft2"].macs.value, found["torch.fft.rfft2"].macs.status) == (None, Status.UNKNOWN)
    assert found["Conv2d"].macs.verdict is Verdict.DIFFER
    assert found["LSTM"].macs.reasons == {"torch": "torch does not count lstm"}


def test_what_is_not_known_may_be_the_largest_and_comes_first():
    assert names(doubtful(), View(top=2)) == ["mix torch.fft.rfft2 0", "conv Conv2d 0"]


def test_rows_without_the_number_come_last():
    assert names(doubtful(), View(sort="macs"))[-1] == "state State 0"


def op_row(packet, work, macs):
    numbers = {"calls": Quantity(2, Unit.CALLS), "work": Quantity(work, Unit.CLASS)}
    return row("", packet, (), macs=macs, output_shape=None, params=None, neurons=0, extra=numbers)


def test_by_op_the_rows_are_those_for_ops_and_stand_in_the_document_once():
    ops = (op_row("aten.addmm", "mac", 130), op_row("aten.convolution", "mac", 400))
    found = select(network(ops=ops, counters={}), View(by=By.OP))
    assert [row.kind for row in found.rows] == ["aten.convolution", "aten.addmm"]
    assert (found.ops, found.counters) == (None, {})


def test_a_report_that_does_not_know_its_ops_says_so():
    with pytest.raises(ValueError, match="inspect the model with the account ByOp"):
        select(tiny(), View(by=By.OP))


@pytest.mark.parametrize("view", [View(top=1), View(by=By.KIND), View(by=By.MODULE, depth=1)], ids=str)
def test_totals_do_not_depend_on_the_view(view):
    assert select(network(), view).totals == network().totals


SHARES = ["c3", "c1", "c5"]
"""lenet5's layers with more than a tenth of the MACs, the largest first: 240,000, 117,600 and 48,000 of 416,520."""


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(sort="macs"), [*SHARES, "total"]),
        (View(sort="name"), ["c1", "c3", "c5", "total"]),
        (View(top=2), SHARES[:2]),
        (View(filter="c1"), ["c1"]),
        (View(depth=0), ["total"]),
        (View(only_differences=True, filter="c*"), sorted(SHARES)),
    ],
    ids=["sort by a number", "sort by name", "top", "filter", "depth", "differences"],
)
def test_compare_takes_the_options_of_the_other_tables(view, expected):
    report = inspect_model("lenet5")
    limits = [parse_budget("max_layer_share", "10%"), parse_budget("max_params", "50K")]
    lines = render(with_checks(report, check_budgets(report, limits)), view=view).splitlines()
    start = next(index for index, line in enumerate(lines) if line.split()[:1] == ["layer"]) + 1
    names = [line.split()[0] for line in lines[start : start + len(expected)]]
    assert (sorted(names) if view.only_differences else names) == expected
    assert any(line.split() == ["shown", str(len(expected)), "of", "4", "findings"] for line in lines) == (
        len(expected) < 4
    )


def test_flops_keeps_the_rows_that_another_option_cuts_off():
    assert WorkOptions().arranged(View(top=1)).top == 1
    assert WorkOptions(top=3).arranged(View(top=1)).top == 3


def test_a_filter_that_nothing_passes_shows_no_row():
    text = render(inspect_model("lenet5"), view=View(filter="nothing"))
    assert "LeNet5)" not in text
    assert " shown     0 of 12 rows" in text
