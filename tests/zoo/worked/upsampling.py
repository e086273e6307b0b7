"""Hand calculations of the upsampling networks and of unet-small."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

_DOUBLED = {"upsample": Numbers((1, 3, 128, 128), 0, 0, 3 * 128 * 128)}
_FREE = {"params": 0, "macs": 0, "neurons": 3 * 128 * 128}

NEAREST = Example("upsample-nearest", _DOUBLED, _FREE)
BILINEAR = Example("upsample-bilinear", _DOUBLED, _FREE)
CORNERS = Example("upsample-bilinear-corners", _DOUBLED, _FREE)

TRIPLED = Example(
    "upsample-nearest",
    {"upsample": Numbers((2, 4, 15, 18), 0, 0, 2 * 4 * 15 * 18)},
    {"params": 0, "macs": 0},
    arguments={"scale_factor": 3},
    input_shape=(2, 4, 5, 6),
    variant="by 3",
)

# The indices that the pool hands on are no neurons.
MAX_UNPOOL = Example(
    "max-unpool",
    {
        "pool": Numbers((1, 3, 32, 32), 0, 0, 3 * 32 * 32),
        "unpool": Numbers((1, 3, 64, 64), 0, 0, 3 * 64 * 64),
    },
    {"params": 0, "macs": 0, "neurons": 3_072 + 12_288},
)

# (64 - 1)*2 - 2*1 + (4 - 1) + 1 = 128. Each of the 64*64 input positions meets 3*3*4*4 weights.
TRANSPOSED_4 = Example(
    "conv-transpose-4",
    {"up": Numbers((1, 3, 128, 128), 3 * 3 * 4**2 + 3, 64 * 64 * 3 * 3 * 4**2, 3 * 128 * 128)},
    {"params": 147, "macs": 589_824},
)

# (50 - 1)*2 - 2*4 + (3 - 1) + 1 = 93 and (100 - 1)*1 - 2*2 + (5 - 1) + 1 = 100.
TRANSPOSED_RECT = Example(
    "conv-transpose-rect",
    {"up": Numbers((1, 33, 93, 100), 16 * 33 * 3 * 5 + 33, 50 * 100 * 16 * 33 * 3 * 5, 33 * 93 * 100)},
    {"params": 7_953, "macs": 39_600_000},
)

PIXEL_SHUFFLE = Example(
    "pixel-shuffle",
    {"shuffle": Numbers((1, 3, 192, 192))},  # 27 = 3 * 3^2 channels; data moves, nothing is computed
    {"params": 0, "macs": 0, "neurons": 0},
)


def _double_conv(block: str, c_in: int, c_out: int, size: int) -> dict[str, Numbers]:
    """Two 3x3 convolutions with bias, c_in -> c_out -> c_out, each with a ReLU."""
    shape, positions = (1, c_out, size, size), size * size
    return {
        f"{block}.0": Numbers(shape, 9 * c_in * c_out + c_out, positions * 9 * c_in * c_out, c_out * positions),
        f"{block}.1": Numbers(shape, 0, 0, c_out * positions),
        f"{block}.2": Numbers(shape, 9 * c_out * c_out + c_out, positions * 9 * c_out * c_out, c_out * positions),
        f"{block}.3": Numbers(shape, 0, 0, c_out * positions),
    }


# Concatenation adds channels: 32 + 32, 16 + 16, 8 + 8. Up-convolutions cost by their input maps 8x8, 16x16, 32x32.
UNET = Example(
    "unet-small",
    {
        **_double_conv("down.0", 1, 8, 64),
        "pool": Numbers((1, 8, 32, 32), 0, 0, 8 * 32 * 32),
        **_double_conv("down.1", 8, 16, 32),
        "pool use 2": Numbers((1, 16, 16, 16), 0, 0, 16 * 16 * 16),
        **_double_conv("down.2", 16, 32, 16),
        "pool use 3": Numbers((1, 32, 8, 8), 0, 0, 32 * 8 * 8),
        **_double_conv("bottom", 32, 64, 8),
        "up.0": Numbers((1, 32, 16, 16), 64 * 32 * 2**2 + 32, 8 * 8 * 64 * 32 * 2**2, 32 * 16 * 16),
        "torch.cat": Numbers((1, 64, 16, 16)),
        **_double_conv("join.0", 64, 32, 16),
        "up.1": Numbers((1, 16, 32, 32), 32 * 16 * 2**2 + 16, 16 * 16 * 32 * 16 * 2**2, 16 * 32 * 32),
        "torch.cat use 2": Numbers((1, 32, 32, 32)),
        **_double_conv("join.1", 32, 16, 32),
        "up.2": Numbers((1, 8, 64, 64), 16 * 8 * 2**2 + 8, 32 * 32 * 16 * 8 * 2**2, 8 * 64 * 64),
        "torch.cat use 3": Numbers((1, 16, 64, 64)),
        **_double_conv("join.2", 16, 8, 64),
        "head": Numbers((1, 2, 64, 64), 8 * 2 + 2, 64 * 64 * 8 * 2, 2 * 64 * 64),
    },
    {
        # down 80 + 584, 1,168 + 2,320, 4,640 + 9,248; bottom 18,496 + 36,928; up 8,224, 2,064, 520;
        # join 18,464 + 9,248, 4,624 + 2,320, 1,160 + 584; head 18
        "params": 664 + 3_488 + 13_888 + 55_424 + 10_808 + 27_712 + 6_944 + 1_744 + 18,
        # per position: down 72 + 576, 1,152 + 2,304, 4,608 + 9,216; bottom 18,432 + 36,864;
        # join 18,432 + 9,216, 4,608 + 2,304, 1,152 + 576; head 16
        "macs": 64**2 * (648 + 1_728 + 16)
        + 32**2 * (3_456 + 6_912)
        + 16**2 * (13_824 + 27_648)
        + 8**2 * 55_296
        + 3 * 524_288,
    },
)

EXAMPLES = (NEAREST, BILINEAR, CORNERS, TRIPLED, MAX_UNPOOL, TRANSPOSED_4, TRANSPOSED_RECT, PIXEL_SHUFFLE, UNET)
