"""What commands and inspections cost, as ratios to the least that could do the same: the table of docs/benchmarks.md.

    python tests/benchmarks/speed.py [--rounds N] [--write]

CPU seconds (user and system) of one thread, so that other work on the machine counts little: both sides in turn,
A B A B, and the median of the ratios of the pairs. Nothing is asserted. --write puts the table into
docs/benchmarks.md. torchinfo has to be installed. A second table says where the time of warm inspections goes.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
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

STEPS = {
    "recorded run": ("run_on_cheapest",),
    "fields": ("intervals",),
    "fields of rows": ("row_fields", "last_map"),
    "formulas": ("evaluate",),
    "counters": ("count", "holdings"),
    "rows and totals": ("rows", "totals"),
}
"""Step of an inspection -> the functions of `inspection/pipeline.py` that make it."""

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"

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


def completion() -> float:
    """CPU seconds of what the shell runs at `cnninspect summary resn` and the tabulator key."""
    asked = {"_CNNINSPECT_COMPLETE": "complete_bash", "COMP_WORDS": "cnninspect summary resn", "COMP_CWORD": "2"}
    return process(["-m", "cnninspect"], asked)


def process(arguments: list[str], added: dict[str, str] | None = None) -> float:
    """CPU seconds of one Python process."""
    started = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **(added or {})},
    )  # fmt: skip
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


def steps(name: str, size: int, rounds: int) -> str:
    """One line of the second table: milliseconds of the empty mode, of an inspection, and of its steps."""
    from cnninspect.inspection import pipeline

    ours, least = warm(name, size)
    spent: dict[str, float] = {}

    def timed(step: str, function: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            start = process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[step] = spent.get(step, 0.0) + process_time() - start

        return run

    kept = {part: getattr(pipeline, part) for parts in STEPS.values() for part in parts}
    found: list[list[float]] = []
    try:
        for step, parts in STEPS.items():
            for part in parts:
                setattr(pipeline, part, timed(step, kept[part]))
        for warms_up in (True, *(False,) * rounds):
            spent.clear()
            times = [call(least), call(ours)]
            if not warms_up:
                found.append([*times, *(spent[step] for step in STEPS), times[1] - sum(spent.values())])
    finally:
        for part, function in kept.items():
            setattr(pipeline, part, function)
    cells = [f"{1000 * median(column):.0f}" for column in zip(*found, strict=True)]
    return f"| {name} | {' | '.join(cells)} |"


def deep(layers: int) -> Callable[[], object]:
    """The inspection of a chain of convolutions and rectifiers."""
    import torch
    from torch import nn

    from cnninspect import inspect_model

    with torch.device("meta"):
        pairs = [(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(layers // 2)]
    network = nn.Sequential(*(layer for pair in pairs for layer in pair))
    return lambda: inspect_model(network, (1, 4, 32, 32))


def line(name: str, aim: float, run: Callable[[], tuple[float, float]], rounds: int) -> str:
    """One line of the table, after a round that warms up."""
    run()
    measured = [run() for _ in range(rounds)]
    a, b = (median(column) for column in zip(*measured, strict=True))
    return f"| {name} | {a:.2f} | {b:.2f} | {median(x / y for x, y in measured):.2f} | {aim:g} |"


def lines(rounds: int) -> Iterator[str]:
    """The table."""
    yield "| A / B | A (s) | B (s) | A / B | aim |\n|---|---:|---:|---:|---:|"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNINSPECT_CACHE_DIR"] = str(Path(folder) / "cache")
        for name, aim, ours, other in pairs(Path(folder)):
            yield line(name, aim, lambda ours=ours, other=other: (process(ours), process(other)), rounds)  # type: ignore[misc]
        yield line("completing `summary resn` / 1 s", 0.3, lambda: (completion(), 1.0), rounds)
    for name, size in FIVE.items():
        ours, least = warm(name, size)  # type: ignore[assignment]
        yield line(f"warm {name} / empty dispatch mode", 2.0, lambda a=ours, b=least: (call(a), call(b)), rounds)  # type: ignore[misc]
    many, few = deep(5_000), deep(500)
    yield line("1,000 of 5,000 layers / 1,000 of 500", 1.0, lambda: (call(many) / 5, call(few) * 2), rounds)


def step_lines(rounds: int) -> Iterator[str]:
    """The second table: where the time of the five warm inspections goes, in CPU milliseconds."""
    columns = ["model", "empty mode", "inspection", *STEPS, "rest"]
    yield f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}"
    for name, size in FIVE.items():
        yield steps(name, size, rounds)


def machine(python: str = sys.executable) -> str:
    """`2 cores of ..., 28 November 2026, Python 3.11, torch 2.13.0`, for the top of a table."""
    asked = "import platform, torch; print(f'Python {platform.python_version()}, torch {torch.__version__}')"
    versions = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") if os.path.exists("/proc/cpuinfo") else open(os.devnull) as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    processor = model[1] if model else platform.machine()
    return f"{datetime.now(timezone.utc):%-d %B %Y}, {os.cpu_count()} cores of {processor}, {versions}"


def put_into_docs(section: str, text: str) -> None:
    """Replaces the text between `<!-- SECTION -->` and `<!-- /SECTION -->` in docs/benchmarks.md."""
    before, start, rest = DOCS.read_text(encoding="utf-8").partition(f"<!-- {section} -->\n")
    _, end, after = rest.partition(f"<!-- /{section} -->")
    if not (start and end):
        raise SystemExit(f"{DOCS} has no place for {section}")
    DOCS.write_text(f"{before}{start}{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # A package that pip has installed is compiled.
    found = [f"{machine()}, medians of {asked.rounds} rounds.\n"]
    print(found[0])
    for each in lines(asked.rounds):
        found.append(each)
        print(each, flush=True)
    parts = []
    for each in step_lines(asked.rounds):
        parts.append(each)
        print(each, flush=True)
    if asked.write:
        put_into_docs("speed", "\n".join(found))
        put_into_docs("steps", "\n".join(parts))


if __name__ == "__main__":
    main()
