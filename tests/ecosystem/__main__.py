"""The corpus: `python -m tests.ecosystem [PATTERN]` measures the networks and writes docs/ecosystem.md.

Every network runs in a process of its own, forked after torch is imported, so that its peak memory is its own. What was
measured is kept in a file, and is measured again with `--again`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cnninspect import inspect_model
from cnninspect.targets.providers import providers
from cnninspect.targets.providers.package import PackageProvider

from .measure import measured
from .networks import NETWORKS, Network
from .table import written

PAGE = Path(__file__).parents[2] / "docs" / "ecosystem.md"
PATIENCE = 600
"""Seconds for one network."""


def in_a_process(network: Network) -> dict[str, Any]:
    """What `measured` returns in a process of its own."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(network, there))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv() if here.poll(PATIENCE) else {"ran": False, "why": f"over {PATIENCE} s"}
    except EOFError:
        found = {"ran": False, "why": "the process ended, perhaps for want of memory"}
    process.kill()
    process.join()
    return found


def _answer(network: Network, pipe: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        pipe.send(measured(network))
    except Exception as error:
        pipe.send({"ran": False, "why": f"an error in cnninspect itself: {type(error).__name__}: {error}"})


def import_all(pattern: str) -> None:
    """Imports cnninspect and the packages once, for all processes."""
    inspect_model("lenet5")
    wanted = {network.package for network in NETWORKS if fnmatch(network.target, pattern)}
    for name, provider in providers().items():
        if name in wanted and isinstance(provider, PackageProvider):
            provider.module()
            provider.names()
    if "transformers" in wanted:
        providers()["transformers"].factory("BertModel")


def main() -> None:
    """Measures what is not in the file yet, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.ecosystem")
    parser.add_argument("pattern", nargs="?", default="*", help="of a target, such as 'monai:*'")
    parser.add_argument("--results", default="ecosystem.jsonl", help="the file that keeps what was measured")
    parser.add_argument("--again", action="store_true", help="measure also what is in the file")
    options = parser.parse_args()
    file = Path(options.results)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    known = {entry["target"]: entry["found"] for entry in map(json.loads, lines)}
    import_all(options.pattern)
    for network in NETWORKS:
        if fnmatch(network.target, options.pattern) and (options.again or network.target not in known):
            known[network.target] = in_a_process(network)
            print(network.target, json.dumps(known[network.target]), flush=True)
            with file.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps({"target": network.target, "found": known[network.target]}) + "\n")
    PAGE.write_text(
        written([(each, known[each.target]) for each in NETWORKS if each.target in known]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
