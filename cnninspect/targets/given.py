"""Inputs from a function of the user's: `--inputs-from file.py:fn`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets import loading
from cnninspect.targets.grammar import FromFile, FromModule, parse_target
from cnninspect.targets.specs import Given


def call_for_inputs(source: str | Callable[[], Any]) -> Given:
    """What the function returns, as the arguments of the forward; UsageError or LoadError."""
    if callable(source):
        return _given(_call(source, "the inputs function"), "the inputs function")
    reference = parse_target(source)
    if isinstance(reference, FromFile):
        around = partial(loading.importable, reference.path.parent)
        load = partial(loading.load_file, reference.path)
        where = str(reference.path)
    elif isinstance(reference, FromModule):
        around, load, where = loading.importable, partial(loading.load_module, reference.module), reference.module
    else:
        raise UsageError(f"--inputs-from {source!r} is not file.py:fn or package.module:fn.")
    with around():
        return _given(_call(loading.attribute(load(), reference.attr, where), source), source)


def _call(function: Any, name: str) -> Any:
    if not callable(function):
        raise UsageError(f"--inputs-from {name} is of type {type(function).__name__}, not a function.")
    try:
        with torch.random.fork_rng(devices=[]):
            return function()
    except (Exception, SystemExit) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise LoadError(f"--inputs-from {name} failed: {type(error).__name__}: {reason}.") from error


def _given(value: Any, name: str) -> Given:
    """The arguments: a tuple is positional, a tuple or list with a dictionary after it is (args, kwargs)."""
    if isinstance(value, torch.Tensor):
        return Given((value,))
    if (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], (tuple, list))
        and isinstance(value[1], dict)
    ):
        return Given(tuple(value[0]), value[1])
    if isinstance(value, tuple):
        return Given(value)
    raise UsageError(
        f"--inputs-from {name} returned a {type(value).__name__}. "
        "Return the positional tuple, or (args, kwargs): a dictionary of keyword arguments is ((), {...})."
    )
