"""Networks of papers that torchvision does not have, written as their papers describe them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.targets.torchvision_ops import import_torchvision


def patch_gan(layers: int) -> nn.Module:
    """Discriminator of Isola et al. 2017: `layers` 4x4 convolutions of stride 2, then two of stride 1."""
    widths = [3, *(64 * min(2**i, 8) for i in range(layers))]
    strided = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)]
    return nn.Sequential(*strided, nn.Conv2d(widths[-1], 64, 4, padding=1), nn.Conv2d(64, 1, 4, padding=1))


def dncnn(depth: int) -> nn.Module:
    """Zhang et al. 2017: `depth` 3x3 convolutions, batch norm and ReLU between them."""
    middle = [nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()) for _ in range(depth - 2)]
    return nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), *middle, nn.Conv2d(64, 1, 3, padding=1))


class TemporalBlock(nn.Module):
    """Bai et al. 2018: two causal convolutions of the same dilation, and the input added."""

    def __init__(self, kernel: int, dilation: int):
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.conv1, self.conv2 = (nn.Conv1d(4, 4, kernel, padding=self.reach, dilation=dilation) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)[:, :, : -self.reach].relu()
        return self.conv2(y)[:, :, : -self.reach].relu() + x


def tcn(blocks: int, kernel: int = 3) -> nn.Module:
    """Blocks of dilation 1, 2, 4, ..."""
    return nn.Sequential(*(TemporalBlock(kernel, 2**i) for i in range(blocks)))


def conv_pair(channels: int, width: int, padding: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=padding),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=padding),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Ronneberger et al. 2015 with few channels: two 3x3 convolutions per level, max pools, skips by concatenation.

    Without padding the skips are cropped to their centres, as in the paper. `up` makes the upsampling of one level.
    """

    def __init__(self, depth: int, padding: int, up: Callable[[], nn.Module]):
        super().__init__()
        self.down = nn.ModuleList(conv_pair(1 if i == 0 else 2, 2, padding) for i in range(depth))
        self.bottom = conv_pair(2, 2, padding)
        self.ups = nn.ModuleList(up() for _ in range(depth))
        self.joined = nn.ModuleList(conv_pair(4, 2, padding) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, joined in zip(self.ups, self.joined, strict=True):
            x = up(x)
            skip = skips.pop()
            top = (skip.shape[2] - x.shape[2]) // 2
            left = (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = joined(torch.cat([skip, x], 1))
        return x


def up_conv() -> nn.Module:
    """The 2x2 up-convolution of the paper."""
    return nn.ConvTranspose2d(2, 2, 2, stride=2)


def upsample(mode: str) -> Callable[[], nn.Module]:
    return lambda: nn.Upsample(scale_factor=2, mode=mode)


def original_unet() -> nn.Module:
    """The network of the paper: four levels, no padding."""
    return UNet(4, 0, up_conv)


def slim_alexnet() -> nn.Module:
    """TF-Slim's AlexNet v2 up to pool5: the first convolution is not padded."""
    features = import_torchvision().models.alexnet(weights=None).features
    features[0] = nn.Conv2d(3, 64, 11, stride=4)
    return features


def caffe_resnet50() -> nn.Module:
    """ResNet-50 as first published: the stride of a stage in the 1x1 convolution of its first block."""
    model = import_torchvision().models.resnet50(weights=None)
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


class AlignedBranches(nn.Module):
    """Network 1 of the tests of google-research/receptive_field."""

    def __init__(self) -> None:
        super().__init__()
        self.short = nn.Conv2d(1, 1, 1, stride=4)
        self.pad, self.conv = nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(1, 1, 3, stride=2)
        self.thin = nn.Conv2d(1, 1, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return (self.short(x) + self.thin(self.conv(self.pad(x)))).relu()


class AlignedTwice(nn.Module):
    """Network 8: network 1 and a second pair of branches on top."""

    def __init__(self) -> None:
        super().__init__()
        self.first = AlignedBranches()
        self.short = nn.Conv2d(1, 1, 1, stride=2)
        self.pad, self.conv = nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(1, 1, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return (self.short(x) + self.conv(self.pad(x))).relu()


class UnalignedBranches(nn.Module):
    """Network 3: branches of stride 2 and 1, whose outputs have one size for an input of 8x8 only."""

    def __init__(self) -> None:
        super().__init__()
        self.pad, self.strided = nn.ZeroPad2d((2, 1, 2, 1)), nn.Conv2d(1, 1, 5, stride=2)
        self.dense = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        return (self.strided(self.pad(x)) + self.dense(x)).relu()


def oblong_kernels() -> nn.Module:
    """Network 5: kernels that are not square."""
    return nn.Sequential(nn.Conv2d(1, 1, (3, 5), stride=2), nn.Conv2d(1, 1, (3, 1), stride=2))


class ShiftedBranches(nn.Module):
    """A 3 and a 5 wide convolution whose outputs are added three positions apart."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 1, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(x)[:, :, :-3] + self.wide(x)[:, :, 3:]
