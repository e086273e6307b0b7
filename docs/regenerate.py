"""Writes the screens and pictures of docs/theory and docs/gallery.md anew: python docs/regenerate.py.

A screen is a block of code that begins with a command; ` | head -N` or ` | tail -N` after the command keeps N lines of
what it prints. A picture stands below a comment with the command that draws it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

from cnninspect.cli.app import run

HERE = Path(__file__).parent
_SCREEN = re.compile(
    r"^```\n\$ cnninspect (?P<command>[^\n|]*?)(?P<cut> \| (?:head|tail) -\d+)?\n.*?^```$", re.M | re.S
)
_PICTURE = re.compile(r"^<!-- cnninspect (?P<command>[^\n]*--picture (?P<name>\S+)) -->$", re.M)
_UNSTABLE = re.compile(r" · torch \S+$|  \S+\.py:\d+$", re.M)
"""What changes with the version of torch and with lines of source files: left out of the pages."""


def pages() -> list[Path]:
    """The pages whose screens and pictures are made."""
    return [*sorted((HERE / "theory").glob("*.md")), HERE / "gallery.md"]


def regenerated(text: str) -> str:
    """A page with the screens that its commands print now; run in the root of the repository."""
    return _SCREEN.sub(_screen, text)


def _screen(found: re.Match[str]) -> str:
    lines = _UNSTABLE.sub("", printed(shlex.split(found["command"]))).strip("\n").splitlines()
    if found["cut"]:
        _, which, count = found["cut"].rsplit(maxsplit=2)
        lines = lines[: -int(count)] if which == "head" else lines[int(count) :]
    shown = "\n".join(line.rstrip() for line in lines)
    return f"```\n$ cnninspect {found['command']}{found['cut'] or ''}\n{shown}\n```"


def printed(arguments: list[str]) -> str:
    """What a command prints; raises RuntimeError if it fails."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(stream):
        code = run(arguments)
    if code not in (0, 1):
        raise RuntimeError(f"cnninspect {shlex.join(arguments)} ends with {code}")
    return bytes(stream.buffer.getvalue()).decode()  # type: ignore[attr-defined]


def pictures(text: str) -> dict[str, bytes]:
    """The pictures of a page by the names of their files, as they are drawn now."""
    drawn = {}
    with tempfile.TemporaryDirectory() as folder:
        for found in _PICTURE.finditer(text):
            file = Path(folder) / found["name"]
            printed([str(file) if each == found["name"] else each for each in shlex.split(found["command"])])
            drawn[found["name"]] = file.read_bytes()
    return drawn


def main() -> None:
    """Rewrites every page and its pictures."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(regenerated(text), encoding="utf-8")
        for name, content in pictures(text).items():
            (page.parent / name).write_bytes(content)


if __name__ == "__main__":
    os.chdir(HERE.parent)
    main()
