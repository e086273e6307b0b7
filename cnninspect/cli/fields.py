"""What `rf` does: inspect with the sights of a layer, or once for each value of an argument, then write and draw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cnninspect.checks import exit_code
from cnninspect.cli.inspection import inspected
from cnninspect.cli.options import OutputOptions, RunOptions, SightOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Session
from cnninspect.cli.varying import parse_settings, together, with_each
from cnninspect.errors import UsageError
from cnninspect.files import check_writable, write_whole
from cnninspect.render.picture import KINDS, picture
from cnninspect.report.document import Document, FieldStudy

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account

COMMAND = "rf"


def report_fields(
    target: str, layer: str | None, run: RunOptions, sights: SightOptions, output: OutputOptions, session: Session
) -> int:
    """Write what is asked about receptive fields and return the exit code."""
    view, at, settings = view_of(output, COMMAND), _parse_at(sights.at), parse_settings(sights.vary or [])
    kind = _checked_kind(sights)
    check_writable(output.output)
    if view.columns is not None and (settings or layer is not None or at is not None):
        raise UsageError("--columns chooses among those of all layers. Leave out LAYER, --at and --vary, or --columns.")
    look = partial(_seen, target, layer, at)
    reports = with_each(settings, look, run, session) if settings else [look(run, session)]
    document: Document = together(reports, settings) if settings else reports[0]
    if sights.picture is not None:
        write_whole(Path(sights.picture), picture(reports[0], kind, sights.image))
    write(document, output, view)
    codes = [exit_code(one, strict=output.strict) for one in reports]
    return min(filter(None, codes), default=0)


def _checked_kind(sights: SightOptions) -> str:
    """The kind of picture; UsageError for what can be seen to go wrong before a model runs."""
    if sights.picture is None:
        if sights.image is not None:
            raise UsageError("--image is what --picture draws over. Give --picture FILE too.")
        return ""
    kind = Path(sights.picture).suffix.lower().lstrip(".")
    if sights.vary:
        raise UsageError("--vary gives many networks, and --picture draws one. Keep one of them.")
    if kind not in KINDS:
        raise UsageError(f"--picture {sights.picture}: the name of the file must end in .{' or .'.join(KINDS)}.")
    if find_spec("matplotlib") is None:
        raise UsageError("--picture needs matplotlib. Install it with: python -m pip install 'cnninspect[picture]'.")
    if sights.image is not None and not Path(sights.image).is_file():
        raise UsageError(f"--image {sights.image}: there is no such file.")
    check_writable(sights.picture)
    return kind


def _seen(target: str, layer: str | None, at: tuple[int, ...] | None, run: RunOptions, session: Session) -> FieldStudy:
    """The report with the sights of the layer, or of the last map if none is named."""

    def accounts() -> Sequence[Account]:
        from cnninspect.inspection.accounts.sights import Sights

        return [Sights(layer, at)]

    report = inspected(target, run, session, COMMAND, accounts)
    assert isinstance(report, FieldStudy), "the account Sights makes it one"
    return report


def _parse_at(text: str | None) -> tuple[int, ...] | None:
    """A position such as `3,5`."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--at {text!r} is no position. Write numbers joined by commas, such as 3,5.") from None
