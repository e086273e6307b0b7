"""docs/ecosystem.md from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .networks import Network

Found = Sequence[tuple[Network, dict[str, Any]]]

TOP = """\
# Ecosystem

Networks of other packages, each built by name or import path, with random weights, without a network connection.
`python -m tests.ecosystem` measures them and writes this page. It needs the packages, which `pip install`
brings (`--no-deps` keeps the torch that is there).

{summary}

- **params**: ✓ if the total is the sum of `numel()` over the parameters of a network that is built once more.
- **MACs**: ✓ if the total is what torch's `FlopCounterMode` counts in a run of its own; else the reason stands below.
- **verdict**: that of `compare` without a probe: formulas against counters on every row.
- **fields**: rows whose receptive field is unknown, of all rows.
- **seconds**, **peak**: of the report, and of its process, on a machine with two cores that had other work.

"""


def written(found: Found) -> str:
    """The page."""
    packages: dict[str, list[tuple[Network, dict[str, Any]]]] = {}
    for network, result in found:
        packages.setdefault(network.package, []).append((network, result))
    ran = [result for _, result in found if result["ran"]]
    exact = [result for result in ran if not _doubts(result)]
    summary = (
        f"{len(found)} networks of {len(packages)} packages: {len(ran)} ran, {len(exact)} are exact on every number, "
        f"{sum(not result['unknown_fields'] for result in ran)} have no unknown field."
    )
    tables = "\n".join(_table(name, entries) for name, entries in packages.items())
    return TOP.format(summary=summary) + tables + _reasons(found)


def _table(package: str, found: Found) -> str:
    rows = "".join(_row(network, result) for network, result in found)
    names = ("target", "params", "MACs", "verdict", "fields", "run on", "seconds", "peak MiB")
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    return f"## {package}\n\n{head}{rows}"


def _row(network: Network, result: dict[str, Any]) -> str:
    name = f"`{' '.join((network.target, *(f'--arg {each}' for each in network.arguments)))}`"
    if not result["ran"]:
        return f"| {name} | did not run | | | | | | |\n"
    params, macs = result["params"], result["macs"]
    cells = (
        f"{params[0]:,} {'✓' if params[0] == params[1] else '✗'}",
        f"{macs[0]:,} {'✓' if macs[0] == macs[1] else '≠'}" if macs[0] is not None else "?",
        result["verdict"],
        f"{result['unknown_fields']} of {result['rows']}",
        result["device"],
        f"{result['seconds']}",
        f"{result['peak']:,}",
    )
    return f"| {name} | {' | '.join(cells)} |\n"


def _reasons(found: Found) -> str:
    """A list of the entries that are not exact, each with its reason."""
    lines = [
        f"- `{network.target}`: {'; '.join(doubts)}.\n" for network, result in found if (doubts := _doubts(result))
    ]
    return "\n## Not exact, and why\n\n" + ("".join(lines) or "None.\n")


def _doubts(result: dict[str, Any]) -> list[str]:
    """Why an entry is not exact on every number; empty if it is."""
    if not result["ran"]:
        return [f"did not run: {str(result['why']).rstrip('.')}"]
    doubts = []
    if result["params"][0] != result["params"][1]:
        doubts.append(f"{result['params'][1]:,} parameters when it is built again")
    macs = result["macs"]
    if macs[0] != macs[1]:
        counted = f"counts {macs[1]:,}" if isinstance(macs[1], int) else f"fails ({macs[1]})"
        if result["device"] == "cpu" and isinstance(macs[1], int) and macs[0] - macs[1] == result["attention"]:
            counted += ": it lacks exactly the scaled dot products, for whose kernel on the CPU it has no formula"
        doubts.append(f"FlopCounterMode {counted}")
    doubts += [note.rstrip(".") for note in result["not_compared"]]
    if result["status"] != "exact":
        doubts.append(f"MACs are a {result['status'].replace('_', ' ')}")
    if result["uncounted"]:
        doubts.append(f"no formula for {', '.join(dict.fromkeys(result['uncounted']))}")
    if result["unknown_fields"]:
        why = "; ".join(result.get("why_unknown", ()))
        doubts.append(f"the field of {result['unknown_fields']} rows is unknown{f' ({why})' if why else ''}")
    if result["verdict"] not in ("match", "not_run") and not doubts:
        doubts.append(f"the verdict is {result['verdict']}")
    return doubts
