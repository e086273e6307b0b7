"""Symbolic counts against section 3 of the worked examples, and against instances that were never seen."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
import sympy

from cnninspect.errors import LoadError
from cnninspect.explain.axis import Function
from cnninspect.explain.instances import COUNTS, Instances, Variable, numbers_of
from cnninspect.explain.symbolic import Study, in_sympy, study, value_of
from cnninspect.inspection.pipeline import inspect_model

FAMILIES = Path(__file__).parent.parent / "data" / "families.py"


def inspected(target: str, names: list[str], point, inputs=()):
    target = target.replace("families:", f"{FAMILIES}:")
    arguments = {name: x for name, x in zip(names, point, strict=True) if not name.startswith("input.")}
    sizes = {name[6:]: x for name, x in zip(names, point, strict=True) if name.startswith("input.")}
    return numbers_of(inspect_model(target, arguments=arguments, sizes=sizes, inputs=inputs))


def studied(target: str, variables: list[Variable], inputs=()) -> Study:
    names = [each.name for each in variables]
    return study(Instances(variables, lambda point: inspected(target, names, point, inputs)))


def expression(found: Study, name: str, row: str = ""):
    terms = found.formulas[row, name]
    assert terms is not None, found.why
    return in_sympy(terms, [axis.variable for axis in found.axes])


NIC, NF, NC, K, H, W = (
    Variable("NIC", "NIC", 1),
    Variable("NF", "NF", 32),
    Variable("NC", "NC", 24),
    Variable("k", "k", 3),
    Variable("input.h", "H", 32),
    Variable("input.w", "W", 32),
)
WEIGHTS = "k**2*(NIC*NF + 2*NF**2 + 2*NF**2 + NF*NC + NC**2)"

# Section 3 of the worked examples: per layer (1.1 is the convolution of block 1, in the model n.0.0) and in all.
AT_32 = {
    "weights": WEIGHTS,
    "neurons": "1792*NF + 896*NF + 832*NF + 3328*NC + 1024*NC",
    "macs": "k**2*(32**2*NIC*NF + 16**2*NF*2*NF + 8**2*2*NF*NF + 16**2*NF*NC + 32**2*NC*NC)",
    # Each batch norm has a scale and a shift for its NF, 2NF, NF and NC channels.
    "params": f"{WEIGHTS} + 2*(NF + 2*NF + NF + NC)",
}
AT_64 = {
    "weights": WEIGHTS,
    "neurons": "14080*NF + 17408*NC",
    "macs": "k**2*(64**2*NIC*NF + 32**2*NF*2*NF + 16**2*2*NF*NF + 32**2*NF*NC + 64**2*NC*NC)",
}
GENERAL = {
    "weights": WEIGHTS,
    # 3520 and 4352 neurons at 32*32 positions, all of them proportional to H W.
    "neurons": "3520*NF*H*W/1024 + 4352*NC*H*W/1024",
    "macs": "k**2*(H*W*NIC*NF + H*W/4*NF*2*NF + H*W/16*2*NF*NF + H*W/4*NF*NC + H*W*NC*NC)",
}
BLOCKS = [
    # block, weights, MACs at H x W, neurons of the convolution, of all layers of the block
    (0, "k**2*NIC*NF", "k**2*H*W*NIC*NF", "H*W*NF", "1792*NF*H*W/1024"),
    (1, "k**2*NF*2*NF", "k**2*H*W/4*NF*2*NF", "H*W/4*2*NF", "896*NF*H*W/1024"),
    (2, "k**2*2*NF*NF", "k**2*H*W/16*2*NF*NF", "H*W/16*NF", "832*NF*H*W/1024"),
    (3, "k**2*NF*NC", "k**2*H*W/4*NF*NC", "H*W/4*NC", "3328*NC*H*W/1024"),
    (4, "k**2*NC*NC", "k**2*H*W*NC*NC", "H*W*NC", "1024*NC*H*W/1024"),
]


def equal(found, text: str) -> bool:
    return sympy.expand(found - sympy.sympify(text)) == 0


@pytest.mark.parametrize(
    ("size", "expected"),
    [pytest.param(32, AT_32, id="32x32"), pytest.param(64, AT_64, id="64x64", marks=pytest.mark.sweep)],
)
def test_section_3_at_a_size(size, expected):
    found = studied("pool-upsample", [NF, NC, K], inputs=[f"1x1x{size}x{size}"])
    for name, text in expected.items():
        assert equal(expression(found, name), text.replace("NIC", "1")), name
    assert [axis.modulus for axis in found.axes] == [1, 1, 2]
    assert found.checked_on == 10


@pytest.mark.sweep
def test_section_3_at_32_with_its_own_input():
    """The number of input channels varies too: the input follows it, as the zoo's own input does."""
    found = studied("pool-upsample", [NIC, NF, NC, K])
    for name, text in AT_32.items():
        assert equal(expression(found, name), text), name


