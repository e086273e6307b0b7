"""What holds for one command line: what it may say on stderr, and its configuration."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import typer

from cnninspect.config.file import Config


@dataclass
class Session:
    """Set by `--quiet` and `--debug`, wherever they stand on the command line, and by the configuration.

    `about` is what notes begin with: the name of the target, where there are many.
    """

    quiet: bool = False
    debug: bool = False
    config: Config = field(default_factory=Config)
    about: str = ""

    def note(self, text: str) -> None:
        """Tell the reader something that is no error."""
        if not self.quiet:
            say(f"note: {self.about}{text}")


def say(text: str) -> None:
    """One line on stderr, marked as ours; nothing where stderr is closed."""
    if sys.stderr is None:
        return
    line = f"cnninspect: {' '.join(text.split())}\n"
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()


def be_quiet(context: typer.Context, wanted: bool) -> bool:
    """Take note of `--quiet`."""
    session = context.ensure_object(Session)
    session.quiet = session.quiet or wanted
    return wanted


def show_tracebacks(context: typer.Context, wanted: bool) -> bool:
    """Take note of `--debug`."""
    session = context.ensure_object(Session)
    session.debug = session.debug or wanted
    return wanted
