"""cnninspect beside the tools of the field: time, memory, and whether the numbers are right.

    python tests/benchmarks/peers.py [--python PATH] [--rounds N] [--write]

Without --python, an environment with all tools is made in .benchmarks/ (2 GB). --write puts the table into
docs/benchmarks.md. Each tool is called as its documentation says (one_peer.py), by turns with the others, in processes
with one thread; times are CPU seconds (user and system), medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any, NamedTuple

from speed import machine, put_into_docs

ROOT = Path(__file__).parents[2]

PACKAGES = [
    "torch==2.13.0", "torchvision==0.28.0", "torchinfo", "fvcore", "ptflops", "thop", "calflops", "transformers",
    "torchscan", "torchlens", "torchview", "graphviz",
]  # fmt: skip


class Truth(NamedTuple):
    """What a model has: parameters, GMACs to three decimals, and its field without the image's border; None: global.

    Sources: torchvision's table of weights (`num_params`, `_ops`); the field by hand from kernels and strides, as in
    Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks". MACs also have to be those of
    FlopCounterMode, to the last digit.
    """

    params: int
    gmacs: float
    field: int | None


MODELS = {
    # 7 + 2*(3-1) for the stem, then 2*jump for each 3x3: 3 + 1 at jump 4, 3 + 1 at 8, 5 + 1 at 16, 2 at 32.
    "resnet50": Truth(25_557_032, 4.089, 7 + 4 + 2 * (3 * 4 + 4 + 3 * 8 + 8 + 5 * 16 + 16 + 2 * 32)),
    # Depthwise 3x3 after the stem's 3: 1 + 1 at jump 2, 1 + 1 at 4, 2 + 1 at 8, 6 + 1 at 16, 3 at 32.
    "mobilenet_v2": Truth(3_504_872, 0.301, 3 + 2 * (2 * 2 + 2 * 4 + 3 * 8 + 7 * 16 + 3 * 32)),
    "vit_b_16": Truth(86_567_656, 17.564, None),
    "swin_t": Truth(28_288_354, 4.491, None),
}

TOOLS = {
    "cnninspect": "cnninspect", "torch FlopCounterMode, meta": "flop_counter", "torchinfo": "torchinfo",
    "torchinfo, meta": "torchinfo_meta", "fvcore": "fvcore", "ptflops": "ptflops", "thop": "thop",
    "calflops": "calflops", "torch-scan": "torchscan", "torchlens": "torchlens", "torchview, meta": "torchview",
}  # fmt: skip
PARTS = ("whole", "warm")
WITH_FIELDS = ("cnninspect", "torchlens")
"""torch-scan shows the field of each layer on its own input, not on that of the network."""


def environment() -> str:
    """The Python of a new environment with all tools."""
    folder = ROOT / ".benchmarks"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        index = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
        subprocess.run([python, "-m", "pip", "install", *index, *PACKAGES, "-e", str(ROOT)], check=True)
    return str(python)


class Run(NamedTuple):
    """One process: CPU seconds, MiB of resident memory at its peak, and the last line that it printed."""

    seconds: float
    mebibytes: float
    printed: str


def process(arguments: list[str]) -> Run | None:
    """One process; None if it fails."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CNNINSPECT_CACHE_DIR": ""}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Packages that pip has installed are compiled.
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ) as it:
        assert it.stdout is not None
        lines = it.stdout.read().splitlines()
        _, status, usage = os.wait4(it.pid, 0)
        it.returncode = os.waitstatus_to_exitcode(status)
    if it.returncode:
        return None
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines[-1])


class Result(NamedTuple):
    """What one tool took for one model, and what it found."""

    whole: float
    warm: float
    mebibytes: float
    found: dict[str, Any]


