"""The same command once for every value of a constructor argument, and one report of what follows from each."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from cnninspect.cli.options import RunOptions
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.report.document import Report, Row
from cnninspect.report.field import ReceptiveField
from cnninspect.report.plain_data import quantity_to_dict
from cnninspect.report.verdicts import worst
from cnninspect.targets.specs import parse_argument

Setting = dict[str, Any]
"""Constructor arguments by name."""


def parse_settings(texts: Sequence[str]) -> list[Setting]:
    """Every combination of the values that `NAME=A,B,C` texts give, none without any; raises UsageError."""
    choices = [list(_choices(text)) for text in texts]
    names = [found[0][0] for found in choices]
    if len(set(names)) < len(names):
        raise UsageError("--vary names one argument twice. Put all its values into one list.")
    return [dict(combination) for combination in product(*choices)] if choices else []


def _choices(text: str) -> Iterator[tuple[str, Any]]:
    """(name, value) for each value in the list."""
    name, equals, values = text.partition("=")
    if not equals or not values.strip(", "):
        raise UsageError(f"--vary {text!r} is not NAME=A,B,C. Write, for example, --vary kernel_size=3,5,7.")
    try:
        listed = ast.literal_eval(f"({values.rstrip(', ')},)")
    except (ValueError, SyntaxError):
        listed = [parse_argument(f"{name}={value}")[1] for value in values.split(",")]
    yield from ((name.strip(), value) for value in listed)


def with_each(
    settings: Sequence[Setting], look: Callable[[RunOptions, Session], Report], run: RunOptions, session: Session
) -> list[Report]:
    """The reports that `look` gives with each setting of the arguments; what they note is said once."""
    reports = []
    for setting in settings:
        others = [text for text in run.arg if text.partition("=")[0].strip() not in setting]
        arguments = [*others, *(f"{name}={value!r}" for name, value in setting.items())]
        reports.append(look(dataclasses.replace(run, arg=arguments), dataclasses.replace(session, quiet=True)))
    for note in dict.fromkeys(note for report in reports for note in report.notes):
        session.note(note)
    return reports


def together(reports: Sequence[Report], settings: Sequence[Setting]) -> Report:
    """One report of all networks: `varied` has the arguments of each and the numbers of its layer."""
    first = reports[0]
    constant = {name: value for name, value in first.target["arguments"].items() if name not in settings[0]}
    networks = [_numbers(report, setting) for report, setting in zip(reports, settings, strict=True)]
    return dataclasses.replace(
        first,
        target={**first.target, "arguments": constant},
        totals={},
        rows=(),
        uncounted=tuple(item for report in reports for item in report.uncounted),
        notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
        verdict=worst(report.verdict for report in reports),
        extra={"varied": networks},
    )


def _numbers(report: Report, setting: Setting) -> dict[str, Any]:
    """The arguments, and what they make of field, map, parameters and MACs; without a map the field is that of all."""
    sights = report.extra["sights"]
    field: Any = report.totals["receptive_field"]
    if "asked" in report.extra:
        field = next(row.receptive_field for row in report.rows if _is_of(row, sights[-1]))
    elif not sights:
        field = report.rows[0].receptive_field
    return {
        "arguments": setting,
        "layer": sights[-1]["layer"] if sights else "",
        "map": sights[-1]["positions"] if sights else [],
        "receptive_field": (field or ReceptiveField()).to_dict(),
        "params": quantity_to_dict(report.total("params")),
        "macs": quantity_to_dict(report.total("macs")),
        "inputs": report.run["inputs"],
    }


def _is_of(row: Row, sight: dict[str, Any]) -> bool:
    return (row.path, row.kind, row.call) == (sight["path"], sight["kind"], sight["call"])
