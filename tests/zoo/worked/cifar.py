"""Hand calculations of plain32, resnet32 and resnet47 at 3x32x32.

Every convolution has a bias, a batch norm 2 parameters a channel. Stages work on maps of 32x32 (1,024
positions), 16x16 (256) and 8x8 (64).
"""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

_STEM = {
    "stem": Numbers((1, 8, 32, 32), 3 * 8 * 3**2 + 8, 1024 * 8 * 3 * 3**2, 8 * 1024),
    "relu": Numbers((1, 8, 32, 32), 0, 0, 8 * 1024),
}


def _map(channels: int, size: int, params: int = 0, macs: int = 0) -> Numbers:
    return Numbers((1, channels, size, size), params, macs, channels * size * size)


def _tail(channels: int) -> dict[str, Numbers]:
    return {
        "pool": Numbers((1, channels, 1, 1), 0, 0, channels),
        "torch.flatten": Numbers((1, channels)),
        "fc": Numbers((1, 10), channels * 10 + 10, channels * 10, 10),
    }


def _plain(block: str, size: int, c: int, macs: int) -> dict[str, Numbers]:
    """A block that keeps c channels: `macs` is what each of its two convolutions costs."""
    return {
        f"{block}.body.bn1": _map(c, size, 2 * c),
        f"{block}.body.relu1": _map(c, size),
        f"{block}.body.conv1": _map(c, size, 9 * c * c + c, macs),
        f"{block}.body.bn2": _map(c, size, 2 * c),
        f"{block}.body.relu2": _map(c, size),
        f"{block}.body.conv2": _map(c, size, 9 * c * c + c, macs),
    }


def _identity(block: str, size: int, c: int) -> dict[str, Numbers]:
    return {f"{block}.shortcut": Numbers((1, c, size, size)), f"{block} Tensor.add": _map(c, size)}


# 9 * 8 * 8 * 1024 = 9 * 16 * 16 * 256 = 9 * 32 * 32 * 64: halving the map and doubling the width keeps the cost.
_CONV_MACS = 589_824

_DOWN_2 = {
    "stage2.0.body.bn1": _map(8, 32, 2 * 8),
    "stage2.0.body.relu1": _map(8, 32),
    "stage2.0.body.conv1": _map(16, 16, 9 * 8 * 16 + 16, 256 * 9 * 8 * 16),
    "stage2.0.body.bn2": _map(16, 16, 2 * 16),
    "stage2.0.body.relu2": _map(16, 16),
    "stage2.0.body.conv2": _map(16, 16, 9 * 16 * 16 + 16, _CONV_MACS),
}
_DOWN_3 = {
    "stage3.0.body.bn1": _map(16, 16, 2 * 16),
    "stage3.0.body.relu1": _map(16, 16),
    "stage3.0.body.conv1": _map(32, 8, 9 * 16 * 32 + 32, 64 * 9 * 16 * 32),
    "stage3.0.body.bn2": _map(32, 8, 2 * 32),
    "stage3.0.body.relu2": _map(32, 8),
    "stage3.0.body.conv2": _map(32, 8, 9 * 32 * 32 + 32, _CONV_MACS),
}
_PROJECT_2 = {
    "stage2.0.shortcut": _map(16, 16, 8 * 16 + 16, 256 * 8 * 16),
    "stage2.0 Tensor.add": _map(16, 16),
}
_PROJECT_3 = {
    "stage3.0.shortcut": _map(32, 8, 16 * 32 + 32, 64 * 16 * 32),
    "stage3.0 Tensor.add": _map(32, 8),
}


def _stages(residual: bool) -> dict[str, Numbers]:
    rows: dict[str, Numbers] = {}
    for stage, size, c in (("stage1", 32, 8), ("stage2", 16, 16), ("stage3", 8, 32)):
        if stage == "stage2":
            rows |= _DOWN_2 | (_PROJECT_2 if residual else {})
        if stage == "stage3":
            rows |= _DOWN_3 | (_PROJECT_3 if residual else {})
        for number in range(0 if stage == "stage1" else 1, 5):
            block = f"{stage}.{number}"
            rows |= _plain(block, size, c, _CONV_MACS) | (_identity(block, size, c) if residual else {})
    return rows


PLAIN32 = Example(
    "plain32",
    _STEM | _stages(residual=False) | _tail(32),
    {
        # stem; convs 8->8, 8->16, 16->16, 16->32, 32->32; batch norms of 8, 16 and 32 channels; linear
        "params": 224 + (10 * 584 + 1_168 + 9 * 2_320 + 4_640 + 9 * 9_248) + (11 * 16 + 10 * 32 + 9 * 64) + 330,
        # stem; 28 convs that keep the width, two that halve the map; linear
        "macs": 221_184 + 28 * 589_824 + 2 * 294_912 + 320,
    },
)

RESNET32 = Example(
    "resnet32",
    _STEM | _stages(residual=True) | _tail(32),
    {
        "params": 117_386 + 144 + 544,  # plain32 and two 1x1 projections
        "macs": 17_326_400 + 32_768 + 32_768,
    },
)


