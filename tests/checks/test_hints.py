"""Each usual slip, made by hand, and the hint that recognises it. A claim is the slip's own arithmetic, written out."""

from collections import OrderedDict
from dataclasses import replace
from functools import cache

import pytest
from torch import nn

from cnninspect import inspect_model
from cnninspect.claims.evidence import Layer
from cnninspect.claims.slips import SLIPS
from cnninspect.ops.registry import MODULES
from tests.checks.claiming import checked

IMAGE = (1, 3, 16, 16)


@cache
def inspected(layers, shape):
    """The report on layers one after the other, called `a`, `b`, `c`..."""
    return inspect_model(nn.Sequential(OrderedDict(zip("abcdefgh", layers, strict=False))), shape)


def hints(report, folder, text):
    return {
        (check.path, check.name): check.hint for check in checked(report, folder, text) if check.verdict == "differ"
    }


CONV = nn.Conv2d(3, 8, 3, padding=1)
"""16x16 -> 8x16x16; params 3*3*3*8 + 8; MACs 16*16*8 * 3*3*3."""

GROUPED = nn.Conv2d(8, 8, 3, groups=4)
"""16x16 -> 8x14x14; params 8*2*9 + 8; MACs 14*14*8 * 2*9."""

STRIDED = nn.Conv2d(3, 8, 3, stride=2)
"""16x16 -> floor((16-3)/2) + 1 = floor(6.5) + 1 = 7; MACs 7*7*8 * 27."""

NARROWER = nn.Conv2d(8, 4, 3)
"""16x16 -> 4x14x14; params 4*8*9 + 4; MACs 14*14*4 * 8*9."""

TRANSPOSED = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)
"""8x8 -> (8-1)*2 - 2 + 2 + 1 + 1 = 16; MACs 8*8*4 * 6*9, on the input map."""

