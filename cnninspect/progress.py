"""The interface through which long work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A callable that is called when a step begins; for a step of known length, again as it proceeds."""

    def __call__(self, step: str, done: int = 0, of: int = 0) -> None:
        """Report that `step` runs, and that `done` of its `of` parts are finished (0 if unknown)."""


def silent(step: str, done: int = 0, of: int = 0) -> None:
    """A Progress that shows nothing."""
