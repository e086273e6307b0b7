"""How long work says where it stands."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told about every step when it begins; one of known length is told again as it goes on."""

    def __call__(self, step: str, done: int = 0, of: int = 0) -> None:
        """The step that runs now, and how much of it is done where that is known."""


def silent(step: str, done: int = 0, of: int = 0) -> None:
    """No progress shown."""
