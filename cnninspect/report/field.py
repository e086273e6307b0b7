"""One receptive field of the report: plain data that round-trips through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnninspect.report.plain_data import frozen, plain, reason_from_dict, reason_to_dict
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.reasons import Reason


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field in input pixels, per axis of the input.

    `size` entries are integers, or [min, max] where they depend on the output's position; `jump` entries are integers
    or fractions written as strings. `size` is None where the local field itself is global. `cause` names what makes
    the strict field global. Two fields are equal whatever the rest says: `image` is the input's size along the same
    axes, `found` says in words what a probe found against the field, `layer` names the call that a total is of, `why`
    holds the reasons of a field that is not known or not checked.
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
    def was_computed(self) -> bool:
        """Whether anybody tried to find it; the cause of one that is not known says that somebody did."""
        found = self.size is not None or self.cause is not None or self.is_global
        return found or self.verdict is not Verdict.NOT_RUN

    @property
    def exceeds_image(self) -> bool:
        """Whether some position would see more than the input has along some axis."""
        largest = [max(size) if isinstance(size, tuple) else size for size in frozen(self.size or ())]
        return any(size > pixels for size, pixels in zip(largest, self.image or (), strict=False))

    def to_dict(self) -> dict[str, Any]:
        """The contract's RF object."""
        details = {"image": self.image, "found": self.found, "layer": self.layer}
        return {
            "size": _listed(self.size),
            "jump": _listed(self.jump),
            "padding": _listed(self.padding),
            "status": self.status.value,
            "global": None if self.cause is None else {"cause": self.cause},
            "verdict": self.verdict.value,
            **{name: plain(value) for name, value in details.items() if value is not None},
            **({"why": [reason_to_dict(reason) for reason in self.why]} if self.why else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReceptiveField:
        """The inverse of `to_dict`."""
        cause = data["global"]["cause"] if data.get("global") else None
        size, jump, padding, image = (frozen(data.get(name)) for name in ("size", "jump", "padding", "image"))
        status, verdict = Status(data["status"]), Verdict(data["verdict"])
        why = tuple(reason_from_dict(item) for item in data.get("why", ()))
        return cls(size, jump, padding, status, cause, verdict, image, data.get("found"), data.get("layer"), why)


def _listed(value: tuple[Any, ...] | None) -> list[Any] | None:
    return None if value is None else [plain(item) for item in value]
