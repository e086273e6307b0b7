"""What commands and inspections cost, as ratios to the least that could do the same: the table of docs/benchmarks.md.

    python tests/benchmarks/speed.py [ROUNDS]

CPU seconds (user and system) of one thread, so that other work on the machine counts little: both sides in turn,
A B A B, and the median of the ratios of the pairs. Nothing is asserted. torchinfo has to be installed.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

SMALL = "from torch import nn\nnet = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 10))\n"

TORCHINFO = """
import torch, torchinfo
try:
    import torchvision
except RuntimeError:  # A CPU torch beside a torchvision that was built for CUDA.
    from cnninspect.targets import torchvision_ops
    torchvision_ops._forget_partial_import(), torchvision_ops._declare_operators()
    import torchvision
with torch.device("{device}"):
    model = torchvision.models.resnet50()
print(torchinfo.summary(model, input_size=(1, 3, 224, 224), device="{device}", verbose=0))
"""

FIVE = {"resnet152": 224, "vit_b_16": 224, "swin_t": 224, "efficientnet_b7": 600, "inception_v3": 299}
"""torchvision models and the size of their images."""

Pair = tuple[str, float, list[str], list[str]]
"""What is compared, the aim, and the arguments of both Python processes."""


def pairs(folder: Path) -> list[Pair]:
    """The whole processes."""
    (folder / "small.py").write_text(SMALL)
    ours, uncached = ["-m", "cnninspect"], ["--no-cache", "-q"]
    resnet50 = [*ours, "summary", "resnet50", *uncached]
    return [
        (
            "`summary small.py:net` / `import torch`",
            1.25,
            [*ours, "summary", f"{folder / 'small.py'}:net", "--input", "1x3x32x32", *uncached],
            ["-c", "import torch"],
        ),
        ("`summary resnet50` / torchinfo on meta", 0.7, resnet50, ["-c", TORCHINFO.format(device="meta")]),
        ("`summary resnet50` / torchinfo on the CPU", 0.5, resnet50, ["-c", TORCHINFO.format(device="cpu")]),
        ("second `summary resnet18` / `--version`", 2.5, [*ours, "summary", "resnet18", "-q"], [*ours, "--version"]),
        ("`models` once listed / `--version`", 2.5, [*ours, "models"], [*ours, "--version"]),
        ("`--version` / `python -c pass`", 10, [*ours, "--version"], ["-c", "pass"]),
    ]


def process(arguments: list[str]) -> float:
    """CPU seconds of one Python process."""
    started = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(started.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: python {' '.join(arguments)[:200]}")
    return usage.ru_utime + usage.ru_stime


def call(function: Callable[[], object]) -> float:
    """CPU seconds of a call in this process."""
    gc.collect()
    start = process_time()
    function()
    return process_time() - start


def warm(name: str, size: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """The inspection of a model on meta, with fields and rows, and the same forward under an empty dispatch mode."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from cnninspect import inspect_model
    from cnninspect.targets.torchvision_ops import import_torchvision
    from cnninspect.trace.private_torch import compiler_not_imported

    class Empty(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return function(*args, **(kwargs or {}))

    options = {"init_weights": False} if name == "inception_v3" else {}
    with torch.device("meta"), compiler_not_imported():
        model = import_torchvision().models.get_model(name, weights=None, **options).eval()
    image = torch.empty(1, 3, size, size, device="meta")

    def least() -> None:
        with torch.no_grad(), compiler_not_imported(), Empty():  # type: ignore[no-untyped-call]
            model(image)

    return lambda: inspect_model(model, (1, 3, size, size)), least


def line(name: str, aim: float, run: Callable[[], tuple[float, float]], rounds: int) -> None:
    """Print one line of the table, after a round that warms up."""
    run()
    measured = [run() for _ in range(rounds)]
    a, b = (median(column) for column in zip(*measured, strict=True))
    print(f"| {name} | {a:.2f} | {b:.2f} | {median(x / y for x, y in measured):.2f} | {aim} |", flush=True)


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| A / B | A (s) | B (s) | A / B | aim |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNINSPECT_CACHE_DIR"] = str(Path(folder) / "cache")
        for name, aim, ours, other in pairs(Path(folder)):
            line(name, aim, lambda ours=ours, other=other: (process(ours), process(other)), rounds)  # type: ignore[misc]
    for name, size in FIVE.items():
        ours, least = warm(name, size)  # type: ignore[assignment]
        line(f"warm {name} / empty dispatch mode", 2.0, lambda a=ours, b=least: (call(a), call(b)), rounds)  # type: ignore[misc]


if __name__ == "__main__":
    main()
