"""Stacked convolutions to vary: what kernel, stride, dilation, depth and pooling do to field, map and cost."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn


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
