"""Hand calculations of ciresan and ciresan-residual: 28x28 digits, 5x5 kernels, biases everywhere."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

_CONV = 192 * 192 * 5**2 + 192
_CONV_AT_7 = 7 * 7 * 192 * 192 * 5**2
_CONV_AT_14 = 14 * 14 * 192 * 192 * 5**2
_AT_14 = (1, 192, 14, 14)
_AT_7 = (1, 192, 7, 7)

# Maps: 28, pooled 14, pooled 7, pooled floor(7/2) = 3.
_CONVOLUTIONS = {
    "conv1": Numbers((1, 48, 28, 28), 1 * 48 * 5**2 + 48, 28 * 28 * 48 * 5**2, 48 * 28 * 28),
    "F.relu": Numbers((1, 48, 28, 28), 0, 0, 48 * 28 * 28),
    "pool": Numbers((1, 48, 14, 14), 0, 0, 48 * 14 * 14),
    "conv2": Numbers((1, 128, 14, 14), 48 * 128 * 5**2 + 128, 14 * 14 * 128 * 48 * 5**2, 128 * 14 * 14),
    "F.relu use 2": Numbers((1, 128, 14, 14), 0, 0, 128 * 14 * 14),
    "pool use 2": Numbers((1, 128, 7, 7), 0, 0, 128 * 7 * 7),
    "conv3": Numbers(_AT_7, 128 * 192 * 5**2 + 192, 7 * 7 * 192 * 128 * 5**2, 192 * 7 * 7),
    "F.relu use 3": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
    "conv4": Numbers(_AT_7, _CONV, _CONV_AT_7, 192 * 7 * 7),
    "F.relu use 4": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
    "conv5": Numbers(_AT_7, _CONV, _CONV_AT_7, 192 * 7 * 7),
    "F.relu use 5": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
    "conv6": Numbers(_AT_7, _CONV, _CONV_AT_7, 192 * 7 * 7),
    "F.relu use 6": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
    "conv7": Numbers(_AT_7, _CONV, _CONV_AT_7, 192 * 7 * 7),
    "F.relu use 7": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
    "pool use 3": Numbers((1, 192, 3, 3), 0, 0, 192 * 3 * 3),
    "torch.flatten": Numbers((1, 1728)),
    "head.fc1": Numbers((1, 512), 192 * 3 * 3 * 512 + 512, 1728 * 512, 512),
    "head.relu1": Numbers((1, 512), 0, 0, 512),
}

CIRESAN = Example(
    "ciresan",
    _CONVOLUTIONS
    | {
        "head.fc2": Numbers((1, 512), 512 * 512 + 512, 512 * 512, 512),
        "head.relu2": Numbers((1, 512), 0, 0, 512),
        "head.fc3": Numbers((1, 10), 512 * 10 + 10, 512 * 10, 10),
    },
    {
        # 1,248 + 153,728 + 614,592 + 4 * 921,792 + 885,248 + 262,656 + 5,130
        "params": 5_609_770,
        # 940,800 + 30,105,600 + 30,105,600 + 4 * 45,158,400 + 884,736 + 262,144 + 5,120
        "macs": 242_937_600,
    },
)

TWO_LINEAR = Example(
    "ciresan",
    _CONVOLUTIONS | {"head.fc2": Numbers((1, 10), 512 * 10 + 10, 512 * 10, 10)},
    {"params": 5_609_770 - 262_656, "macs": 242_937_600 - 262_144},
    arguments={"hidden_layers": 1},
    variant="two linear layers",
)

FOUR_LINEAR = Example(
    "ciresan",
    _CONVOLUTIONS
    | {
        "head.fc2": Numbers((1, 512), 512 * 512 + 512, 512 * 512, 512),
        "head.relu2": Numbers((1, 512), 0, 0, 512),
        "head.fc3": Numbers((1, 512), 512 * 512 + 512, 512 * 512, 512),
        "head.relu3": Numbers((1, 512), 0, 0, 512),
        "head.fc4": Numbers((1, 10), 512 * 10 + 10, 512 * 10, 10),
    },
    {"params": 5_609_770 + 262_656, "macs": 242_937_600 + 262_144},
    arguments={"hidden_layers": 3},
    variant="four linear layers",
)

RESIDUAL = Example(
    "ciresan-residual",
    {
        "conv1": Numbers((1, 48, 28, 28), 1 * 48 * 5**2 + 48, 28 * 28 * 48 * 5**2, 48 * 28 * 28),
        "F.relu": Numbers((1, 48, 28, 28), 0, 0, 48 * 28 * 28),
        "pool": Numbers((1, 48, 14, 14), 0, 0, 48 * 14 * 14),
        "conv2": Numbers((1, 128, 14, 14), 48 * 128 * 5**2 + 128, 14 * 14 * 128 * 48 * 5**2, 128 * 14 * 14),
        "F.relu use 2": Numbers((1, 128, 14, 14), 0, 0, 128 * 14 * 14),
        "conv3": Numbers(_AT_14, 128 * 192 * 5**2 + 192, 14 * 14 * 192 * 128 * 5**2, 192 * 14 * 14),
        "conv3_1x1": Numbers(_AT_14, 128 * 192 * 1 + 192, 14 * 14 * 192 * 128, 192 * 14 * 14),
        "Tensor.add": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "F.relu use 3": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "conv4": Numbers(_AT_14, _CONV, _CONV_AT_14, 192 * 14 * 14),
        "F.relu use 4": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "conv5": Numbers(_AT_14, _CONV, _CONV_AT_14, 192 * 14 * 14),
        "Tensor.add use 2": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "F.relu use 5": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "conv6": Numbers(_AT_14, _CONV, _CONV_AT_14, 192 * 14 * 14),
        "F.relu use 6": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "conv7": Numbers(_AT_14, _CONV, _CONV_AT_14, 192 * 14 * 14),
        "Tensor.add use 3": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "F.relu use 7": Numbers(_AT_14, 0, 0, 192 * 14 * 14),
        "pool use 2": Numbers(_AT_7, 0, 0, 192 * 7 * 7),
        "torch.flatten": Numbers((1, 9408)),
        "head.fc1": Numbers((1, 512), 192 * 7 * 7 * 512 + 512, 9408 * 512, 512),
        "head.relu1": Numbers((1, 512), 0, 0, 512),
        "head.fc2": Numbers((1, 512), 512 * 512 + 512, 512 * 512, 512),
        "head.relu2": Numbers((1, 512), 0, 0, 512),
        "head.fc3": Numbers((1, 10), 512 * 10 + 10, 512 * 10, 10),
    },
    {
        # 1,248 + 153,728 + 614,592 + 24,768 + 4 * 921,792 + 4,817,408 + 262,656 + 5,130
        "params": 9_566_698,
        # 940,800 + 30,105,600 + 120,422,400 + 4,816,896 + 4 * 180,633,600 + 4,816,896 + 262,144 + 5,120
        "macs": 883_904_256,
    },
)

EXAMPLES = (CIRESAN, TWO_LINEAR, FOUR_LINEAR, RESIDUAL)