LAYERS = [
    # id, layer, input, column, claim, hint
    ("bias left out", CONV, IMAGE, "params", "3*3*3*8", "the bias is left out"),
    ("bias added", nn.Conv2d(3, 8, 3, bias=False), IMAGE, "params", "3*3*3*8 + 8", "a bias is counted"),
    ("bias of a linear layer", nn.Linear(20, 10), (1, 20), "params", "20*10", "the bias is left out"),
    ("groups ignored, params", GROUPED, (1, 8, 16, 16), "params", "8*8*9 + 8", "groups are ignored"),
    ("groups ignored, MACs", GROUPED, (1, 8, 16, 16), "macs", "14*14*8 * 8*9", "groups are ignored"),
    ("groups ignored, FLOPs", GROUPED, (1, 8, 16, 16), "flops", "2 * 14*14*8 * 8*9", "groups are ignored"),
    ("no kernel, params", CONV, IMAGE, "params", "3*8 + 8", "the area of the kernel is left out"),
    ("no kernel, MACs", CONV, IMAGE, "macs", "16*16*8 * 3", "the area of the kernel is left out"),
    ("side of the kernel", CONV, IMAGE, "params", "3*3*8 + 8", "one side of the kernel"),
    ("no input channels, five of them", nn.Conv2d(5, 8, 3), (1, 5, 16, 16), "params", "9*8 + 8", "the input channels"),
    ("one position", CONV, IMAGE, "macs", "3*3*3*8", "weights are counted once"),
    ("output map", TRANSPOSED, (1, 4, 8, 8), "macs", "16*16*4 * 6*9", "counted on the output map"),
    ("output map, FLOPs", TRANSPOSED, (1, 4, 8, 8), "flops", "2 * 16*16*4 * 6*9", "counted on the output map"),
    ("input map", STRIDED, IMAGE, "macs", "16*16*8 * 27", "counted on the input map"),
    ("bias in MACs", CONV, IMAGE, "macs", "16*16*8 * 27 + 16*16*8", "additions of the bias are counted"),
    ("bias in FLOPs", CONV, IMAGE, "flops", "2 * 16*16*8 * 27 + 16*16*8", "additions of the bias are counted"),
    ("no padding", CONV, IMAGE, "output_shape", "8x14x14", "the padding is left out"),
    ("no padding, MACs", CONV, IMAGE, "macs", "14*14*8 * 27", "the padding is left out"),
    ("no stride", STRIDED, IMAGE, "output_shape", "8x14x14", "the stride is left out"),
    ("no dilation", nn.Conv2d(3, 8, 3, dilation=2), IMAGE, "output_shape", "8x14x14", "the dilation is left out"),
    ("ceil, convolution", STRIDED, IMAGE, "output_shape", "8x8x8", "the size is rounded up; it is rounded down"),
    ("ceil, MACs", STRIDED, IMAGE, "macs", "8*8*8 * 27", "the size is rounded up; it is rounded down"),
    ("ceil, neurons", STRIDED, IMAGE, "neurons", "8*8*8", "the size is rounded up; it is rounded down"),
    ("ceil, 2", STRIDED, (2, *IMAGE[1:]), "neurons", "2*8*8*8", "the size is rounded up; it is rounded down"),
    ("ceil, pool", nn.MaxPool2d(3, 2), IMAGE, "output_shape", "3x8x8", "the size is rounded up; it is rounded down"),
    ("floor", nn.MaxPool2d(2, ceil_mode=True), (1, 3, 15, 15), "output_shape", "3x7x7", "the size is rounded down"),
    ("padding 1.5", nn.Conv2d(3, 8, 4, padding=2), IMAGE, "output_shape", "8x16x16", "half a pixel less padding"),
    # 16 + 2*1 - 3 = 15 and floor(15/1) + 1 = 16; with stride 4: (16 + 2*2 - 11)/4 = 2.25 and floor(2.25) + 1 = 3.
    ("no + 1", CONV, IMAGE, "output_shape", "8x15x15", "the + 1 is left out"),
    ("no + 1, a step", CONV, IMAGE, "height", "(16+2*1-3)/1 = 15", "the + 1 is left out"),
    ("no + 1, then right", CONV, IMAGE, "width", "(16+2*1-3)/1 = 16", "(16+2*1-3)/1 is 15; the + 1 is left out"),
    ("no + 1, neurons", CONV, IMAGE, "neurons", "8*15*15", "the + 1 is left out"),
    ("no + 1, MACs", CONV, IMAGE, "macs", "8*15*15 * 27", "the + 1 is left out"),
    ("no + 1, pool", nn.MaxPool2d(2), IMAGE, "height", "(16-2)/2", "the + 1 is left out"),
    (
        "neither floor nor + 1", nn.Conv2d(3, 8, 11, 4, 2), IMAGE, "height", "(16+2*2-11)/4 = 2",
        "(16+2*2-11)/4 is 2.25: floor and the + 1 are left out",
    ),
    # 8 -> 4 channels: params 4*8*9 + 4.
    ("Cout for Cin", NARROWER, (1, 8, 16, 16), "params", "4*4*9 + 4", "the output channels are taken as those that go"),
    ("Cout for Cin, MACs", NARROWER, (1, 8, 16, 16), "macs", "14*14*4 * 4*9", "the output channels are taken as those"),
    ("Cin for Cout", NARROWER, (1, 8, 16, 16), "params", "8*8*9 + 8", "the input channels are taken as those that go"),
    ("bias of inputs", NARROWER, (1, 8, 16, 16), "params", "4*8*9 + 8", "a bias is counted for each input channel"),
    ("bias of inputs, linear", nn.Linear(20, 10), (1, 20), "params", "200 + 20", "a bias is counted for each input"),
    ("Cin for Cout, linear", nn.Linear(20, 10), (1, 20), "params", "20*20 + 20", "the input channels are taken as"),
    ("buffers", nn.BatchNorm2d(8), (1, 8, 16, 16), "params", "4*8", "running statistics are counted"),
    ("FLOPs as MACs", CONV, IMAGE, "macs", "2 * 16*16*8 * 27", "these are FLOPs"),
    ("MACs as FLOPs", CONV, IMAGE, "flops", "16*16*8 * 27", "these are MACs"),
    ("rounded MACs as FLOPs", CONV, IMAGE, "flops", "55.3K", "these are MACs"),
    ("one sample", CONV, (4, 3, 16, 16), "macs", "16*16*8 * 27", "this is for one sample; the run has a batch of 4"),
    ("neurons of one", CONV, (4, 3, 16, 16), "neurons", "8*16*16", "this is for one sample; the run has a batch of 4"),
    ("another batch", CONV, (4, 3, 16, 16), "output_shape", "2x8x16x16", "the batch is 4, not 2"),
    ("channels last", CONV, IMAGE, "output_shape", "16x16x8", "the sizes stand in another order"),
    ("cut off", CONV, IMAGE, "macs", "55.2K", "truncated, not rounded"),
    ("rounded in full", CONV, IMAGE, "macs", "55,300", "rounded; a rounded number is claimed with a suffix"),
    ("nothing known", CONV, IMAGE, "macs", "12345", None),
    ("FLOPs, or two groups", nn.Conv2d(8, 8, 3, groups=2), (1, 8, 16, 16), "macs", "14*14*8 * 8*9", "FLOPs, or groups"),
    ("one of two samples", CONV, (2, 3, 16, 16), "flops", "2 * 16*16*8 * 27", "2 FLOPs, or this is for one sample"),
    ("no bias to add", nn.Conv2d(3, 8, 3, bias=False), IMAGE, "macs", "14*14*8 * 27 + 14*14*8", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "shape", "column", "claim", "hint"), [case[1:] for case in LAYERS], ids=[case[0] for case in LAYERS]
)
def test_slip_in_one_layer(layer, shape, column, claim, hint, tmp_path):
    found = hints(inspected((layer,), shape), tmp_path, f'layer,{column}\na,"{claim}"\n')
    assert list(found) == [("a", column)]
    assert found["a", column] == hint if hint is None else hint in found["a", column]


