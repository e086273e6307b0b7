"""A policy that returns a distribution: the MACs are exact, 50."""

from torch import nn
from torch.distributions import Normal


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(10, 5)

    def forward(self, x):
        return Normal(self.mean(x), 1.0)
