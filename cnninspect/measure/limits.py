"""Limits of ATen ops and of seconds for every run of foreign code, so that each of them ends."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from types import TracebackType
from typing import Any

import torch

from cnninspect.trace.private_torch import OpWatch
from cnninspect.trace.records import Trace

_FINEST = 0.05
"""Seconds between two looks at the clock, at least."""


class LimitReachedError(BaseException):
    """A run took more ops or seconds than it was given; a model that catches every Exception does not catch this."""


@dataclass(frozen=True)
class Allowance:
    """The most that a run may take: ATen ops, seconds in all, and seconds of Python code between two ops."""

    ops: int
    seconds: float = 120
    silent: float = 20

    @classmethod
    def for_another(cls, trace: Trace, seconds: float = 120) -> Allowance:
        """The limit of another run of a network: four times the ops of the first run, and 1,000 more for loops."""
        return cls(4 * len(trace.ops) + 1000, seconds)


class Limit:
    """Ends what runs inside a `with` by raising LimitReachedError, also in a loop that calls nothing of torch."""

    def __init__(self, allowed: Allowance):
        self.allowed = allowed
        self._mode = _Counting(self)
        self._watchdog = Thread(target=self._watch, daemon=True)
        self._lock, self._over = Lock(), Event()
        self._runner = get_ident()
        self._start = self._last_op = monotonic()
        self._in_op = False
        self._count = 0

    def __enter__(self) -> Limit:
        self._watchdog.start()
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._mode.__exit__(kind, error, at)  # type: ignore[no-untyped-call]
        try:
            self._stop_watching()
        except LimitReachedError:  # the watchdog was quicker
            self._stop_watching()
            raise

    def counted(self, op: Any, args: Any, kwargs: Any) -> Any:
        """The result of one op; raises LimitReachedError where there were enough of them, or where it would not end.

        `detach` is not counted: code that saves a model's state runs it as often as its version of torch likes.
        """
        self._count += op is not torch.ops.aten.detach.default
        if self._count > self.allowed.ops:
            raise LimitReachedError(f"it was ended after {self.allowed.ops:,} ops")
        if op is torch.ops.aten.binomial.default and bool(args[0].isnan().any()):
            raise LimitReachedError("it was ended at aten.binomial, whose kernel never ends with NaN as a count")
        self._in_op = True
        try:
            return op(*args, **kwargs)
        finally:
            self._last_op, self._in_op = monotonic(), False

    def _watch(self) -> None:
        while not self._over.wait(max(_FINEST, min(self.allowed.seconds, self.allowed.silent) / 10)):
            with self._lock:
                if not self._over.is_set() and self._is_late():
                    _raise_in(self._runner, _OutOfTimeError)

    def _is_late(self) -> bool:
        now = monotonic()
        silent = 0.0 if self._in_op else now - self._last_op
        return now - self._start > self.allowed.seconds or silent > self.allowed.silent

    def _stop_watching(self) -> None:
        self._over.set()
        with self._lock:
            _raise_in(self._runner, None)


class _OutOfTimeError(LimitReachedError):
    """Raised by the watchdog, which can raise a class in another thread but no instance with a message."""

    def __str__(self) -> str:
        return "it was ended because it took too long"


class _Counting(OpWatch):
    """Shows a limit every op that runs."""

    def __init__(self, limit: Limit):
        super().__init__()
        self._limit = limit

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._limit.counted(func, args, kwargs or {})


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Let a thread raise `error` at its next step in Python; None takes back one that it has not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )
