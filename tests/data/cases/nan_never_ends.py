"""A loop that ends when a mean is large enough; NaN never is, so the probe never ends."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        while not x.mean() > 10:
            x = x + 1
        return x
