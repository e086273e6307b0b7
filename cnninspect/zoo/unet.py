"""A small U-Net: two paths that join by concatenation, where channels add and the other sizes must agree."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
