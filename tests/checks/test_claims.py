"""What a claim is held against, and the verdict. The reports and their arithmetic stand in tests/render/samples.py."""

from dataclasses import replace

import pytest

from cnninspect import inspect_model
from cnninspect.checks.baseline import check_baseline
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField, RowId
from tests.checks.claiming import checked, wrong
from tests.render.samples import doubtful, report, row, tiny

SIZES = ReceptiveField((11, 11), (4, 4), (2, 2), Status.EXACT, None, Verdict.MATCH)
GATED = replace(SIZES, cause="se.pool")
GATED_COLUMNS = replace(SIZES, image=(32, 24), global_along=(None, "norm"))
GLOBAL = ReceptiveField(None, None, None, Status.EXACT, None, Verdict.MATCH)
PHASES = replace(SIZES, size=((188, 204), (188, 204)))
UNEVEN = replace(SIZES, size=(3, 5))
CONTESTED = replace(SIZES, verdict=Verdict.DIFFER)
BOUND = replace(SIZES, status=Status.UPPER_BOUND)
UNKNOWN = ReceptiveField(status=Status.UNKNOWN, verdict=Verdict.UNKNOWN)


def single(**numbers):
    """A network of one layer `conv` with output 1x8x8x8 and these numbers."""
    rows = (row("", "Net", (1, 8, 8, 8), parent=None, leaf=False), row("conv", "Conv2d", (1, 8, 8, 8), **numbers))
    return report(rows, params=0, macs=0, neurons=0)


def macs(value, status, **measured):
    return Quantity(value, Unit.MACS, status, value, measured, Verdict.UNKNOWN)


NO_SHAPE = Quantity(((1, 8, 4, 3),), Unit.SHAPE, Status.UNKNOWN, None, {"hooks": ((1, 8, 4, 3),)}, Verdict.UNKNOWN)
DIFFERS = replace(macs(10, Status.EXACT, torch=20), verdict=Verdict.DIFFER)

