"""How long all receptive fields of a network take, as a ratio to the traced meta forward they are computed from.

    python tests/benchmarks/receptive_ratio.py

All are timed side by side in one process, in CPU seconds, so that other work on the machine does not count; the median
of several rounds. Aims: at most 0.5 for the convolutional networks, at most 2 for Swin.
"""

from __future__ import annotations

import gc
from itertools import pairwise
from statistics import median
from time import process_time

import torch
from torch import nn

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.rows import row_fields
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.recorder import record

ROUNDS = 7
NETWORKS = {"resnet152": (224, 0.5), "inception_v3": (299, 0.5), "densenet121": (224, 0.5), "swin_t": (224, 2.0)}


def main() -> None:
    """Print a line per network: seconds of the trace, of all intervals and of all rows, their ratio and its aim."""
    models = import_torchvision().models
    print(f"{'network':<14}{'ops':>6}{'trace':>9}{'intervals':>11}{'rows':>8}{'ratio':>8}{'aim':>6}")
    for name, (size, aim) in NETWORKS.items():
        options = {"init_weights": False} if name == "inception_v3" else {}
        with torch.device("meta"):
            model = models.get_model(name, weights=None, **options).eval()
            ops, *seconds = measure(model, torch.empty(1, 3, size, size))
        trace, fields, rows = seconds
        print(f"{name:<14}{ops:>6}{trace:>9.3f}{fields:>11.3f}{rows:>8.3f}{(fields + rows) / trace:>8.2f}{aim:>6}")


def measure(model: nn.Module, x: torch.Tensor) -> tuple[int, float, float, float]:
    """Number of ops, and the median CPU seconds of the trace, its intervals and its rows, after a warm-up round."""
    rounds = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        times = [process_time()]
        trace = record(model, (x,), {}, layer_of, device="meta")
        times.append(process_time())
        fields = intervals(trace, KNOWLEDGE)
        times.append(process_time())
        row_fields(fields)
        times.append(process_time())
        rounds.append([after - before for before, after in pairwise(times)])
    trace_time, intervals_time, rows_time = (median(column) for column in zip(*rounds[1:], strict=True))
    return len(trace.ops), trace_time, intervals_time, rows_time


if __name__ == "__main__":
    main()
