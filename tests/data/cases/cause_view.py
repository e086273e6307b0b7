"""After item() the cause is named after the first view, not after item(): 'aten.slice', 'aten.select', 'aten.unsafe_split'."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        if x.sum().item() > 1e9:
            raise ValueError
        y = self.c(x)
        return y[..., :4] * 2 + y[..., 0, None] * 3