@pytest.fixture(scope="module")
def general() -> Study:
    return studied("pool-upsample", [NIC, NF, NC, K, H, W])


@pytest.mark.parametrize("name", GENERAL)
def test_section_3_at_any_size(general, name):
    assert equal(expression(general, name), GENERAL[name])


@pytest.mark.parametrize(("size", "expected"), [(32, AT_32), (64, AT_64)], ids=["32x32", "64x64"])
def test_any_size_holds_at_32_and_64(general, size, expected):
    """With NIC as a variable, too: section 3 states the sums for both sizes."""
    for name, text in expected.items():
        assert equal(expression(general, name).subs({"H": size, "W": size}), text), name


@pytest.mark.parametrize(("size", "macs"), [(32, 13_271_040), (64, 53_084_160)])
def test_the_numbers_that_were_computed_for_section_3(general, size, macs):
    """NIC=1 NF=32 NC=24 k=3: weights 49,248, batch norms 2*(32 + 64 + 32 + 24) = 304 more."""
    values = {"NIC": 1, "NF": 32, "NC": 24, "k": 3, "H": size, "W": size}
    found = {name: expression(general, name).subs(values) for name in ("weights", "params", "macs")}
    assert found == {"weights": 49_248, "params": 49_248 + 304, "macs": macs}


def test_any_size_is_a_multiple_of_4_with_an_odd_kernel(general):
    # Two pools halve the map; padding k//2 keeps the size where k is odd.
    assert [(axis.modulus, axis.rest) for axis in general.axes] == [(1, 0), (1, 0), (1, 0), (2, 1), (4, 0), (4, 0)]
    assert general.checked_on == 10
    assert not general.by_pattern


@pytest.mark.parametrize(("block", "weights", "macs", "neurons", "all_neurons"), BLOCKS)
def test_section_3_block_by_block(general, block, weights, macs, neurons, all_neurons):
    layer = f"n.{block}.0"
    assert equal(expression(general, "weights", layer), weights)
    assert equal(expression(general, "macs", layer), macs)
    assert equal(expression(general, "neurons", layer), neurons)
    rows = {row for row, _ in general.formulas if row.startswith(f"n.{block}.")}
    assert equal(sympy.Add(*(expression(general, "neurons", row) for row in rows)), all_neurons)


FAMILY = [
    # id, target, variables, further values of each of them
    (
        "LeNet-5",
        "lenet5",
        [Variable("in_channels", "c", 1), Variable("hidden", "h", 84), Variable("classes", "n", 10)],
        [range(1, 40), range(100, 300), range(20, 200)],
    ),
    (
        "ResNet, depth and width",
        "families:resnet",
        [Variable("width", "w", 8), Variable("blocks", "b", 2)],
        [range(16, 100), range(1, 8)],
    ),
    (
        "U-Net, depth and width",
        "families:unet",
        [Variable("width", "w", 2), Variable("depth", "d", 1, (1, 2, 3, 4, 5, 6, 7))],
        [range(9, 50), range(1, 8)],
    ),
]


def _quick_first(cases):
    """LeNet-5 in every run; the larger families take most of a minute and stand behind the `sweep` marker."""
    return [pytest.param(*case[1:], id=case[0], marks=pytest.mark.sweep if n else ()) for n, case in enumerate(cases)]


