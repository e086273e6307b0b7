"""Reports that were saved as JSON: whole ones and baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnninspect.checks.sound import sound
from cnninspect.errors import UsageError
from cnninspect.report.document import Report
from cnninspect.report.json_form import READ_VERSIONS


def read_report(file: str | Path) -> Report:
    """The report that a file holds; UsageError if it cannot be read, or is none that this version understands."""
    data = _read_json(Path(file))
    if not isinstance(data, Mapping) or "schema_version" not in data:
        raise UsageError(f"{file} is no report of cnninspect: it has no schema_version. {_HOW}")
    version = data["schema_version"]
    if version not in READ_VERSIONS:
        read = " and ".join(map(str, READ_VERSIONS))
        raise UsageError(f"{file} has schema_version {version!r}, this cnninspect reads {read}. {_HOW}")
    if "varied" in data or ("targets" in data and "rows" not in data):
        raise UsageError(f"{file} is a report on several targets. Save that of one: {_HOW}")
    try:
        return sound(Report.from_dict(_completed(data)))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{file} is damaged: {type(error).__name__} {error}. {_HOW}") from error


_HOW = "`cnninspect summary TARGET --format json -o FILE` saves one, `compare --update-baseline` a baseline."


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}.") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or type(error).__name__).lower()}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error


def _completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what a baseline leaves out: parents, and what is different on every machine."""
    defaults = {"command": "baseline", "tool": {}, "uncounted": [], "notes": [], "verdict": "not_run"}
    rows = [{name: _number(value) for name, value in row.items()} for row in data["rows"]]
    totals = {name: _number(value) for name, value in data["totals"].items()}
    return {**defaults, **data, "rows": _with_parents(rows), "totals": totals}


def _number(value: Any) -> Any:
    if isinstance(value, Mapping) and "status" in value:
        verdict = "unknown" if value["status"] == "unknown" else "not_run"
        return {"analytic": None, "measured": {}, "verdict": verdict, **value}
    return value


def _with_parents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that state their level in the tree with the position of the row above them."""
    above: list[int] = []
    found = []
    for index, row in enumerate(rows):
        if "level" in row:
            level = row["level"]
            del above[level:]
            parent = above[-1] if above else None
            above.append(index)
            row = {**{name: value for name, value in row.items() if name != "level"}, "parent": parent}
        found.append(row)
    return found
