"""The hand calculations that the tool exists to reproduce; tests/zoo/worked holds them as tables."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cnninspect import CnninspectError
from cnninspect.report.quantities import Verdict
from tests.zoo.worked import EXAMPLES
from tests.zoo.worked.base import Example, Numbers, inspected, numbers_of

ROWS = [pytest.param(example, label, id=f"{example}: {label}") for example in EXAMPLES for label in example.rows]
TOTALS = [pytest.param(example, name, id=f"{example}: {name}") for example in EXAMPLES for name in example.totals]


@pytest.mark.parametrize(("example", "label"), ROWS)
def test_row(example: Example, label: str) -> None:
    assert numbers_of(example.report).get(label) == example.rows[label]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_rows_are_all_there_in_order(example: Example) -> None:
    assert list(numbers_of(example.report)) == list(example.rows)


@pytest.mark.parametrize(("example", "name"), TOTALS)
def test_total(example: Example, name: str) -> None:
    assert example.report.total(name).value == example.totals[name]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_formulas_and_measurements_agree(example: Example) -> None:
    doubtful = {
        f"{row.label}: {name}": quantity.verdict
        for row in example.report.rows
        for name, quantity in row.quantities.items()
        if quantity.verdict in (Verdict.DIFFER, Verdict.UNKNOWN)
    }
    assert doubtful == {}


@pytest.mark.parametrize(
    ("name", "mebibytes"),
    [("input_bytes", 0.57), ("activation_bytes", 3.77), ("params_bytes", 173.43), ("total_bytes", 177.77)],
)
def test_memory_as_a_keras_style_summary_prints_it(name: str, mebibytes: float) -> None:
    # The figures of the report's tool table for custom-alexnet; its MB are powers of 1024.
    assert round(inspected("custom-alexnet").total(name).value / 2**20, 2) == mebibytes


def test_one_pool_module_is_three_rows_of_one_path() -> None:
    rows = [row for row in inspected("nethw").rows if row.path == "maxpool"]
    assert [row.call for row in rows] == [0, 1, 2]
    assert [row.input_shapes for row in rows] == [((1, 8, 32, 32),), ((1, 8, 16, 16),), ((1, 16, 8, 8),)]


COLOURS = [(1, 32, 24, 3), (1, 4, 2, 1), (3, 5, 7, 5)]


@pytest.mark.parametrize(("NIC", "NF", "NC", "k"), COLOURS)
@pytest.mark.parametrize(
    ("size", "neurons_of_NF", "neurons_of_NC"),
    # The report's sums over the layers: (1792 + 896 + 832) NF + (3328 + 1024) NC at 32x32, four times that at 64x64.
    [(32, 3520, 4352), (64, 14080, 17408)],
)
def test_symbolic_counts_of_pool_upsample(
    NIC: int, NF: int, NC: int, k: int, size: int, neurons_of_NF: int, neurons_of_NC: int
) -> None:
    report = inspected("pool-upsample", (1, NIC, size, size), NIC=NIC, NF=NF, NC=NC, k=k)
    weights = k**2 * (NIC * NF + 2 * NF**2 + 2 * NF**2 + NF * NC + NC**2)
    batch_norms = 2 * (NF + 2 * NF + NF + NC)
    connections = {
        32: 32**2 * NIC * NF + 16**2 * NF * 2 * NF + 8**2 * 2 * NF * NF + 16**2 * NF * NC + 32**2 * NC * NC,
        64: 64**2 * NIC * NF + 32**2 * NF * 2 * NF + 16**2 * 2 * NF * NF + 32**2 * NF * NC + 64**2 * NC * NC,
    }
    assert report.total("params").value == weights + batch_norms
    assert report.total("macs").value == k**2 * connections[size]
    assert report.total("neurons").value == neurons_of_NF * NF + neurons_of_NC * NC


@pytest.mark.parametrize(("size", "macs"), [(32, 13_271_040), (64, 53_084_160)])
def test_connections_of_pool_upsample_grow_with_the_area(size: int, macs: int) -> None:
    # 9 * (1024*32 + 256*2048 + 64*2048 + 256*768 + 1024*576), and 4 times that.
    assert inspected("pool-upsample", (1, 1, size, size)).total("macs").value == macs


PADDINGS = [
    # kernel, (padding, output padding) of the strided, the transposed and the last convolution: the report's table
    pytest.param({"k": 3}, (1, 1, 1, 1), 32, id="kernel 3"),
    pytest.param({"k": 5}, (2, 2, 1, 2), 32, id="kernel 5: (32 + 4 - 5)/2 = 15.5, floor 15, + 1 = 16"),
    pytest.param({"k": 4, "last_padding": 2}, (1, 1, 0, 2), 33, id="kernel 4 rounded up: 32 + 4 - 4 + 1 = 33"),
    pytest.param({"k": 4, "last_padding": 1}, (1, 1, 0, 1), 31, id="kernel 4 rounded down: 32 + 2 - 4 + 1 = 31"),
]


@pytest.mark.parametrize(("arguments", "paddings", "last_size"), PADDINGS)
def test_paddings_of_conv_transpose(arguments: dict[str, int], paddings: tuple[int, ...], last_size: int) -> None:
    rows = {row.path: row for row in inspected("conv-transpose", **arguments).rows}
    down, up, last = rows["n.0.0"].hyperparameters, rows["n.2.0"].hyperparameters, rows["n.4.0"].hyperparameters
    sizes = [rows[f"n.{block}.0"].output_shape.value[0][-1] for block in range(5)]
    found = tuple(pair[0] for pair in (down["padding"], up["padding"], up["output_padding"], last["padding"]))
    assert found == paddings
    assert sizes == [16, 8, 16, 32, last_size]


def test_kernel_4_has_no_padding_that_keeps_the_size() -> None:
    with pytest.raises(CnninspectError, match=r"no integer padding keeps the size with kernel 4 .* p = 1\.5"):
        inspected("conv-transpose", k=4)


WRITINGS = ("three-layer-functional", "three-layer-module", "three-layer-sequential")


@pytest.mark.parametrize(("channel_1", "channel_2"), [(12, 8), (32, 16), (6, 9), (1, 1)])
def test_three_writings_have_the_same_numbers(channel_1: int, channel_2: int) -> None:
    tables: list[list[Numbers]] = [
        list(numbers_of(inspected(name, channel_1=channel_1, channel_2=channel_2)).values()) for name in WRITINGS
    ]
    assert len(tables[0]) == 6
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize(("name", "layers"), [("plain32", 32), ("resnet32", 32), ("resnet47", 47)])
def test_cifar_networks_have_as_many_layers_as_their_names_say(name: str, layers: int) -> None:
    weighted = [row for row in inspected(name).rows if row.kind in ("Conv2d", "Linear") and "shortcut" not in row.path]
    assert len(weighted) == layers


@pytest.mark.parametrize(
    ("dk", "m", "n", "df"),
    [(3, 512, 512, 14), (1, 8, 4, 7), (3, 32, 64, 112), (5, 16, 24, 28)],
)
def test_separable_to_regular_is_one_over_n_plus_one_over_dk_squared(dk: int, m: int, n: int, df: int) -> None:
    regular = inspected("conv-regular", (1, m, df, df), dk=dk, m=m, n=n).total("macs").value
    separable = inspected("conv-separable", (1, m, df, df), dk=dk, m=m, n=n).total("macs").value
    assert regular == dk**2 * m * n * df**2
    assert separable == (dk**2 + n) * m * df**2
    assert Fraction(separable, regular) == Fraction(1, n) + Fraction(1, dk**2)


@pytest.mark.parametrize("up", ["nearest", "bilinear"])
def test_unet_without_learned_upsampling_joins_three_times_the_channels(up: str) -> None:
    joined = [row.output_shape.value[0] for row in inspected("unet-small", up=up).rows if row.kind == "torch.cat"]
    # 64 upsampled + 32 skipped, 32 + 16, 16 + 8
    assert joined == [(1, 96, 16, 16), (1, 48, 32, 32), (1, 24, 64, 64)]
