"""The command `rf`: inspect with the nested fields of a layer, or once per value of an argument; write and draw."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnninspect.checks import DISAGREEMENT, exit_code
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.reports import inspected, note_if_none_fits, with_course, with_derivations, write
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.files import check_writable, write_whole
from cnninspect.render import Format
from cnninspect.report.document import Document, FieldStudy, Report, Variation
from cnninspect.report.parts import VariedNetwork
from cnninspect.report.quantities import Verdict, worst
from cnninspect.report.rows import ReceptiveField
from cnninspect.targets.grammar import argument_text, parse_argument

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account

COMMAND = "rf"
_FIELD = "Receptive field"
SAMPLES = 16


@dataclass(frozen=True)
class FieldOptions:
    """Position, picture and varied arguments."""

    at: Annotated[
        str | None,
        typer.Option(
            metavar="Y,X",
            help="Position in the layer's output, counted from 0; default its centre.",
            rich_help_panel=_FIELD,
        ),
    ] = None
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.svg|png", help="Draw the nested receptive fields on the input.", rich_help_panel=_FIELD
        ),
    ] = None
    image: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw them over this image.", rich_help_panel=_FIELD)
    ] = None
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            help="Measure how much each pixel influences the position, by gradients (Luo et al. 2016).",
            rich_help_panel=_FIELD,
        ),
    ] = False
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"Random inputs that --effective takes the mean of; default {SAMPLES}.",
            show_default=False,
            rich_help_panel=_FIELD,
        ),
    ] = None
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B,C", help="One line for each value of a constructor argument. Repeatable.",
            rich_help_panel=_FIELD,
        ),
    ] = None  # fmt: skip


def report_fields(
    target: str, layer: str | None, run: RunOptions, field: FieldOptions, output: OutputOptions, session: Session
) -> int:
    """Write the study of receptive fields and return the exit code."""
    view, at, settings = output.view(COMMAND), _parse_at(field.at), parse_settings(field.vary or [])
    kind = _checked_kind(field)
    _check_effective(field, run)
    check_writable(output.output)
    if view.columns is not None and (settings or layer is not None or at is not None or field.effective):
        raise UsageError(
            "--columns works only for the table of all layers. "
            "Leave out --columns, or all of LAYER, --at, --effective and --vary."
        )
    account_of = partial(_account, layer, at, field, run)
    derived = None
    if output.format == Format.HTML and not settings:
        report, derived = with_derivations(target, run, session, COMMAND, with_course(lambda: [account_of()]))
        reports = [_checked_study(report)]
    else:
        study_of = partial(_study, target, account_of)
        reports = with_each(settings, study_of, run, session) if settings else [study_of(run, session)]
    document: Document = together(reports, settings) if settings else reports[0]
    if field.picture is not None:
        from cnninspect.render.picture import picture

        write_whole(Path(field.picture), picture(reports[0], kind, field.image))
    note_if_none_fits(document, view, session)
    write(document, output, view, derived)
    codes = [exit_code(one, strict=output.strict) for one in reports]
    if output.strict and any(is_contradicted(one) for one in reports):
        codes.append(DISAGREEMENT)
    return min(filter(None, codes), default=0)


def is_contradicted(study: FieldStudy) -> bool:
    """Whether a pixel outside the theoretical field has an influence."""
    return study.effective is not None and any(part.verdict is Verdict.DIFFER for part in study.effective.inputs)


def _checked_kind(field: FieldOptions) -> str:
    """The file type of the picture, or ""; raises UsageError for wrong options before the model runs."""
    if field.picture is None:
        if field.image is not None:
            raise UsageError("--image needs --picture, which draws over it. Give --picture FILE too.")
        return ""
    kind = Path(field.picture).suffix.lower().lstrip(".")
    if field.vary:
        raise UsageError("--vary inspects several networks, and --picture draws one. Keep one of the options.")
    from cnninspect.render.picture import KINDS

    if kind not in KINDS:
        raise UsageError(f"--picture {field.picture}: the name of the file must end in .{' or .'.join(KINDS)}.")
    if find_spec("matplotlib") is None:
        raise UsageError("--picture needs matplotlib. Install it with: `python -m pip install matplotlib`.")
    if field.image is not None and not Path(field.image).is_file():
        raise UsageError(f"--image {field.image}: there is no such file. Check the path, or leave --image out.")
    check_writable(field.picture)
    return kind


def _check_effective(field: FieldOptions, run: RunOptions) -> None:
    """Raises UsageError for options that go ill with `--effective`, before the model runs."""
    if not field.effective:
        if field.samples is not None:
            raise UsageError("--samples is the number of inputs of --effective. Give --effective too.")
        return
    if field.vary:
        raise UsageError("--effective measures one network, and --vary makes several. Keep one of the options.")
    if run.device == "meta":
        raise UsageError("--effective needs numbers, and meta has none. Leave --device out, or use cpu or cuda.")
    if field.samples is not None and run.inputs_from is not None:
        raise UsageError("--effective takes the inputs of --inputs-from as they are. Leave out --samples.")


def _study(target: str, account: Callable[[], Account], run: RunOptions, session: Session) -> FieldStudy:
    """The report with the fields of the layer, or of the last layer with a spatial map if none is named."""
    return _checked_study(inspected(target, run, session, COMMAND, lambda: [account()]))


def _checked_study(report: Report) -> FieldStudy:
    assert isinstance(report, FieldStudy), "both accounts make it one"
    return report


def _account(layer: str | None, at: tuple[int, ...] | None, field: FieldOptions, run: RunOptions) -> Account:
    if field.effective:
        from cnninspect.inspection.accounts.effective_field import EffectiveFields

        return EffectiveFields(layer, at, field.samples or SAMPLES, as_given=run.inputs_from is not None)
    from cnninspect.inspection.accounts.nested_fields import NestedFields

    return NestedFields(layer, at)


def _parse_at(text: str | None) -> tuple[int, ...] | None:
    """The position for a text such as `3,5`; None without a text."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--at {text!r} is not a position. Write numbers joined by commas, such as 3,5.") from None


Setting = dict[str, Any]
"""Constructor arguments by name."""


def parse_settings(texts: Sequence[str]) -> list[Setting]:
    """All combinations of the values in texts `NAME=A,B,C`; empty without texts; raises UsageError."""
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
    settings: Sequence[Setting],
    study_of: Callable[[RunOptions, Session], FieldStudy],
    run: RunOptions,
    session: Session,
) -> list[FieldStudy]:
    """One report per setting of the arguments, from `study_of`; each note is printed once."""
    reports = []
    for setting in settings:
        others = [text for text in run.arg if text.partition("=")[0].strip() not in setting]
        arguments = [*others, *(argument_text(name, value) for name, value in setting.items())]
        reports.append(study_of(dataclasses.replace(run, arg=arguments), dataclasses.replace(session, quiet=True)))
    for note in dict.fromkeys(note for report in reports for note in report.notes):
        session.note(note)
    return reports


def together(studies: Sequence[FieldStudy], settings: Sequence[Setting]) -> Variation:
    """The document of `rf --vary`: one network per setting of the arguments."""
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
    """The values of the varied arguments, and the resulting field, output size, params and MACs."""
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
    """The field of the named layer, else of the last spatial map; of the root for a network without spatial axes."""
    if study.asked is not None:
        return next(row.receptive_field for row in study.rows if row.id == study.sights[-1].row)
    if not study.sights:
        return next(row.receptive_field for row in reversed(study.rows) if row.parent is None)
    total = study.totals["receptive_field"]
    return total if isinstance(total, ReceptiveField) else None
