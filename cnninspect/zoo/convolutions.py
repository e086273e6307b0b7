"""One or two convolutions: stacks to vary, and a regular one against a depthwise separable one."""

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


def regular(dk: int = 3, m: int = 512, n: int = 512) -> nn.Sequential:
    """[N, m, H, W] -> [N, n, H, W] by one convolution of odd kernel dk, no bias: dk^2 * m * n MACs per position.

    The defaults are the layer of MobileNet whose cost the paper states.
    Source: Howard et al. 2017, "MobileNets", section 3.1 and table 3.
    """
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(m, n, dk, padding=dk // 2, bias=False)))


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
