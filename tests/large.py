"""A decoder-only transformer of 7 billion parameters, a very deep network, and the resident memory of commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2)), scaled."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Block(nn.Module):
    """Causal attention, and an MLP with a gate."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (each(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (self.q, self.k, self.v))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Transformer(nn.Module):
    """The sizes are those of LLaMA 7B. Source: Touvron et al. 2023, "LLaMA", table 2."""

    def __init__(self, layers: int = 32, width: int = 4096, heads: int = 32, hidden: int = 11008, words: int = 32000):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(layers))
        self.norm, self.head = RMSNorm(width), nn.Linear(width, words, bias=False)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def deep(layers: int = 10_000) -> nn.Module:
    """A chain of convolutions 4 -> 4 with kernels of 3 pixels, and rectifiers between them; `layers` in all."""
    pairs = ((nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(layers // 2))
    return nn.Sequential(*(layer for pair in pairs for layer in pair))


RUN = """
import sys
from pathlib import Path
from cnninspect.cli.app import run
done = max(run(each.split()) for each in sys.argv[2:])
Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text())
sys.exit(done)
"""


def peak_mebibytes(status: Path, *commands: str) -> int:
    """The peak of the resident memory of one process that runs these commands; AssertionError if one fails.

    The process writes its own to the file: what the system says of a child counts the memory of its parent.
    """
    environ = {**os.environ, "CNNINSPECT_CACHE_DIR": ""}
    done = subprocess.run([sys.executable, "-c", RUN, str(status), *commands], env=environ, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) // 1024