def _bottleneck(block: str, size: int, c: int) -> dict[str, Numbers]:
    """A block that keeps c channels, c/4 of them inside."""
    m, positions = c // 4, size * size
    return {
        f"{block}.body.bn1": _map(c, size, 2 * c),
        f"{block}.body.relu1": _map(c, size),
        f"{block}.body.conv1": _map(m, size, c * m + m, positions * c * m),
        f"{block}.body.bn2": _map(m, size, 2 * m),
        f"{block}.body.relu2": _map(m, size),
        f"{block}.body.conv2": _map(m, size, 9 * m * m + m, positions * 9 * m * m),
        f"{block}.body.bn3": _map(m, size, 2 * m),
        f"{block}.body.relu3": _map(m, size),
        f"{block}.body.conv3": _map(c, size, m * c + c, positions * m * c),
        **_identity(block, size, c),
    }


# The first block of each stage changes the shape: 8 -> 32 at 32x32, 32 -> 64 to 16x16, 64 -> 128 to 8x8.
_FIRST_1 = {
    "stage1.0.body.bn1": _map(8, 32, 2 * 8),
    "stage1.0.body.relu1": _map(8, 32),
    "stage1.0.body.conv1": _map(8, 32, 8 * 8 + 8, 1024 * 8 * 8),
    "stage1.0.body.bn2": _map(8, 32, 2 * 8),
    "stage1.0.body.relu2": _map(8, 32),
    "stage1.0.body.conv2": _map(8, 32, 9 * 8 * 8 + 8, 1024 * 9 * 8 * 8),
    "stage1.0.body.bn3": _map(8, 32, 2 * 8),
    "stage1.0.body.relu3": _map(8, 32),
    "stage1.0.body.conv3": _map(32, 32, 8 * 32 + 32, 1024 * 8 * 32),
    "stage1.0.shortcut": _map(32, 32, 8 * 32 + 32, 1024 * 8 * 32),
    "stage1.0 Tensor.add": _map(32, 32),
}
_FIRST_2 = {
    "stage2.0.body.bn1": _map(32, 32, 2 * 32),
    "stage2.0.body.relu1": _map(32, 32),
    "stage2.0.body.conv1": _map(16, 16, 32 * 16 + 16, 256 * 32 * 16),
    "stage2.0.body.bn2": _map(16, 16, 2 * 16),
    "stage2.0.body.relu2": _map(16, 16),
    "stage2.0.body.conv2": _map(16, 16, 9 * 16 * 16 + 16, 256 * 9 * 16 * 16),
    "stage2.0.body.bn3": _map(16, 16, 2 * 16),
    "stage2.0.body.relu3": _map(16, 16),
    "stage2.0.body.conv3": _map(64, 16, 16 * 64 + 64, 256 * 16 * 64),
    "stage2.0.shortcut": _map(64, 16, 32 * 64 + 64, 256 * 32 * 64),
    "stage2.0 Tensor.add": _map(64, 16),
}
_FIRST_3 = {
    "stage3.0.body.bn1": _map(64, 16, 2 * 64),
    "stage3.0.body.relu1": _map(64, 16),
    "stage3.0.body.conv1": _map(32, 8, 64 * 32 + 32, 64 * 64 * 32),
    "stage3.0.body.bn2": _map(32, 8, 2 * 32),
    "stage3.0.body.relu2": _map(32, 8),
    "stage3.0.body.conv2": _map(32, 8, 9 * 32 * 32 + 32, 64 * 9 * 32 * 32),
    "stage3.0.body.bn3": _map(32, 8, 2 * 32),
    "stage3.0.body.relu3": _map(32, 8),
    "stage3.0.body.conv3": _map(128, 8, 32 * 128 + 128, 64 * 32 * 128),
    "stage3.0.shortcut": _map(128, 8, 64 * 128 + 128, 64 * 64 * 128),
    "stage3.0 Tensor.add": _map(128, 8),
}


def _bottleneck_stages() -> dict[str, Numbers]:
    rows: dict[str, Numbers] = {}
    for stage, first, size, c in (
        ("stage1", _FIRST_1, 32, 32),
        ("stage2", _FIRST_2, 16, 64),
        ("stage3", _FIRST_3, 8, 128),
    ):
        rows |= first
        for number in range(1, 5):
            rows |= _bottleneck(f"{stage}.{number}", size, c)
    return rows


RESNET47 = Example(
    "resnet47",
    _STEM | _bottleneck_stages() | _tail(128),
    {
        # Convolutions of a block that keeps 32, 64, 128 channels: 264 + 584 + 288, 1,040 + 2,320 + 1,088,
        # 4,128 + 9,248 + 4,224; its batch norms: 64 + 16 + 16, 128 + 32 + 32, 256 + 64 + 64.
        "params": 224
        + (72 + 584 + 288 + 288 + 48 + 4 * (1_136 + 96))
        + (528 + 2_320 + 1_088 + 2_112 + 128 + 4 * (4_448 + 192))
        + (2_080 + 9_248 + 4_224 + 8_320 + 256 + 4 * (17_600 + 384))
        + 1_290,
        # Each block that keeps its width: 1024 * (256 + 576 + 256) MACs, and the same in the other stages.
        "macs": 221_184
        + (1024 * (64 + 576 + 256 + 256) + 4 * 1_114_112)
        + (256 * (512 + 2_304 + 1_024 + 2_048) + 4 * 1_114_112)
        + (64 * (2_048 + 9_216 + 4_096 + 8_192) + 4 * 1_114_112)
        + 1_280,
    },
)

EXAMPLES = (PLAIN32, RESNET32, RESNET47)
