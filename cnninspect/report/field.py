"""One receptive field of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.reasons import Reason

GLOBAL = "global"
"""The extent of a field that covers every input position."""


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field in input pixels, per axis of the input.

    `size` entries are integers, or (min, max) where they depend on the output's position; `jump` entries are integers
    or fractions written as strings. `size` is None where the local field itself is global. `cause` names what makes
    the strict field global. The rest plays no part when two fields are compared: `image` is the input's size along the
    same axes, `found` says in words what a probe found against the field, `layer` names the call that a total is of,
    `why` holds the reasons of a field that is not known or not checked.
    """

    size: tuple[Any, ...] | None = None
    jump: tuple[Any, ...] | None = None
    padding: tuple[Any, ...] | None = None
    status: Status = Status.UNKNOWN
    cause: str | None = None
    verdict: Verdict = Verdict.NOT_RUN
    image: tuple[int, ...] | None = field(default=None, compare=False)
    found: str | None = field(default=None, compare=False)
    layer: str | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def is_global(self) -> bool:
        """Whether the local field itself covers every input position."""
        return self.size is None and self.status is Status.EXACT

    @property
    def extent(self) -> Any:
        """The size per axis, `global`, or None where neither is known."""
        return GLOBAL if self.is_global else self.size

    @property
    def was_computed(self) -> bool:
        """Whether anybody tried to find it: a field without size that has a cause or a verdict was tried."""
        found = self.size is not None or self.cause is not None or self.is_global
        return found or self.verdict is not Verdict.NOT_RUN

    @property
    def exceeds_image(self) -> bool:
        """Whether some position would see more than the input has along some axis."""
        largest = [max(size) if isinstance(size, (tuple, list)) else size for size in self.size or ()]
        return any(size > pixels for size, pixels in zip(largest, self.image or (), strict=False))


Number = Quantity | ReceptiveField
"""Whatever may stand in a row or among the totals."""
