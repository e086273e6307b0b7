"""The progress of a sweep on stderr: how many models are done, how fast, and how long the rest takes."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


def span(seconds: float) -> str:
    """A time in two units: `12 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def rate_text(models: int, seconds: float) -> str:
    """`2.4 a second`, or `3.1 a minute` for fewer than one in two seconds."""
    rate = models / max(seconds, 1e-9)
    return f"{rate:.1f} a second" if rate >= 0.5 else f"{60 * rate:.1f} a minute"


class Meter:
    """A bar on stderr, if that is a terminal; leaving the context removes it."""

    def __init__(self, count: int, *, shown: bool):
        self._count, self._done, self._failed, self._began = count, 0, 0, monotonic()
        terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = shown and terminal and count > 1
        self._bar: tuple[Bar, TaskID] | None = None

    @property
    def seconds(self) -> float:
        """The time since the beginning."""
        return monotonic() - self._began

    def __enter__(self) -> Meter:
        if self._shown:
            self._bar = self._started()
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def hide(self) -> None:
        """Take the bar away, so that a row can be written to the same terminal; `step` brings it back."""
        if self._bar is not None:
            self._bar[0].stop()

    def step(self, *, failed: bool) -> None:
        """One more model is done."""
        self._done, self._failed = self._done + 1, self._failed + failed
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=self._done, about=self._about())
            bar.start()

    def _about(self) -> str:
        """`12 of 97 · 1.9 a second · 45 s left · 1 failed`."""
        parts = [f"{self._done:,} of {self._count:,}"]
        if self._done:
            left = (self._count - self._done) * self.seconds / self._done
            parts += [rate_text(self._done, self.seconds), f"{span(left)} left"]
        return " · ".join([*parts, *([f"{self._failed} failed"] if self._failed else [])])

    def _started(self) -> tuple[Bar, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(bar_width=20), TextColumn("{task.fields[about]}", markup=False))
        bar = Bar(*columns, console=Console(stderr=True), refresh_per_second=2, transient=True)
        bar.start()
        return bar, bar.add_task("", total=self._count, about=self._about())
