"""A sign of life on stderr for steps that take long."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.status import Status

PATIENCE = 1.0
"""Seconds that a step may take before it is named."""


class Progress:
    """Names the step that runs, once it takes more than a second, where stderr is a terminal.

    Call it with each step; leaving the context removes the sign. A step that says how much of it is done has a bar,
    drawn when it says so and never in between, so that nothing runs beside what is timed.
    """

    def __init__(self, *, shown: bool):
        self.shown = shown and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._status: Status | None = None
        self._timer: threading.Timer | None = None
        self._bar: tuple[str, Bar, TaskID] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, step: str, done: int = 0, of: int = 0) -> None:
        """The step that begins now, or how far it is."""
        if of and self.shown:
            self._advance(step, done, of)
            return
        self._stop()
        if self.shown:
            self._timer = threading.Timer(PATIENCE, self._show, [step])
            self._timer.daemon = True
            self._timer.start()

    def _advance(self, step: str, done: int, of: int) -> None:
        if self._bar is None or self._bar[0] != step:
            self._stop()
            self._bar = self._started(step, of)
        _, bar, task = self._bar
        bar.update(task, completed=done)
        bar.refresh()

    def _started(self, step: str, of: int) -> tuple[str, Bar, TaskID]:
        from rich.console import Console
        from rich.progress import Progress as Bar

        bar = Bar(console=Console(stderr=True), auto_refresh=False, transient=True)
        bar.start()
        return step, bar, bar.add_task(step, total=of)

    def _show(self, step: str) -> None:
        from rich.console import Console
        from rich.markup import escape

        self._status = Console(stderr=True).status(escape(step))
        self._status.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._bar is not None:
            self._bar[1].stop()
            self._bar = None
