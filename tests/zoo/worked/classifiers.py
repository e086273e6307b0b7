"""Hand calculations of nethw, custom-alexnet and lenet5."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

# The table of the report, worked-out MACs beside it; no biases.
NETHW = Example(
    "nethw",
    {
        "conv_1": Numbers((1, 8, 32, 32), 3 * 8 * 3**2, 32 * 32 * 8 * 3 * 3**2, 8 * 32 * 32),
        "maxpool": Numbers((1, 8, 16, 16), 0, 0, 8 * 16 * 16),
        "conv_2": Numbers((1, 8, 16, 16), 8 * 8 * 5**2, 16 * 16 * 8 * 8 * 5**2, 8 * 16 * 16),
        "maxpool use 2": Numbers((1, 8, 8, 8), 0, 0, 8 * 8 * 8),
        "conv_3": Numbers((1, 16, 8, 8), 8 * 16 * 3**2, 8 * 8 * 16 * 8 * 3**2, 16 * 8 * 8),
        "maxpool use 3": Numbers((1, 16, 4, 4), 0, 0, 16 * 4 * 4),
        "torch.flatten": Numbers((1, 256)),
        "fc_1": Numbers((1, 10), 256 * 10, 256 * 10, 10),
    },
    {
        "params": 5_528,  # 216 + 1600 + 1152 + 2560
        "trainable_params": 5_528,
        "buffers": 0,
        "macs": 707_072,  # 221,184 + 409,600 + 73,728 + 2,560
        "flops": 1_414_144,  # 2 * 707,072
        "neurons": 8_192 + 2_048 + 2_048 + 512 + 1_024 + 256 + 10,
        "params_bytes": 4 * 5_528,
        "input_bytes": 4 * 3 * 32 * 32,
        "activation_bytes": 2 * 4 * (8_192 + 2_048 + 1_024 + 10),  # outputs of the three convs and the linear layer
        "total_bytes": 22_112 + 12_288 + 90_192,
    },
)

NETHW_WIDER = Example(
    "nethw",
    {
        "conv_1": Numbers((1, 4, 64, 64), 1 * 4 * 5**2, 64 * 64 * 4 * 1 * 5**2, 4 * 64 * 64),
        "maxpool": Numbers((1, 4, 32, 32), 0, 0, 4 * 32 * 32),
        "conv_2": Numbers((1, 6, 32, 32), 4 * 6 * 3**2, 32 * 32 * 6 * 4 * 3**2, 6 * 32 * 32),
        "maxpool use 2": Numbers((1, 6, 16, 16), 0, 0, 6 * 16 * 16),
        "conv_3": Numbers((1, 12, 16, 16), 6 * 12 * 1, 16 * 16 * 12 * 6, 12 * 16 * 16),
        "maxpool use 3": Numbers((1, 12, 8, 8), 0, 0, 12 * 8 * 8),
        "torch.flatten": Numbers((1, 768)),
        "fc_1": Numbers((1, 7), 768 * 7, 768 * 7, 7),
    },
    {
        "params": 100 + 216 + 72 + 5_376,
        "macs": 409_600 + 221_184 + 18_432 + 5_376,
    },
    arguments={"in_channels": 1, "widths": (4, 6, 12), "kernels": (5, 3, 1), "classes": 7, "size": 64},
    variant="other arguments",
)

# Maps: floor((224 + 2*2 - 11)/4) + 1 = 55; pools of 3 by 2: floor((55 - 3)/2) + 1 = 27, 13, 6.
ALEXNET = Example(
    "custom-alexnet",
    {
        "conv1": Numbers((1, 64, 55, 55), 3 * 11**2 * 64 + 64, 55**2 * 64 * 3 * 11**2, 64 * 55**2),
        "F.relu": Numbers((1, 64, 55, 55), 0, 0, 64 * 55**2),
        "F.max_pool2d": Numbers((1, 64, 27, 27), 0, 0, 64 * 27**2),
        "conv2": Numbers((1, 196, 27, 27), 64 * 5**2 * 196 + 196, 27**2 * 196 * 64 * 5**2, 196 * 27**2),
        "F.relu use 2": Numbers((1, 196, 27, 27), 0, 0, 196 * 27**2),
        "F.max_pool2d use 2": Numbers((1, 196, 13, 13), 0, 0, 196 * 13**2),
        "conv3": Numbers((1, 384, 13, 13), 196 * 3**2 * 384 + 384, 13**2 * 384 * 196 * 3**2, 384 * 13**2),
        "F.relu use 3": Numbers((1, 384, 13, 13), 0, 0, 384 * 13**2),
        "conv4": Numbers((1, 256, 13, 13), 384 * 3**2 * 256 + 256, 13**2 * 256 * 384 * 3**2, 256 * 13**2),
        "F.relu use 4": Numbers((1, 256, 13, 13), 0, 0, 256 * 13**2),
        "conv5": Numbers((1, 256, 13, 13), 256 * 3**2 * 256 + 256, 13**2 * 256 * 256 * 3**2, 256 * 13**2),
        "F.relu use 5": Numbers((1, 256, 13, 13), 0, 0, 256 * 13**2),
        "F.max_pool2d use 3": Numbers((1, 256, 6, 6), 0, 0, 256 * 6**2),
        "torch.flatten": Numbers((1, 9216)),
        "fc1": Numbers((1, 4096), 9216 * 4096 + 4096, 9216 * 4096, 4096),
        "F.relu use 6": Numbers((1, 4096), 0, 0, 4096),
        "F.dropout": Numbers((1, 4096)),
        "fc2": Numbers((1, 1024), 4096 * 1024 + 1024, 4096 * 1024, 1024),
        "F.relu use 7": Numbers((1, 1024), 0, 0, 1024),
        "F.dropout use 2": Numbers((1, 1024)),
        "fc3": Numbers((1, 1000), 1024 * 1000 + 1000, 1024 * 1000, 1000),
    },
    {
        "params": 45_463_084,  # 23,296 + 313,796 + 677,760 + 884,992 + 590,080 + 37,752,832 + 4,195,328 + 1,025,000
        "trainable_params": 45_463_084,
        "macs": 705_535_424,
        "flops": 1_411_070_848,
        "params_bytes": 4 * 45_463_084,
        "input_bytes": 4 * 3 * 224 * 224,
        # 64*55^2 + 196*27^2 + (384 + 256 + 256)*13^2 + 4096 + 1024 + 1000 floats, twice
        "activation_bytes": 2 * 4 * (193_600 + 142_884 + 151_424 + 6_120),
        "total_bytes": 181_852_336 + 602_112 + 3_952_224,
    },
)

# 61,706 parameters is the count that LeNet-5 with a full C3 and plain pools is known by.
LENET5 = Example(
    "lenet5",
    {
        "c1": Numbers((1, 6, 28, 28), 6 * 1 * 5**2 + 6, 28 * 28 * 6 * 25, 6 * 28 * 28),
        "torch.tanh": Numbers((1, 6, 28, 28), 0, 0, 6 * 28 * 28),
        "s2": Numbers((1, 6, 14, 14), 0, 0, 6 * 14 * 14),
        "c3": Numbers((1, 16, 10, 10), 16 * 6 * 5**2 + 16, 10 * 10 * 16 * 6 * 25, 16 * 10 * 10),
        "torch.tanh use 2": Numbers((1, 16, 10, 10), 0, 0, 16 * 10 * 10),
        "s4": Numbers((1, 16, 5, 5), 0, 0, 16 * 5 * 5),
        "c5": Numbers((1, 120, 1, 1), 120 * 16 * 5**2 + 120, 120 * 16 * 25, 120),
        "torch.tanh use 3": Numbers((1, 120, 1, 1), 0, 0, 120),
        "torch.flatten": Numbers((1, 120)),
        "f6": Numbers((1, 84), 120 * 84 + 84, 120 * 84, 84),
        "torch.tanh use 4": Numbers((1, 84), 0, 0, 84),
        "output": Numbers((1, 10), 84 * 10 + 10, 84 * 10, 10),
    },
    {
        "params": 61_706,  # 156 + 2,416 + 48,120 + 10,164 + 850
        "macs": 117_600 + 240_000 + 48_000 + 10_080 + 840,
    },
)

EXAMPLES = (NETHW, NETHW_WIDER, ALEXNET, LENET5)
