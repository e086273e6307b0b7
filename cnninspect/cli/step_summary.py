"""The summary of a step on GitHub: Markdown that its job page shows."""

from __future__ import annotations

import os
from pathlib import Path

from cnninspect.errors import OutputError
from cnninspect.files import cause_of

ROOM = 2**20
"""Bytes that GitHub shows of one step; it shows nothing of a summary that is longer."""

_CUT = "\n\nCut here, at the size that GitHub shows. `--format json` has everything.\n"


def append_step_summary(markdown: str) -> None:
    """Append to the file that GITHUB_STEP_SUMMARY names, if it names one; raises OutputError."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    file = Path(name)
    try:
        room = ROOM - (file.stat().st_size if file.exists() else 0)
        with file.open("ab") as summary:
            summary.write(_fitting(f"{markdown}\n", room))
    except OSError as error:
        raise OutputError(f"cannot write {name}, which GITHUB_STEP_SUMMARY names: {cause_of(error)}.") from error


def _fitting(text: str, room: int) -> bytes:
    """As many whole lines as there is room for, and a word on what is missing."""
    whole = text.encode()
    if len(whole) <= room:
        return whole
    cut = whole[: max(0, room - len(_CUT))]
    return cut[: cut.rfind(b"\n")] + _CUT.encode() if b"\n" in cut else b""
