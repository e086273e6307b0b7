"""Dynamically quantised layers keep their weights packed. Expected: 8*8+8 + 8*4+4 = 108 parameters (or a stated unknown), never an exact 0; 2*(64+32) = 192 MACs at 2x8."""

import torch
from torch import nn


def make():
    return torch.ao.quantization.quantize_dynamic(
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)), {nn.Linear}
    )
