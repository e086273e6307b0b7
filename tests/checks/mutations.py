"""torchvision's resnet18 and what can be done to it, each with every finding that this must lead to.

Published: 11,689,512 params, 1,814,073,344 MACs at 224x224, receptive field 435. Maps are 112 after conv1, 56 after the
max pool and in layer1, 28, 14 and 7 in layer2, layer3 and layer4; widths 64, 128, 256 and 512. A block is conv1, bn1,
relu, conv2, bn2, addition, relu. Its batch norms have 2*C params, 2*C + 1 elements of buffers. Activation bytes are
twice 4 bytes per element that a layer with parameters puts out.

A finding is (path, what, expected, found); differences of totals are written as what was added.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from cnninspect.targets.torchvision_ops import import_torchvision

PARAMS, TRAINED, MACS, FIELD = 11_689_512, 11_689_512, 1_814_073_344, 435
# conv1 and bn1, the pool's input; two blocks of seven rows per stage, two more in each downsample; pool, fc.
NEURONS = 3 * 64 * 112**2 + 64 * 56**2 + 2 * 7 * 64 * 56**2 + 16 * (128 * 28**2 + 256 * 14**2 + 512 * 7**2) + 512 + 1000
# conv1, bn1; two blocks of conv, bn, conv, bn per stage, two more in each downsample; fc.
ACTIVATIONS = 8 * (2 * 64 * 112**2 + 8 * 64 * 56**2 + 10 * (128 * 28**2 + 256 * 14**2 + 512 * 7**2) + 1000)
# 2*C + 1 per batch norm: 5 of 64 channels, 5 of 128, 5 of 256, 5 of 512.
BUFFERS = 5 * (2 * 64 + 1) + 5 * (2 * 128 + 1) + 5 * (2 * 256 + 1) + 5 * (2 * 512 + 1)
TOTALS = {
    "params": PARAMS,
    "trainable_params": TRAINED,
    "buffers": BUFFERS,
    "macs": MACS,
    "neurons": NEURONS,
    "activation_bytes": ACTIVATIONS,
}

Finding = tuple[str, str, object, object]


def resnet18() -> nn.Module:
    """The network as published; its weights are never looked at."""
    model: nn.Module = import_torchvision().models.resnet18(weights=None)
    return model


@dataclass(frozen=True)
class Mutation:
    """What is done to the network, its findings, and the reasons that they name."""

    name: str
    mutate: Callable[[nn.Module], None]
    rows: list[Finding]
    totals: dict[str, int]
    field: tuple[int, int] | None = None
    reasons: frozenset[str] = frozenset()

    @property
    def findings(self) -> set[Finding]:
        """Every finding, no more and no fewer."""
        sums = {("total", name, TOTALS[name], TOTALS[name] + more) for name, more in self.totals.items()}
        field = set() if self.field is None else {("total", "receptive_field", *((side,) * 2 for side in self.field))}
        return {*self.rows, *sums, *field}


def shape(*sizes: int) -> tuple[tuple[int, ...]]:
    return ((1, *sizes),)


# --- mutations ----------------------------------------------------------------------------------------------------


def widen(model: nn.Module) -> None:
    block = model.layer4[1]
    block.conv1 = nn.Conv2d(512, 640, 3, padding=1, bias=False)
    block.bn1 = nn.BatchNorm2d(640)
    block.conv2 = nn.Conv2d(640, 512, 3, padding=1, bias=False)


WIDEN = Mutation(
    "widen a convolution",
    widen,
    [
        ("layer4.1.conv1", "output_shape", shape(512, 7, 7), shape(640, 7, 7)),
        ("layer4.1.conv1", "params", 512 * 512 * 9, 512 * 640 * 9),
        ("layer4.1.conv1", "macs", 512 * 512 * 9 * 7 * 7, 512 * 640 * 9 * 7 * 7),
        ("layer4.1.bn1", "output_shape", shape(512, 7, 7), shape(640, 7, 7)),
        ("layer4.1.bn1", "params", 2 * 512, 2 * 640),
        ("layer4.1.relu", "output_shape", shape(512, 7, 7), shape(640, 7, 7)),
        ("layer4.1.conv2", "params", 512 * 512 * 9, 640 * 512 * 9),
        ("layer4.1.conv2", "macs", 512 * 512 * 9 * 7 * 7, 640 * 512 * 9 * 7 * 7),
    ],
    {
        "params": 128 * 512 * 9 + 2 * 128 + 512 * 128 * 9,
        "buffers": 2 * 128,
        "macs": 2 * 128 * 512 * 9 * 7 * 7,
        "neurons": 3 * 128 * 7 * 7,
        "activation_bytes": 8 * 2 * 128 * 7 * 7,
    },
    reasons=frozenset(
        {"out_channels 512 -> 640", "num_features 512 -> 640", "in_channels 512 -> 640", "input 1x512x7x7 -> 1x640x7x7"}
    ),
)


def drop_bias(model: nn.Module) -> None:
    model.fc = nn.Linear(512, 1000, bias=False)


DROP_BIAS = Mutation(
    "drop a bias",
    drop_bias,
    [("fc", "params", 512 * 1000 + 1000, 512 * 1000)],
    {"params": -1000},
    reasons=frozenset({"the bias was removed"}),
)


def unstride(model: nn.Module) -> None:
    model.layer4[0].conv1.stride = (1, 1)
    model.layer4[0].downsample[0].stride = (1, 1)


def _layer4(name: str, macs: int = 0) -> list[Finding]:
    """A row of layer4 on a map of 14x14 in the place of 7x7."""
    path = f"layer4.{name}"
    wider: list[Finding] = [(path, "output_shape", shape(512, 7, 7), shape(512, 14, 14))]
    return wider + ([(path, "macs", macs * 7 * 7, macs * 14 * 14)] if macs else [])


_SQUARE = 512 * 512 * 9
UNSTRIDE = Mutation(
    "change a stride",
    unstride,
    [
        *_layer4("0.conv1", 256 * 512 * 9),
        ("layer4.0.conv1", "jump", (32, 32), (16, 16)),
        *_layer4("0.bn1"),
        *_layer4("0.relu"),
        *_layer4("0.conv2", _SQUARE),
        *_layer4("0.bn2"),
        *_layer4("0.downsample.0", 256 * 512),
        *_layer4("0.downsample.1"),
        *_layer4("0 Tensor.add_"),
        *_layer4("0.relu use 2"),
        *_layer4("1.conv1", _SQUARE),
        *_layer4("1.bn1"),
        *_layer4("1.relu"),
        *_layer4("1.conv2", _SQUARE),
        *_layer4("1.bn2"),
        *_layer4("1 Tensor.add_"),
        *_layer4("1.relu use 2"),
    ],
    {
        "macs": (256 * 512 * 9 + 256 * 512 + 3 * _SQUARE) * (14 * 14 - 7 * 7),
        "neurons": 16 * 512 * (14 * 14 - 7 * 7),
        "activation_bytes": 8 * 10 * 512 * (14 * 14 - 7 * 7),
    },
    # Four 3x3 convolutions at jump 16: 2*16 each; before, the first was at jump 16 and three at 32.
    field=(FIELD, FIELD - 3 * 2 * 32 + 3 * 2 * 16),
    reasons=frozenset({"stride 2 -> 1", "input 1x512x7x7 -> 1x512x14x14"}),
)


def rename(model: nn.Module) -> None:
    first, second = model.layer1
    model.layer1 = nn.Sequential(OrderedDict({"0": first, "last": second}))


RENAME = Mutation("rename a module", rename, [("layer1.last", "renamed", "layer1.1", "layer1.last")], {})


def insert(model: nn.Module) -> None:
    block = import_torchvision().models.resnet.Bottleneck(64, 16)
    model.layer1 = nn.Sequential(model.layer1[0], block, model.layer1[1])


_NEW_PARAMS = 64 * 16 + 2 * 16 + 16 * 16 * 9 + 2 * 16 + 16 * 64 + 2 * 64
_NEW_MACS = (64 * 16 + 16 * 16 * 9 + 16 * 64) * 56 * 56
INSERT = Mutation(
    "insert a block",
    insert,
    # Three times convolution and batch norm, three ReLUs, one addition.
    [("layer1.1", "added", None, (("layers", 10), ("params", _NEW_PARAMS), ("macs", _NEW_MACS)))],
    {
        "params": _NEW_PARAMS,
        "buffers": (2 * 16 + 1) + (2 * 16 + 1) + (2 * 64 + 1),
        "macs": _NEW_MACS,
        "neurons": (6 * 16 + 4 * 64) * 56 * 56,
        "activation_bytes": 8 * (4 * 16 + 2 * 64) * 56 * 56,
    },
    # One 3x3 convolution at jump 4.
    field=(FIELD, FIELD + 2 * 4),
)


def insert_twin(model: nn.Module) -> None:
    model.layer1.append(import_torchvision().models.resnet.BasicBlock(64, 64))


_TWIN_PARAMS = 2 * (64 * 64 * 9 + 2 * 64)
_TWIN_MACS = 2 * 64 * 64 * 9 * 56 * 56
INSERT_TWIN = Mutation(
    "insert one more of the same",
    insert_twin,
    [("layer1.2", "added", None, (("layers", 7), ("params", _TWIN_PARAMS), ("macs", _TWIN_MACS)))],
    {
        "params": _TWIN_PARAMS,
        "buffers": 2 * (2 * 64 + 1),
        "macs": _TWIN_MACS,
        "neurons": 7 * 64 * 56 * 56,
        "activation_bytes": 8 * 4 * 64 * 56 * 56,
    },
    field=(FIELD, FIELD + 2 * 2 * 4),
)


def remove(model: nn.Module) -> None:
    del model.layer1[1]


REMOVE = Mutation(
    "remove a block",
    remove,
    [("layer1.1", "removed", (("layers", 7), ("params", _TWIN_PARAMS), ("macs", _TWIN_MACS)), None)],
    {name: -more for name, more in INSERT_TWIN.totals.items()},
    field=(FIELD, FIELD - 2 * 2 * 4),
)


def share(model: nn.Module) -> None:
    block = model.layer1[1]
    block.conv2.weight = block.conv1.weight


SHARE = Mutation(
    "share a weight",
    share,
    [("layer1.1.conv2", "params", 64 * 64 * 9, 0)],
    {"params": -64 * 64 * 9},
    reasons=frozenset({"its parameters are shared and counted elsewhere"}),
)


def group_norm(model: nn.Module) -> None:
    model.layer2[0].bn2 = nn.GroupNorm(32, 128)


GROUP_NORM = Mutation(
    "batch norm becomes group norm",
    group_norm,
    [("layer2.0.bn2", "kind", "BatchNorm2d", "GroupNorm")],
    {"buffers": -(2 * 128 + 1)},
)


def dilate(model: nn.Module) -> None:
    model.layer4[1].conv1.dilation = model.layer4[1].conv1.padding = (2, 2)


DILATE = Mutation(
    "dilate without a change of shape",
    dilate,
    # conv1 of the last block sees 2*32 pixels more: 435 - 64 before, 435 now.
    [("layer4.1.conv1", "receptive_field", (371, 371), (435, 435))],
    {},
    field=(FIELD, FIELD + 2 * 32),
    reasons=frozenset({"padding 1 -> 2, dilation 1 -> 2"}),
)


def another_eps(model: nn.Module) -> None:
    model.bn1.eps = 1e-3


ANOTHER_EPS = Mutation("a hyper-parameter that moves no number", another_eps, [("bn1", "eps", 1e-5, 1e-3)], {})


def freeze(model: nn.Module) -> None:
    model.conv1.weight.requires_grad_(False)


FREEZE = Mutation("freeze a layer", freeze, [], {"trainable_params": -3 * 64 * 49})

MUTATIONS = [
    WIDEN, DROP_BIAS, UNSTRIDE, RENAME, INSERT, INSERT_TWIN, REMOVE, SHARE, GROUP_NORM, DILATE, ANOTHER_EPS, FREEZE,
]  # fmt: skip
