"""The command `models`."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from cnninspect.cli.options import Common
from cnninspect.cli.session import Session
from cnninspect.errors import LoadError, UsageError, nearest


def models(
    context: typer.Context,
    _common: Common,
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN", show_default=False, help="Part of a name, or a pattern such as 'timm:vit_*'."
        ),
    ] = "",
) -> None:
    """List the models of all providers; each name is a TARGET."""
    from cnninspect.cli.reports import to_stdout
    from cnninspect.cli.session import Progress

    session = context.ensure_object(Session)
    with Progress(shown=not session.quiet) as progress:
        progress("asking the providers")
        names = list(_names(session))
    matching = [name for name in names if _matches(name, pattern)]
    if not matching:
        near = ", ".join(nearest(pattern, names))
        raise UsageError(
            f"no model matches {pattern!r}."
            + (f" Nearest: {near}." if near else " `cnninspect models` lists all names.")
        )
    to_stdout("".join(f"{name}\n" for name in matching))


def _names(session: Session) -> Iterator[str]:
    """All names as `provider:name`; a note for a provider whose package is missing or broken."""
    from cnninspect.targets.providers import providers

    for provider in providers().values():
        try:
            yield from (f"{provider.name}:{name}" for name in provider.names())
        except LoadError as failure:
            session.note(str(failure))


def _matches(name: str, pattern: str) -> bool:
    """Whether the pattern is part of the name, or matches all of it or of what follows the provider."""
    if any(letter in pattern for letter in "*?["):
        return fnmatchcase(name, pattern) or fnmatchcase(name.partition(":")[2], pattern)
    return pattern.lower() in name.lower()
