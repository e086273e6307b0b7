"""Memory key/values of lucidrains' attention (denoising-diffusion-pytorch, x-transformers ...): a parameter is
unbound and each half repeated over the batch."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3)
        self.mem_kv = nn.Parameter(torch.randn(2, 4, 8))

    def forward(self, x):
        x = self.c(x).flatten(2).transpose(1, 2)  # b n 8
        mk, mv = (t.expand(len(x), -1, -1).reshape(len(x), 4, 8) for t in self.mem_kv)
        k, v = torch.cat((mk, x), 1), torch.cat((mv, x), 1)
        return (x @ k.transpose(1, 2)).softmax(-1) @ v