@pytest.mark.parametrize(("target", "variables", "values"), _quick_first(FAMILY))
def test_ten_other_instances_are_predicted(target, variables, values):
    check_predictions(target, variables, values, ["1x1x256x256"] if "unet" in target else [])


@pytest.mark.sweep
def test_ten_other_instances_of_mobilenet_are_predicted():
    # Channels are rounded to multiples of 8, which all of them are where the width is an integer.
    check_predictions("families:mobilenet", [Variable("width", "w", 1)], [range(20, 60)], ["1x3x32x32"])


def check_predictions(target, variables, values, inputs):
    found = studied(target, variables, inputs)
    names = [each.name for each in variables]
    rng = random.Random(target)
    for _ in range(10):
        point = tuple(rng.choice(each) for each in values)
        real = inspected(target, names, point, inputs)[int(found.by_pattern)]
        for name in COUNTS:
            assert value_of(found.formulas["", name], point) == real["", name], (name, point)
        for key, terms in found.formulas.items():
            if terms is not None and key in real:
                assert value_of(terms, point) == real[key], (key, point)


def test_the_depth_of_a_resnet():
    found = studied("resnet32", [Variable("blocks", "n", 1, (1, 2, 3, 4, 5, 6))])
    # A stage of n blocks with c channels: the first has 2 or 3 convolutions, each of the others 2 of 9 c^2 + c, and
    # norms of 4 c. Six more layers of 8, 16 and 32 channels a block.
    each = sum(2 * (9 * c * c + c) + 4 * c for c in (8, 16, 32))
    params = expression(found, "params")
    n = sympy.Symbol("n")
    assert sympy.expand(params).coeff(n, 1) == each
    assert found.by_pattern
    # r += 2 for each 3x3 convolution, at jumps 1, 2 and 4: 2 a block, 2*2*(1 + 2 + 4) = 28 more pixels.
    assert sympy.expand(expression(found, "receptive_field.0.most")).coeff(n, 1) == 28


def test_a_number_that_grows_by_doubling():
    found = studied("families:unet", [Variable("depth", "d", 1, (1, 2, 3, 4, 5, 6, 7))], ["1x1x256x256"])
    # Both 3x3 convolutions of a level double their channels from level to level: 4^d in params, 2^-d in neurons.
    terms = found.formulas["", "params"]
    assert (Function(0, 2),) in terms
    assert (Function(0, -1),) in found.formulas["", "neurons"]


def test_no_residue_class():
    found = studied("families:Rounded", [Variable("width", "w", 9)], ["1x3x8x8"])
    assert not found.axes[0].is_known
    assert found.formulas["", "params"] is None
    assert "no polynomial of degree <= 4 fits" in found.why["", "params"]


def test_a_residue_class_modulo_2():
    found = studied("families:Halved", [Variable("width", "w", 9)], ["1x3x8x8"])
    (axis,) = found.axes
    assert (axis.modulus, axis.rest, axis.is_known) == (2, 1, True)
    # (w - 1)/2 channels of 3 weights and a bias.
    assert equal(expression(found, "params"), "4*(w - 1)/2")


def test_instances_that_fail_are_named_and_the_rest_goes_on():
    found = studied("families:Picky", [Variable("width", "w", 3, (3, 4, 5, 6, 7, 8, 9))], ["1x3x8x8"])
    assert list(found.failed) == ["width=5"]
    assert "ValueError: 5 is taken" in found.failed["width=5"]
    # 3*3*3 weights and a bias for each channel, 36 positions.
    assert equal(expression(found, "params"), "28*w")
    assert equal(expression(found, "macs"), "972*w")


def test_values_are_exact():
    terms = {(Function(2), Function(0, 1)): Fraction(1, 3)}
    assert value_of(terms, (3, 2)) == 12
    assert value_of(terms, (10**12, 70)) == Fraction(10**24 * 2**70, 3)


