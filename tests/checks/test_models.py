"""Two networks side by side, whose numbers are those of the worked examples."""

import pytest

from cnninspect import inspect_model
from cnninspect.checks.differences import compare_models
from cnninspect.checks.numbers import parse_tolerance
from cnninspect.report.document import Report
from tests.cli.conftest import NETS
from tests.render.samples import tiny

FUNCTION, MODULE, SEQUENTIAL = (f"three-layer-{style}" for style in ("functional", "module", "sequential"))
WIDTHS = {"channel_1": 20, "channel_2": 6}


def compared(one, other, **arguments):
    return compare_models(*(inspect_model(each, arguments=arguments) for each in (one, other)))


def findings(report):
    return [(c.path, c.name, c.expected, c.found) for c in report.checks if c.verdict != "match"]


@pytest.mark.parametrize(
    ("one", "other"), [(FUNCTION, MODULE), (MODULE, SEQUENTIAL), (SEQUENTIAL, FUNCTION), (MODULE, MODULE)]
)
def test_the_three_writings_of_one_network_have_the_same_numbers(one, other):
    report = compared(one, other, **WIDTHS)
    assert findings(report) == []
    assert report.verdict == "match"
    assert all(None not in (pair.target, pair.other) for pair in report.aligned)


def test_at_other_widths_they_differ():
    """module: 12 and 8 channels, 83,714 params; sequential: 32 and 16, 170,906."""
    report = compared(MODULE, SEQUENTIAL)
    assert ("total", "params", 170_906, 83_714) in findings(report)
    assert report.verdict == "differ"


def test_a_layer_that_one_network_writes_as_a_function_has_its_counterpart():
    aligned = compared(FUNCTION, SEQUENTIAL, **WIDTHS).aligned
    assert [(each.target.kind, each.other.kind) for each in aligned] == [
        ("F.conv2d", "Conv2d"),
        ("F.relu", "ReLU"),
        ("F.conv2d", "Conv2d"),
        ("F.relu", "ReLU"),
        ("torch.flatten", "Flatten"),
        ("F.linear", "Linear"),
    ]


def test_plain32_and_resnet32_differ_by_shortcuts_alone():
    """Fifteen additions, of maps 8x32x32, 16x16x16 and 32x8x8, and two 1x1 convolutions where the map halves."""
    report = compared("resnet32", "plain32")
    rows = [(path, name) for path, name, *_ in findings(report) if path != "total"]
    additions = [(f"stage{stage}.{block}", "added") for stage in (1, 2, 3) for block in range(5)]
    assert sorted(rows) == sorted([*additions, ("stage2.0.shortcut", "added"), ("stage3.0.shortcut", "added")])
    shortcuts = 8 * 16 + 16, 16 * 32 + 32
    totals = {name: found - expected for path, name, expected, found in findings(report) if path == "total"}
    neurons = 5 * (8 * 32 * 32 + 16 * 16 * 16 + 32 * 8 * 8) + 16 * 16 * 16 + 32 * 8 * 8
    assert totals == {
        "params": sum(shortcuts),
        "macs": 8 * 16 * 16 * 16 + 16 * 32 * 8 * 8,
        "neurons": neurons,
        "activation_bytes": 2 * 4 * (16 * 16 * 16 + 32 * 8 * 8),
    }


@pytest.mark.parametrize(("dk", "n"), [(3, 512), (5, 8), (1, 2)])
def test_a_separable_convolution_costs_one_over_n_plus_one_over_the_kernel(dk, n):
    """Howard et al. 2017: (dk^2 + n) * m against dk^2 * m * n per position, a ratio of 1/n + 1/dk^2."""
    regular, separable = (
        inspect_model(each, arguments={"dk": dk, "m": 16, "n": n}, inputs=["1x16x14x14"])
        for each in ("conv-regular", "conv-separable")
    )
    (check,) = [c for c in compare_models(regular, separable).checks if (c.path, c.name) == ("total", "macs")]
    assert check.expected * dk**2 * n == check.found * (dk**2 + n)


def test_other_nesting_is_no_difference():
    """torchvision pools and flattens, timm has a block for both; 11,689,512 params and 1,814,073,344 MACs each."""
    report = compared("torchvision:resnet18", "timm:resnet18")
    assert findings(report) == []
    assert report.other.totals["macs"].value == 1_814_073_344


def test_within_the_tolerance_numbers_are_the_same():
    one, other = (inspect_model(f"{NETS}:Net", (1, 3, 8, 8), arguments={"width": width}) for width in (100, 101))
    names = {c.name for c in compare_models(one, other, parse_tolerance("1%")).checks if c.verdict == "differ"}
    assert names == {"output_shape"}


def test_a_number_that_its_own_measurement_contradicts_is_the_same_as_none():
    planted = inspect_model(f"{NETS}:Planted", (1, 3, 8, 8))
    report = compare_models(planted, planted)
    assert {(c.path, c.name, c.source, c.hint) for c in report.checks if c.verdict == "differ"} >= {
        ("liar", "macs", "formula", "in Planted, the first network"),
        ("liar", "macs", "formula", "in Planted, the other network"),
    }


def test_the_document_tells_what_the_other_network_was():
    report = compare_models(tiny(), tiny())
    other = report.to_dict()["other"]
    assert other["target"]["name"] == "tiny"
    assert other["run"] == report.to_dict()["run"]
    assert Report.from_dict(report.to_dict()).to_dict() == report.to_dict()
