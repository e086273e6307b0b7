"""What a call without a formula of its own comes to: the rules of the ATen ops that it ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import Estimate, evaluate
from cnninspect.ops.registry import OpRule, Work, rule_of
from cnninspect.report.quantities import Status
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Op, Trace


def run(function: Callable[..., Any], *shapes: tuple[int, ...], device: str = "meta") -> tuple[Trace, list[Estimate]]:
    trace = record(function, tuple(torch.rand(shape, device=device) for shape in shapes), {}, layer_of, device=device)
    return trace, evaluate(trace)


X = (2, 3, 4, 4)

MOVING = [
    pytest.param(function, id=name)
    for name, function in {
        "clone": lambda x: x.clone(),
        "contiguous": lambda x: x.mT.contiguous(),
        "expand": lambda x: x.expand(2, 2, 3, 4, 4),
        "reshape": lambda x: x.reshape(6, -1),
        "getitem": lambda x: x[:, 0, ..., None],
        "setitem": lambda x: x.__setitem__(0, 1.0),
        "index_select": lambda x: x[:, [2, 0]],
        "roll": lambda x: torch.roll(x, 1, -1),
        "repeat": lambda x: x.repeat(1, 2, 1, 1),
        "cast": lambda x: x.half(),
        "where": lambda x: torch.where(x.to(torch.bool), x, 0.0),
        "zeros_like": lambda x: torch.zeros_like(x),
        "arange": lambda x: torch.arange(x.shape[0], device=x.device),
        "chunk": lambda x: x.chunk(3, 1),
        "cat": lambda x: torch.cat((x, x), 1),
        "stack": lambda x: torch.stack((x, x)),
    }.items()
]
COMPUTING = [
    pytest.param(function, id=name)
    for name, function in {
        "add": lambda x: x + 1,
        "add_": lambda x: x.add_(x),
        "sum": lambda x: x.sum(1),
        "mean": lambda x: x.mean((2, 3)),
        "max": lambda x: x.max(1),
        "compare": lambda x: x > 0,
        "cumsum": lambda x: x.cumsum(-1),
        "topk": lambda x: x.topk(2),
        "norm": lambda x: torch.linalg.vector_norm(x, dim=1),
        "grid_sample": lambda x: F.grid_sample(x, x[..., :2], align_corners=False),
    }.items()
]


@pytest.mark.parametrize("function", MOVING)
def test_moving_data_computes_nothing(function: Callable[..., Any]) -> None:
    trace, estimates = run(function, X)
    assert not estimates[-1].computes
    assert estimates[-1].macs == 0
    assert estimates[-1].shapes == tuple(ref.shape for ref in trace.calls[-1].outputs)


@pytest.mark.parametrize("function", COMPUTING)
def test_arithmetic_without_multiply_accumulates_computes_and_has_zero_macs(function: Callable[..., Any]) -> None:
    trace, estimates = run(function, X)
    assert estimates[-1].computes
    assert estimates[-1].macs == 0
    assert estimates[-1].shapes == tuple(ref.shape for ref in trace.calls[-1].outputs)


# Expected MACs by hand; in what order three operands contract is torch's choice.
CHAIN = [(2, 3), (3, 4), (4, 5)]
PRODUCTS = [
    ("einsum of three", lambda *abc: torch.einsum("ij,jk,kl->il", *abc), CHAIN, 2 * 3 * 4 + 2 * 4 * 5),
    ("einsum of lists", lambda a, b: torch.einsum(a, [0, 1], b, [1, 2]), [(2, 3), (3, 4)], 2 * 3 * 4),
    ("inner", torch.inner, [(2, 3), (4, 3)], 2 * 4 * 3),
    ("multi_dot", lambda *abc: torch.linalg.multi_dot(abc), CHAIN, 2 * 3 * 4 + 2 * 4 * 5),
    ("outer", torch.outer, [(3,), (4,)], 0),
    ("kron", torch.kron, [(2, 3), (4, 5)], 0),
    ("matmul with out", lambda a, b: torch.matmul(a, b, out=a.new_empty(2, 4)), [(2, 3), (3, 4)], 2 * 3 * 4),
    # Squared distances as one product of points with 3 + 2 coordinates: torch's way from 26 points on.
    ("cdist", torch.cdist, [(30, 3), (40, 3)], 30 * 40 * (3 + 2)),
]


@pytest.mark.parametrize(("name", "function", "shapes", "macs"), PRODUCTS, ids=[row[0] for row in PRODUCTS])
def test_products_without_a_formula_are_counted_by_their_ops(name: str, function: Any, shapes: Any, macs: int) -> None:
    trace, estimates = run(function, *shapes)
    assert (estimates[-1].macs, estimates[-1].status) == (macs, Status.EXACT)
    assert estimates[-1].shapes == tuple(ref.shape for ref in trace.calls[-1].outputs)


def test_a_fourier_transform_is_unknown_but_has_a_shape() -> None:
    _, (*_, estimate) = run(lambda x: torch.fft.rfft2(x), X)
    assert (estimate.macs, estimate.status, estimate.missing) == (None, Status.UNKNOWN, ("aten._fft_r2c",))
    assert estimate.shapes == ((2, 3, 4, 3),)


def test_what_is_known_of_a_call_is_a_lower_bound_of_the_whole() -> None:
    def transform_and_mix(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x @ w).abs()

    _, estimates = run(transform_and_mix, (5, 4), (4, 6))
    assert (estimates[0].macs, estimates[0].status) == (5 * 4 * 6, Status.LOWER_BOUND)


def test_a_mask_leaves_the_shape_unknown_and_costs_nothing() -> None:
    _, (*_, estimate) = run(lambda x: x[x > 0], X, device="cpu")
    assert (estimate.shapes, estimate.macs, estimate.missing) == ((None,), 0, ())


def test_an_op_nobody_knows_is_missing_and_computes() -> None:
    _, (*_, estimate) = run(lambda x: torch.linalg.eigvals(x), X, device="cpu")
    assert (estimate.macs, estimate.missing, estimate.computes) == (None, ("aten.linalg_eig",), True)


class FirstRow(nn.Module):
    """Uses the first row of a weight as a token before the layer that the weight belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(torch.cat([self.linear.weight[:1], x]))


