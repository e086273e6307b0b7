"""Two parameters that are views of one tensor (torchinfo's ParameterList of a split)."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        a, b = torch.zeros(4, 6).split([2, 4], dim=1)
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)

    def forward(self, x):
        return x @ self.a.sum(1) + x @ self.b.sum(1)
