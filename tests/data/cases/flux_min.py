import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(16, 16)

    def forward(self, x, pos):  # x 1x96x16, pos 64
        return self.l(x) * torch.cat([torch.zeros(32, device=x.device), pos])[None, :, None]
