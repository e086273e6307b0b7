"""What tests assert about a report, the pytest plugin, and where baselines of tests are.

Imports nothing that is slow: pytest loads its plugin at every start.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

FOLDER = "baselines"


@dataclass(frozen=True)
class Snapshots:
    """The folder of the baselines that have a name only, and what to do with a baseline."""

    folder: Path = Path(FOLDER)
    update: bool = False

    def file(self, baseline: str | Path) -> Path:
        """The file of a baseline: a path to JSON as it stands, or a name in the folder."""
        return Path(baseline) if str(baseline).endswith(".json") else self.folder / f"{baseline}.json"


current: ContextVar[Snapshots] = ContextVar("snapshots", default=Snapshots())  # noqa: B039 - it is frozen
"""What holds for the test that runs."""
