"""What every counter's own total is, and what it counts: the words that go with the totals side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cnninspect.accounts.base import Addition, Inspected
from cnninspect.counters.base import COUNTERS, MacCounter


@dataclass(frozen=True)
class Conventions:
    """Every registered counter with its convention, also one that did not run."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`counters` in the document: for each its convention and the total that it reports itself."""
        measured = inspected.findings.numbers[0].macs.measured
        return Addition(
            extra={"counters": {name: _about(entry, measured.get(name)) for name, entry in COUNTERS.items()}}
        )


def _about(entry: MacCounter, macs: int | None) -> dict[str, Any]:
    return {
        "convention": entry.convention.unit,
        "own_total": None if macs is None else entry.convention.own(macs),
        "needs_kernels": entry.needs_kernels,
    }
