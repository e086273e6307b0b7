"""Notice the work of threads that a forward starts: nothing can watch it, so its model must be refused.

Threads that others start are none of our business and notice nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from cnninspect.trace.private_torch import TorchDispatchMode


@contextmanager
def noticing_threads(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` when an op runs in a thread that this one starts inside, or gives work to."""
    ours = {threading.get_ident()}
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            known = threading.get_ident() in ours
            ours.add(threading.get_ident())
            try:
                with _Noticing(tell):
                    return work(*args, **kwargs)
            finally:
                if not known:
                    ours.discard(threading.get_ident())

        return run

    def start_watched(thread: threading.Thread) -> None:
        if threading.get_ident() in ours:
            thread.run = watched(thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_watched(pool: Any, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(pool, watched(work) if threading.get_ident() in ours else work, *args, **kwargs)

    threading.Thread.start = start_watched  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = submit_watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]


class _Noticing(TorchDispatchMode):
    """Tells that an op ran, and runs it."""

    supports_higher_order_operators = True

    def __init__(self, tell: Callable[[], None]):
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._tell()
        return func(*args, **(kwargs or {}))
