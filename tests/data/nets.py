"""Networks for the tests of the command line, most of them wrong in one way."""

import os
import signal
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """params 3*3*3*8 + 8 = 224 and 8*10 + 10 = 90; MACs at 8x8 input 8*8 * 8 * 27 = 13824 and 80."""

    def __init__(self, width=8):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc(self.conv1(x).mean((2, 3)))


class Strided(nn.Conv2d):
    """Declares stride 1 and uses 2."""

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, 2, self.padding)


class Planted(nn.Module):
    def __init__(self):
        super().__init__()
        self.liar = Strided(3, 4, 3, padding=1)

    def forward(self, x):
        return self.liar(x)


class Fourier(Net):
    """An op without a formula."""

    def forward(self, x):
        return torch.fft.rfft2(self.conv1(x))


class Overwriting(Net):
    """Overwrites what a gradient needs."""

    def forward(self, x):
        return super().forward(x).exp().add_(1)


class Chatty(Net):
    """Prints and warns."""

    def forward(self, x):
        print("a word from the model")
        warnings.warn("take care", stacklevel=1)
        return super().forward(x)


class Interrupted(Net):
    """The user hits Ctrl-C."""

    def forward(self, x):
        # A job that a script starts in the background begins with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGINT)
        return super().forward(x)


class Exiting(Net):
    """Ends the program."""

    def forward(self, x):
        sys.exit(5)


class Raising(nn.Module):
    def __init__(self):
        raise ValueError("there is no depth 7")


class Failing(Net):
    def forward(self, x):
        raise RuntimeError("the cache is empty")


class Reading(Net):
    """Needs the value of a tensor, which meta tensors do not have."""

    def forward(self, x):
        return super().forward(x) * x.sum().item()


def factory(depth):
    return nn.Sequential(*(nn.ReLU() for _ in range(depth)))


number = 3
