"""Reasons: why a number is not exact, not matched or missing. A number carries its reasons to the report.

A formula, rule or adapter that does not cover a call raises Declined. Any other exception in it is a bug. `ask` turns
both into a Reason.
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
    """The kind of a reason."""

    NO_FORMULA = "no_formula"
    """No formula or rule is registered for the op or function."""

    NOT_COVERED = "not_covered"
    """The formula or rule declines these arguments."""

    FAILED = "failed"
    """Code of cnninspect or of a plug-in raised an error: a bug to report."""

    NOT_MEASURED = "not_measured"
    """No counter or probe has a result to compare the formula with."""

    READ_BY_DATA = "read_by_data"
    """The result depends on the values of tensors."""

    NOT_RUN = "not_run"
    """The number needs a run, and none was asked for."""

    LIMIT = "limit"
    """A run of the model was stopped at a limit of operations, seconds or memory."""


@dataclass(frozen=True)
class Reason:
    """One reason, in words that name the op, function or counter: `no formula for aten.x`."""

    cause: Cause
    text: str

    def __str__(self) -> str:
        return self.text


def distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons without duplicates, in their order."""
    return tuple(dict.fromkeys(reasons))


class Declined(Exception):
    """Raised by a formula or rule that does not cover a call; the text completes `does not cover this call: ...`."""

    cause: ClassVar[Cause] = Cause.NOT_COVERED

    def __init__(self, text: str) -> None:
        super().__init__(text)


def ask(what: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | Reason:
    """The result of a formula or rule, or the Reason why there is none.

    `what` is its name in messages: `the formula of Conv2d`. A function does not cover a call if it raises Declined, or
    if its signature does not take the arguments (`out=`, another overload). Any other exception is a bug in cnninspect
    or in a plug-in.
    """
    try:
        return function(*args, **kwargs)
    except Declined as error:
        return Reason(error.cause, f"{what} does not cover this call: {error}")
    except MemoryError:
        return Reason(Cause.LIMIT, f"{what} takes more memory than there is")
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
    """The reason why the arguments do not fit the function's signature, None if they fit.

    Called only after a TypeError, so that successful calls do not pay for the check.
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
