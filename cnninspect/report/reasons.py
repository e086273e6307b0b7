"""Why a number is not exact, not matched or not there: a type that travels with the number to the reader.

A formula, rule or adapter that does not cover a call raises Declined. Any other exception in it is a bug: `ask` turns
both into the Reason that the reader gets.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


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


class Declined(Exception):
    """A formula or rule does not cover a call, and says so: the text completes `does not cover this call: ...`."""

    cause: ClassVar[Cause] = Cause.NOT_COVERED

    def __init__(self, text: str) -> None:
        super().__init__(text)


def ask(what: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | Reason:
    """What a function of the analytic side answers, or the Reason why there is no answer.

    `what` names it in words: `the formula of Conv2d`. It declines by raising Declined, or by a signature that does not
    take the arguments (`out=`, another overload). Every other exception is a bug of ours or of a plug-in.
    """
    try:
        return function(*args, **kwargs)
    except Declined as error:
        return Reason(error.cause, f"{what} does not cover this call: {error}")
    except TypeError as error:
        misfit = _misfit(function, args, kwargs)
        return (
            failure(what, error)
            if misfit is None
            else Reason(Cause.NOT_COVERED, f"{what} does not cover this call: {misfit}")
        )
    except Exception as error:
        return failure(what, error)


def _misfit(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Why arguments do not fit a signature, None if they do.

    Asked after the call: binding fails before the body runs, so a call that fits costs nothing.
    """
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def failure(what: str, error: Exception) -> Reason:
    """The reason that `what` raised an error: `the formula of X failed: TypeError: no number (x.py:41)`."""
    words = ": ".join((type(error).__name__, *str(error).strip().splitlines()[:1]))
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return Reason(Cause.FAILED, f"{what} failed: {words}{where}")
