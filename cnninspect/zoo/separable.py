"""A convolution and what MobileNet puts in its place: kernel dk x dk, m channels in, n channels out, dk odd.

Both map [N, m, H, W] to [N, n, H, W] and have no biases. The defaults are the inner layer of MobileNet whose cost
the paper states. Source: Howard et al. 2017, "MobileNets", section 3.1 and table 3.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def regular(dk: int = 3, m: int = 512, n: int = 512) -> nn.Sequential:
    """One convolution: dk^2 * m * n MACs per output position."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(m, n, dk, padding=dk // 2, bias=False)))


def separable(dk: int = 3, m: int = 512, n: int = 512) -> nn.Sequential:
    """One filter per channel, then 1x1 to mix the channels: (dk^2 + n) * m MACs per output position."""
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv2d(m, m, dk, padding=dk // 2, groups=m, bias=False),
            pointwise=nn.Conv2d(m, n, 1, bias=False),
        )
    )
