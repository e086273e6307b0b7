"""Baselines: a report reduced to what is the same wherever and whenever it is written, and what differs from one.

Left out are the device, versions, paths of the machine, notes, what counters found and verdicts; of the rows those that
are no layers. A row states its level in the tree, not the position of its parent, so that a layer more is a line more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnninspect.checks.alignment import align
from cnninspect.checks.differences import Comparer
from cnninspect.checks.numbers import NAMES, Tolerance
from cnninspect.checks.saved import read_report
from cnninspect.checks.tree import is_layer
from cnninspect.errors import UsageError
from cnninspect.files import write_whole
from cnninspect.report.document import Report
from cnninspect.report.json_form import SCHEMA_VERSION, laid_out, number_to_json, plain, row_to_json
from cnninspect.report.quantities import Quantity
from cnninspect.report.rows import Check, Number, Row

_KEPT_OF_RUN = ("dtype", "training", "inputs")
_KEPT_TOTALS = (*NAMES, "flops", "input_bytes", "total_bytes", "receptive_field")
_KEPT_OF_ROW = ("path", "call", "kind", "leaf", "functional", "hyperparameters", "input_shapes", "depth")


def check_baseline(report: Report, baseline: Report, tolerance: Tolerance | None = None) -> tuple[Check, ...]:
    """One check for everything that the baseline says; what is beyond the tolerance fails, be it more or less."""
    comparer = Comparer("baseline", tolerance or Tolerance())
    return tuple(comparer.checks(baseline, report, align(baseline.rows, report.rows)))


def read_baseline(file: str | Path) -> Report:
    """The report that a baseline file, or any saved report, holds; raises UsageError."""
    if not Path(file).exists():
        raise UsageError(f"there is no baseline {file}. --update-baseline writes it.")
    return read_report(file)


def save_baseline(report: Report, file: str | Path) -> None:
    """Write the report's baseline, whole or not at all; raises OutputError."""
    write_whole(Path(file), baseline_text(report))


def baseline_text(report: Report) -> str:
    """The baseline of a report: JSON with sorted keys and one line per row and total."""
    reduced = {
        "schema_version": SCHEMA_VERSION,
        "target": {"name": report.target["name"]},
        "run": {name: plain(report.run.get(name)) for name in _KEPT_OF_RUN},
        "totals": _numbers({name: report.totals[name] for name in _KEPT_TOTALS if name in report.totals}),
        "rows": _rows(report.rows),
    }
    return laid_out(reduced, sort_keys=True)


def _rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    levels: list[int] = []
    found = []
    for row in rows:
        levels.append(0 if row.parent is None else levels[row.parent] + 1)
        if is_layer(row):
            whole = row_to_json(row)
            kept = {name: whole[name] for name in _KEPT_OF_ROW}
            found.append({**kept, "level": levels[-1], **_numbers(row.quantities)})
    return found


def _numbers(numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The numbers without their two sides, and without receptive fields that nobody asked for."""
    found = {}
    for name, number in numbers.items():
        if isinstance(number, Quantity):
            value = plain(number.known_value)
            found[name] = {"value": value, "unit": number.unit.value, "status": number.status.value}
        elif number.was_computed:
            found[name] = {key: value for key, value in number_to_json(number).items() if key != "verdict"}
    return found
