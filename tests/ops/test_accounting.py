"""Every operation of a run in its class: hand arithmetic, and nothing that falls through in whole networks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.measure.torch_flops import torch_macs
from cnninspect.ops.accounting import UNITS, tallies_of, total
from cnninspect.ops.registry import Work
from cnninspect.report.quantities import Status
from tests.measure.models import FAMILIES, meta_run, run_of


def operations(model, *args):
    """What the whole run does, classes with nothing left out."""
    found = total(tallies_of(run_of(model, *args).trace)).operations
    return {work: number for work, number in found.items() if number}


X = torch.rand(2, 3, 5, 5)

CASES = {
    "convolution": (nn.Conv2d(3, 4, 3), {Work.MAC: 2 * 4 * 3 * 3 * 3 * 9}),
    "relu": (F.relu, {Work.ELEMENTWISE: 2 * 3 * 5 * 5}),
    "broadcast product": (lambda x: x * x[:, :, :1, :1], {Work.ELEMENTWISE: 2 * 3 * 5 * 5}),
    "batch norm": (nn.BatchNorm2d(3), {Work.NORMALISATION: 2 * 3 * 5 * 5}),
    "softmax": (lambda x: x.softmax(1), {Work.NORMALISATION: 2 * 3 * 5 * 5}),
    "mean": (lambda x: x.mean((2, 3)), {Work.REDUCTION: 2 * 3 * 5 * 5}),
    "greatest": (lambda x: x.amax((2, 3)), {Work.COMPARISON: 2 * 3 * 5 * 5}),
    # 5 positions to 3 with a kernel of 3, stride 2, padding 1: 3x3 outputs of 9 taps.
    "overlapping windows": (nn.MaxPool2d(3, 2, 1), {Work.COMPARISON: 2 * 3 * (3 * 3) * 9}),
    "windows apart": (nn.AvgPool2d(2), {Work.REDUCTION: 2 * 3 * (2 * 2) * 4}),
    # The thirds of 5 positions touch 0-1, 1-3 and 3-4: 2 + 3 + 2 positions along each axis.
    "adaptive windows": (nn.AdaptiveAvgPool2d(3), {Work.REDUCTION: 2 * 3 * 7 * 7}),
    # By FFTW's convention, on 30 rows of 5: 30 * 2.5 * 5 * log2(5) = 870.7; the prime size has no term of its own.
    "real transform": (torch.fft.rfft, {Work.TRANSFORM: 871}),
    # Rows of 8 from 5 coefficients, which become complex first: 30 * 2.5 * 8 * 3.
    "real transform back": (lambda x: torch.fft.irfft(x, 8), {Work.TRANSFORM: 1800, Work.MOVEMENT: 150}),
    # 6 maps of 4 x 4 = 16 points, which become complex first: 6 * 5 * 16 * 4.
    "complex transform": (lambda x: torch.fft.fft2(x[..., :4, :4]), {Work.TRANSFORM: 1920, Work.MOVEMENT: 96}),
    # Transforms of single points do nothing.
    "transform of a point": (lambda x: torch.fft.rfft(x[..., :1]), {}),
    "concatenation": (lambda x: torch.cat([x, x], 1), {Work.MOVEMENT: 2 * 6 * 5 * 5}),
    "views": (lambda x: x.flatten(1).view(2, 3, 25).transpose(1, 2), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_operations_by_hand(case):
    model, expected = CASES[case]
    assert operations(model, X) == expected


def test_added_rows_count_by_what_is_added():
    """Hand arithmetic: two bags of three rows of length 4; and 6 rows of length 4 added into a table of 9."""
    rows, table = torch.tensor([[0, 2, 1], [3, 3, 3]]), torch.ones(9, 4)
    assert operations(lambda t: F.embedding_bag(rows, t), table)[Work.REDUCTION] == 2 * 3 * 4
    index, added = torch.tensor([0, 2, 1, 3, 3, 3]), torch.ones(6, 4)
    assert operations(lambda t: t.index_add(0, index, added), table)[Work.REDUCTION] == 6 * 4


def test_what_is_not_multiply_accumulate_adds_up():
    """Hand arithmetic: 75 elements normalised, 75 through relu, 2x2 windows of 4 in each of 3 channels compared."""
    net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 1, 1))
    found = total(tallies_of(run_of(net, X[:1]).trace))
    assert found.element_operations == 75 + 75 + 3 * 4 * 4
    assert found.status is Status.EXACT


def test_an_unknown_op_is_listed_and_leaves_a_lower_bound():
    with torch.library._scoped_library("cnninspect_test", "FRAGMENT") as library:
        library.define("strange(Tensor x) -> Tensor")
        library.impl("strange", torch.clone, "CompositeExplicitAutograd")
        found = total(tallies_of(run_of(torch.ops.cnninspect_test.strange, X).trace))
    assert found.unclassified == {"cnninspect_test.strange": 1}
    assert found.status is Status.LOWER_BOUND


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_falls_through(family):
    """Oracle for the multiply-accumulates: torch's registry of FLOP formulas."""
    run = meta_run(family)
    found = total(tallies_of(run.trace))
    assert found.unclassified == {}
    assert found.operations[Work.MAC] == sum(count.value or 0 for count in torch_macs(run))


def test_each_class_has_a_unit():
    assert set(UNITS) == set(Work)
