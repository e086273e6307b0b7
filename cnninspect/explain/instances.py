"""Instances of a network, each inspected once, and the numbers that a report has of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from cnninspect.errors import CnninspectError
from cnninspect.ops.registry import FUNCTIONS, MODULES
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import ReceptiveField, Row

Point = tuple[int, ...]
"""A value for each variable."""

Key = tuple[str, str]
"""A row by its label, "" for the whole network; and the name of a number of it."""

Numbers = Mapping[Key, int | None]
"""The numbers of one instance; None for one that is not an exact integer."""

FIELD = "receptive_field"


PATIENCE = 5.0
"""Seconds that an instance may take before values beyond it are left out, where others took a fraction of that."""

_MANY_TIMES = 4


@dataclass(frozen=True)
class Variable:
    """What varies: `name` as the user writes it, `symbol` in formulas, `start` its own value.

    `values` are those to use; None lets the study choose.
    """

    name: str
    symbol: str
    start: int
    values: tuple[int, ...] | None = None


def is_field(key: Key) -> bool:
    """Whether the number is an extent of a receptive field."""
    return key[1].startswith(FIELD)


class Instances:
    """Instances of the network, each inspected once. `inspect` returns (numbers by row, numbers by pattern of rows)."""

    def __init__(
        self,
        variables: Sequence[Variable],
        inspect: Callable[[Point], tuple[Numbers, Numbers]],
        progress: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
    ):
        self.variables, self._inspect, self._progress = variables, inspect, progress
        self._found: dict[Point, tuple[Numbers, Numbers]] = {}
        self._keys: dict[int, tuple[bool, list[Key]]] = {}
        self._clock = clock
        self._seconds: dict[Point, float] = {}
        self.slow: dict[Point, float] = {}
        self.failed: dict[Point, str] = {}
        self.used: set[Point] = set()
        self.nodes: set[Point] = set()

    def works(self, point: Point) -> bool:
        """Whether the network can be built and run at this point."""
        if point not in self._found and point not in self.failed:
            self._progress(f"instance {len(self._found) + 1}: {self.label(point)}")
            began = self._clock()
            try:
                self._found[point] = self._inspect(point)
            except CnninspectError as error:
                self.failed[point] = _without_advice(str(error))
            self._seconds[point] = self._clock() - began
        return point in self._found

    def is_slow(self, point: Point) -> bool:
        """Whether a point took so long that no value beyond it is to be tried: the next may take many times as long."""
        seconds = self._seconds.get(point, 0)
        if seconds > max(PATIENCE, _MANY_TIMES * min(self._seconds.values())):
            self.slow[point] = seconds
        return point in self.slow

    def is_beyond_slow(self, point: Point) -> bool:
        """Whether one that took too long has no larger value of any variable."""
        return any(slow != point and all(x <= own for x, own in zip(slow, point, strict=True)) for slow in self.slow)

    def label(self, point: Point) -> str:
        """`NF=3, k=5`."""
        return ", ".join(f"{one.name}={value}" for one, value in zip(self.variables, point, strict=True))

    @property
    def points(self) -> list[Point]:
        """Every point that was inspected."""
        return list(self._found)

    @property
    def by_pattern(self) -> bool:
        """Whether instances have different rows, so that only rows of one name pattern together can be compared."""
        return self._compared()[0]

    @property
    def keys(self) -> list[Key]:
        """Every number of any instance, in order."""
        return self._compared()[1]

    def _compared(self) -> tuple[bool, list[Key]]:
        count = len(self._found)
        if count not in self._keys:
            found = list(self._found.values())
            differ = any(_labels(each[0]) != _labels(found[0][0]) for each in found)
            self._keys = {count: (differ, list(dict.fromkeys(key for each in found for key in each[int(differ)])))}
        return self._keys[count]

    def rows(self, point: Point) -> list[str]:
        """The labels of the rows of one instance, in order."""
        return _labels(self._found[point][0])

    def values(self, key: Key, points: Sequence[Point]) -> list[int | None]:
        """A number at points that were inspected; a pattern that an instance lacks counts 0."""
        part, absent = int(self.by_pattern), None if is_field(key) else 0
        return [self._found[point][part].get(key, absent) for point in points]


def _without_advice(message: str) -> str:
    """The first sentence; of a failed forward pass torch's own words, which may be several, up to the layer's input."""
    found = _TORCHS.match(message)
    return found[0] if found else message.partition(". ")[0].rstrip(".")


_TORCHS = re.compile(r"the forward pass failed.*?\(input [^)]*\)", re.S)


def _labels(numbers: Numbers) -> list[str]:
    return list(dict.fromkeys(label for label, _ in numbers))


# --- the numbers of a report ----------------------------------------------------------------------------------------

COUNTS = ("params", "weights", "macs", "neurons")


def numbers_of(report: Report) -> tuple[dict[Key, int | None], dict[Key, int | None]]:
    """(the numbers of the whole and of every row, those of the whole and of all rows of one name pattern together).

    Only rows without rows below them are taken. `weights` are params without those of norms.
    """
    rows = [row for row in report.rows if row.leaf]
    single: dict[Key, int | None] = {}
    grouped: dict[Key, int | None] = {}
    for row in rows:
        for name, value in _counts(row).items():
            single[row.label, name] = value
            pattern = pattern_of(row), name
            before = grouped.get(pattern, 0)
            grouped[pattern] = None if before is None or value is None else before + value
        if row.receptive_field is not None:
            single.update(((row.label, name), value) for name, value in _field(row.receptive_field).items())
    norms = [_exact(row.params) for row in rows if _is_norm(row)]
    whole: dict[str, int | None] = {name: _exact(report.total(name)) for name in ("params", "macs", "neurons")}
    whole["weights"] = None if None in (*norms, whole["params"]) else (whole["params"] or 0) - sum(filter(None, norms))
    total = report.totals.get("receptive_field")
    whole |= _field(total) if isinstance(total, ReceptiveField) else {}
    named: dict[Key, int | None] = {("", name): value for name, value in whole.items()}
    return {**named, **single}, {**named, **grouped}


def _counts(row: Row) -> dict[str, int | None]:
    params = _exact(row.params)
    return {
        "params": params,
        "weights": 0 if _is_norm(row) else params,
        "macs": _exact(row.macs),
        "neurons": _exact(row.neurons),
    }


def _exact(number: Quantity | None) -> int | None:
    """The value of a number that is exact and that no measurement contradicts; 0 where the row has none."""
    if number is None:
        return 0
    sure = number.status is Status.EXACT and number.verdict is not Verdict.DIFFER
    return int(number.value) if sure and number.value is not None else None


def _field(number: ReceptiveField) -> dict[str, int | None]:
    """The least and the greatest extent along every axis."""
    if number.status is not Status.EXACT or number.size is None or number.verdict is Verdict.DIFFER:
        return {}
    found: dict[str, int | None] = {}
    for axis, size in enumerate(number.size):
        ends = (size, size) if isinstance(size, int) else size
        found |= {f"{FIELD}.{axis}.least": ends[0], f"{FIELD}.{axis}.most": ends[1]}
    return found


def _is_norm(row: Row) -> bool:
    formula = FUNCTIONS[row.kind][0] if row.functional and row.kind in FUNCTIONS else MODULES.get(row.kind)
    return formula is not None and formula.name.endswith("normalization")


def pattern_of(row: Row) -> str:
    """The label without the numbers in it: `stage1.*.conv1`."""
    path = ".".join("*" if part.isdigit() else part for part in row.path.split(".")) if row.path else ""
    return " ".join(part for part in (path, row.kind if row.functional else "") if part) or f"({row.kind})"
