"""Networks without residual additions: classifiers, from LeNet-5 to an AlexNet; autoencoders and a small U-Net."""

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


class PoolUpsample(nn.Module):
    """Max pools on the way down, nearest-neighbour upsampling on the way up; `k` is odd.

    Source: coursework on colourisation, "PoolUpsampleNet".
    """

    def __init__(self, NIC: int = 1, NF: int = 32, NC: int = 24, k: int = 3):
        super().__init__()
        self.n = nn.Sequential(
            _block(_same(NIC, NF, k), nn.MaxPool2d(2), features=NF),
            _block(_same(NF, 2 * NF, k), nn.MaxPool2d(2), features=2 * NF),
            _block(_same(2 * NF, NF, k), nn.Upsample(scale_factor=2), features=NF),
            _block(_same(NF, NC, k), nn.Upsample(scale_factor=2), features=NC),
            nn.Sequential(_same(NC, NC, k)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.n(x)


class ConvTranspose(nn.Module):
    """Convolutions of stride 2 on the way down, transposed ones on the way up.

    Paddings are solved so that the sizes halve and double exactly. The last convolution keeps the size, for which
    2p = k - 1 must hold: an even `k` has no solution and is refused (ValueError) unless `last_padding` is given.
    Source: coursework on colourisation, "ConvTransposeNet"; Dumoulin & Visin 2016, relationships 6 and 14.
    """

    def __init__(self, NIC: int = 1, NF: int = 32, NC: int = 24, k: int = 3, last_padding: int | None = None):
        super().__init__()
        self.n = nn.Sequential(
            _block(_halve(NIC, NF, k), features=NF),
            _block(_halve(NF, 2 * NF, k), features=2 * NF),
            _block(_double(2 * NF, NF, k), features=NF),
            _block(_double(NF, NC, k), features=NC),
            nn.Sequential(_keep(NC, k, last_padding)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.n(x)


def _block(*layers: nn.Module, features: int) -> nn.Sequential:
    return nn.Sequential(*layers, nn.BatchNorm2d(features), nn.ReLU())


def _same(c_in: int, c_out: int, k: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False)


def _halve(c_in: int, c_out: int, k: int) -> nn.Conv2d:
    # floor((in + 2p - k)/2) + 1 = in/2 holds for 2p = k - 2 and 2p = k - 1, whichever is even.
    return nn.Conv2d(c_in, c_out, k, stride=2, padding=(k - 1) // 2, bias=False)


def _double(c_in: int, c_out: int, k: int) -> nn.ConvTranspose2d:
    # (in - 1)*2 - 2p + k + output_padding = 2*in gives output_padding = 2p + 2 - k.
    padding = (k - 1) // 2
    return nn.ConvTranspose2d(c_in, c_out, k, stride=2, padding=padding, output_padding=2 * padding + 2 - k, bias=False)


def _keep(channels: int, k: int, padding: int | None) -> nn.Conv2d:
    if padding is None and k % 2 == 0:
        raise ValueError(
            f"no integer padding keeps the size with kernel {k} and stride 1: 2p = {k} - 1 gives p = {(k - 1) / 2}. "
            f"Give last_padding={k // 2} (the map grows by 1) or last_padding={k // 2 - 1} (it shrinks by 1)"
        )
    return nn.Conv2d(channels, channels, k, padding=(k - 1) // 2 if padding is None else padding, bias=False)


class UNetSmall(nn.Module):
    """Scores [N, classes, H, W] of images [N, in_channels, H, W]; H and W are multiples of 2**depth, depth > 0.

    Level i has width * 2**i channels. `up` is "transposed" (2x2 up-convolutions as in the paper), "nearest" or
    "bilinear". Convolutions are padded, so that the maps of both paths have one size.
    Source: Ronneberger et al. 2015, figure 1.
    """

    def __init__(self, in_channels: int = 1, classes: int = 2, width: int = 8, depth: int = 3, up: str = "transposed"):
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(
            _double_conv(c_in, c_out) for c_in, c_out in zip([in_channels, *widths[:-2]], widths[:-1], strict=True)
        )
        self.bottom = _double_conv(widths[-2], widths[-1])
        self.up, self.join = nn.ModuleList(), nn.ModuleList()
        for c_out in reversed(widths[:-1]):
            self.up.append(_upsampling(up, 2 * c_out, c_out))
            self.join.append(_double_conv((2 if up == "transposed" else 3) * c_out, c_out))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = join(torch.cat([skip, up(x)], dim=1))
        return self.head(x)


def _double_conv(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(), nn.Conv2d(c_out, c_out, 3, padding=1), nn.ReLU()
    )


def _upsampling(how: str, c_in: int, c_out: int) -> nn.Module:
    if how == "transposed":
        return nn.ConvTranspose2d(c_in, c_out, 2, stride=2)
    return nn.Upsample(scale_factor=2, mode=how)
