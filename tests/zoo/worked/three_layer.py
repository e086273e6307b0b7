"""Hand calculations of the three-layer network at batch 64, in each of its three writings."""

from __future__ import annotations

from tests.zoo.worked.base import Example, Numbers

_CONV1 = Numbers((64, 12, 32, 32), 3 * 12 * 5**2 + 12, 64 * 32 * 32 * 12 * 3 * 5**2, 64 * 12 * 32 * 32)
_RELU1 = Numbers((64, 12, 32, 32), 0, 0, 64 * 12 * 32 * 32)
_CONV2 = Numbers((64, 8, 32, 32), 12 * 8 * 3**2 + 8, 64 * 32 * 32 * 8 * 12 * 3**2, 64 * 8 * 32 * 32)
_RELU2 = Numbers((64, 8, 32, 32), 0, 0, 64 * 8 * 32 * 32)
_FLATTEN = Numbers((64, 8192))
_FC = Numbers((64, 10), 8192 * 10 + 10, 64 * 8192 * 10, 64 * 10)
_TOTALS = {
    "params": 83_714,  # 912 + 872 + 81,930
    "trainable_params": 83_714,
    "macs": 120_848_384,  # 64 * (921,600 + 884,736 + 81,920)
}

FUNCTIONAL = Example(
    "three-layer-functional",
    {
        "F.conv2d": _CONV1,
        "F.relu": _RELU1,
        "F.conv2d use 2": _CONV2,
        "F.relu use 2": _RELU2,
        "torch.flatten": _FLATTEN,
        "F.linear": _FC,
    },
    _TOTALS,
)

MODULE = Example(
    "three-layer-module",
    {
        "conv1": _CONV1,
        "F.relu": _RELU1,
        "conv2": _CONV2,
        "F.relu use 2": _RELU2,
        "torch.flatten": _FLATTEN,
        "fc": _FC,
    },
    _TOTALS,
)

SEQUENTIAL = Example(
    "three-layer-sequential",
    {
        "conv1": Numbers((64, 32, 32, 32), 3 * 32 * 5**2 + 32, 64 * 32 * 32 * 32 * 3 * 5**2, 64 * 32 * 32 * 32),
        "relu1": Numbers((64, 32, 32, 32), 0, 0, 64 * 32 * 32 * 32),
        "conv2": Numbers((64, 16, 32, 32), 32 * 16 * 3**2 + 16, 64 * 32 * 32 * 16 * 32 * 3**2, 64 * 16 * 32 * 32),
        "relu2": Numbers((64, 16, 32, 32), 0, 0, 64 * 16 * 32 * 32),
        "flatten": Numbers((64, 16384)),
        "fc": Numbers((64, 10), 16384 * 10 + 10, 64 * 16384 * 10, 64 * 10),
    },
    {
        "params": 170_906,  # 2,432 + 4,624 + 163,850
        "macs": 469_762_048,  # 64 * (2,457,600 + 4,718,592 + 163,840)
    },
)

EXAMPLES = (FUNCTIONAL, MODULE, SEQUENTIAL)
