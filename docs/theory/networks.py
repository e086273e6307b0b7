"""The small networks of these pages that are not in the zoo."""

import torch
from torch import nn


def conv() -> nn.Module:
    """A 3x3 kernel without padding: on a 4x4 map it has 2x2 outputs."""
    return nn.Sequential(nn.Conv2d(1, 1, 3, bias=False))


def transposed() -> nn.Module:
    """The transpose of that convolution."""
    return nn.Sequential(nn.ConvTranspose2d(1, 1, 3, bias=False))


def basic(channels: int = 256) -> nn.Module:
    """The branch of a basic block: two 3x3 convolutions."""
    return nn.Sequential(*(nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2)))


def bottleneck(channels: int = 256) -> nn.Module:
    """The branch of a bottleneck block: 1x1 to a quarter of the channels, 3x3, 1x1 back."""
    inner = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, inner, 1, bias=False),
        nn.Conv2d(inner, inner, 3, padding=1, bias=False),
        nn.Conv2d(inner, channels, 1, bias=False),
    )


class Branches(nn.Module):
    """A 3x3 and a 5x5 convolution side by side, joined by addition."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(1, 1, 3, padding=1)
        self.wide = nn.Conv2d(1, 1, 5, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both."""
        return self.narrow(x) + self.wide(x)
