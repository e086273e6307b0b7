"""Assertions about reports, the pytest plugin, and the folder of the tests' baselines.

Imports nothing slow, because pytest loads the plugin at every start.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

FOLDER = "baselines"


@dataclass(frozen=True)
class Snapshots:
    """The folder of named baselines, and whether assertions write baselines (`update`) or compare with them."""

    folder: Path = Path(FOLDER)
    update: bool = False

    def file(self, baseline: str | Path) -> Path:
        """The file of a baseline: the path itself if it ends in .json, else that name in the folder."""
        return Path(baseline) if str(baseline).endswith(".json") else self.folder / f"{baseline}.json"


current: ContextVar[Snapshots] = ContextVar("snapshots", default=Snapshots())  # noqa: B039 - it is frozen
"""The snapshots of the running test."""
