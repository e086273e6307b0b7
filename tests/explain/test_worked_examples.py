"""The hand calculations of the worked examples, section by section: each derivation as an expression, each number.

Section 3 (symbolic counts) stands in test_symbolic.py, section 4 (solutions) in test_solver.py. What a report states
beside that is compared with the network in tests/zoo/test_worked_examples.py. Texts are those of the reports.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import sympy

from cnninspect.explain.against import side_by_side
from cnninspect.explain.document import Derivation
from tests.explain.test_explanation import explain, known, layer, one


def factors(text: str) -> Any:
    """The terms of a sum of products, each as its sorted factors; a factor of 1 (the batch, one group) is none."""
    with sympy.evaluate(False):
        tree = sympy.sympify(text)
    terms = tree.args if isinstance(tree, sympy.Add) else (tree,)
    return sorted(sorted(str(factor) for factor in _leaves(term) if factor != 1) for term in terms)


def _leaves(tree: Any) -> list[Any]:
    """The factors of a product; a power counts as often as its exponent says."""
    if isinstance(tree, sympy.Pow):
        return _leaves(tree.base) * int(tree.exp)
    return [leaf for part in tree.args for leaf in _leaves(part)] if tree.args else [tree]


def total(target: str, quantity: str) -> Derivation:
    return next(each for each in known(target)[0].totals if each.quantity == quantity)


# --- derivations of single layers, as the reports write them ----------------------------------------------------------

DERIVED = [
    # section, network, layer, quantity, axis, the report's calculation, its result
    (1, "nethw", "conv_1", "params", None, "3*8*3^2", 216),
    (1, "nethw", "conv_2", "params", None, "8*8*5^2", 1_600),
    (1, "nethw", "conv_3", "params", None, "8*16*3^2", 1_152),
    (1, "nethw", "fc_1", "params", None, "256*10", 2_560),
    (1, "nethw", "torch.flatten", "output_shape", 1, "16*4*4", 256),
    (2, "small-cnn", "conv1", "neurons", None, "32*32*32", 32_768),
    (2, "small-cnn", "pool1", "neurons", None, "32*16*16", 8_192),
    (2, "small-cnn", "conv2", "neurons", None, "64*16*16", 16_384),
    (2, "small-cnn", "pool2", "neurons", None, "64*8*8", 4_096),
    (2, "small-cnn", "conv3", "neurons", None, "3*8*8", 192),
    (2, "small-cnn", "conv1", "params", None, "3*32*3^2", 864),
    (2, "small-cnn", "conv2", "params", None, "32*64*3^2", 18_432),
    (2, "small-cnn", "conv3", "params", None, "64*3*3^2", 1_728),
    (2, "small-cnn", "conv2", "macs", None, "32*64*3^2*16*16", 4_718_592),
    (2, "small-fcnn", "fc1", "params", None, "3072^2", 9_437_184),  # (32*32*3)^2
    (2, "small-fcnn", "fc1", "macs", None, "3072*3072", 9_437_184),
    (2, "small-fcnn", "Tensor.flatten", "output_shape", 1, "32*32*3", 3_072),
    (2, "small-fcnn", "fc2", "params", None, "768^2", 589_824),
    (2, "small-fcnn", "fc3", "params", None, "192^2", 36_864),
    (5, "custom-alexnet", "conv1", "params", None, "3*11^2*64 + 64", 23_296),
    (5, "custom-alexnet", "conv2", "params", None, "64*5^2*196 + 196", 313_796),
    (5, "custom-alexnet", "conv3", "params", None, "196*3^2*384 + 384", 677_760),
    (5, "custom-alexnet", "conv4", "params", None, "384*3^2*256 + 256", 884_992),
    (5, "custom-alexnet", "conv5", "params", None, "256*3^2*256 + 256", 590_080),
    (5, "custom-alexnet", "fc1", "params", None, "9216*4096 + 4096", 37_752_832),
    (5, "custom-alexnet", "fc2", "params", None, "4096*1024 + 1024", 4_195_328),
    (5, "custom-alexnet", "fc3", "params", None, "1024*1000 + 1000", 1_025_000),
    (6, "ciresan", "conv1", "params", None, "1*48*5^2 + 48", 1_248),
    (6, "ciresan", "head.fc1", "params", None, "1728*512 + 512", 885_248),  # 192*3*3 = 1728 inputs
    (6, "ciresan-residual", "conv3_1x1", "params", None, "128*192 + 192", 24_768),
    (6, "ciresan-residual", "head.fc1", "params", None, "9408*512 + 512", 4_817_408),  # 192*7*7 = 9408
    (7, "three-layer-module", "conv1", "params", None, "12*3*5^2 + 12", 912),
    (7, "three-layer-module", "fc", "params", None, "8192*10 + 10", 81_930),
    (7, "three-layer-sequential", "fc", "params", None, "16384*10 + 10", 163_850),
    (9, "conv-transpose-4", "up", "macs", None, "64*64*3*3*4^2", 589_824),  # on the input map
    (9, "conv-transpose-rect", "up", "macs", None, "50*100*16*33*3*5", 39_600_000),
    (9, "pixel-shuffle", "shuffle", "output_shape", 2, "64*3", 192),
    (10, "conv-regular", "conv", "macs", None, "3^2*512*512*14^2", 462_422_016),
    (10, "conv-separable", "pointwise", "macs", None, "512*512*14^2", 51_380_224),
]


@pytest.mark.parametrize(
    ("section", "target", "name", "quantity", "axis", "text", "value"),
    DERIVED,
    ids=[f"section {row[0]}, {row[1]} {row[2]} {row[3]}" for row in DERIVED],
)
def test_a_product_of_the_report(
    section: int, target: str, name: str, quantity: str, axis: int | None, text: str, value: int
) -> None:
    found = one(layer(target, name).of(quantity), axis=axis).to_json()
    assert found["value"] == value
    assert factors(found["substituted"]) == factors(text)


SIZES = [
    # section, network, layer, axis, the report's formula with numbers, the size
    (1, "nethw", "conv_2", 2, "floor((16 + 2*2 - 1*(5 - 1) - 1)/1) + 1", 16),
    (1, "nethw", "maxpool", 2, "floor((32 + 2*0 - 1*(2 - 1) - 1)/2) + 1", 16),
    (4, "conv-transpose", "n.0.0", 2, "floor((32 + 2*1 - 1*(3 - 1) - 1)/2) + 1", 16),
    (4, "conv-transpose", "n.2.0", 3, "(8 - 1)*2 - 2*1 + 1*(3 - 1) + 1 + 1", 16),
    (4, "conv-transpose", "n.4.0", 2, "floor((32 + 2*1 - 1*(3 - 1) - 1)/1) + 1", 32),
    (5, "custom-alexnet", "conv1", 2, "floor((224 + 2*2 - 1*(11 - 1) - 1)/4) + 1", 55),
    (5, "custom-alexnet", "conv2", 2, "floor((27 + 2*2 - 1*(5 - 1) - 1)/1) + 1", 27),
    (5, "custom-alexnet", "F.max_pool2d", 2, "floor((55 + 2*0 - 1*(3 - 1) - 1)/2) + 1", 27),
    (9, "conv-transpose-4", "up", 2, "(64 - 1)*2 - 2*1 + 1*(4 - 1) + 0 + 1", 128),
    (9, "conv-transpose-rect", "up", 2, "(50 - 1)*2 - 2*4 + 1*(3 - 1) + 0 + 1", 93),
    (9, "conv-transpose-rect", "up", 3, "(100 - 1)*1 - 2*2 + 1*(5 - 1) + 0 + 1", 100),
]


@pytest.mark.parametrize(
    ("section", "target", "name", "axis", "text", "size"),
    SIZES,
    ids=[f"section {row[0]}, {row[1]} {row[2]} axis {row[3]}" for row in SIZES],
)
def test_a_size_of_the_report(section: int, target: str, name: str, axis: int, text: str, size: int) -> None:
    """The same terms in the same tree; and sympy comes to the size."""
    found = one(layer(target, name).of("output_shape"), axis=axis, output=0).to_json()
    with sympy.evaluate(False):
        assert sympy.sympify(found["substituted"]) == sympy.sympify(text)
    assert sympy.sympify(found["substituted"]) == found["value"] == size


KERNELS = [
    # section 4, kernel, last padding, sizes after each step; 32 + 2*2 - 4 + 1 = 33 where 1.5 is rounded up
    (3, {}, [16, 8, 16, 32, 32]),
    (4, {"last_padding": 2}, [16, 8, 16, 32, 33]),
    (4, {"last_padding": 1}, [16, 8, 16, 32, 31]),
    (5, {}, [16, 8, 16, 32, 32]),
]


@pytest.mark.parametrize(("kernel", "padding", "sizes"), KERNELS)
def test_section_4_step_by_step(kernel: int, padding: dict[str, int], sizes: list[int]) -> None:
    """out_conv = floor((in + 2p - d(k-1) - 1)/s) + 1; out_transposed = (in-1)s - 2p + d(k-1) + output_padding + 1."""
    names = sympy.symbols("H s p d k op", integer=True, positive=True)
    h, s, p, d, k, op = names
    conv = sympy.floor((h + 2 * p - d * (k - 1) - 1) / s) + 1
    transposed = (h - 1) * s - 2 * p + d * (k - 1) + op + 1
    document, _ = explain("conv-transpose", arguments={"k": kernel, **padding})
    steps = [each for each in document.layers if each.row.kind.startswith("Conv")]
    found = [one(each.of("output_shape"), axis=2) for each in steps]
    assert [each.value for each in found] == sizes
    for each, right in zip(found, (conv, conv, transposed, transposed, conv), strict=True):
        text = each.to_json()["symbolic"]
        assert sympy.simplify(sympy.sympify(text, locals={str(name): name for name in names}) - right) == 0


def test_section_4_kernel_5_rounds_down() -> None:
    """(32+4-5)/2 = 15.5 -> 15, +1 = 16."""
    document, _ = explain("conv-transpose", arguments={"k": 5})
    text = one(document.layers[0].of("output_shape"), axis=2).to_json()["substituted"]
    inside = re.fullmatch(r"floor\((.*)\) \+ 1", text)
    assert inside is not None
    assert eval(inside[1]) == 15.5
    assert sympy.sympify(text) == 16


# --- totals -----------------------------------------------------------------------------------------------------------

TOTALS = [
    # section, network, params as a sum, params, MACs
    (1, "nethw", "216 + 1600 + 1152 + 2560", 5_528, 707_072),
    (2, "small-cnn", "864 + 18432 + 1728", 21_024, 5_713_920),
    (2, "small-fcnn", "9437184 + 589824 + 36864", 10_063_872, 10_063_872),
    (
        5, "custom-alexnet", "23296 + 313796 + 677760 + 884992 + 590080 + 37752832 + 4195328 + 1025000",
        45_463_084, 705_535_424,
    ),
    (6, "ciresan", None, 5_609_770, 242_937_600),
    (6, "ciresan-residual", None, 9_566_698, 883_904_256),
    (7, "three-layer-functional", "912 + 872 + 81930", 83_714, 120_848_384),
    (7, "three-layer-module", "912 + 872 + 81930", 83_714, 120_848_384),
    (7, "three-layer-sequential", "2432 + 4624 + 163850", 170_906, 469_762_048),
    (10, "conv-separable", "4608 + 262144", 266_752, 52_283_392),
]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "target", "text", "params", "macs"), TOTALS, ids=[f"section {row[0]}, {row[1]}" for row in TOTALS]
)
def test_a_total_is_the_sum_of_its_layers(section: int, target: str, text: str | None, params: int, macs: int) -> None:
    for quantity, value in (("params", params), ("macs", macs), ("flops", 2 * macs)):
        found = total(target, quantity).to_json()
        assert found["value"] == value == eval(found["substituted"])
    if text is not None:
        assert total(target, "params").to_json()["substituted"] == text


def test_section_5_memory_as_a_keras_style_summary_states_it() -> None:
    """Input 0.57 MB, forward/backward pass 3.77 MB, params 173.43 MB, total 177.77 MB (MB = 2^20 bytes, float32)."""
    found = {each.name: each for each in known("custom-alexnet")[0].totals if each.quantity == "memory"}
    outputs = [64 * 55 * 55, 196 * 27 * 27, 384 * 13 * 13, 256 * 13 * 13, 256 * 13 * 13, 4096, 1024, 1000]
    assert found["inputs"].to_json()["substituted"] == "4*3*224*224"
    assert found["parameters"].to_json()["substituted"] == "4*45463084"
    assert found["activations"].to_json()["substituted"] == f"2*4*({' + '.join(map(str, outputs))})"
    assert [round(each.value / 2**20, 2) for each in found.values()] == [0.57, 173.43, 3.77, 177.77]


def test_section_2_neurons() -> None:
    """32,768 + 8,192 + 16,384 + 4,096 + 192 = 61,632 against 3072 + 768 + 768 + 192 + 192 = 4,992."""
    assert total("small-cnn", "neurons").to_json()["substituted"] == "32768 + 8192 + 16384 + 4096 + 192"
    assert total("small-fcnn", "neurons").to_json()["substituted"] == "3072 + 768 + 768 + 192 + 192"
    assert (total("small-cnn", "neurons").value, total("small-fcnn", "neurons").value) == (61_632, 4_992)


# --- three ways to write one network, joins, upsampling, separable pairs, fields --------------------------------------


def test_section_7_three_writings_have_the_same_derivations() -> None:
    """The same widths give the same expressions in all three styles; names of layers and calls differ."""
    documents = [
        explain(f"three-layer-{style}", arguments={"channel_1": 12, "channel_2": 8})[0]
        for style in ("functional", "module", "sequential")
    ]
    quantities = ("output_shape", "params", "macs", "neurons")
    first, *others = [
        [(each.quantity, each.to_json()["symbolic"], each.to_json()["substituted"], each.value)
         for layer in document.layers for name in quantities for each in layer.of(name)]
        for document in documents
    ]  # fmt: skip
    assert len(first) > 30
    assert others == [first, first]


JOINS = [
    ("resnet32", "stage1.1 Tensor.add",
     "the branch through stage1.1.body (r = 11) covers that through stage1.0 (r = 7)"),
    ("resnet32", "stage2.0 Tensor.add",
     "the branch through stage2.0.body (r = 29) covers that through stage2.0.shortcut (r = 23)"),
    ("ciresan-residual", "Tensor.add", None),
    ("unet-small", "torch.cat", "the branch through up.0 (r = 68) covers that through down.2 (r = 32)"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "name", "words"), JOINS)
def test_section_8_a_join_is_the_union_of_its_branches(target: str, name: str, words: str | None) -> None:
    found = one(layer(target, name).of("receptive_field"), axis=0)
    assert found.to_json()["symbolic"] == "max(r1, r2)"
    assert words in (None, found.words)


def test_section_8_two_kinds_of_join() -> None:
    """Addition: all dimensions equal; concatenation: channels add."""
    added = one(layer("resnet32", "stage1.1 Tensor.add").of("output_shape"), axis=1)
    joined = one(layer("unet-small", "torch.cat").of("output_shape"), axis=1)
    assert (added.to_json()["symbolic"], joined.to_json()["symbolic"]) == ("C", "C + C")
    assert (joined.value, joined.to_json()["substituted"]) == (64, "32 + 32")


def test_section_8_bottleneck_channels() -> None:
    """1x1 Cin->Cout/4, 3x3, 1x1 Cout/4->Cout, all with bias: the first block goes from 8 to 32 channels over 8."""
    block = [layer("resnet47", f"stage1.0.body.conv{number}") for number in (1, 2, 3)]
    found = [one(each.of("params")).to_json()["substituted"] for each in block]
    assert [factors(text) for text in found] == [
        factors(text) for text in ("8*8 + 8", "8*8*3^2 + 8", "8*32 + 32")
    ]  # fmt: skip


UPSAMPLED = [
    # network, symbolic height, substituted, field, jump
    ("upsample-nearest", "floor(H*scale)", "floor(64*2.0)", 1, "1/2"),
    ("upsample-bilinear", "floor(H*scale)", "floor(64*2.0)", 2, "1/2"),
    ("pixel-shuffle", "H*u", "64*3", 1, "1/3"),
]


@pytest.mark.parametrize(("target", "symbolic", "substituted", "field", "jump"), UPSAMPLED)
def test_section_9_upsampling(target: str, symbolic: str, substituted: str, field: int, jump: str) -> None:
    (found,) = known(target)[0].layers
    height = one(found.of("output_shape"), axis=2).to_json()
    assert (height["symbolic"], height["substituted"]) == (symbolic, substituted)
    step = one(found.of("receptive_field"), axis=0).to_json()
    assert (step["value"], step["jump"]["value"]) == (field, jump)


def test_section_9_unpooling_and_sub_pixel_channels() -> None:
    unpooled = one(layer("max-unpool", "unpool").of("output_shape"), axis=2).to_json()
    assert (unpooled["substituted"], unpooled["value"]) == ("(32 - 1)*2 - 2*0 + 2", 64)
    (shuffle,) = known("pixel-shuffle")[0].layers
    channels = one(shuffle.of("output_shape"), axis=1).to_json()
    assert (channels["symbolic"], channels["substituted"], channels["value"]) == ("C/u**2", "27/3**2", 3)


def test_section_9_a_transposed_convolutions_macs_follow_the_input_map() -> None:
    found = one(layer("conv-transpose-4", "up").of("macs")).to_json()
    n, cin, cout, h, w, k = sympy.symbols("N Cin Cout H W k")
    assert sympy.sympify(found["symbolic"], locals={"N": n}) == n * cin * h * w * cout * k**2


def test_section_10_regular_against_separable() -> None:
    """Dk^2 * M * N * Df^2 against (Dk^2 + N) * M * Df^2; their ratio is 1/N + 1/Dk^2."""
    names = {name: sympy.Symbol(name, positive=True) for name in ("N", "Cout", "Cin", "Hout", "Wout", "k", "g")}
    dk, m, n, df = sympy.symbols("Dk M n Df", positive=True)
    same = {names["Cin"]: m, names["Hout"]: df, names["Wout"]: df, names["N"]: 1}

    def macs(target: str, name: str, **more: Any) -> Any:
        text = one(layer(target, name).of("macs")).to_json()["symbolic"]
        return sympy.sympify(text, locals=names).subs({**same, **{names[key]: value for key, value in more.items()}})

    regular = macs("conv-regular", "conv", Cout=n, k=dk)
    depthwise = macs("conv-separable", "depthwise", Cout=m, g=m, k=dk)
    pointwise = macs("conv-separable", "pointwise", Cout=n, k=1)
    assert regular == dk**2 * m * n * df**2
    assert (depthwise, pointwise) == (dk**2 * m * df**2, m * n * df**2)
    assert sympy.expand(depthwise + pointwise - (dk**2 + n) * m * df**2) == 0
    assert sympy.simplify((depthwise + pointwise) / regular - (1 / n + 1 / dk**2)) == 0


def test_section_11_what_changes_a_receptive_field() -> None:
    """Two 3x3 see 5x5 with 18 weights; a 5x5 kernel sees 25 inputs with 25; dilation widens without parameters."""
    (two, rows), (wide, others) = (known(name) for name in ("conv-stack", "conv-5x5"))
    compared = side_by_side(two, wide, rows.rows, others.rows).against
    assert compared is not None
    found = {each.quantity: each.values for each in compared.compared}
    assert (found["receptive_field"], found["params"]) == ((5, 5), (18, 25))


@pytest.mark.parametrize(
    ("arguments", "text", "field", "params"),
    [
        ({}, "1 + (3 - 1)*1*1 + (3 - 1)*1*1", 5, 18),
        ({"dilation": 2}, "1 + (3 - 1)*2*1 + (3 - 1)*2*1", 9, 18),
        ({"stride": 2}, "1 + (3 - 1)*1*1 + (3 - 1)*1*2", 7, 18),
        ({"pool": 2}, "1 + (3 - 1)*1*1 + (2 - 1)*1*1 + (3 - 1)*1*2 + (2 - 1)*1*2", 10, 18),
        ({"depth": 3}, "1 + (3 - 1)*1*1 + (3 - 1)*1*1 + (3 - 1)*1*1", 7, 27),
        ({"kernel_size": 5, "depth": 1}, "1 + (5 - 1)*1*1", 5, 25),
    ],
    ids=str,
)
def test_section_11_varied(arguments: dict[str, int], text: str, field: int, params: int) -> None:
    """r' = r + (k-1)*d*j, j' = j*s."""
    document, _ = explain("conv-stack", arguments=arguments)
    found = one([each for each in document.totals if each.quantity == "receptive_field"], axis=0)
    assert (found.to_json()["substituted"], found.value) == (text, field)
    assert one([each for each in document.totals if each.quantity == "params"]).value == params
