"""An AlexNet whose activations, pools and dropout are function calls, which tables of modules do not show."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CustomAlexNet(nn.Module):
    """Scores [N, classes] of images [N, in_channels, 224, 224]; the first kernel is at most 12, the others odd.

    Source: coursework after Krizhevsky et al. 2012, in one column as in Krizhevsky 2014.
    """

    def __init__(
        self,
        in_channels: int = 3,
        widths: tuple[int, int, int, int, int] = (64, 196, 384, 256, 256),
        kernels: tuple[int, int, int, int, int] = (11, 5, 3, 3, 3),
        hidden: tuple[int, int] = (4096, 1024),
        classes: int = 1000,
    ):
        super().__init__()
        (c1, c2, c3, c4, c5), (k1, k2, k3, k4, k5) = widths, kernels
        self.conv1 = nn.Conv2d(in_channels, c1, k1, stride=4, padding=2)
        self.conv2 = nn.Conv2d(c1, c2, k2, padding=k2 // 2)
        self.conv3 = nn.Conv2d(c2, c3, k3, padding=k3 // 2)
        self.conv4 = nn.Conv2d(c3, c4, k4, padding=k4 // 2)
        self.conv5 = nn.Conv2d(c4, c5, k5, padding=k5 // 2)
        self.fc1 = nn.Linear(c5 * 6 * 6, hidden[0])
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.fc3 = nn.Linear(hidden[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 3, 2)
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.max_pool2d(F.relu(self.conv5(x)), 3, 2)
        x = torch.flatten(x, 1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, self.training)
        x = F.dropout(F.relu(self.fc2(x)), 0.5, self.training)
        return self.fc3(x)
