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
from cnninspect.report.document import FieldStudy, Variation
from cnninspect.report.parts import VariedNetwork
from cnninspect.report.quantities import worst
from cnninspect.report.rows import ReceptiveField
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
    settings: Sequence[Setting], look: Callable[[RunOptions, Session], FieldStudy], run: RunOptions, session: Session
) -> list[FieldStudy]:
    """The reports that `look` gives with each setting of the arguments; what they note is said once."""
    reports = []
    for setting in settings:
        others = [text for text in run.arg if text.partition("=")[0].strip() not in setting]
        arguments = [*others, *(f"{name}={value!r}" for name, value in setting.items())]
        reports.append(look(dataclasses.replace(run, arg=arguments), dataclasses.replace(session, quiet=True)))
    for note in dict.fromkeys(note for report in reports for note in report.notes):
        session.note(note)
    return reports


def together(studies: Sequence[FieldStudy], settings: Sequence[Setting]) -> Variation:
    """What follows from each setting of the arguments, for the layer that the studies are about."""
    first = studies[0]
    constant = {name: value for name, value in first.target["arguments"].items() if name not in settings[0]}
    return Variation(
        command=first.command,
        tool=first.tool,
        target={**first.target, "arguments": constant},
        run=first.run,
        uncounted=tuple(item for study in studies for item in study.uncounted),
        notes=tuple(dict.fromkeys(note for study in studies for note in study.notes)),
        verdict=worst(study.verdict for study in studies),
        varied=tuple(_network(study, setting) for study, setting in zip(studies, settings, strict=True)),
    )


def _network(study: FieldStudy, setting: Setting) -> VariedNetwork:
    """The arguments, and what they make of field, map, parameters and MACs."""
    last = study.sights[-1] if study.sights else None
    return VariedNetwork(
        arguments=setting,
        layer=last.layer if last else "",
        map=last.positions if last else (),
        receptive_field=_field(study) or ReceptiveField(),
        params=study.total("params"),
        macs=study.total("macs"),
        inputs=study.run["inputs"],
    )


def _field(study: FieldStudy) -> ReceptiveField | None:
    """The field of the layer that was asked for, else of the last map; of the whole network where it has no map."""
    if study.asked is not None:
        return next(row.receptive_field for row in study.rows if row.id == study.sights[-1].row)
    if not study.sights:
        return study.rows[0].receptive_field
    total = study.totals["receptive_field"]
    return total if isinstance(total, ReceptiveField) else None
