"""Run other people's code: its output goes to stderr, random numbers are given back, what it raises gets a sentence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import torch

from cnninspect.errors import CnninspectError


@contextlib.contextmanager
def undisturbed(device: str = "cpu") -> Iterator[None]:
    """Send what is printed to stderr; restore the random state of the CPU and of `device`."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with contextlib.redirect_stdout(sys.stderr), torch.random.fork_rng(devices=devices):
        yield


@contextlib.contextmanager
def blamed(explain: Callable[[BaseException], Exception]) -> Iterator[None]:
    """Raise `explain(error)` for whatever is raised inside, `sys.exit()` and `pytest.skip()` included.

    Our own errors pass, since they are explained already, and so does an interruption.
    """
    try:
        yield
    except (CnninspectError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise explain(error) from error
