import torch
from torch import nn


class Net(nn.Module):
    """Spectrogram front end of most audio models, and its inverse."""

    def __init__(self, inverse=False, center=True):
        super().__init__()
        self.register_buffer("w", torch.hann_window(64))
        self.inverse = inverse
        self.center = center

    def forward(self, x):
        s = torch.stft(x, 64, 16, window=self.w, center=self.center, return_complex=True)
        return torch.istft(s, 64, 16, window=self.w) if self.inverse else s.abs()
