"""Run other people's code so that stdout stays free for the report and random numbers are given back."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def undisturbed(device: str = "cpu") -> Iterator[None]:
    """Send what is printed to stderr; restore the random state of the CPU and of `device`."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with contextlib.redirect_stdout(sys.stderr), torch.random.fork_rng(devices=devices):
        yield
