"""How long all receptive fields of a network take, as a ratio to the traced meta forward they are computed from.

    python tests/benchmarks/receptive_ratio.py

Both are timed side by side in one process, the median of several rounds each. Aims: at most 0.5 for the
convolutional networks, at most 2 for Swin.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from cnninspect.receptive.intervals import intervals
from cnninspect.receptive.rows import row_fields

from cnninspect.formulas.catalogue import layer_of
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.recorder import record

ROUNDS = 7
NETWORKS = {"resnet152": (224, 0.5), "inception_v3": (299, 0.5), "densenet121": (224, 0.5), "swin_t": (224, 2.0)}


def main() -> None:
    """Print a line per network: seconds of the traced forward, seconds of the fields, their ratio and its aim."""
    models = import_torchvision().models
    print(f"{'network':<14}{'ops':>6}{'trace s':>10}{'fields s':>10}{'ratio':>8}{'aim':>6}")
    for name, (size, aim) in NETWORKS.items():
        options = {"init_weights": False} if name == "inception_v3" else {}
        with torch.device("meta"):
            model = models.get_model(name, weights=None, **options).eval()
            x = torch.empty(1, 3, size, size)
        ops, trace, fields = measure(
            lambda model=model, x=x: record(model, (x,), {}, layer_of, device="meta"),
            lambda trace: row_fields(trace, intervals(trace)),
        )
        print(f"{name:<14}{ops:>6}{trace:>10.3f}{fields:>10.3f}{fields / trace:>8.2f}{aim:>6}")


def measure(trace: Callable, fields: Callable) -> tuple[int, float, float]:
    """Number of ops, and the median seconds of tracing and of computing the fields, taken in turn after a warm-up."""
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        start = perf_counter()
        recorded = trace()
        middle = perf_counter()
        fields(recorded)
        times.append((middle - start, perf_counter() - middle))
    return len(recorded.ops), *(median(column) for column in zip(*times[1:], strict=True))


if __name__ == "__main__":
    main()
