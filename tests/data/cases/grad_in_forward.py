"""An energy network that returns forces: runs in plain PyTorch (eval mode, no wrapper)."""

import torch
from torch import nn


class Forces(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, pos):
        pos = pos.requires_grad_()
        energy = self.net(pos).sum()
        return torch.autograd.grad(energy, pos)[0]


if __name__ == "__main__":
    print(Forces().eval()(torch.rand(5, 3)).shape)
