"""LeNet-5 as it is taught today."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LeNet5(nn.Module):
    """Scores [N, classes] of digits [N, in_channels, 32, 32]; layer names as in the paper.

    Differs from the paper where the usual retelling does: S2 and S4 are plain average pools without coefficients, C3
    connects all of its maps with all of S2's, the output layer is linear. 61,706 parameters.
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