VERDICTS = [
    # id, report, column, claim, verdict
    ("shape without its batch", tiny(), "stem", "output_shape", "8x8x8", "match"),
    ("shape with its batch", tiny(), "stem", "output_shape", "1x8x8x8", "match"),
    ("another shape", tiny(), "stem", "output_shape", "8x8x4", "differ"),
    ("another batch", tiny(), "stem", "output_shape", "2x8x8x8", "differ"),
    ("too few sizes", tiny(), "stem", "output_shape", "8x8", "differ"),
    ("too many outputs", tiny(), "stem", "output_shape", "8x8x8;8x8x8", "differ"),
    ("params", tiny(), "stem", "params", "3*3*3*8 + 8", "match"),
    ("params of a container", tiny(), "block", "params", "592", "match"),
    ("params of the network", tiny(), "total", "params", "2106", "match"),
    ("rounded", tiny(), "total", "params", "2.1K", "match"),
    ("rounded wrongly", tiny(), "total", "params", "2.2K", "differ"),
    ("no whole number", tiny(), "stem", "params", "449/2", "differ"),
    ("zero", tiny(), "stem", "params", "0", "differ"),
    ("kind", tiny(), "stem", "kind", "Conv2d", "match"),
    ("another kind", tiny(), "stem", "kind", "Linear", "differ"),
    ("a shape that nothing predicts", single(output_shape=NO_SHAPE), "conv", "output_shape", "8x4x3", "match"),
    ("not that shape", single(output_shape=NO_SHAPE), "conv", "output_shape", "8x4x4", "differ"),
    ("a number that the report does not hold", single(flops=None, macs=None), "conv", "flops", "5", "unknown"),
    ("FLOPs that a saved report leaves to the MACs", single(flops=None, macs=5), "conv", "flops", "10", "match"),
    ("a field that the probe contradicts", single(field=CONTESTED), "conv", "receptive_field", "11", "unknown"),
    ("a bound of a field", single(field=BOUND), "conv", "receptive_field", "11", "unknown"),
    ("a number that nobody knows", single(macs=macs(None, Status.UNKNOWN, torch=0)), "conv", "macs", "5", "unknown"),
    ("at least the lower bound", doubtful(), "total", "macs", "20000", "unknown"),
    ("less than the lower bound", doubtful(), "total", "macs", "16000", "differ"),
    ("no less than it when rounded", doubtful(), "total", "macs", "16.0K", "unknown"),
    ("less than an upper bound", single(macs=macs(10, Status.UPPER_BOUND)), "conv", "macs", "9", "unknown"),
    ("more than an upper bound", single(macs=macs(10, Status.UPPER_BOUND)), "conv", "macs", "11", "differ"),
    ("a row without an output", doubtful(), "state", "macs", "0", "unknown"),
    ("what the formula says, and not the counter", single(macs=DIFFERS), "conv", "macs", "10", "unknown"),
    ("what the counter says, and not the formula", single(macs=DIFFERS), "conv", "macs", "20", "unknown"),
    ("what neither of them says", single(macs=DIFFERS), "conv", "macs", "15", "differ"),
    ("field", single(field=SIZES), "conv", "receptive_field", "11", "match"),
    ("field per axis", single(field=SIZES), "conv", "receptive_field", "11x11", "match"),
    ("another field", single(field=SIZES), "conv", "receptive_field", "12", "differ"),
    ("another field on one axis", single(field=UNEVEN), "conv", "receptive_field", "3", "differ"),
    ("fields that differ", single(field=UNEVEN), "conv", "receptive_field", "3x5", "match"),
    ("global for a local field", single(field=SIZES), "conv", "receptive_field", "global", "differ"),
    ("global field", single(field=GLOBAL), "conv", "receptive_field", "global", "match"),
    ("a size for a global field", single(field=GLOBAL), "conv", "receptive_field", "11", "differ"),
    ("the local field before a gate", single(field=GATED), "conv", "receptive_field", "11", "match"),
    ("global through a gate", single(field=GATED), "conv", "receptive_field", "global", "match"),
    (
        "the local field before a mean over columns",
        single(field=GATED_COLUMNS),
        "conv",
        "receptive_field",
        "11",
        "match",
    ),
    ("with the columns of that mean", single(field=GATED_COLUMNS), "conv", "receptive_field", "11x24", "match"),
    ("with rows it does not see", single(field=GATED_COLUMNS), "conv", "receptive_field", "32x24", "differ"),
    ("global by columns alone", single(field=GATED_COLUMNS), "conv", "receptive_field", "global", "differ"),
    ("a range", single(field=PHASES), "conv", "receptive_field", "188..204", "match"),
    ("one end of a range", single(field=PHASES), "conv", "receptive_field", "204", "differ"),
    ("a field nobody asked for", tiny(), "stem", "receptive_field", "3", "unknown"),
    ("a field nobody knows", single(field=UNKNOWN), "conv", "receptive_field", "3", "unknown"),
    ("the network's field", tiny(), "total", "receptive_field", "3", "unknown"),
]


@pytest.mark.parametrize(
    ("sample", "layer", "column", "claim", "verdict"),
    [case[1:] for case in VERDICTS],
    ids=[case[0] for case in VERDICTS],
)
def test_verdict(sample, layer, column, claim, verdict, tmp_path):
    (check,) = checked(sample, tmp_path, f'layer,{column}\n{layer},"{claim}"\n')
    assert (check.name, check.path, check.verdict.value, check.source) == (column, layer, verdict, "claim")


HINTS = [
    ("5x5x5", "3 axes, and the field has 2"),
    ("global", "counting gates and statistics it is global along columns alone"),
]


@pytest.mark.parametrize(("claim", "hint"), HINTS)
def test_a_field_claimed_for_other_axes_is_told_so(claim, hint, tmp_path):
    (check,) = checked(single(field=GATED_COLUMNS), tmp_path, f"layer,receptive_field\nconv,{claim}\n")
    assert (check.verdict, check.hint) == (Verdict.DIFFER, hint)


def test_a_check_holds_the_claim_and_what_there_is(tmp_path):
    shape, params, macs = checked(tiny(), tmp_path, "layer,output_shape,params,macs\nstem,8x8x4,3*3*3*8,13.8K\n")
    assert (shape.expected, shape.found) == (((8, 8, 4),), ((1, 8, 8, 8),))
    assert (params.expected, params.found, params.kind) == (216, 224, "Conv2d")
    assert (macs.expected, macs.found, macs.hint) == (13800, 13824, "rounds to the claim")


