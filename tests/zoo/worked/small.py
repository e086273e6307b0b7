"""Hand calculations of small-cnn and small-fcnn: neurons, connections (= MACs per sample), parameters."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

CNN = Example(
    "small-cnn",
    {
        "conv1": Numbers((1, 32, 32, 32), 3 * 32 * 3**2, 32 * 32 * 32 * 3 * 3**2, 32_768),
        "pool1": Numbers((1, 32, 16, 16), 0, 0, 8_192),
        "conv2": Numbers((1, 64, 16, 16), 32 * 64 * 3**2, 16 * 16 * 64 * 32 * 3**2, 16_384),
        "pool2": Numbers((1, 64, 8, 8), 0, 0, 4_096),
        "conv3": Numbers((1, 3, 8, 8), 64 * 3 * 3**2, 8 * 8 * 3 * 64 * 3**2, 192),
    },
    {
        "neurons": 61_632,  # 32,768 + 8,192 + 16,384 + 4,096 + 192
        "params": 21_024,  # 864 + 18,432 + 1,728
        "macs": 5_713_920,  # 884,736 + 4,718,592 + 110,592
    },
)

FCNN = Example(
    "small-fcnn",
    {
        "Tensor.flatten": Numbers((1, 3072)),
        "fc1": Numbers((1, 3072), (32 * 32 * 3) ** 2, (32 * 32 * 3) ** 2, 3072),
        "Tensor.view_as": Numbers((1, 3, 32, 32)),
        "pool1": Numbers((1, 3, 16, 16), 0, 0, 768),
        "Tensor.flatten use 2": Numbers((1, 768)),
        "fc2": Numbers((1, 768), (16 * 16 * 3) ** 2, (16 * 16 * 3) ** 2, 768),
        "Tensor.view_as use 2": Numbers((1, 3, 16, 16)),
        "pool2": Numbers((1, 3, 8, 8), 0, 0, 192),
        "Tensor.flatten use 3": Numbers((1, 192)),
        "fc3": Numbers((1, 192), (8 * 8 * 3) ** 2, (8 * 8 * 3) ** 2, 192),
        "Tensor.view_as use 3": Numbers((1, 3, 8, 8)),
    },
    {
        "neurons": 4_992,  # 3072 + 768 + 768 + 192 + 192
        "params": 10_063_872,  # 9,437,184 + 589,824 + 36,864
        "macs": 10_063_872,
    },
)

# With a batch, MACs, neurons and shapes grow, and parameters stay.
CNN_BATCH = Example(
    "small-cnn",
    {
        "conv1": Numbers((8, 10, 16, 16), 1 * 10 * 5**2, 8 * 16 * 16 * 10 * 1 * 5**2, 8 * 10 * 16 * 16),
        "pool1": Numbers((8, 10, 8, 8), 0, 0, 8 * 10 * 8 * 8),
        "conv2": Numbers((8, 20, 8, 8), 10 * 20 * 5**2, 8 * 8 * 8 * 20 * 10 * 5**2, 8 * 20 * 8 * 8),
        "pool2": Numbers((8, 20, 4, 4), 0, 0, 8 * 20 * 4 * 4),
        "conv3": Numbers((8, 2, 4, 4), 20 * 2 * 5**2, 8 * 4 * 4 * 2 * 20 * 5**2, 8 * 2 * 4 * 4),
    },
    {
        "neurons": 8 * (2_560 + 640 + 1_280 + 320 + 32),
        "params": 250 + 5_000 + 1_000,
        "macs": 8 * (64_000 + 320_000 + 16_000),
    },
    arguments={"in_channels": 1, "widths": (10, 20, 2), "kernel_size": 5},
    input_shape=(8, 1, 16, 16),
    variant="batch 8",
)

EXAMPLES = (CNN, FCNN, CNN_BATCH)
