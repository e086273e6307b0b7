"""Hand calculations of conv-regular, conv-separable, conv-stack and conv-5x5; no biases."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

# Howard et al. 2017, table 3, for dk = 3, M = N = 512, Df = 14: 462 million mult-adds and 2.36 million parameters,
# against 52.3 and 0.27.
REGULAR = Example(
    "conv-regular",
    {"conv": Numbers((1, 512, 14, 14), 3**2 * 512 * 512, 3**2 * 512 * 512 * 14**2, 512 * 14**2)},
    {"params": 2_359_296, "macs": 462_422_016},
)
SEPARABLE = Example(
    "conv-separable",
    {
        "depthwise": Numbers((1, 512, 14, 14), 3**2 * 512, 3**2 * 512 * 14**2, 512 * 14**2),
        "pointwise": Numbers((1, 512, 14, 14), 512 * 512, 512 * 512 * 14**2, 512 * 14**2),
    },
    {"params": 266_752, "macs": 52_283_392},  # (3^2 + 512) * 512 weights, each used at 14^2 positions
)

STACK = Example(
    "conv-stack",
    {
        "conv1": Numbers((1, 1, 32, 32), 3 * 3, 32 * 32 * 9, 32 * 32),
        "conv2": Numbers((1, 1, 32, 32), 3 * 3, 32 * 32 * 9, 32 * 32),
    },
    {"params": 18, "macs": 18_432},
)
ONE_5X5 = Example(
    "conv-5x5",
    {"conv1": Numbers((1, 1, 32, 32), 5 * 5, 32 * 32 * 25, 32 * 32)},
    {"params": 25, "macs": 25_600},
)
STRIDED = Example(
    "conv-stack",
    {
        "conv1": Numbers((1, 1, 16, 16), 9, 16 * 16 * 9, 16 * 16),
        "conv2": Numbers((1, 1, 8, 8), 9, 8 * 8 * 9, 8 * 8),
        "conv3": Numbers((1, 1, 4, 4), 9, 4 * 4 * 9, 4 * 4),
    },
    {"params": 27, "macs": 2_304 + 576 + 144},
    arguments={"stride": 2, "depth": 3},
    variant="stride 2",
)
DILATED = Example(
    "conv-stack",
    {
        "conv1": Numbers((1, 1, 32, 32), 9, 32 * 32 * 9, 32 * 32),
        "conv2": Numbers((1, 1, 32, 32), 9, 32 * 32 * 9, 32 * 32),
    },
    {"params": 18, "macs": 18_432},  # dilation widens the field for nothing
    arguments={"dilation": 2},
    variant="dilation 2",
)
POOLED = Example(
    "conv-stack",
    {
        "conv1": Numbers((1, 2, 32, 32), 2 * 2 * 9, 32 * 32 * 2 * 2 * 9, 2 * 32 * 32),
        "pool1": Numbers((1, 2, 16, 16), 0, 0, 2 * 16 * 16),
        "conv2": Numbers((1, 2, 16, 16), 2 * 2 * 9, 16 * 16 * 2 * 2 * 9, 2 * 16 * 16),
        "pool2": Numbers((1, 2, 8, 8), 0, 0, 2 * 8 * 8),
    },
    {"params": 72, "macs": 36_864 + 9_216},
    arguments={"pool": 2, "channels": 2},
    variant="pooled",
)

EXAMPLES = (REGULAR, SEPARABLE, STACK, ONE_5X5, STRIDED, DILATED, POOLED)
