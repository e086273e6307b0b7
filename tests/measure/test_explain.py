"""Each known reason for a difference, from a model built to trigger it, and differences that have none."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.measure.base import COUNTERS, MULTIPLYING, Count, explain, unit_of
from cnninspect.measure.base import count as count_all
from tests.measure.models import run_of


def reason(name, model, analytic, *args):
    """The explanation of the last call of a run, given its true number of MACs."""
    return explain(name, count_all(run_of(model, *args))[name][-1], analytic)


def flash_attention(q, k, v):
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v)[0]


MAP = torch.rand(2, 3, 8, 8)
HEADS = torch.rand(1, 2, 5, 4)

# Analytic MACs by hand; a normalisation, an interpolation and a pooling multiply and accumulate nothing.
REASONS = {
    "batch norm": ("fvcore", nn.Sequential(nn.BatchNorm2d(3)), 0, [MAP], "fvcore counts normalisation"),
    "layer norm": ("fvcore", nn.Sequential(nn.LayerNorm(8)), 0, [MAP], "fvcore counts normalisation"),
    "group norm": ("fvcore", nn.Sequential(nn.GroupNorm(3, 3)), 0, [MAP], "fvcore counts normalisation"),
    "instance norm": ("fvcore", nn.Sequential(nn.InstanceNorm2d(3)), 0, [MAP], "fvcore counts normalisation"),
    "nearest": ("fvcore", nn.Sequential(nn.Upsample(scale_factor=2)), 0, [MAP], "fvcore counts interpolation"),
    "bilinear upsampling": (
        "fvcore", nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear")), 0, [MAP], "fvcore counts interpolation"
    ),
    "grid sample": (
        "fvcore", lambda x: F.grid_sample(x, torch.zeros(2, 4, 4, 2), align_corners=False), 0, [MAP],
        "fvcore counts interpolation",
    ),
    "pooling": ("fvcore", nn.Sequential(nn.AdaptiveAvgPool2d(1)), 0, [MAP], "fvcore counts average pooling"),
    "lstm": (
        "fvcore", nn.Sequential(nn.LSTM(4, 8)), 5 * (4 * 8 * 4 + 4 * 8 * 8), [torch.rand(5, 1, 4)],
        "fvcore does not count lstm",
    ),
    "gru": (
        "fvcore", nn.Sequential(nn.GRU(4, 8)), 5 * (3 * 8 * 4 + 3 * 8 * 8), [torch.rand(5, 1, 4)],
        "fvcore does not count gru",
    ),
    "rnn": (
        "fvcore", nn.Sequential(nn.RNN(4, 8)), 5 * (8 * 4 + 8 * 8), [torch.rand(5, 1, 4)], "fvcore does not count rnn",
    ),
    "attention": (
        "fvcore", F.scaled_dot_product_attention, 2 * (2 * 5 * 5 * 4), [HEADS, HEADS, HEADS],
        "fvcore does not count scaled_dot_product_attention",
    ),
    "batched matrices plus bias": (
        "fvcore", torch.baddbmm, 2 * 3 * 4 * 5, [torch.rand(2, 3, 5), torch.rand(2, 3, 4), torch.rand(2, 4, 5)],
        "fvcore does not count batched matrix products (baddbmm)",
    ),
    "bilinear, fvcore": (
        "fvcore", F.bilinear, 2 * 6 * 3 * 4, [torch.rand(2, 3), torch.rand(2, 4), torch.rand(6, 3, 4)],
        "fvcore does not count bilinear",
    ),
    "bilinear, torch": (
        "torch", F.bilinear, 2 * 6 * 3 * 4, [torch.rand(2, 3), torch.rand(2, 4), torch.rand(6, 3, 4)],
        "torch: bilinear has no formula",
    ),
    "fused attention": (
        "torch", flash_attention, 2 * (2 * 5 * 5 * 4), [HEADS, HEADS, HEADS],
        "torch: fused attention on cpu has no formula",
    ),
    "padding by name": (
        "fvcore", nn.Sequential(nn.Conv2d(3, 4, 3, padding="same")), 2 * 4 * 64 * 3 * 9, [MAP],
        "fvcore does not count convolution with padding='same' or 'valid'",
    ),
    "broadcast": (
        "fvcore", torch.matmul, 7 * 3 * 4 * 5, [torch.rand(3, 4), torch.rand(7, 4, 5)],
        "fvcore does not count the batch of a matmul's second operand",
    ),
    "einsum": (
        "fvcore", lambda x, y: torch.einsum("ij,jk->ik", x, y), 111 * 113 * 127,
        [torch.rand(111, 113), torch.rand(113, 127)], "fvcore rounds einsum to four digits",
    ),
    "outer product": (
        "fvcore", lambda x, y: torch.einsum("bi,bj->bij", x, y), 0, [torch.rand(4, 6), torch.rand(4, 8)],
        "fvcore counts einsum that contracts nothing",
    ),
    "sum of one operand": (
        "fvcore", lambda x: torch.einsum("...ij->i...", x), 0, [torch.rand(3, 4, 6)],
        "fvcore counts einsum that contracts nothing",
    ),
    "an index of size 1": (
        "fvcore", lambda x, y: torch.einsum("ij,jk", x, y), 0, [torch.rand(4, 6), torch.rand(1, 8)],
        "fvcore counts einsum that contracts nothing",
    ),
    # torch adds up i before it multiplies: 6 * 8 remain.
    "an index of one operand": (
        "fvcore", lambda x, y: torch.einsum("ij,jk->k", x, y), 6 * 8, [torch.rand(4, 6), torch.rand(6, 8)],
        "fvcore multiplies before it adds up in einsum",
    ),
    # In the order given the first two make a 2x9 matrix; the last two first would make a 3x2 one.
    "three operands": (
        "fvcore", lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z), 2 * 3 * 9 + 2 * 9 * 2,
        [torch.rand(2, 3), torch.rand(3, 9), torch.rand(9, 2)], "fvcore takes the best order of contraction for einsum",
    ),
    "a vector as weight": (
        "fvcore", F.linear, 5 * 4, [torch.rand(5, 4), torch.rand(4)], "fvcore takes a vector for a matrix in linear",
    ),
    "matrix times vector": (
        "torch", torch.mv, 5 * 4, [torch.rand(5, 4), torch.rand(4)], "torch: matrix times vector (mv) has no formula",
    ),
    "a vector added": (
        "torch", torch.addmv, 5 * 4, [torch.rand(5), torch.rand(5, 4), torch.rand(4)],
        "torch: matrix times vector (addmv) has no formula",
    ),
    "scalar product": (
        "torch", torch.dot, 4, [torch.rand(4), torch.rand(4)], "torch: product of vectors (dot) has no formula"
    ),
    "scalar product of complex vectors": (
        "torch", torch.vdot, 4, [torch.rand(4), torch.rand(4)], "torch: product of vectors (vdot) has no formula"
    ),
    "inner": ("fvcore", torch.inner, 5 * 3 * 4, [torch.rand(5, 4), torch.rand(3, 4)], "fvcore does not count inner"),
    "tensordot": (
        "fvcore", lambda x, y: torch.tensordot(x, y, 1), 5 * 4 * 3, [torch.rand(5, 4), torch.rand(4, 3)],
        "fvcore does not count tensordot",
    ),
    "chain": (
        "fvcore", lambda x, y: torch.linalg.multi_dot([x, y]), 5 * 4 * 3, [torch.rand(5, 4), torch.rand(4, 3)],
        "fvcore does not count linalg_multi_dot",
    ),
    "chain_matmul": (
        "fvcore", lambda x, y: torch.chain_matmul(x, y), 5 * 4 * 3, [torch.rand(5, 4), torch.rand(4, 3)],
        "fvcore does not count chain_matmul",
    ),
    "covariances": ("fvcore", torch.cov, 5 * 4 * 5, [torch.rand(5, 4)], "fvcore does not count covariances"),
    "distances": (
        "fvcore", torch.cdist, 30 * 40 * (4 + 2), [torch.rand(30, 4), torch.rand(40, 4)], "fvcore does not count cdist",
    ),
    "power of a matrix": (
        "fvcore", lambda x: torch.linalg.matrix_power(x, 2), 4 * 4 * 4, [torch.rand(4, 4)],
        "fvcore does not count matrix_power",
    ),
    "in place": (
        "fvcore", lambda x, y: torch.zeros(5, 5).addbmm_(x, y), 2 * 5 * 4 * 5,
        [torch.rand(2, 5, 4), torch.rand(2, 4, 5)],
        "fvcore does not count batched matrix products (addbmm)",
    ),
    "weighted bags": (
        "fvcore", lambda i, w: F.embedding_bag(i, torch.rand(9, 4), mode="sum", per_sample_weights=w), 2 * 3 * 4,
        [torch.zeros(2, 3, dtype=torch.long), torch.rand(2, 3)], "fvcore does not count weights in embedding_bag",
    ),
    "dropped result": (
        "fvcore", lambda x: (None, torch.mm(x, x))[0], 4 * 4 * 4, [torch.rand(4, 4)],
        "fvcore does not count work whose result is not used",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_of_a_difference(case):
    name, model, analytic, args, expected = REASONS[case]
    assert reason(name, model, analytic, *args) == expected


def test_every_reason_has_a_model_that_triggers_it():
    told = "; ".join(expected for *_, expected in REASONS.values())
    conventions = [entry.convention for entry in COUNTERS.values()]
    estimates = [estimate.words for convention in conventions for estimate in convention.inexact.values()]
    works = [work for convention in conventions for work in convention.other.values()]
    assert [words for words in (*MULTIPLYING.values(), *estimates, *works) if words not in told] == []


UNEXPLAINED = {
    "one too many": (Count(21, by_op={"linear": 21}), 20),
    "one too few": (Count(19, by_op={"linear": 19}), 20),
    "other work does not make up for it": (Count(29, by_op={"linear": 19, "batch_norm": 10}), 20),
    "an op that multiplies nothing was missed": (Count(0, ("aten.max_pool2d", "aten.add")), 20),
    "too many, and an lstm was missed": (Count(21, ("aten.lstm",), {"linear": 21}), 20),
    "an estimate far off": (Count(9, by_op={"einsum": 9}), 20),
    "nothing found": (Count(None, ("tracing failed: no",)), 20),
}


@pytest.mark.parametrize("case", UNEXPLAINED)
def test_a_difference_without_a_known_reason(case):
    found, analytic = UNEXPLAINED[case]
    assert explain("fvcore", found, analytic) is None


def test_two_reasons_at_once():
    found = Count(30, ("aten.lstm",), {"linear": 10, "batch_norm": 20})
    assert explain("fvcore", found, 50) == "fvcore counts normalisation; fvcore does not count lstm"


def test_an_op_that_its_rule_says_multiplies():
    assert explain("torch", Count(0, ("aten.new_op",)), 5, lambda op: op == "aten.new_op") == (
        "torch: aten.new_op has no formula"
    )


def test_an_op_from_outside_torch_may_multiply():
    found = Count(0, ("torchvision.deform_conv2d",))
    assert explain("fvcore", found, 5) == "fvcore does not count torchvision.deform_conv2d"


def test_units_are_what_the_tools_count_for_a_linear_layer_of_20_multiply_accumulates():
    model, x = nn.Linear(4, 5, bias=False), torch.rand(1, 4)
    assert FlopCountAnalysis(model, x).total() == 20
    assert unit_of("fvcore") == "fvcore counts a MAC as one flop"
    with FlopCounterMode(display=False) as mode:
        model(x)
    assert mode.get_total_flops() == 2 * 20
    assert unit_of("torch") == "torch counts a MAC as two flops"