def test_the_rest_of_a_parameter_has_no_closed_form() -> None:
    trace = record(FirstRow(), (torch.rand(3, 6),), {}, layer_of, device="cpu")
    found = dict(zip((call.kind for call in trace.calls), evaluate(trace), strict=True))
    assert (found["torch.cat"].params, found["Linear"].params) == (6, None)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.rnn(pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True))


def test_a_packed_batch_costs_its_own_time_steps() -> None:
    trace, estimates = run(Packed().eval(), (2, 5, 3), device="cpu")
    rnn = next(call for call in trace.calls if call.layer == "LSTM")
    estimate = estimates[rnn.index]
    # 5 + 2 steps, four gates of 4 features from 3 inputs and 4 hidden features.
    assert (estimate.macs, estimate.status) == ((5 + 2) * 4 * 4 * (3 + 4), Status.EXACT)
    assert estimate.shapes == tuple(ref.shape for ref in rnn.outputs)
    assert estimate.params == 4 * 4 * 3 + 4 * 4 * 4 + 2 * 4 * 4


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_a_recurrent_layer_with_a_normalized_weight_is_not_that_layer() -> None:
    layer = torch.nn.utils.weight_norm(nn.GRU(3, 4), "weight_hh_l0")
    assert layer_of(layer).name is None
    assert layer_of(layer).base == "GRU"
    _, estimates = run(layer.eval(), (5, 2, 3), device="cpu")
    # Five steps of two samples, three gates; the magnitudes are one more parameter per row of the normalized weight.
    assert estimates[0].macs == 5 * 2 * 3 * 4 * (3 + 4)
    assert estimates[0].params == 3 * 4 * 3 + (3 * 4 * 4 + 3 * 4) + 2 * 3 * 4


@pytest.mark.parametrize(
    ("name", "pointwise", "work"),
    [
        ("aten.convolution", False, Work.MAC),
        ("aten.mul", True, Work.ELEMENTWISE),
        ("aten.eq", True, Work.COMPARISON),
        ("aten.clone", True, Work.MOVEMENT),
        ("aten.sum", False, Work.REDUCTION),
        ("aten.native_layer_norm", False, Work.NORMALISATION),
        ("aten.zeros", False, Work.CREATION),
    ],
)
def test_every_op_has_a_kind_of_work(name: str, pointwise: bool, work: Work) -> None:
    rule = rule_of(Op(0, f"{name}.default", (), {}, (), 0, pointwise=pointwise))
    assert isinstance(rule, OpRule)
    assert rule.work is work


def test_an_op_without_rule_has_no_kind_of_work() -> None:
    assert rule_of(Op(0, "mylib.scan.default", (), {}, (), 0)) is None
