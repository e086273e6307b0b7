"""A detection head that caches its anchors for the last size it saw (ultralytics Detect does): it reads values once
for every new size, so that on meta only the cached size runs. 224 is fine on the CPU."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.stride = torch.tensor([2.0])
        self.shape = None
        self.eval()(torch.zeros(1, 3, 32, 32, device="cpu"))  # as ultralytics does to print its FLOPs

    def forward(self, x):
        y = self.conv(x)
        if self.shape != y.shape:
            self.anchors = torch.full(y.shape[-2:], float(self.stride[0]))
            self.shape = y.shape
        return y * self.anchors.to(y.device)
