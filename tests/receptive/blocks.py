"""The parts of random networks that torch.nn has no module for; each one's repr-like expression rebuilds it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Add(nn.Module):
    """The sum of branches, each cropped to the smallest of them from its own offset."""

    def __init__(self, *branches: nn.Module, offset: int = 0):
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = self.cropped(x)
        for other in rest:
            first = first + other
        return first

    def cropped(self, x: Tensor) -> list[Tensor]:
        """The branches' outputs with equal spatial sizes; the i-th loses up to i * offset leading positions."""
        outputs = [branch(x) for branch in self.branches]
        common = [min(sizes) for sizes in zip(*(output.shape[2:] for output in outputs), strict=True)]
        for i, output in enumerate(outputs):
            starts = [min(i * self.offset, have - want) for have, want in zip(output.shape[2:], common, strict=True)]
            windows = [slice(start, start + want) for start, want in zip(starts, common, strict=True)]
            outputs[i] = output[(slice(None), slice(None), *windows)]
        return outputs


class Cat(Add):
    """The branches side by side in the channel dimension."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.cropped(x), 1)


class Gate(nn.Module):
    """Squeeze-and-excitation: every channel scaled by a function of the global averages."""

    def __init__(self, channels: int):
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.linear(x.mean(tuple(range(2, x.dim())))).sigmoid()
        return x * gate.view(*gate.shape, *[1] * (x.dim() - 2))


class Crop(nn.Module):
    """A slice per spatial axis, given as (start, stop, step)."""

    def __init__(self, *windows: tuple[int | None, int | None, int]):
        super().__init__()
        self.windows = tuple(slice(*window) for window in windows)

    def forward(self, x: Tensor) -> Tensor:
        return x[(slice(None), slice(None), *self.windows)]


class Method(nn.Module):
    """A method of the tensor: Method("roll", 2, -1), Method("flip", -1), Method("transpose", 2, 3)."""

    def __init__(self, name: str, *args: Any):
        super().__init__()
        self.name, self.args = name, args

    def forward(self, x: Tensor) -> Tensor:
        result = getattr(x, self.name)(*self.args)
        assert isinstance(result, Tensor)
        return result


class Antialiased(nn.Module):
    """Interpolation to a size with a filter that widens where the map shrinks."""

    def __init__(self, size: tuple[int, ...], mode: str):
        super().__init__()
        self.size, self.mode = size, mode

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, mode=self.mode, antialias=True)


class Patches(nn.Module):
    """Overlapping windows of the last axis laid side by side as channels."""

    def __init__(self, size: int, step: int):
        super().__init__()
        self.size, self.step = size, step

    def forward(self, x: Tensor) -> Tensor:
        windows = x.unfold(x.dim() - 1, self.size, self.step)
        return windows.movedim(-1, 2).flatten(1, 2)


class Unfold(nn.Module):
    """im2col and back to a map: [N, C, H, W] to [N, C * k * k, H', W']."""

    def __init__(self, kernel: int, dilation: int, padding: int, stride: int):
        super().__init__()
        self.options = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}

    def forward(self, x: Tensor) -> Tensor:
        k, d, p, s = self.options.values()
        sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n in x.shape[2:]]
        return F.unfold(x, **self.options).view(x.shape[0], -1, *sizes)