def test_an_instance_that_is_needed_and_fails_is_the_reason():
    # In each variable alone both values work; together they are refused.
    def inspect(point):
        if point == (2, 2):
            raise LoadError("together they are too much. Try less.")
        return {("", "macs"): point[0] * point[1]}, {("", "macs"): point[0] * point[1]}

    variables = [Variable("a", "a", 1, (1, 2, 3, 4)), Variable("b", "b", 1, (1, 2, 3, 4))]
    found = study(Instances(variables, inspect))
    assert found.formulas["", "macs"] is None
    assert found.why["", "macs"] == "the instance a=2, b=2 is needed and fails: give other values"
    assert found.failed == {"a=2, b=2": "together they are too much"}


def test_a_formula_that_nothing_is_left_to_check_is_none():
    def inspect(point):
        if point[0] > 1:
            raise LoadError("only 1 works.")
        return {("", "macs"): 5}, {("", "macs"): 5}

    found = study(Instances([Variable("a", "a", 1)], inspect))
    assert (found.checked_on, found.formulas["", "macs"]) == (0, None)
    assert "no instance is left" in found.why["", "macs"]


def test_a_product_that_vanishes_along_every_variable_is_found():
    """(a - 1)(b - 1) is 0 on both lines through the start: neither variable alone shows that it matters."""

    def inspect(point):
        value = (point[0] - 1) * (point[1] - 1) + 7
        return {("", "macs"): value}, {("", "macs"): value}

    found = study(Instances([Variable("a", "a", 1), Variable("b", "b", 1)], inspect))
    assert equal(expression(found, "macs"), "(a - 1)*(b - 1) + 7")
    assert found.checked_on == 10


def law_in_one_variable(law, variable: Variable, works=lambda x: True) -> Study:
    """The study of a number that follows a law, of a network that only some values build."""

    def inspect(point):
        if not works(point[0]):
            raise LoadError("it is refused.")
        return {("", "macs"): law(point[0])}, {("", "macs"): law(point[0])}

    return study(Instances([variable], inspect))


LISTS = [
    # id, law, values, those that work beside them, the formula, values that were added
    ("linear of 3", lambda x: 5 * x + 2, (8, 16, 32), (), "5*a + 2", ()),
    ("constant of 2", lambda x: 7, (8, 16), (), "7", ()),
    ("quadratic of 4", lambda x: 3 * x * x + x, (1, 3, 5, 9), (), "3*a**2 + a", ()),
    ("cubic of 5", lambda x: x**3 - x, (2, 3, 5, 8, 13), (), "a**3 - a", ()),
    ("quartic of 6", lambda x: x**4 + 1, (1, 2, 3, 5, 8, 13), (), "a**4 + 1", ()),
    # 7 values make up 10: those between 8 and 32 in steps of 8 first, then on from 40.
    ("quadratic of 3", lambda x: x * x, (8, 16, 32), range(100), "a**2", (24, 40, 48, 56, 64, 72, 80)),
    ("some fail", lambda x: x * x, (2, 3, 4), (5, 7), "a**2", (5, 7)),
]


@pytest.mark.parametrize(
    ("law", "values", "more", "formula", "added"), [x[1:] for x in LISTS], ids=[x[0] for x in LISTS]
)
def test_degree_d_takes_d_plus_1_values_and_one_to_check(law, values, more, formula, added):
    found = law_in_one_variable(law, Variable("a", "a", values[0], values), {*values, *more}.__contains__)
    assert equal(expression(found, "macs"), formula)
    assert found.axes[0].added == added
    assert found.checked_on >= 1
    assert found.failed == {}


SHORT = [
    ("linear of 2", lambda x: 5 * x + 2, (8, 16), "too few values: 3 needed for degree 1, 2 of a work"),
    ("quadratic of 3", lambda x: x * x, (1, 3, 5), "too few values: 4 needed for degree 2, 3 of a work"),
    ("quartic of 5", lambda x: x**4, (1, 2, 3, 5, 8), "too few values: 6 needed for degree 4, 5 of a work"),
    ("any of 1", lambda x: x, (4,), "too few values: 2 needed for degree 0, 1 value of a works"),
]


