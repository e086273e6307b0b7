"""ultralytics.YOLO is an nn.Module whose train(trainer=None, **kwargs) starts a training run."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3)

    def train(self, trainer=None, **kwargs):
        print("!!! training started, data set downloaded, run directory written")
        raise RuntimeError("Dataset 'coco8.yaml' error: Download failure")

    def forward(self, x):
        return self.c(x)
