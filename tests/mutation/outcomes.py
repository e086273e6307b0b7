"""What a mutant changes: every number of a report with its verdict, and the comparison of two such reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Key = tuple[Any, ...]
Numbers = dict[Key, tuple[Any, str]]
"""Value and verdict of each number, by total or row and quantity."""


class Outcome(Enum):
    """What came of a mutant, the worst last."""

    NOT_REACHED = "no network runs the line"
    NO_EFFECT = "no number changes"
    FAILS = "the tool fails with an error"
    CAUGHT = "no number that changes is a match"
    SILENT = "a number changes and its verdict is match"


@dataclass(frozen=True)
class Result:
    """The outcome on one network, with the number that shows it."""

    outcome: Outcome
    detail: str = ""


def numbers(document: Mapping[str, Any]) -> Numbers:
    """Every number of a report's JSON document."""
    found: Numbers = {("total", name): _read(number) for name, number in document["totals"].items()}
    for row in document["rows"]:
        where = (row["path"], row["kind"], row["call"])
        found |= {(*where, name): _read(number) for name, number in row.items() if _is_number(number)}
    return found


def _is_number(item: Any) -> bool:
    return isinstance(item, Mapping) and "verdict" in item


def _read(number: Mapping[str, Any]) -> tuple[Any, str]:
    if "jump" in number:
        shown = {name: number[name] for name in ("size", "jump", "padding", "status", "global")}
        return repr(shown), number["verdict"]
    return repr((number["value"], number["status"])), number["verdict"]


def compared(before: Numbers, after: Numbers) -> Result:
    """What became of the numbers."""
    changed = list(_changed(before, after))
    silent = [one for one in changed if one[2] == "match"]
    if silent:
        key, values, _ = silent[0]
        return Result(Outcome.SILENT, f"{' '.join(map(str, key))}: {values}")
    return Result(Outcome.CAUGHT if changed else Outcome.NO_EFFECT)


def _changed(before: Numbers, after: Numbers) -> Iterator[tuple[Key, str, str]]:
    for key, (value, _) in before.items():
        new, verdict = after.get(key, (None, "gone"))
        if new != value:
            yield key, f"{value} -> {new}", verdict