@pytest.mark.parametrize(("law", "values", "why"), [x[1:] for x in SHORT], ids=[x[0] for x in SHORT])
def test_too_few_values_are_not_called_no_polynomial(law, values, why):
    found = law_in_one_variable(law, Variable("a", "a", values[0], values), values.__contains__)
    assert found.formulas["", "macs"] is None
    assert found.why["", "macs"].startswith(why)
    assert found.axes[0].why == why


def test_degree_5_is_not_polynomial_however_many_values_there_are():
    found = law_in_one_variable(lambda x: x**5, Variable("a", "a", 1, (1, 2, 3, 4, 5, 6, 7, 8)))
    assert "no polynomial of degree <= 4 fits in this range" in found.why["", "macs"]
    assert found.axes[0].why.startswith("no polynomial of degree <= 4 fits")


@pytest.mark.parametrize(
    ("works", "failed"),
    [
        pytest.param(lambda x: x not in (5, 6), {"a=5", "a=6"}, id="two beside each other"),
        pytest.param(lambda x: x % 3 == 0, {"a=4", "a=5", "a=7", "a=8"}, id="all but multiples of 3"),
        pytest.param(lambda x: x <= 12, {"a=13"}, id="none beyond 12"),
    ],
)
def test_values_that_fail_are_stepped_over(works, failed):
    found = law_in_one_variable(lambda x: 2 * x * x - x, Variable("a", "a", 3), works)
    assert equal(expression(found, "macs"), "2*a**2 - a")
    assert failed <= set(found.failed)
    assert found.checked_on >= 2


def test_every_other_value_is_a_residue_class():
    found = law_in_one_variable(lambda x: x * x, Variable("a", "a", 3), lambda x: x % 2 == 1)
    assert (found.axes[0].modulus, found.axes[0].rest) == (2, 1)
    assert equal(expression(found, "macs"), "a**2")


def test_values_beyond_a_slow_one_are_not_tried():
    # From depth 5 on an instance takes 4 times as long as the one before: 6 s, 24 s... and 96 s for the third.
    now, tried = [0.0], []

    def inspect(point):
        tried.append(point[0])
        now[0] += 0.1 if point[0] < 5 else 6.0 * 4 ** (point[0] - 5)
        return {("", "params"): 3 * point[0]}, {("", "params"): 3 * point[0]}

    instances = Instances([Variable("depth", "n", 2)], inspect, clock=lambda: now[0])
    found = study(instances)
    assert max(tried) == 5
    assert instances.slow == {(5,): pytest.approx(6.0)}
    assert equal(expression(found, "params"), "3*n")


@pytest.mark.parametrize("first_slow", [pytest.param(6, id="while looking"), pytest.param(11, id="while checking")])
def test_no_question_goes_beyond_a_slow_value(first_slow):
    # A field that no function fits asks for finer residue classes, and a check for more instances: of depth 24, say,
    # which takes 4**18 times as long as depth 6. From `first_slow` on each instance takes 4 times the one before.
    now, tried = [0.0], []

    def inspect(point):
        (n,) = point
        tried.append(n)
        now[0] += 0.1 if n < first_slow else 6.0 * 4 ** (n - first_slow)
        whole = {("", "params"): 3 * n, ("", "receptive_field.0.least"): 10 if n == 1 else 2**n * (n % 3)}
        return {**whole, **{(f"layer{i}", "params"): 3 for i in range(n)}}, {**whole, ("layer*", "params"): 3 * n}

    instances = Instances([Variable("depth", "n", 2)], inspect, clock=lambda: now[0])
    found = study(instances)
    assert max(tried) == first_slow
    assert equal(expression(found, "params"), "3*n")
    assert "differs from the best fit" in found.why["", "receptive_field.0.least"]


def test_equally_slow_instances_are_all_tried():
    now = [0.0]

    def inspect(point):
        now[0] += 9.0
        return {("", "params"): point[0] ** 2}, {("", "params"): point[0] ** 2}

    instances = Instances([Variable("width", "n", 2)], inspect, clock=lambda: now[0])
    assert equal(expression(study(instances), "params"), "n^2")
    assert not instances.slow
