"""Slips in receptive fields and in where a bottleneck has its stride. Fields are worked out by hand."""

from collections import OrderedDict
from dataclasses import replace

import pytest
from torch import nn

from cnninspect import inspect_model
from cnninspect.report.quantities import Verdict
from tests.checks.claiming import checked


def network():
    """conv k3 s2, pool k3 s2, conv k3 d2, conv k2 s3 on 64x64.

    r' = r + (k-1) d j, j' = j s: 3/2, then 3 + 2*2 = 7/4, then 7 + 2*2*4 = 23/4, then 23 + 1*4 = 27/12.
    """
    layers = (nn.Conv2d(3, 4, 3, 2), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 3, dilation=2), nn.Conv2d(4, 4, 2, 3))
    return inspect_model(nn.Sequential(OrderedDict(zip("abcd", layers, strict=True))), (1, 3, 64, 64))


SLIPS = [
    # layer, claim, hint
    ("c", "7 + 2*4", "the dilation is left out"),
    ("d", "7 + 2*4 + 1*4", "the dilation is left out"),
    ("d", "1 + 2 + 2 + 2*2 + 1", "strides are left out"),
    ("b", "1 + 2*2 + 2*4", "the jump of each layer's output was used"),
    ("c", "3 + 2*2*4", "pooling is left out"),
    ("c", "1 + 2*2", "this is the field of this layer alone"),
    ("c", "7", "this is the number of b, an earlier row"),
    ("c", "24", None),
    ("c", "7 + 3*2*4", "k is counted for k - 1"),
    ("d", "23 + 2*4", "k is counted for k - 1"),
    ("c", "(1+3) + 3*2 + 3*2*4", "k is counted for k - 1 in every layer"),
    ("c", "7 + 2*2*1", "the jump is that of an earlier stage: 1, not 4"),
    ("d", "23 + 1*2", "the jump is that of an earlier stage: 2, not 4"),
]


@pytest.mark.parametrize(("layer", "claim", "hint"), SLIPS, ids=[f"{layer} {claim}" for layer, claim, _ in SLIPS])
def test_slip_in_the_field(layer, claim, hint, tmp_path):
    (check,) = checked(network(), tmp_path, f"layer,receptive_field\n{layer},{claim}\n")
    assert check.verdict is Verdict.DIFFER
    assert check.hint == hint if hint is None else hint in check.hint


class RowMeans(nn.Module):
    """The means of rows, 3 of them mixed, in a map that is one column wide: 3 rows and 3 + 2 rows of all 6 columns."""

    def __init__(self):
        super().__init__()
        self.point = nn.Conv2d(1, 1, 1)
        self.a, self.b = nn.Conv2d(1, 1, (3, 1)), nn.Conv2d(1, 1, (3, 1))

    def forward(self, x):
        return self.b(self.a(self.point(x).mean(3, keepdim=True)))


@pytest.mark.parametrize(("claim", "hint"), [("3x6", "number of a"), ("7x6", "k is counted for k - 1"), ("8x6", None)])
def test_a_wrong_field_where_the_columns_stand_still(claim, hint, tmp_path):
    (check,) = checked(inspect_model(RowMeans(), (1, 1, 9, 6)), tmp_path, f"layer,receptive_field\nb,{claim}\n")
    assert check.verdict is Verdict.DIFFER
    assert check.hint == hint if hint is None else hint in check.hint


def test_one_end_of_a_range(tmp_path):
    report = network()
    rows = [replace(row, receptive_field=replace(row.receptive_field, size=((5, 7), (5, 7)))) for row in report.rows]
    (check,) = checked(replace(report, rows=tuple(rows)), tmp_path, "layer,receptive_field\nb,7\n")
    assert check.hint == "the size depends on the position; this is one end of its range"


def bottleneck(first, second):
    """1x1 4->2 and 3x3 2->2 on 8x8, with their strides."""
    layers = {"point": nn.Conv2d(4, 2, 1, first), "norm": nn.BatchNorm2d(2), "wide": nn.Conv2d(2, 2, 3, second, 1)}
    return inspect_model(nn.Sequential(OrderedDict(layers)), (1, 4, 8, 8))


TORCHVISION = bottleneck(1, 2)
"""8*8*2 * 4 = 512 MACs on the 1x1 and 4*4*2 * 9*2 = 576 on the 3x3."""

CAFFE = bottleneck(2, 1)
"""4*4*2 * 4 = 128 MACs on the 1x1 and as many as above on the 3x3."""

STRIDES = [
    # id, report, layer, column, claim, hint
    ("the 1x1", TORCHVISION, "total", "macs", "128 + 576", "with the stride on the 1x1 convolution, as in Caffe's"),
    ("the 1x1, FLOPs", TORCHVISION, "total", "flops", "2 * (128 + 576)", "with the stride on the 1x1 convolution"),
    ("the 3x3", CAFFE, "total", "macs", "512 + 576", "with the stride on the 3x3, as in torchvision's ResNet"),
]


@pytest.mark.parametrize(
    ("report", "layer", "column", "claim", "hint"), [case[1:] for case in STRIDES], ids=[case[0] for case in STRIDES]
)
def test_where_the_stride_is(report, layer, column, claim, hint, tmp_path):
    (check,) = checked(report, tmp_path, f"layer,{column}\n{layer},{claim}\n")
    assert check.verdict is Verdict.DIFFER
    assert hint in check.hint


def test_the_field_and_the_cost_of_the_resnet_of_caffe(tmp_path):
    # 483: Araujo et al., Distill 2019, of the ResNet-50 that strides on the 1x1. Its first 1x1 convolutions of three
    # stages, of 56*56*256 * 128 = 28*28*512 * 256 = 14*14*1024 * 512 = 102760448 MACs each, then work on a quarter
    # of the map: 4089184256 - 3 * 3/4 * 102760448 = 3857973248.
    rows = "layer4.2.conv3,483,\nlayer4,483,\ntotal,483,3.86G"
    checks = checked(inspect_model("torchvision:resnet50"), tmp_path, f"layer,receptive_field,macs\n{rows}\n")
    hint = "with the stride on the 1x1 convolution, as in Caffe's ResNet; here it is on the 3x3"
    assert [(check.path, check.name, check.hint) for check in checks] == [
        ("layer4.2.conv3", "receptive_field", hint),
        ("layer4", "receptive_field", hint),
        ("total", "macs", hint),
        ("total", "receptive_field", hint),
    ]
