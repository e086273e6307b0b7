"""A small convolutional network and its fully connected twin: what weight sharing saves."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class SmallCNN(nn.Sequential):
    """Maps [N, widths[2], H/4, W/4] of images [N, in_channels, H, W]; no biases, odd kernels.

    Source: coursework that compares neurons, connections and parameters.
    """

    def __init__(self, in_channels: int = 3, widths: tuple[int, int, int] = (32, 64, 3), kernel_size: int = 3):
        c1, c2, c3 = widths
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, c1, kernel_size, padding=kernel_size // 2, bias=False),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(c1, c2, kernel_size, padding=kernel_size // 2, bias=False),
                pool2=nn.MaxPool2d(2),
                conv3=nn.Conv2d(c2, c3, kernel_size, padding=kernel_size // 2, bias=False),
            )
        )


class SmallFCNN(nn.Module):
    """Maps [N, in_channels, size/4, size/4] of images [N, in_channels, size, size]; every layer connects all with all.

    Each convolution of SmallCNN is a linear layer on the flattened map that keeps the map's size.
    Source: as for SmallCNN.
    """

    def __init__(self, in_channels: int = 3, size: int = 32):
        super().__init__()
        self.fc1 = _full(in_channels * size**2)
        self.pool1 = nn.MaxPool2d(2)
        self.fc2 = _full(in_channels * (size // 2) ** 2)
        self.pool2 = nn.MaxPool2d(2)
        self.fc3 = _full(in_channels * (size // 4) ** 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x.flatten(1)).view_as(x)
        x = self.pool1(x)
        x = self.fc2(x.flatten(1)).view_as(x)
        x = self.pool2(x)
        return self.fc3(x.flatten(1)).view_as(x)


def _full(features: int) -> nn.Linear:
    return nn.Linear(features, features, bias=False)
