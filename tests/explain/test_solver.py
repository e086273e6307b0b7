"""The solver against torch's own layers, which it never asks: nothing extra, nothing missed."""

from __future__ import annotations

import random
from functools import cache
from itertools import product

import pytest
import torch
from torch import nn

from cnninspect.errors import UsageError
from cnninspect.explain.solver import Allowed, Answer, Bounds, Layer, Question, Rank, Setting, Solution, solve, steps_of

KINDS = [(Layer.CONV, False), (Layer.CONV_TRANSPOSE, False), (Layer.POOL, False), (Layer.POOL, True)]
IDS = ["conv", "conv-transpose", "pool", "pool, ceil mode"]


@cache
def by_torch(layer: Layer, size: int, at: Setting, ceil_mode: bool = False) -> int | None:
    """The size that torch's layer gives, None where torch refuses the setting.

    On the CPU: torch's meta kernels do not refuse an output padding that is too large.
    """
    common = {"stride": at.stride, "padding": at.padding, "dilation": at.dilation}
    try:
        if layer is Layer.CONV:
            module: nn.Module = nn.Conv1d(1, 1, at.kernel, **common, device="meta")
        elif layer is Layer.CONV_TRANSPOSE:
            extra = at.output_padding
            module = nn.ConvTranspose1d(1, 1, at.kernel, **common, output_padding=extra, device="cpu")
        else:
            module = nn.MaxPool2d(
                (1, at.kernel), (1, at.stride), (0, at.padding), (1, at.dilation), ceil_mode=ceil_mode
            )
        device = "cpu" if layer is Layer.CONV_TRANSPOSE else "meta"
        shape = (1, 1, 1, size) if layer is Layer.POOL else (1, 1, size)
        return int(module(torch.empty(shape, device=device)).shape[-1])
    except RuntimeError:
        return None


def settings(answer: Answer) -> list[Setting]:
    return [at for solution in answer.solutions for at in solution.settings]


