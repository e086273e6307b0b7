"""Why a number is not exact, not matched or not there: a type that travels with the number to the reader."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Cause(str, Enum):
    """What kind of reason it is."""

    NO_FORMULA = "no_formula"
    """No formula or rule is registered for the op or function."""

    NOT_COVERED = "not_covered"
    """The formula or rule declines these arguments."""

    FAILED = "failed"
    """Code of cnninspect or of a plug-in raised an error: a bug to report."""

    NOT_MEASURED = "not_measured"
    """No counter or probe has an answer to hold the formula against."""

    READ_BY_DATA = "read_by_data"
    """The answer depends on the values that tensors hold."""

    LIMIT = "limit"
    """A run on the user's behalf was ended at a limit of operations, seconds or memory."""


@dataclass(frozen=True)
class Reason:
    """One reason, in words that name the op, function or counter: `no formula for aten.x`."""

    cause: Cause
    text: str

    def __str__(self) -> str:
        return self.text


def distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in the order in which they come."""
    return tuple(dict.fromkeys(reasons))


def failure(what: str, error: Exception) -> Reason:
    """The reason that `what` raised an error: `the formula of X failed: TypeError: no number (x.py:41)`."""
    words = ": ".join((type(error).__name__, *str(error).strip().splitlines()[:1]))
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return Reason(Cause.FAILED, f"{what} failed: {words}{where}")
