"""A deep network for MNIST digits, and the same with residual additions."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Widths = tuple[int, int, int]


class _Convolutions(nn.Module):
    """The seven k x k convolutions that both networks have; `k` is odd."""

    def __init__(self, in_channels: int, widths: Widths, k: int):
        super().__init__()
        c1, c2, c3 = widths
        self.conv1 = nn.Conv2d(in_channels, c1, k, padding=k // 2)
        self.conv2 = nn.Conv2d(c1, c2, k, padding=k // 2)
        self.conv3 = nn.Conv2d(c2, c3, k, padding=k // 2)
        self.conv4 = nn.Conv2d(c3, c3, k, padding=k // 2)
        self.conv5 = nn.Conv2d(c3, c3, k, padding=k // 2)
        self.conv6 = nn.Conv2d(c3, c3, k, padding=k // 2)
        self.conv7 = nn.Conv2d(c3, c3, k, padding=k // 2)
        self.pool = nn.MaxPool2d(2)


class Ciresan(_Convolutions):
    """Scores [N, classes] of digits [N, in_channels, 28, 28].

    `hidden_layers` linear layers of `hidden_width` stand before the one that scores.
    Source: coursework after Ciresan et al. 2012, "Multi-column deep neural networks for image classification".
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Widths = (48, 128, 192),
        kernel_size: int = 5,
        hidden_layers: int = 2,
        hidden_width: int = 512,
        classes: int = 10,
    ):
        super().__init__(in_channels, widths, kernel_size)
        self.head = _head(widths[2] * 3 * 3, hidden_layers, hidden_width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.relu(self.conv5(x))
        x = F.relu(self.conv6(x))
        x = self.pool(F.relu(self.conv7(x)))
        return self.head(torch.flatten(x, 1))


class CiresanResidual(_Convolutions):
    """Scores [N, classes] of digits [N, in_channels, 28, 28]; three additions, the first with a 1x1 projection.

    Only two pools remain, so the linear layers and most convolutions see larger maps than in Ciresan.
    Source: coursework after Ciresan et al. 2012 and He et al. 2016.
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Widths = (48, 128, 192),
        kernel_size: int = 5,
        hidden_layers: int = 2,
        hidden_width: int = 512,
        classes: int = 10,
    ):
        super().__init__(in_channels, widths, kernel_size)
        self.conv3_1x1 = nn.Conv2d(widths[1], widths[2], 1)
        self.head = _head(widths[2] * 7 * 7, hidden_layers, hidden_width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x) + self.conv3_1x1(x))
        x = F.relu(self.conv5(F.relu(self.conv4(x))) + x)
        x = F.relu(self.conv7(F.relu(self.conv6(x))) + x)
        return self.head(torch.flatten(self.pool(x), 1))


def _head(features: int, hidden_layers: int, width: int, classes: int) -> nn.Sequential:
    """Linear layers fc1, fc2, ... with a ReLU after each but the last."""
    sizes = [features, *[width] * hidden_layers]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, hidden_layers + 1):
        layers[f"fc{number}"] = nn.Linear(sizes[number - 1], sizes[number])
        layers[f"relu{number}"] = nn.ReLU()
    layers[f"fc{hidden_layers + 1}"] = nn.Linear(sizes[-1], classes)
    return nn.Sequential(layers)
