"""`python -m tests.mutation`: break the analytic side step by step and list the mutants that no verdict notices.

Each mutant runs in a process of its own, on the networks that execute its line. A number that changes while its
verdict stays `match` is a check mark that was not earned: such a mutant is listed as silent, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import pickle
import random
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha1
from pathlib import Path
from typing import Any

import torch

from cnninspect import inspect_model
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.inspection.accounts.work import Operations, Traffic
from tests.mutation.equivalent import reason_of
from tests.mutation.networks import Network, networks
from tests.mutation.outcomes import Numbers, Outcome, Result, compared, numbers
from tests.mutation.sites import Site, broken_code, live_functions, sites, watch

_TRIED_AGAIN = ("SILENT", "EQUIVALENT", "NOT_REACHED", "FAILS")
"""What the next run with the same file of results tries again: other networks or verdicts may find it."""

SECONDS = 60
"""What a mutant may take on all of its networks, in CPU seconds, before it counts as one that fails."""


@dataclass(frozen=True)
class Baseline:
    """A network's numbers without any mutant, and the statements that its inspection runs, by file and line."""

    numbers: Numbers
    lines: frozenset[tuple[str, int]]


def inspected(network: Network) -> Numbers:
    """The numbers of a network, measured and probed on the CPU."""
    model, args, kwargs = network.build()
    accounts = [Backward(), Memory("adam"), Operations(), Traffic()] if network.accounts else []
    report = inspect_model(model, inputs_from=lambda: (args, kwargs), device="cpu", probe=True, accounts=accounts)
    return numbers(report.to_dict())


def in_child(work: Callable[[], Any], seconds: int = SECONDS) -> Any:
    """What `work` returns in a forked process; an exception's text if it raises, None if it takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        # Seconds of this process, not of a machine that does other things as well; the alarm ends one that waits.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(20 * seconds)
        with os.fdopen(writing, "wb") as pipe:
            try:
                pickle.dump(work(), pipe)
            except BaseException as error:
                pickle.dump(f"{type(error).__name__}: {error}"[:300], pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(data) if data else None


def baselines(every: Sequence[Network]) -> list[Baseline | str]:
    """Each network's numbers and the statements of the analytic side behind them; a text where it does not run."""
    reached: set[tuple[str, int]] = set()
    watch(reached.add)
    found: list[Baseline | str] = []
    for network in every:
        reached.clear()
        try:
            found.append(Baseline(inspected(network), frozenset(reached)))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def tried(site: Site, reached: Iterable[tuple[Network, Baseline]]) -> Result:
    """The worst that a mutant does to any of the networks."""
    functions = live_functions().get((site.file, *site.function), [])
    if not functions:
        return Result(Outcome.NOT_REACHED, "no function of this place lives")
    code = broken_code(site)
    for function in functions:
        function.__code__ = code
    worst = Result(Outcome.NO_EFFECT)
    order = list(Outcome)
    for network, before in reached:
        try:
            found = compared(before.numbers, inspected(network), partial(reason_of, site))
        except Exception as error:
            found = Result(Outcome.FAILS, f"{type(error).__name__}: {error}")
        if order.index(found.outcome) > order.index(worst.outcome):
            worst = Result(found.outcome, f"{network.name}: {found.detail}")
        if worst.outcome is Outcome.SILENT:
            break
    return worst


def main() -> int:
    """Run the mutants and print what became of them."""
    options = _parsed()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    started = time.time()
    live_functions()
    every = [network for network in networks() if options.on in network.name]
    _warm(every)
    gc.freeze()
    with ThreadPoolExecutor(options.workers) as pool:
        shares = [every[start :: options.workers] for start in range(options.workers)]
        parts = pool.map(lambda share: in_child(lambda: baselines(share), seconds=1800), shares)
        found = {}
        for share, part in zip(shares, parts, strict=True):
            found |= dict(zip(share, part, strict=True))
        usable = {network: base for network in every if isinstance(base := found[network], Baseline)}
        for network in every:
            if network not in usable:
                print(f"left out: {network.name}: {found[network]}")
        chosen = _chosen(options)
        print(f"{len(usable)} networks, {len(chosen)} mutants", flush=True)
        print(_share(usable.values()))
        known = _known(options.results)
        results = pool.map(lambda site: known.get(site.key) or _run(site, usable, options.networks), chosen)
        counts: Counter[Outcome] = Counter()
        for number, (site, result) in enumerate(zip(chosen, results, strict=True), 1):
            counts[result.outcome] += 1
            if options.results and site.key not in known:
                with options.results.open("a") as file:
                    file.write(json.dumps([site.key, result.outcome.name, result.detail]) + "\n")
            if options.all or result.outcome is Outcome.SILENT:
                print(f"{result.outcome.name.lower()}: {site.id}: {result.detail}", flush=True)
            elif number % 100 == 0:
                print(f"... {number}", flush=True)
    for outcome in Outcome:
        print(f"{counts[outcome]:6} {outcome.name.lower():12} {outcome.value}")
    print(f"{time.time() - started:.0f} s")
    return 1 if counts[Outcome.SILENT] else 0


def _warm(every: Sequence[Network]) -> None:
    """Inspect some networks, so that no mutant's process has to import what torch imports when it is first used."""
    for network in every[:: -(-len(every) // 40)]:
        with contextlib.suppress(Exception):
            inspected(network)


def _known(results: Path | None) -> dict[str, Result]:
    """What earlier runs found of mutants of functions that are as they were, by the mutant's key; none silent."""
    if results is None or not results.exists():
        return {}
    found = [json.loads(line) for line in results.read_text().splitlines()]
    return {key: Result(Outcome[name], detail) for key, name, detail in found if name not in _TRIED_AGAIN}


def _share(found: Iterable[Baseline]) -> str:
    """How many numbers of the networks have which verdict without a mutant."""
    verdicts = Counter(verdict for one in found for _, verdict in one.numbers.values())
    return "numbers: " + ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())


def _run(site: Site, usable: dict[Network, Baseline], most: int) -> Result:
    reached = [(network, base) for network, base in usable.items() if (site.file, site.statement) in base.lines]
    if not reached:
        return Result(Outcome.NOT_REACHED)
    picked = random.Random(site.key).sample(reached, min(most, len(reached)))
    result = in_child(lambda: tried(site, picked))
    return result if isinstance(result, Result) else Result(Outcome.FAILS, str(result or "takes too long"))


def _chosen(options: argparse.Namespace) -> list[Site]:
    """So many mutants, the same ones as long as their functions stay as they are."""
    every = [site for site in sites() if not options.only or options.only in site.id]
    drawn = sorted(every, key=lambda site: sha1(f"{options.seed} {site.key}".encode()).digest())
    return drawn[: options.mutants or None]


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--mutants", type=int, default=600, help="how many, drawn at random; 0 for all")
    parser.add_argument("--networks", type=int, default=10, help="networks per mutant, of those that run its line")
    parser.add_argument("--only", default="", help="mutants whose file, line or function holds this text")
    parser.add_argument("--on", default="", help="networks whose name holds this text: `network` for whole ones alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, help="file that keeps what unchanged functions gave")
    parser.add_argument("--all", action="store_true", help="print every mutant, not only the silent ones")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
