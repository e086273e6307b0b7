"""The user's own files, and which of their lines is running."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType

import torch

_INSTALLED = {"site-packages", "dist-packages"}
_BETWEEN = (Path(torch.__file__).resolve().parent, Path(__file__).resolve().parent)
"""Code that stands between the model and what it calls, wherever it lies."""


class OwnFiles:
    """Tells files below the working directory from everything else; installed packages are not the user's own."""

    def __init__(self) -> None:
        try:
            self._folder: Path | None = Path.cwd().resolve()
        except FileNotFoundError:
            self._folder = None
        self._names: dict[str, str | None] = {}

    def name(self, file: str) -> str | None:
        """The file relative to the working directory, with slashes; None if it is not the user's own."""
        if file not in self._names:
            self._names[file] = self._relative(file)
        return self._names[file]

    def running_line(self, outermost: CodeType) -> str | None:
        """`nets.py:41`: the innermost own line among the frames inside `outermost`; None if there is none."""
        frame = sys._getframe(1)
        while frame.f_code is not outermost and frame.f_back is not None:
            name = self.name(frame.f_code.co_filename)
            if name is not None:
                return f"{name}:{frame.f_lineno}"
            frame = frame.f_back
        return None

    def _relative(self, file: str) -> str | None:
        if self._folder is None or file.startswith("<"):
            return None
        path = (self._folder / file).resolve()
        if not path.is_relative_to(self._folder) or any(path.is_relative_to(folder) for folder in _BETWEEN):
            return None
        below = path.relative_to(self._folder)
        return None if _INSTALLED & set(below.parts) else below.as_posix()
