"""Fixtures: a folder for the user's files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a dedented file below the test's folder and returns its path."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture(autouse=True)
def import_system_is_restored() -> Iterator[None]:
    """No test of this folder may leave sys.path changed."""
    before = list(sys.path)
    yield
    assert sys.path == before
