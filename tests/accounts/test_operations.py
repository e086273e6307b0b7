"""The other arithmetic, the same run by op, and the bytes that both need."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnninspect.inspection.accounts.work import ByOp, Operations, Traffic
from cnninspect.report.quantities import Status, Verdict
from tests.accounts.inspections import column, inspected


def net():
    """On a 3x8x8 map: batch norm 192, convolution 4*64*3*9 MACs, relu 256, windows of 4 in 4 maps of 16."""
    return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))


SHAPE = (1, 3, 8, 8)


def test_other_arithmetic_by_hand():
    report = inspected(net(), Operations(), shape=SHAPE)
    assert column(report, "element_operations") == {
        "(Sequential)": 192 + 256 + 256, "0": 192, "1": 0, "2": 256, "3": 4 * 16 * 4,
    }  # fmt: skip
    total = report.total("element_operations")
    assert total.parts == {"elementwise": 256, "normalisation": 192, "comparison": 256}
    assert set(total.parts) <= set(report.classes)


def test_an_op_without_a_class_is_listed_and_leaves_a_lower_bound():
    with torch.library._scoped_library("cnninspect_operations", "FRAGMENT") as library:
        library.define("strange(Tensor x) -> Tensor")
        library.impl("strange", torch.clone, "CompositeExplicitAutograd")
        report = inspected(
            lambda x: torch.ops.cnninspect_operations.strange(x.relu()), Operations(), Traffic(), shape=(5, 4)
        )
    assert report.total("element_operations").status is Status.LOWER_BOUND
    assert report.total("element_operations").value == 20
    assert report.total("bytes_moved").status is Status.LOWER_BOUND
    found = {(item.op, item.calls, item.quantity) for item in report.uncounted}
    assert ("cnninspect_operations.strange", 1, "element_operations") in found


def ops(model, shape, **options):
    return {row.kind: row for row in inspected(model, ByOp(), shape=shape, **options).ops}


def test_ops_by_hand():
    """Every op once; the convolution reads a map, 4*27 + 4 parameters, and writes a map of 256 numbers."""
    found = ops(net(), SHAPE)
    assert {op: row.extra["work"].value for op, row in found.items()} == {
        "aten.convolution": "mac", "aten.native_batch_norm": "normalisation", "aten.relu": "elementwise",
        "aten.max_pool2d_with_indices": "comparison", "aten.empty": "creation",
    }  # fmt: skip
    convolution = found["aten.convolution"]
    assert convolution.extra["calls"].value == 1
    assert convolution.macs.value == convolution.extra["operations"].value == 4 * 64 * 3 * 9
    assert convolution.extra["bytes_moved"].value == 4 * (192 + 112 + 256)
    assert found["aten.relu"].extra["operations"].value == 256


@pytest.mark.parametrize("target", ["torchvision:resnet18", "torchvision:swin_t", "lenet5"])
def test_ops_add_up_to_the_layers_and_agree_with_torch(target):
    report = inspected(target, ByOp(), Traffic())
    rows = report.ops
    assert sum(row.macs.value for row in rows) == report.total("macs").value
    assert sum(row.extra["bytes_moved"].value for row in rows) == report.total("bytes_moved").value
    assert {row.macs.verdict for row in rows} == {Verdict.MATCH}


def test_a_counter_with_other_names_for_its_ops_says_nothing_about_ours():
    found = ops(net(), SHAPE, device="cpu")
    assert {counter for row in found.values() for counter in row.macs.measured} == {"torch"}


def test_ops_without_a_formula_are_unknown():
    row = ops(torch.linalg.svdvals, (4, 8))["aten._linalg_svd"]
    assert (row.macs.value, row.macs.status, row.extra["operations"].status) == (None, Status.UNKNOWN, Status.UNKNOWN)


def test_transforms_have_operations_by_convention_and_no_macs():
    """By hand: 4 real transforms of 8 points, 2.5 * 8 * log2(8) = 60 each."""
    row = ops(torch.fft.fft, (4, 8))["aten._fft_r2c"]
    assert (row.macs.value, row.macs.status) == (None, Status.UNKNOWN)
    assert (row.extra["operations"].value, row.extra["operations"].status) == (240, Status.EXACT)
