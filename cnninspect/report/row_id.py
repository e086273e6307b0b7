"""Which row of a table is meant, and how messages name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class RowId:
    """The identity of a row: `call` is the number of the use, from 0; `functional` tells a function from a module.

    `path` is the module's path, "" for the root; a functional call carries the path of the module that calls it. No
    path has a special meaning: a module may be called `total`.
    """

    path: str
    kind: str
    call: int = 0
    functional: bool = False

    @property
    def label(self) -> str:
        """How messages name the row: `conv1`, `conv1 call 2`, `layer1.0 F.relu`."""
        name = " ".join(part for part in (self.path, self.kind if self.functional else "") if part) or f"({self.kind})"
        return f"{name} call {self.call}" if self.call else name
