"""One to three layers: convolutions to vary, regular against separable, larger maps, and one network three ways."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import prod, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvStack(nn.Sequential):
    """`depth` convolutions in a row on [N, channels, H, W], padded so that stride 1 keeps the map; no biases.

    With `pool` > 1 a max pool of that size follows each convolution.
    Source: Simonyan & Zisserman 2015, section 2.3: two 3x3 layers see 5x5 with 18 weights for 25.
    """

    def __init__(
        self,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        depth: int = 2,
        pool: int = 1,
        channels: int = 1,
    ):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        padding = dilation * (kernel_size - 1) // 2
        for number in range(1, depth + 1):
            layers[f"conv{number}"] = nn.Conv2d(channels, channels, kernel_size, stride, padding, dilation, bias=False)
            if pool > 1:
                layers[f"pool{number}"] = nn.MaxPool2d(pool)
        super().__init__(layers)


one_5x5 = partial(ConvStack, kernel_size=5, depth=1)


def regular(dk: int = 3, m: int = 512, n: int = 512) -> nn.Sequential:
    """[N, m, H, W] -> [N, n, H, W] by one convolution of odd kernel dk, no bias: dk^2 * m * n MACs per position.

    The defaults are the layer of MobileNet whose cost the paper states.
    Source: Howard et al. 2017, "MobileNets", section 3.1 and table 3.
    """
    return _network(conv=nn.Conv2d(m, n, dk, padding=dk // 2, bias=False))


def separable(dk: int = 3, m: int = 512, n: int = 512) -> nn.Sequential:
    """The same maps from one filter per channel, then 1x1 to mix the channels: (dk^2 + n) * m MACs per position.

    Source: as for `regular`.
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv2d(m, m, dk, padding=dk // 2, groups=m, bias=False),
            pointwise=nn.Conv2d(m, n, 1, bias=False),
        )
    )


# --- ways to make a map larger ----------------------------------------------------------------------------------------


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


# --- one network written three ways: as a function of raw tensors, as a Module, as a Sequential ---------------------

# Images [N, in_channels, size, size] give scores [N, classes]. With the same widths all three have the same numbers.


def functional(
    channel_1: int = 12, channel_2: int = 8, classes: int = 10, in_channels: int = 3, size: int = 32
) -> Callable[[Tensor], Tensor]:
    """The network as a function; its weights are tensors with requires_grad that belong to no module.

    Source: coursework that introduces torch's three levels of abstraction.
    """
    w1, b1 = _weight(channel_1, in_channels, 5, 5), _bias(channel_1)
    w2, b2 = _weight(channel_2, channel_1, 3, 3), _bias(channel_2)
    fc_w, fc_b = _weight(classes, channel_2 * size**2), _bias(classes)

    def three_layer(x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, w1, padding=2, bias=b1))
        x = F.relu(F.conv2d(x, w2, padding=1, bias=b2))
        return F.linear(torch.flatten(x, 1), fc_w, fc_b)

    return three_layer


class ThreeLayer(nn.Module):
    """The network as a Module: its layers are attributes, its activations function calls.

    Source: coursework that introduces torch's three levels of abstraction.
    """

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
    """The network as a Sequential: everything is a module, flatten included.

    Source: coursework that introduces torch's three levels of abstraction.
    """
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
