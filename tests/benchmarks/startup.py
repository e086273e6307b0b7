"""Whole-process time and memory of the command line, as ratios to the least that could do the same.

Run it alone on a quiet machine: `python tests/benchmarks/startup.py [RUNS]`. Each pair is measured in turn, A B A B,
and the ratio of the medians is printed; nothing is asserted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

EMPTY_APP = """
import typer, rich
app = typer.Typer()
@app.command()
def first(): "A command."
@app.command()
def second(): "Another."
app()
"""

FORWARD = """
import typer, rich.table, torch
{imports}
with torch.device("meta"):
    model = {build}.eval()
    image = torch.empty(1, 3, 224, 224)
with torch.no_grad():
    model(image)
"""

TORCHVISION = """
from cnninspect.targets.torchvision_ops import import_torchvision
import_torchvision()
import torchvision
"""

ZOO = "from cnninspect.zoo.plain import CustomAlexNet"

PAIRS = [
    ("--help / empty Typer app", ["-m", "cnninspect", "--help"], ["-c", EMPTY_APP, "--help"]),
    (
        "summary resnet50 / imports and one meta forward",
        ["-m", "cnninspect", "summary", "resnet50", "-q"],
        ["-c", FORWARD.format(imports=TORCHVISION, build="torchvision.models.resnet50()")],
    ),
    (
        "summary vit_b_16 / imports and one meta forward",
        ["-m", "cnninspect", "summary", "vit_b_16", "-q"],
        ["-c", FORWARD.format(imports=TORCHVISION, build="torchvision.models.vit_b_16()")],
    ),
    (
        "explain resnet50 layer3.2.conv2 / summary resnet50",
        ["-m", "cnninspect", "explain", "resnet50", "layer3.2.conv2", "-q"],
        ["-m", "cnninspect", "summary", "resnet50", "-q"],
    ),
    (
        "summary custom-alexnet / imports and one meta forward",
        ["-m", "cnninspect", "summary", "custom-alexnet", "-q"],
        ["-c", FORWARD.format(imports=ZOO, build="CustomAlexNet()")],
    ),
]


def run(arguments: list[str]) -> tuple[float, float]:
    """(seconds, peak MiB) of one Python process."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: python {' '.join(arguments)[:100]}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return seconds, kilobytes / 1024


def compare(name: str, ours: list[str], least: list[str], runs: int) -> None:
    """Print the ratio of the medians of two commands."""
    run(ours), run(least)
    pairs = [(run(ours)[0], run(least)[0]) for _ in range(runs)]
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"{name:55} {a:6.2f} s / {b:6.2f} s = {a / b:.2f}")


def memory(small: str, large: str) -> None:
    """Print the ratio of peak memory for a large and a small model."""
    a, b = (run(["-m", "cnninspect", "summary", name, "-q"])[1] for name in (large, small))
    print(f"{f'peak memory {large} / {small}':55} {a:4.0f} MiB / {b:4.0f} MiB = {a / b:.2f}")


def main() -> None:
    """Measure everything."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for name, ours, least in PAIRS:
        compare(name, ours, least, runs)
    # vit_h_14 has 632 million parameters, vit_b_16 86 million: 2.5 GB and 0.3 GB if their weights were allocated.
    memory("resnet18", "vit_h_14")


if __name__ == "__main__":
    main()
