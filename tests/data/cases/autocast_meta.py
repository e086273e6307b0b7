"""x-transformers (every model with rotary embedding), transformers 4.x (Llama, Mistral, Qwen2 ...): autocast is
switched off with the device type of the input. On meta torch.autocast itself raises; on the CPU the model runs."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8)

    def forward(self, x):
        with torch.autocast(device_type=x.device.type, enabled=False):
            return self.l(x)
