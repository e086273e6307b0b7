"""Ways to make a map larger, each a network of one layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


def nearest(scale_factor: int = 2) -> nn.Sequential:
    """[N, C, H, W] -> [N, C, fH, fW]: each value repeated. Source: torch.nn.Upsample."""
    return _network(upsample=nn.Upsample(scale_factor=scale_factor, mode="nearest"))


def bilinear(scale_factor: int = 2) -> nn.Sequential:
    """[N, C, H, W] -> [N, C, fH, fW]: interpolated between pixel centres. Source: torch.nn.Upsample."""
    return _network(upsample=nn.Upsample(scale_factor=scale_factor, mode="bilinear", align_corners=False))


def bilinear_corners(scale_factor: int = 2) -> nn.Sequential:
    """[N, C, H, W] -> [N, C, fH, fW]: interpolated with corner on corner. Source: torch.nn.Upsample, align_corners."""
    return _network(upsample=nn.Upsample(scale_factor=scale_factor, mode="bilinear", align_corners=True))


class MaxUnpool(nn.Module):
    """[N, C, H, W] -> the same: every maximum of a pool goes back to where it came from, the rest is 0.

    Source: torch.nn.MaxUnpool2d; Zeiler & Fergus 2014.
    """

    def __init__(self, kernel_size: int = 2):
        super().__init__()
        self.pool = nn.MaxPool2d(kernel_size, return_indices=True)
        self.unpool = nn.MaxUnpool2d(kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        y, indices = self.pool(x)
        return self.unpool(y, indices)


def transposed_4(channels: int = 3, bias: bool = True) -> nn.Sequential:
    """[N, C, H, W] -> [N, C, 2H, 2W], learned. Source: Dumoulin & Visin 2016, section 4."""
    return _network(up=nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=bias))


def transposed_rect(in_channels: int = 16, out_channels: int = 33, bias: bool = True) -> nn.Sequential:
    """[N, Cin, H, W] -> [N, Cout, 2H - 7, W]. Source: torch.nn.ConvTranspose2d, "Examples"."""
    return _network(up=nn.ConvTranspose2d(in_channels, out_channels, (3, 5), stride=(2, 1), padding=(4, 2), bias=bias))


def pixel_shuffle(upscale_factor: int = 3) -> nn.Sequential:
    """[N, f*f*C, H, W] -> [N, C, fH, fW]: channels become pixels. Source: Shi et al. 2016, sub-pixel convolution."""
    return _network(shuffle=nn.PixelShuffle(upscale_factor))


def _network(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))
