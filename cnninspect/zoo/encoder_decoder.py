"""Maps that shrink and grow again: autoencoders and a small U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
