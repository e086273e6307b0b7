"""Runs a library's counter in a process of its own: what it leaves behind ends with the process."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnninspect.errors import error_text
from cnninspect.inspection.run import refuse_without_room
from cnninspect.measure.libraries import Printed, printed
from cnninspect.targets.inputs import InputOptions, choices
from cnninspect.targets.resolve import resolve
from cnninspect.targets.torchvision_ops import tolerate_missing_operators

LIMIT = 600
"""Seconds that a library may take for one model."""

_START = (
    "import json, sys; request = json.load(sys.stdin); sys.path[:] = request['path']; "
    "from cnninspect.inspection.other_process import answer; answer(request)"
)


@dataclass(frozen=True)
class Request:
    """The model to count, as the command line names it, and the inputs of the run as texts."""

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    inputs_from: str | None = None
    dtype: str | None = None


class LibraryFailedError(Exception):
    """A library that printed no number, with the reason."""


def ask(library: str, request: Request, seconds: float = LIMIT) -> Printed:
    """What the library prints; LibraryFailedError if it raises, or is not done in time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        path = [os.path.abspath(place) for place in sys.path]
        sent = json.dumps({**asdict(request), "library": library, "path": path, "answer": str(file)})
        try:
            done = subprocess.run(
                [sys.executable, "-c", _START], input=sent, text=True, timeout=seconds, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LibraryFailedError(f"it was not done after {seconds:g} seconds") from None
        if not file.is_file():
            raise LibraryFailedError(f"its process ended with the code {done.returncode}")
        found = json.loads(file.read_text(encoding="utf-8"))
    if "error" in found:
        raise LibraryFailedError(found["error"])
    return {name: int(number) for name, number in found.items()}


def answer(request: Mapping[str, Any]) -> None:
    """In the process: build the model on the CPU, count, and write the numbers or the error as JSON."""
    logging.disable(logging.WARNING)
    tolerate_missing_operators()  # ptflops and calflops import torchvision where it is installed
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            target = resolve(request["target"], request["arguments"])
            refuse_without_room(target, request["dtype"], "Other libraries count with real weights")
            model = target.build("cpu", request["dtype"])
            options = InputOptions.of(None, request["inputs"], request["inputs_from"])
            made = choices(target, model, options)[0].make(target, model, "cpu", request["dtype"])
            found: Mapping[str, Any] = printed(request["library"], model, made.args, made.kwargs)
    except (Exception, SystemExit) as error:
        found = {"error": error_text(error)}
    Path(request["answer"]).write_text(json.dumps(found), encoding="utf-8")
