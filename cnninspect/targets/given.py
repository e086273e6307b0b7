"""Inputs from a function of the user's: `--inputs-from file.py:fn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.grammar import FromFile, FromModule, parse_target
from cnninspect.targets.loading import Around, find
from cnninspect.targets.specs import Given
from cnninspect.targets.undisturbed import undisturbed


def call_for_inputs(source: str | Callable[[], Any]) -> Given:
    """What the function returns, as the arguments of the forward; UsageError or LoadError."""
    if not isinstance(source, str):
        name = getattr(source, "__name__", "function")
        return _given(_call(source, name, undisturbed), name)
    reference = parse_target(source)
    if not isinstance(reference, (FromFile, FromModule)):
        raise UsageError(f"--inputs-from {source} is not file.py:fn or package.module:fn.")
    function, around = find(reference)
    if not callable(function):
        raise UsageError(f"--inputs-from {source} is of type {type(function).__name__}, not a function.")
    return _given(_call(function, source, around), source)


def _call(function: Callable[[], Any], name: str, around: Around) -> Any:
    try:
        with around():
            return function()
    except (Exception, SystemExit) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise LoadError(f"--inputs-from {name} failed: {type(error).__name__}: {reason}.") from error


def _given(value: Any, name: str) -> Given:
    """The arguments: a tuple is positional, a pair of a sequence and a dictionary is (args, kwargs)."""
    if isinstance(value, torch.Tensor):
        return Given((value,))
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if isinstance(first, (tuple, list)) and isinstance(second, dict):
            return Given(tuple(first), second)
    if isinstance(value, tuple):
        return Given(value)
    raise UsageError(
        f"--inputs-from {name} returned a {type(value).__name__}. "
        "Return the positional tuple, or (args, kwargs): a dictionary of keyword arguments is ((), {...})."
    )