def paddings_of_all_solutions(layer: Layer, size: int, out: int, k: int, s: int, d: int) -> range:
    """Every padding that can lead to `out`: a convolution with more gives more, a transposed one gives less."""
    return range((out * s + d * k) // 2 + 2 if layer is Layer.CONV else (size * s + d * k + max(s, d)) // 2 + 2)


def expected(question: Question) -> tuple[set[Setting], set[int]]:
    """(the settings with which torch reaches the size, every size that torch reaches) by trying them all."""
    (size,), (out,), allowed = question.sizes, question.out, question.allowed
    hits, reached = set(), set()
    for k, d in product(allowed.kernel or range(1, 12), allowed.dilation or (1,)):
        for s in allowed.stride or range(1, size + 2 * max(d * k, *(allowed.padding or (0,))) + 2):
            if allowed.stride is None and question.layer is Layer.CONV_TRANSPOSE and s > d * (k - 1) + 1:
                continue
            paddings = allowed.padding
            if paddings is None and allowed.stride is None:
                paddings = range(d * (k - 1) + 1)
            elif paddings is None:
                paddings = paddings_of_all_solutions(question.layer, size, out, k, s, d)
            extras = allowed.output_padding if question.layer is Layer.CONV_TRANSPOSE else (0,)
            for p, extra in product(paddings, range(max(s, d)) if extras is None else extras):
                at = Setting(k, s, p, d, extra)
                found = by_torch(question.layer, size, at, question.ceil_mode)
                reached |= {found} - {None}
                hits |= {at} if found == out else set()
    return hits, reached


def drawn(rng: random.Random, layer: Layer, ceil_mode: bool, *, stride_given: bool) -> Question:
    """A small question about a layer, with some hyper-parameters given."""

    def some(values, chance):
        return tuple(sorted(rng.sample(values, rng.randint(1, 3)))) if rng.random() < chance else None

    allowed = Allowed(
        some(range(1, 6), 1 if stride_given else 0.9),
        some(range(1, 5), stride_given),
        some(range(9), 0.3),
        some(range(1, 4), 0.3),
        some(range(4), 0.3) if layer is Layer.CONV_TRANSPOSE else None,
    )
    return Question(
        layer,
        (rng.randint(1, 9 if stride_given else 5),),
        (rng.randint(1, 12 if stride_given else 7),),
        allowed,
        ceil_mode,
    )


@pytest.mark.parametrize(("layer", "ceil_mode"), KINDS, ids=IDS)
@pytest.mark.parametrize("stride_given", [True, False], ids=["stride given", "any stride"])
def test_all_solutions_and_no_others(layer, ceil_mode, stride_given):
    rng = random.Random(f"{layer}{ceil_mode}{stride_given}")
    solved = 0
    # torch's transposed layers run on the CPU here: fewer of them.
    for _ in range((150 if stride_given else 40) // (3 if layer is Layer.CONV_TRANSPOSE else 1)):
        question = drawn(rng, layer, ceil_mode, stride_given=stride_given)
        answer, (hits, reached) = solve(question), expected(question)
        if not stride_given and question.out == (1,) and layer is not Layer.CONV_TRANSPOSE:
            # One window is left by every stride from some size on: the answer ends at the padded input or the window.
            hits = {at for at in hits if at.stride <= longest_stride(question, at)}
        assert set(settings(answer)) == hits, question
        solved += bool(hits)
        if not hits:
            below, above = (n for n in reached if n < question.out[0]), (n for n in reached if n > question.out[0])
            assert {one.out[0] for one in answer.nearest} == {max(below, default=None), min(above, default=None)} - {
                None
            }
    assert solved > 3


def longest_stride(question: Question, at: Setting) -> int:
    """The padded input, or the window where that is larger."""
    k, d = at.kernel, at.dilation
    most = k // 2 if question.layer is Layer.POOL else d * (k - 1)
    given = [p for p in question.allowed.padding or () if question.layer is not Layer.POOL or p <= most]
    return max(question.sizes[0] + 2 * max(given, default=most), d * (k - 1) + 1)


@pytest.mark.parametrize(("layer", "ceil_mode"), KINDS, ids=IDS)
def test_a_setting_that_torch_takes_is_found_again(layer, ceil_mode):
    rng = random.Random(7)
    found = 0
    while found < 500:
        at = Setting(
            rng.randint(1, 11), rng.randint(1, 6), rng.randint(0, 12), rng.randint(1, 3), rng.randint(0, 5)
        )  # fmt: skip
        at = at if layer is Layer.CONV_TRANSPOSE else at._replace(output_padding=0)
        size = rng.randint(1, 1024)
        out = by_torch(layer, size, at, ceil_mode)
        if out is None:
            continue
        found += 1
        given = {name: (value,) for name, value in at._asdict().items() if rng.random() < 0.5 or name == "stride"}
        given["dilation"] = (at.dilation,)
        answer = solve(Question(layer, (size,), (out,), Allowed(**given), ceil_mode))
        assert at in settings(answer)
        assert all(by_torch(layer, size, each, ceil_mode) == out for each in rng.sample(settings(answer), 1))


# Section 4 of the worked examples, which is coursework on `conv-transpose`; kernel 3 by hand from the two formulas.
WORKED = [
    # kernel, (padding, output padding) of: conv 32->16 and 16->8, transposed 8->16 and 16->32, conv 32->32
    (3, (1, 0), (1, 1), [(1, 0)]),
    (4, (1, 0), (1, 0), []),
    (5, (2, 0), (2, 1), [(2, 0)]),
]


@pytest.mark.parametrize(("kernel", "down", "up", "keep"), WORKED, ids=[f"kernel {case[0]}" for case in WORKED])
@pytest.mark.parametrize("strides", [None, (1, 2)], ids=["any stride", "stride 1 or 2"])
def test_the_chain_of_the_worked_example(kernel, down, up, keep, strides):
    base = Question(Layer.CONV, (), (), Allowed((kernel,), strides))
    steps = steps_of(Layer.CONV, [32, 16, 8, 16, 32, 32], base)
    assert [step.layer.value for step in steps] == ["conv", "conv", "conv-transpose", "conv-transpose", "conv"]
    found = [[(at.stride, at.padding, at.output_padding) for at in settings(solve(step))] for step in steps]
    within = [[one for one in each if one[1] < kernel] for each in found]
    assert within == [[(2, *down)], [(2, *down)], [(2, *up)], [(2, *up)], [(1, *each) for each in keep]]


def test_no_padding_keeps_the_size_with_an_even_kernel():
    # 32 = 32 + 2p - 4 + 1 needs p = 1.5: p = 1 gives 31, and p = 2, to which the report rounds, gives 33.
    answer = solve(Question(Layer.CONV, (32,), (32,), Allowed((4,), (1,))))
    assert answer.solutions == ()
    assert [(one.out, one.settings[0].padding) for one in answer.nearest] == [((31,), 1), ((33,), 2)]


def test_a_ceil_pool_leaves_out_a_window_that_starts_in_the_padding():
    # 5 + 2*1 - 2 = 5, ceil(5/3) + 1 = 3 windows at 0, 3, 6; the input and left padding end at 5 + 1 = 6.
    assert solve(Question(Layer.POOL, (5,), (3,), Allowed((2,), (3,), (1,)), True)).solutions == ()
    assert settings(solve(Question(Layer.POOL, (5,), (2,), Allowed((2,), (3,), (1,)), True))) == [Setting(2, 3, 1)]


def test_one_setting_for_both_axes_or_one_for_each():
    both = solve(Question(Layer.CONV, (32, 48), (16, 24), Allowed((3,))))
    # (32 + 2 - 3)/2 = 15.5 and (48 + 2 - 3)/2 = 23.5: 15 + 1 and 23 + 1.
    assert [one.settings for one in both.solutions] == [(Setting(3, 2, 1),)]
    each = solve(Question(Layer.CONV, (32, 32), (16, 32), Allowed((3,))))
    assert [one.settings for one in each.solutions] == [(Setting(3, 2, 1), Setting(3, 1, 1))]
    image = torch.empty(1, 1, 32, 32, device="meta")
    assert nn.Conv2d(1, 1, 3, (2, 1), (1, 1), device="meta")(image).shape == (1, 1, 16, 32)


def test_an_axis_without_solution_is_named_by_its_nearest_sizes():
    answer = solve(Question(Layer.CONV, (32, 31), (29, 31), Allowed((4,), (1,))))
    # 32 - 4 + 1 = 29 without padding; 31 + 2p - 4 + 1 is 30 with p = 1, 32 with p = 2.
    assert answer.solutions == ()
    assert {(one.out, one.settings[0].padding) for one in answer.nearest} == {((29, 30), 1), ((29, 32), 2)}


@pytest.mark.parametrize(
    ("layer", "bounds", "kernels"),
    [
        # A convolution sees k positions. 3 -> 8 channels: 3*8*9 + 8 = 224 params with k = 3, 608 with 5, 1184 with 7.
        (Layer.CONV, Bounds(min_field=5), [5, 7]),
        (Layer.CONV, Bounds(max_field=5), [3, 5]),
        (Layer.CONV, Bounds(max_params=607), [3]),
        (Layer.CONV, Bounds(max_params=608), [3, 5]),
    ],
)
def test_bounds(layer, bounds, kernels):
    question = Question(layer, (32,), (32,), Allowed((3, 5, 7), (1,)), channels=(3, 8), bounds=bounds)
    assert [at.kernel for at in settings(solve(question))] == kernels


def test_what_a_solution_sees_and_costs():
    # Dilation 2 spreads 3 taps over 5 positions. Weights 3*3*16*8 and 8 biases: a transposed layer has as many.
    dilated = Question(Layer.CONV, (32,), (32,), Allowed((3,), (1,), dilation=(2,)), channels=(16, 8))
    assert solve(dilated).solutions == (Solution((Setting(3, 1, 2, 2),), (32,), ((5, 5),), 1160),)
    # Stride 2: even outputs of 3 taps meet one tap, or two that lie one apart.
    doubled = Question(Layer.CONV_TRANSPOSE, (16,), (32,), Allowed((3,), (2,)), channels=(16, 8))
    assert solve(doubled).solutions == (Solution((Setting(3, 2, 1, 1, 1),), (32,), ((1, 2),), 1160),)


def test_ranks():
    question = Question(Layer.CONV, (32,), (32,), Allowed((3, 5), (1,), dilation=(1, 3)), channels=(1, 1))
    by_field = solve(Question(**{**vars(question), "rank": Rank.FIELD}))
    assert [one.receptive_field[0][0] for one in by_field.solutions] == [3, 5, 7, 13]
    assert [at.kernel for at in settings(solve(question))] == [3, 3, 5, 5]


@pytest.mark.parametrize(("size", "out"), [(1024, 512), (1024, 1024), (1000, 7), (1, 1024), (512, 1024)])
def test_a_large_question_takes_few_evaluations(monkeypatch, size, out):
    """Bisection asks for at most 100 sizes a combination where trying all paddings would take thousands."""
    from cnninspect.explain import solver

    asked = 0

    def counted(*arguments):
        nonlocal asked
        asked += 1
        return real(*arguments)

    real = solver.conv_size
    monkeypatch.setattr(solver, "conv_size", counted)
    answer = solve(Question(Layer.CONV, (size,), (out,), Allowed(tuple(range(1, 12)), (1, 2, 3, 4))))
    assert asked <= 100 * 11 * 4 + len(answer.solutions) + len(answer.nearest)


@pytest.mark.parametrize(
    ("layer", "size", "out", "allowed"),
    [
        # Padding p and output padding e: 2p - e = 99s + d(k - 1) - 1023, and e < max(s, d).
        pytest.param(Layer.CONV_TRANSPOSE, 100, 1024, ((3,), range(1, 17), None, range(1, 9), None), id="transposed"),
        # One window: every stride beyond 1023 + 2p - 2d.
        pytest.param(Layer.CONV, 1024, 1, ((3,), None, None, (1, 2), None), id="one window"),
    ],
)
def test_many_solutions_are_all_that_the_size_formula_admits(layer, size, out, allowed):
    # Source: torch.nn.Conv2d and torch.nn.ConvTranspose2d, "Shape".
    ((k,), strides, _, dilations, _) = allowed
    expected = set()
    for d in dilations:
        for s in strides or range(1, size + 4 * d + 1):
            if layer is Layer.CONV:
                hits = {(p, 0) for p in range(2 * d + 1) if 0 <= size + 2 * p - 2 * d - 1 < s}
            else:
                both = product(range(60 * s), range(max(s, d)))
                hits = {(p, e) for p, e in both if 99 * s - 2 * p + 2 * d + e + 1 == out}
            expected |= {Setting(k, s, p, d, e) for p, e in hits}
    found = settings(solve(Question(layer, (size,), (out,), Allowed(*allowed))))
    assert len(found) > 50
    assert found == sorted(expected)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        pytest.param(
            Question(Layer.CONV, (32,), (1,), Allowed(dilation=range(1, 9))),
            "more than 100 settings take 32 to 1",
            id="solutions",
        ),
        pytest.param(
            Question(Layer.CONV, (32,), (16,), Allowed(stride=range(1, 1025), dilation=range(1, 1025))),
            "11 x 1,024 x 1,024 kernels, strides and dilations are too many",
            id="choices",
        ),
    ],
)
def test_what_nobody_can_read_is_refused(monkeypatch, question, words):
    monkeypatch.setattr("cnninspect.explain.solver.MOST_SOLUTIONS", 100)
    with pytest.raises(UsageError, match=words):
        solve(question)
