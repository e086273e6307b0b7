"""Modules of other packages, imported for what they register: entry points in the group `cnninspect.plugins`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from cnninspect.errors import said

GROUP = "cnninspect.plugins"


@cache
def load() -> tuple[str, ...]:
    """Import every plug-in once; a note for each that cannot be imported."""
    return tuple(note for point in entry_points(group=GROUP) if (note := _failure(point.name, point.value, point.load)))


def _failure(name: str, value: str, load: Callable[[], object]) -> str | None:
    try:
        load()
    except Exception as error:
        return (
            f"the plug-in {name!r} ({value}) cannot be imported: {said(error)}. "
            "What it registers is missing; its package must be mended or removed."
        )
    return None
