"""The kinds of error that a user can cause, each with its exit code.

Every message is one sentence with the cause, then the next step; for a misspelt name, the nearest names. The command
line prints it after `cnninspect: ` and exits with `exit_code`; the Python API raises it.
"""

from __future__ import annotations

import difflib
import heapq
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

_NEAR = 0.6
"""The share of letters that two names must have in common to be near."""


class CnninspectError(Exception):
    """A failure with a message for the user; `exit_code` is what the command line returns."""

    exit_code = 3

    def _render_traceback_(self) -> list[str]:
        """The error in a notebook: one line instead of a traceback. IPython calls this."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(CnninspectError):
    """An argument, option or configuration value that cannot be understood."""

    exit_code = 2


class NoSuchTarget(UsageError):
    """The file, module or attribute that a target names does not exist."""


class LoadError(CnninspectError):
    """The target exists but the model could not be loaded or constructed."""


class MissingPackage(LoadError):
    """The target comes from an optional package that is not installed."""


class DeviceError(LoadError):
    """The model exists but cannot be put on the device that was asked for."""


class RunError(CnninspectError):
    """The model was built but its forward pass failed."""


class OutputError(CnninspectError):
    """The result could not be written where the user asked for it."""

    exit_code = 2


def error_text(error: BaseException) -> str:
    """The exception as text: `TYPE: first line of its message`, without a full stop; `TYPE` without a message."""
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code!r})"
    text = message_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def printable(text: str) -> str:
    """The text with control characters escaped: a name in a file must not steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_LONG = 300
"""Of a longer line only the first sentence is shown: torch lists every backend of an op in one line."""


def message_of(error: BaseException) -> str:
    """The first line of an exception's message, or the first sentence of a long line, without a full stop."""
    try:
        text = next((line.strip(" .:") for line in str(error).splitlines() if line.strip(" .:")), "")
    except Exception:
        return ""
    return text if len(text) <= _LONG else text.partition(". ")[0]


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost place of the error in the user's files: not in an installed package, the library or cnninspect."""
    here, library = str(Path(__file__).parent), str(Path(traceback.__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        others = frame.filename.startswith(("<", here, library)) or "site-packages" in frame.filename
        if not others:
            return frame
    return None


def own_line(error: BaseException) -> str:
    """` (nets.py:12)`, the line of the user's code that failed; empty if there is none."""
    frame = own_frame(error)
    if frame is None:
        return ""
    path = Path(frame.filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f" ({shown}:{frame.lineno})"


def nearest(wrong: str, names: Iterable[str], count: int = 3) -> list[str]:
    """At most `count` of `names` that are spelt like `wrong`, best first and in the given order among equals.

    Case, separators and the provider before a colon do not count.
    """
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(_folded(wrong))

    def score(name: str) -> float:
        matcher.set_seq1(_folded(name))
        # Cheap upper bounds first: most names need no full comparison.
        if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
            return 0.0
        return matcher.ratio()

    scored = [(score(name), -position, name) for position, name in enumerate(names)]
    return [name for ratio, _, name in heapq.nlargest(count, scored) if ratio >= _NEAR]


def nearest_layers(wrong: str, names: Iterable[str], kinds: Mapping[str, str], first: Iterable[str]) -> list[str]:
    """At most three layers that a wrong name may mean, by their own names.

    Those that are spelt like it; or the first of the kind that it means by the `kinds` of the layers (`conv1`: Conv2d);
    or the `first` layers of the network.
    """
    word = wrong.rpartition(".")[2].rstrip("0123456789").rstrip("_").lower()
    alike = [name for name, kind in kinds.items() if len(word) > 1 and word in kind.lower()]
    return nearest(wrong, dict.fromkeys(filter(None, names))) or (alike or list(first))[:3]


def _folded(name: str) -> str:
    return name.rpartition(":")[2].lower().replace("_", "").replace("-", "").replace(".", "")
