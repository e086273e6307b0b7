"""Classifiers: the homework network, LeNet-5, an AlexNet, and a small network with its fully connected twin."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
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


class LeNet5(nn.Module):
    """Scores [N, classes] of digits [N, in_channels, 32, 32]; layer names as in the paper.

    As in most reimplementations, S2 and S4 are average pools without coefficients, C3 connects all of its maps with all
    of S2's, and the output layer is linear. 61,706 parameters.
    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.B.
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: tuple[int, int, int] = (6, 16, 120),
        hidden: int = 84,
        classes: int = 10,
    ):
        super().__init__()
        w1, w3, w5 = widths
        self.c1 = nn.Conv2d(in_channels, w1, 5)
        self.s2 = nn.AvgPool2d(2)
        self.c3 = nn.Conv2d(w1, w3, 5)
        self.s4 = nn.AvgPool2d(2)
        self.c5 = nn.Conv2d(w3, w5, 5)
        self.f6 = nn.Linear(w5, hidden)
        self.output = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.s2(torch.tanh(self.c1(x)))
        x = self.s4(torch.tanh(self.c3(x)))
        x = torch.flatten(torch.tanh(self.c5(x)), 1)
        return self.output(torch.tanh(self.f6(x)))


class CustomAlexNet(nn.Module):
    """Scores [N, classes] of images [N, in_channels, 224, 224]; the first kernel is at most 12, the others odd.

    Source: coursework after Krizhevsky et al. 2012, in one column as in Krizhevsky 2014.
    """

    def __init__(
        self,
        in_channels: int = 3,
        widths: tuple[int, int, int, int, int] = (64, 196, 384, 256, 256),
        kernels: tuple[int, int, int, int, int] = (11, 5, 3, 3, 3),
        hidden: tuple[int, int] = (4096, 1024),
        classes: int = 1000,
    ):
        super().__init__()
        (c1, c2, c3, c4, c5), (k1, k2, k3, k4, k5) = widths, kernels
        self.conv1 = nn.Conv2d(in_channels, c1, k1, stride=4, padding=2)
        self.conv2 = nn.Conv2d(c1, c2, k2, padding=k2 // 2)
        self.conv3 = nn.Conv2d(c2, c3, k3, padding=k3 // 2)
        self.conv4 = nn.Conv2d(c3, c4, k4, padding=k4 // 2)
        self.conv5 = nn.Conv2d(c4, c5, k5, padding=k5 // 2)
        self.fc1 = nn.Linear(c5 * 6 * 6, hidden[0])
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.fc3 = nn.Linear(hidden[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 3, 2)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.max_pool2d(F.relu(self.conv5(x)), 3, 2)
        x = torch.flatten(x, 1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, self.training)
        x = F.dropout(F.relu(self.fc2(x)), 0.5, self.training)
        return self.fc3(x)


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
