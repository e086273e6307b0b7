"""The homework network: three convolution + pool stages and one linear layer, without biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NetHW(nn.Module):
    """Scores [N, classes] of images [N, in_channels, size, size]; `size` is a multiple of 8.

    One max-pool module serves all three stages: three rows in a table, one module.
    Source: coursework that derives sizes and parameters by hand.
    """

    def __init__(
        self,
        in_channels: int = 3,
        widths: tuple[int, int, int] = (8, 8, 16),
        kernels: tuple[int, int, int] = (3, 5, 3),
        classes: int = 10,
        size: int = 32,
    ):
        super().__init__()
        (c1, c2, c3), (k1, k2, k3) = widths, kernels
        self.conv_1 = nn.Conv2d(in_channels, c1, k1, padding=k1 // 2, bias=False)
        self.conv_2 = nn.Conv2d(c1, c2, k2, padding=k2 // 2, bias=False)
        self.conv_3 = nn.Conv2d(c2, c3, k3, padding=k3 // 2, bias=False)
        self.maxpool = nn.MaxPool2d(2)
        self.fc_1 = nn.Linear(c3 * (size // 8) ** 2, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv_1(x))
        x = self.maxpool(self.conv_2(x))
        x = self.maxpool(self.conv_3(x))
        return self.fc_1(torch.flatten(x, 1))