STACK = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3, padding=1))
"""3x16x16 -> 8x16x16 (params 216 + 8), norm (8 + 8), 8x8x8, 4x8x8 (params 288 + 4): 524 params in all.
MACs 16*16*8 * 27 = 55296 and 8*8*4 * 72 = 18432."""

CLASSIFIER = (nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 8 * 8, 10))
"""3x16x16 -> 4x16x16, 4x8x8, 256, 10."""

PYRAMID = (nn.Conv2d(3, 4, 2, 2), nn.Conv2d(4, 8, 2, 2), nn.Conv2d(8, 8, 3, padding=1))
"""3x16x16 -> 4x8x8, 8x4x4, 8x4x4."""

UPSAMPLED = (nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
"""8x16x16 -> 8x32x32: a map of as many channels follows, which is four times as large."""

QUARTERED = (nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.Upsample(scale_factor=2))
"""3x16x16 -> 8x16x16, 8x16x16 (MACs 16*16*8 * 2*9), 8x32x32: four groups, and a map four times as large later."""

NETWORKS = [
    # id, layers, rows of the file, the cell, its hint
    ("biases of all", STACK, "total,,216 + 16 + 288,", ("total", "params"), "the bias is left out"),
    ("weights alone", STACK, "total,,216 + 288,", ("total", "params"), "biases and the parameters of normalisation"),
    ("no norms", STACK, "total,,224 + 292,", ("total", "params"), "the parameters of normalisation layers"),
    ("kernels of all", STACK, "total,,,16*16*8*3 + 8*8*4*8", ("total", "macs"), "the area of the kernel is left out"),
    (
        "sum of the rows there are", STACK, "a,,224,\nd,,292,\ntotal,,224 + 292 + 0,",
        ("total", "params"), "adds up the rows claimed, without b",
    ),
    (
        "sum with a wrong row", STACK, "a,,216,\nb,,16,\nd,,292,\ntotal,,216 + 16 + 292,",
        ("total", "params"), "adds up the rows claimed, of which these are wrong: a",
    ),
    ("an earlier stage", STACK, "d,4x16x16,,", ("d", "output_shape"), "taken from an earlier stage: 8x16x16 of b"),
    ("an earlier stage, MACs", STACK, "d,,,16*16*4 * 72", ("d", "macs"), "taken from an earlier stage: 8x16x16 of b"),
    ("the map claimed", STACK, "d,4x5x5,,5*5*4 * 72", ("d", "macs"), "follows from the output shape claimed, 4x5x5"),
    ("the row before", STACK, "c,8x5x5,,\nd,4x5x5,,", ("d", "output_shape"), "follows from the output claimed of c"),
    ("a later stage", PYRAMID, "b,8x2x2,,", ("b", "output_shape"), "is that of a later stage: 4x4x4"),
    ("an earlier size", PYRAMID, "c,8x8x8,,", ("c", "output_shape"), "that of an earlier stage: 8x8x8"),
    (
        "flattened too early", CLASSIFIER, "d,,4*16*16*10 + 10,",
        ("d", "params"), "taken from an earlier stage: 1024 of a",
    ),
    (
        "flattened a wrong map", CLASSIFIER, "b,4x7x7,,\nd,,4*7*7*10 + 10,",
        ("d", "params"), "follows from the output claimed of b, 4x7x7",
    ),
    (
        "output map of the same channels", (nn.Conv2d(3, 8, 1), *UPSAMPLED), "b,,,32*32*8 * 8*16",
        ("b", "macs"), "counted on the output map",
    ),
    ("groups, and a map four times as large", QUARTERED, "b,,,16*16*8 * 8*9", ("b", "macs"), "groups are ignored"),
    ("the row after", STACK, "a,,292,", ("a", "params"), "this is the number of d, a later row"),
    ("the row above", STACK, "d,,,55296", ("d", "macs"), "this is the number of a, an earlier row"),
    (
        "a batch of shapes elsewhere", STACK, "a,64x8x16x16,,\nd,,,64 * 18432",
        ("d", "macs"), "this is for a batch of 64; the run has 1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "rows", "cell", "hint"), [case[1:] for case in NETWORKS], ids=[case[0] for case in NETWORKS]
)
def test_slip_across_layers(layers, rows, cell, hint, tmp_path):
    found = hints(inspected(layers, IMAGE), tmp_path, f"layer,output_shape,params,macs\n{rows}\n")
    assert hint in found[cell]


MANY = (CONV, *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)), nn.ReLU(), nn.Conv2d(8, 5, 1))
"""params 224, three times 584, none, 45."""


