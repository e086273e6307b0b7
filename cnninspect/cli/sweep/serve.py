"""A process that inspects models for `sweep`, from inside: one request after another, each a line of JSON."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from cnninspect.cli.options import RunOptions
from cnninspect.cli.reports import inspected
from cnninspect.cli.session import Session, explained
from cnninspect.cli.sweep.plan import forget_code, provider_of, versions_text
from cnninspect.errors import LoadError
from cnninspect.report.swept import swept
from cnninspect.targets.grammar import parse_arguments

Data = Mapping[str, Any]

_SETTLED = 10
"""Answers after which the packages of the models are imported."""

_MOST_GROWTH = 1.15
"""The largest size of the process, as a multiple of its size then."""

_COLLECT_AFTER = 5.0
"""Seconds after which garbage is collected between two models: it takes as long as inspecting a small one."""


def serve() -> None:
    """Answer the requests on stdin until it is closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a model prints is no answer
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=[requests], daemon=True).start()
    import cnninspect.inspection.pipeline  # noqa: F401

    found: Data = {"ready": True}
    collected, growth = monotonic(), _Growth()
    while True:
        is_last = growth.is_too_large()
        answers.write(f"{json.dumps({**found, 'last': is_last})}\n")
        answers.flush()
        if is_last:
            return
        request = json.loads(requests.get())
        try:
            os.chdir(request["folder"])
            found = _named(request) if "word" in request else _inspected(request)
        except Exception as error:
            found = _failure(error)
        if monotonic() - collected > _COLLECT_AFTER:
            gc.collect()
            collected = monotonic()


class _Growth:
    """Says when this process has grown: caches and gaps between objects add up over a thousand models."""

    def __init__(self) -> None:
        self._answers = 0
        self._settled = 0

    def is_too_large(self) -> bool:
        """Whether the process should be replaced by a new one; False where its memory cannot be read."""
        self._answers += 1
        resident = _resident()
        if self._answers == _SETTLED:
            self._settled = resident
        if not 0 < self._settled * _MOST_GROWTH < resident:
            return False
        gc.collect()
        return self._settled * _MOST_GROWTH < _resident()


def _resident() -> int:
    """Bytes of memory that the process has; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _receive(requests: queue.SimpleQueue[str]) -> None:
    """Put every request into the queue; end this process, also in the middle of a model, when there can be no more."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _failure(error: Exception) -> dict[str, Any]:
    message, code = explained(error)
    return {"error": message, "code": code}


def _inspected(request: Data) -> dict[str, Any]:
    """The row of a target as `summary` has it, or the error."""
    run, began = RunOptions(**request["run"]), monotonic()
    forget_code()
    about = {"options": request["options"], "versions": versions_text(request["target"], request["provider"], run)}
    try:
        report = inspected(request["target"], run, Session(quiet=True), "summary")
    except Exception as error:
        return {**_failure(error), "seconds": round(monotonic() - began, 3), **about}
    return {"row": {**swept(report, monotonic() - began).to_dict(), **about}}


def _named(request: Data) -> dict[str, Any]:
    """The targets that a word stands for, each with its provider; a name that does not exist raises UsageError."""
    from cnninspect.inspection.run import checked_device
    from cnninspect.targets.members import targets_of
    from cnninspect.targets.resolve import resolve

    word, arguments, notes = request["word"], parse_arguments(request["arg"]), list[str]()
    if request["device"] != "auto":
        checked_device(request["device"])
    targets = targets_of(word, arguments, notes.append)
    provider = None
    if targets == [word]:
        with contextlib.suppress(LoadError):
            provider = resolve(word, arguments).provider
    return {"targets": [(target, provider or provider_of(target)) for target in targets], "notes": notes}
