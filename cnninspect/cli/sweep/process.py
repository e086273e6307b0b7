"""The processes that inspect models for `sweep`, from outside: start one, ask it, end and replace it.

torch is imported there alone, once for many models. A process that a model holds for too long, or takes down, is
replaced. It ends by itself when its stdin is closed, so that none is left when the process that started it is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); "
    "from cnninspect.cli.sweep.serve import serve; serve()"
)
"""What the process runs: it imports from where this process does."""

Data = Mapping[str, Any]


class Inspector:
    """A process that answers one request after another; it is started when the first is made."""

    def __init__(self, *, debug: bool = False):
        self._debug = debug
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask(self, request: Data, seconds: float | None = None) -> dict[str, Any]:
        """The answer; one with an `error` if it takes more than `seconds`, or the process dies."""
        if self._process is None and (failure := self._start()) is not None:
            return {"error": failure}
        began = monotonic()
        try:
            self._write(json.dumps(request))
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.end()
            return {"error": f"it took longer than {seconds:g} s. --timeout gives it more.", "seconds": seconds}
        except BaseException:
            self.end()
            raise
        if line:
            return self._answer(line)
        return {"error": f"its process {self._death()}", "seconds": round(monotonic() - began, 3)}

    def end(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _start(self) -> str | None:
        """Start the process and wait until torch is imported, which is no model's time; the reason if it fails."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=None if self._debug else subprocess.DEVNULL, text=True, encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the process that writes the rows
        )  # fmt: skip
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(self._process.stdout, self._lines), daemon=True).start()
        self._write(json.dumps([os.path.abspath(folder) for folder in sys.path]))
        if self._lines.get():
            return None
        return f"the process that inspects models {self._death()} before it was ready. --debug shows what it printed."

    def _answer(self, line: str) -> dict[str, Any]:
        """The answer in a line; a process that has grown too large ends with it and is replaced later."""
        answer: dict[str, Any] = json.loads(line)
        if answer.pop("last"):
            self.end()
        return answer

    def _write(self, text: str) -> None:
        """Write a line to the process; one that is dead already has ended its answers, which says so."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{text}\n")
                self._process.stdin.flush()

    def _death(self) -> str:
        """`was killed by SIGKILL, ...` or `ended with the code 1`."""
        process, self._process = self._process, None
        code = 0 if process is None else process.wait()
        if code >= 0:
            return f"ended with the code {code}"
        name = signal.Signals(-code).name
        return f"was killed by {name}" + (": the memory was full?" if name == "SIGKILL" else "")


def _forward(stream: Any, lines: queue.SimpleQueue[str]) -> None:
    """Put every line of the stream into the queue, and an empty one at its end."""
    for line in stream:
        lines.put(line)
    lines.put("")


# --- the inspectors of this process ----------------------------------------------------------------------------------

IDLE = 30.0
"""Seconds after which an inspector that nobody asks is ended: a worker of a cluster lives on after the sweep."""

_free: list[tuple[Inspector, threading.Timer]] = []
_all: list[Inspector] = []
_lock = threading.Lock()


def answer_to(request: Data, seconds: float | None = None, debug: bool = False) -> dict[str, Any]:
    """The answer of an inspector that is free, or of a new one. This is the unit of work of every backend."""
    with _borrowed(debug=debug) as inspector:
        return {**inspector.ask(request, seconds), "request": dict(request)}


@contextlib.contextmanager
def _borrowed(*, debug: bool) -> Iterator[Inspector]:
    with _lock:
        if _free:
            inspector, timer = _free.pop()
            timer.cancel()
        else:
            inspector = Inspector(debug=debug)
            _all.append(inspector)
    yield inspector
    timer = threading.Timer(IDLE, _end_if_free, [inspector])
    timer.daemon = True
    with _lock:
        _free.append((inspector, timer))
    timer.start()


def _end_if_free(inspector: Inspector) -> None:
    with _lock:
        if any(other is inspector for other, _ in _free):
            inspector.end()


def end_all() -> None:
    """End every inspector of this process."""
    for inspector in _all:
        inspector.end()