@pytest.mark.parametrize(
    ("claim", "hint"),
    [("d,584 + 45", None), ("f,584", "this is the number of d, an earlier row"), ("f,224", None), ("a,45", None)],
    ids=["no row's", "the row before last", "a row far before", "a row far behind"],
)
def test_only_rows_nearby_are_mistaken_for_each_other(claim, hint, tmp_path):
    found = hints(inspected(MANY, IMAGE), tmp_path, f"layer,params\n{claim}\n")
    assert list(found.values()) == [hint]


class Twice(nn.Module):
    """One convolution used twice, in one container."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        """Once more on its own output."""
        return self.conv(self.conv(x))


def test_shared_parameters_are_counted_once(tmp_path):
    report = inspect_model(Twice(), IMAGE)
    for claim, path in (("conv,1,3*3*9 + 3", "conv"), ("total,,2 * (3*3*9 + 3)", "total")):
        found = hints(report, tmp_path, f"layer,call,params\n{claim}\n")
        assert found == {(path, "params"): "shared parameters are counted again; they count at their first use"}


def test_the_slip_of_all_layers_of_a_container(tmp_path):
    # conv a: 216 + 8, conv b: 8*8*9 + 8; without their biases 216 + 576.
    block = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    found = hints(inspected((block,), IMAGE), tmp_path, "layer,params\na,216 + 576\n")
    assert found == {("a", "params"): "the bias is left out"}


def test_a_rounded_claim_is_recognised_within_its_digits(tmp_path):
    # 2 * 55296 = 110592.
    found = hints(inspected((CONV,), IMAGE), tmp_path, "layer,macs\na,111K\n")
    assert "these are FLOPs" in found["a", "macs"]


class Bottleneck(nn.Module):
    """The stride of a bottleneck on its 3x3 convolution, as in torchvision, or on the 1x1 before it."""

    def __init__(self, first, second):
        super().__init__()
        self.point = nn.Conv2d(8, 4, 1, stride=first, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.window = nn.Conv2d(4, 4, 3, stride=second, padding=1, bias=False)

    def forward(self, x):
        """1x1, norm, ReLU, 3x3."""
        return self.window(self.norm(self.point(x)).relu())


HERE, THERE = "with the stride on the 1x1 convolution, as in Caffe's", "with the stride on the 3x3, as in torchvision's"
STRIDES = [
    # 8x16x16 -> 4x16x16 or 4x8x8 -> 4x8x8.
    ("torchvision, its map", (1, 2), "point,,4x8x8,", ("point", "output_shape"), HERE),
    ("torchvision, its MACs", (1, 2), "point,,,8*8*4 * 8", ("point", "macs"), HERE),
    ("torchvision, its norm", (1, 2), "norm,,4x8x8,", ("norm", "output_shape"), HERE),
    ("torchvision, its ReLU", (1, 2), ",Tensor.relu,4x8x8,", ("", "output_shape"), HERE),
    ("torchvision, all", (1, 2), "total,,,8*8*4 * 8 + 8*8*4 * 36", ("total", "macs"), HERE),
    ("Caffe, its map", (2, 1), "point,,4x16x16,", ("point", "output_shape"), THERE),
    ("Caffe, its MACs", (2, 1), "point,,,16*16*4 * 8", ("point", "macs"), THERE),
    ("Caffe, its norm", (2, 1), "norm,,4x16x16,", ("norm", "output_shape"), THERE),
    ("Caffe, all", (2, 1), "total,,,16*16*4 * 8 + 8*8*4 * 36", ("total", "macs"), THERE),
]


@pytest.mark.parametrize(
    ("strides", "row", "cell", "hint"), [case[1:] for case in STRIDES], ids=[case[0] for case in STRIDES]
)
def test_the_stride_of_a_bottleneck(strides, row, cell, hint, tmp_path):
    report = inspect_model(Bottleneck(*strides), (1, 8, 16, 16))
    assert hint in hints(report, tmp_path, f"layer,kind,output_shape,macs\n{row}\n")[cell]


def test_a_bug_in_the_search_for_a_slip_costs_only_the_hint(tmp_path, monkeypatch):
    """Of a padding of 1 on a kernel of 3 follows 16x16; a claim of 14x14 leaves the padding out."""

    def planted(use):
        raise TypeError("planted")

    report = inspect_model(nn.Sequential(OrderedDict(a=CONV)), IMAGE)
    monkeypatch.setitem(MODULES, "Conv2d", replace(MODULES["Conv2d"], output=planted))
    hint = hints(report, tmp_path, "layer,output_shape\na,8x14x14\n")["a", "output_shape"]
    assert hint.startswith("the search for the slip failed: TypeError: planted (")


@pytest.mark.parametrize(
    ("layer", "unpadded"),
    [
        (nn.ConstantPad1d(2, 0.0), (1, 3, 16)),
        (nn.CircularPad2d(1), IMAGE),
        (nn.ZeroPad2d((1, 2, 0, 1)), IMAGE),
        (nn.Conv2d(3, 8, 3, padding="same"), (1, 8, 14, 14)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_slip_fails_where_a_layer_writes_its_padding_otherwise(layer, unpadded):
    """Without its padding a pad returns its input, and a 3x3 convolution of 16x16 has 16 - 3 + 1 = 14 positions."""
    shape = (1, 3, 16) if isinstance(layer, nn.ConstantPad1d) else IMAGE
    (row,) = (row for row in inspect_model(nn.Sequential(layer), shape).rows if row.leaf)
    numbers = {slip.words: slip.numbers(Layer.of(row)) for slip in SLIPS}
    assert numbers["the padding is left out"]["output_shape"] == (unpadded,)
