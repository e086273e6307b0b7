"""What a mutant changes: every number of a report with its verdict, and the comparison of two such reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Key = tuple[Any, ...]
Numbers = dict[Key, tuple[Any, str]]
"""Value and verdict of each number, by total or row and quantity."""


class Outcome(Enum):
    """What came of a mutant, the worst last."""

    NOT_REACHED = "no network runs the line"
    NO_EFFECT = "no number and no verdict changes"
    UNCLAIMED = "numbers change, none of which was a match or is one"
    FAILS = "the tool fails with an error"
    EQUIVALENT = "a number changes into another that is as true: `equivalent.py` says why"
    CAUGHT = "a number changes that was a match, or its verdict turns, and none that changes is a match"
    SILENT = "a number changes and its verdict is match"


@dataclass(frozen=True)
class Result:
    """The outcome on one network, with the number that shows it."""

    outcome: Outcome
    detail: str = ""


def numbers(document: Mapping[str, Any]) -> Numbers:
    """Every number of a report's JSON document, of totals and rows."""
    found: Numbers = {("total", name): _read(number) for name, number in document["totals"].items()}
    for row in document["rows"]:
        where = (row["path"], row["kind"], row["call"])
        found |= {(*where, name): _read(number) for name, number in row.items() if _is_number(number)}
    return found


def _is_number(item: Any) -> bool:
    return isinstance(item, Mapping) and "verdict" in item


def _read(number: Mapping[str, Any]) -> tuple[Any, str]:
    if "jump" in number:
        shown = {name: number.get(name) for name in ("size", "jump", "padding", "status", "global", "global_along")}
        return repr(shown), number["verdict"]
    return repr((number["value"], number["status"])), number["verdict"]


def compared(before: Numbers, after: Numbers, excuse: Callable[[str], str | None] = lambda change: None) -> Result:
    """What became of the numbers; one that was not there before is none that changed: its row has other sources.

    `excuse` says of a change that keeps its verdict why the new number is as true; None if it is not.
    """
    found = Result(Outcome.NO_EFFECT)
    for key in dict.fromkeys((*before, *after)):
        (value, verdict), (new, then) = before.get(key, _GONE), after.get(key, _GONE)
        detail = f"{' '.join(map(str, key))}: {value} -> {new}, {verdict} -> {then}"
        if new != value and then == "match" and key in before:
            if (why := excuse(detail)) is None:
                return Result(Outcome.SILENT, detail)
            found = Result(Outcome.EQUIVALENT, f"{why} ({detail})")
        elif found.outcome is Outcome.EQUIVALENT:
            continue
        elif (verdict == "match" and (new, then) != (value, verdict)) or then == "differ" != verdict:
            found = Result(Outcome.CAUGHT, detail)
        elif new != value and found.outcome is Outcome.NO_EFFECT:
            found = Result(Outcome.UNCLAIMED, detail)
    return found


_GONE = (None, "gone")