def test_an_empty_cell_claims_nothing(tmp_path):
    checks = checked(tiny(), tmp_path, "layer,kind,output_shape,params,macs\nstem,,,224,\nfc,,,,1280\n")
    assert [(check.path, check.name) for check in checks] == [("stem", "params"), ("fc", "macs")]


def test_a_row_of_a_layer_alone_claims_that_it_is_there(tmp_path):
    (check,) = checked(tiny(), tmp_path, "layer,params\nstem,\n")
    assert (check.name, check.verdict) == ("layer", Verdict.MATCH)


def test_a_function_is_found_by_its_kind(tmp_path):
    text = "layer,kind,output_shape\n,F.max_pool2d,8x4x4\n,F.relu,8x8x8\n"
    assert wrong(checked(tiny(), tmp_path, text)) == []


NOT_THERE = [
    # id, claims, what the check is about, its hint
    ("misspelt layer", "layer,params\nstemm,224\n", "layer", "no layer is called 'stemm'. Nearest: stem"),
    ("unlike any layer", "layer,params\nencoder,224\n", "layer", "no layer is called 'encoder'. "
     "Nearest: stem, block.0, block.1"),
    ("misspelt function", "layer,kind\n,F.max_pool2\n", "layer", "this module does not call 'F.max_pool2'. "
     "Nearest: F.max_pool2d"),
    ("one use too many", "layer,call,params\nstem,1,224\n", "call", "stem runs 1 time, and its first use is call 0"),
    ("one row too many", "layer,kind\n,F.relu\n,F.relu\n", "call", "F.relu runs 1 time, and its first use is call 0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "hint"), [case[1:] for case in NOT_THERE], ids=[case[0] for case in NOT_THERE]
)
def test_a_claim_about_what_is_not_there_is_wrong(text, name, hint, tmp_path):
    check = checked(tiny(), tmp_path, text)[-1]
    assert (check.name, check.verdict, check.hint) == (name, Verdict.DIFFER, hint)


def called_total(params):
    """A network of 300 parameters whose module `total` has this many of them."""
    rows = (row("", "Net", (1, 8), parent=None, leaf=False), row("total", "Linear", (1, 8), params=params))
    return report(rows, params=300, macs=0, neurons=0)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("layer,params\ntotal,300\n", None),
        ("layer,kind,params\ntotal,Linear,200\n", "total"),
        ("layer,call,params\ntotal,0,200\n", "total"),
    ],
    ids=["the totals", "a module by its kind", "a module by its call"],
)
def test_a_module_called_total_is_not_the_totals(text, about, tmp_path):
    checks = checked(called_total(200), tmp_path, text)
    assert wrong(checks) == []
    assert {check.row and check.row.path for check in checks} == {about}


def test_each_difference_of_a_module_called_total_is_its_own():
    checks = check_baseline(called_total(200), called_total(100))
    differing = [(check.row, check.name) for check in checks if check.verdict is Verdict.DIFFER]
    assert differing == [(RowId("total", "Linear"), "params")]


def test_a_function_is_named_as_explain_heads_its_block(tmp_path):
    # Dumoulin & Visin: pools k3 s2 take 55 to 27 and 27 to 13, so 12 is wrong. `F.max_pool2d use 3` takes 13 to 6.
    report = inspect_model("zoo:custom-alexnet")
    rows = "F.max_pool2d,27\nF.max_pool2d,12\nF.max_pool2d use 3,6\nF.relu use 9,1\nF.max_pool2d use 1,27"
    checks = checked(report, tmp_path, f"layer,height\n{rows}\n")
    found = [(check.path, check.kind, check.call, check.name, check.verdict.value) for check in checks[:3]]
    assert found == [
        ("", "F.max_pool2d", 0, "height", "match"),
        ("", "F.max_pool2d", 1, "height", "differ"),
        ("", "F.max_pool2d", 2, "height", "match"),
    ]
    assert [(check.name, check.verdict.value) for check in checks[3:]] == [("layer", "differ")] * 2