def measure(python: str, names: list[str], rounds: int) -> dict[str, dict[str, Result]]:
    """Tool -> model -> result; a model that a tool fails on is left out."""
    found: dict[str, dict[str, Result]] = {tool: {} for tool in TOOLS.values()}
    for name in names:
        runs: dict[str, list[Run]] = {tool: [] for tool in TOOLS.values()}
        warm = {tool: process([python, *_peer(tool, name), str(rounds)]) for tool in runs}
        for each in range(rounds):
            for tool, done in runs.items():
                ours = ["-m", "cnninspect", "summary", f"torchvision:{name}", "-q", "--no-cache"]
                run = process([python, *(ours if tool == "cnninspect" else _peer(tool, name))]) if warm[tool] else None
                done += [] if run is None else [run]
                took = "failed" if run is None else f"{run.seconds:.2f} s"
                print(f"{name}, round {each + 1}: {tool} {took}", file=sys.stderr)
        for tool, done in runs.items():
            repeated = warm[tool]
            if len(done) == rounds and repeated is not None:
                numbers = json.loads(repeated.printed)
                found[tool][name] = Result(
                    median(run.seconds for run in done), numbers["warm"], max(run.mebibytes for run in done), numbers
                )
    return found


def _peer(tool: str, name: str) -> list[str]:
    return [str(Path(__file__).with_name("one_peer.py")), tool, name]


def table(found: dict[str, dict[str, Result]], names: list[str]) -> str:
    """The Markdown table: seconds are sums over the models, ratios geometric means of those to cnninspect."""
    lines = [
        "| | version | whole (s) | ratio | warm (s) | ratio | peak (MiB) | params right | MACs off | field right |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|---:|",
    ]
    ours = found["cnninspect"]
    exact = {name: found["flop_counter"][name].found["macs"] for name in names}
    for name in names:
        assert round(exact[name] / 1e9, 3) == MODELS[name].gmacs, f"FlopCounterMode is not the published one: {name}"
    for title, tool in TOOLS.items():
        results = found[tool]
        if not results:
            lines.append(f"| {title} | fails | | | | | | | | |")
            continue
        parts = [[(getattr(results[name], part), getattr(ours[name], part)) for name in results] for part in PARTS]
        ratios = [geometric_mean(theirs / own for theirs, own in pairs) for pairs in parts]
        lines.append(
            f"| {title} | {_version(results)} | {sum(each.whole for each in results.values()):.1f} | {ratios[0]:.2f} "
            f"| {sum(each.warm for each in results.values()):.2f} | {ratios[1]:.2f} "
            f"| {max(each.mebibytes for each in results.values()):.0f} | {_params(results)} | {_macs(results, exact)} "
            f"| {_fields(tool, results)} |"
        )
    return "\n".join(lines)


def _version(results: dict[str, Result]) -> str:
    return str(next(iter(results.values())).found.get("version", "this"))


def _params(results: dict[str, Result]) -> str:
    counts = [(result.found["params"], MODELS[name].params) for name, result in results.items()]
    if counts[0][0] is None:
        return "–"
    return f"{sum(found == right for found, right in counts)} of {len(counts)}"


def _macs(results: dict[str, Result], exact: dict[str, float]) -> str:
    """How far its MACs are off for each model, in percent; 0 only if they are equal."""
    off = [(result.found["macs"], exact[name]) for name, result in results.items()]
    return "–" if off[0][0] is None else ", ".join(_off(found, right) for found, right in off)


def _off(found: float, right: float) -> str:
    if found == right:
        return "0"
    percent = 100 * (found - right) / right
    return f"{percent:+.1f} %" if abs(percent) >= 0.05 else f"{'+' if percent > 0 else '-'}<0.1 %"


def _fields(tool: str, results: dict[str, Result]) -> str:
    """How many fields of convolutional networks are right; what a tool says of attention is not compared."""
    if tool not in WITH_FIELDS:
        return "–"
    asked = [name for name in results if MODELS[name].field is not None]
    right = sum(results[name].found["field"] == MODELS[name].field for name in asked)
    return f"{right} of {len(asked)}"


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="the Python of an environment with all tools")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args()
    python = asked.python or environment()
    found = measure(python, asked.models, asked.rounds)
    rounds = f"{asked.rounds} round{'' if asked.rounds == 1 else 's'}"
    about = f"{machine(python)}, medians of {rounds}; models: {', '.join(asked.models)}."
    text = f"{about}\n\n{table(found, asked.models)}"
    print(text)
    if asked.write:
        put_into_docs("peers", text)


if __name__ == "__main__":
    main()
