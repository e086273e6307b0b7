"""Networks with and without residual additions, for CIFAR images and for MNIST digits."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# --- CIFAR: one configurable class, three of its settings -----------------------------------------------------------


class CifarResNet(nn.Module):
    """Scores [N, classes] of images [N, in_channels, H, W].

    A stem, three stages of `blocks` blocks with `widths` channels (the second and third halve the map in their first
    block), global average pooling and a linear layer. `bottleneck` chooses blocks of three convolutions over two;
    without `residual` the blocks have no shortcut. Layers: 6 * blocks + 2, or 9 * blocks + 2 with bottlenecks.
    Source: coursework after He et al. 2016, "Identity mappings in deep residual networks".
    """

    def __init__(
        self,
        in_channels: int = 3,
        stem: int = 8,
        widths: tuple[int, int, int] = (8, 16, 32),
        blocks: int = 5,
        bottleneck: bool = False,
        residual: bool = True,
        classes: int = 10,
    ):
        super().__init__()
        build = partial(_stage, blocks=blocks, bottleneck=bottleneck, residual=residual)
        self.stem = nn.Conv2d(in_channels, stem, 3, padding=1)
        self.relu = nn.ReLU()
        self.stage1 = build(stem, widths[0], stride=1)
        self.stage2 = build(widths[0], widths[1], stride=2)
        self.stage3 = build(widths[1], widths[2], stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[2], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


class Block(nn.Module):
    """body(x), plus shortcut(x) in a residual network: the identity, or a 1x1 convolution where the shape changes."""

    def __init__(self, c_in: int, c_out: int, stride: int, bottleneck: bool, residual: bool):
        super().__init__()
        self.body = (bottleneck_body if bottleneck else plain_body)(c_in, c_out, stride)
        self.shortcut: nn.Module | None = None
        if residual:
            keeps_shape = c_in == c_out and stride == 1
            self.shortcut = nn.Identity() if keeps_shape else nn.Conv2d(c_in, c_out, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y if self.shortcut is None else y + self.shortcut(x)


def plain_body(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions, each after its batch norm and ReLU."""
    return nn.Sequential(
        OrderedDict(
            bn1=nn.BatchNorm2d(c_in),
            relu1=nn.ReLU(),
            conv1=nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1),
            bn2=nn.BatchNorm2d(c_out),
            relu2=nn.ReLU(),
            conv2=nn.Conv2d(c_out, c_out, 3, padding=1),
        )
    )


def bottleneck_body(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    """1x1, 3x3 and 1x1 convolutions at a quarter of the width in between; the first one strides."""
    middle = c_out // 4
    return nn.Sequential(
        OrderedDict(
            bn1=nn.BatchNorm2d(c_in),
            relu1=nn.ReLU(),
            conv1=nn.Conv2d(c_in, middle, 1, stride=stride),
            bn2=nn.BatchNorm2d(middle),
            relu2=nn.ReLU(),
            conv2=nn.Conv2d(middle, middle, 3, padding=1),
            bn3=nn.BatchNorm2d(middle),
            relu3=nn.ReLU(),
            conv3=nn.Conv2d(middle, c_out, 1),
        )
    )


def _stage(c_in: int, c_out: int, stride: int, blocks: int, bottleneck: bool, residual: bool) -> nn.Sequential:
    first = Block(c_in, c_out, stride, bottleneck, residual)
    return nn.Sequential(first, *(Block(c_out, c_out, 1, bottleneck, residual) for _ in range(blocks - 1)))


plain32 = partial(CifarResNet, residual=False)
resnet32 = CifarResNet
resnet47 = partial(CifarResNet, widths=(32, 64, 128), bottleneck=True)


# --- MNIST: a deep network, and the same with residual additions ----------------------------------------------------

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
