"""Octave convolution (pytorchcv octresnet): a subclass of nn.Conv2d whose forward takes (high, low)."""

from torch import nn
from torch.nn import functional as F


class OctConv(nn.Conv2d):
    def forward(self, hx, lx=None):
        return F.conv2d(hx, self.weight[:4], None if self.bias is None else self.bias[:4], (1, 1), self.padding)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = OctConv(3, 8, 3)

    def forward(self, x):
        return self.c(x, None)


class ModConv(nn.Conv2d):  # style-modulated convolution (StyleGAN2 and its many copies): other weights, second argument
    def forward(self, x, style):
        return F.conv2d(x, self.weight * style, self.bias, 2, 1)


class Mod(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = ModConv(3, 8, 3)

    def forward(self, x):
        return self.c(x, x.mean())
