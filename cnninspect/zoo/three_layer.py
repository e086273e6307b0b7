"""One network written three ways: as a function of raw tensors, as a Module, as a Sequential.

Images [N, in_channels, size, size] give scores [N, classes]. With the same widths all three have the same numbers.
Source: coursework that introduces torch's three levels of abstraction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import prod, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def functional(
    channel_1: int = 12, channel_2: int = 8, classes: int = 10, in_channels: int = 3, size: int = 32
) -> Callable[[Tensor], Tensor]:
    """The network as a function; its weights are tensors that want a gradient and belong to no module."""
    w1, b1 = _weight(channel_1, in_channels, 5, 5), _bias(channel_1)
    w2, b2 = _weight(channel_2, channel_1, 3, 3), _bias(channel_2)
    fc_w, fc_b = _weight(classes, channel_2 * size**2), _bias(classes)

    def three_layer(x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, w1, padding=2, bias=b1))
        x = F.relu(F.conv2d(x, w2, padding=1, bias=b2))
        return F.linear(torch.flatten(x, 1), fc_w, fc_b)

    return three_layer


class ThreeLayer(nn.Module):
    """The network as a Module: its layers are attributes, its activations function calls."""

    def __init__(
        self, channel_1: int = 12, channel_2: int = 8, classes: int = 10, in_channels: int = 3, size: int = 32
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channel_1, 5, padding=2)
        self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)
        self.fc = nn.Linear(channel_2 * size**2, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return self.fc(torch.flatten(x, 1))


def sequential(
    channel_1: int = 32, channel_2: int = 16, classes: int = 10, in_channels: int = 3, size: int = 32
) -> nn.Sequential:
    """The network as a Sequential: everything is a module, flatten included."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, channel_1, 5, padding=2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(channel_1, channel_2, 3, padding=1),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc=nn.Linear(channel_2 * size**2, classes),
        )
    )


def _weight(*shape: int) -> Tensor:
    """A weight at the scale of He et al. 2015: standard deviation sqrt(2 / inputs of one output)."""
    return (torch.randn(shape) * sqrt(2 / prod(shape[1:]))).requires_grad_()


def _bias(features: int) -> Tensor:
    return torch.zeros(features, requires_grad=True)
