"""Imports the plug-ins: modules of other packages, entry points in the group `cnninspect.plugins`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from cnninspect.errors import error_text

GROUP = "cnninspect.plugins"


@cache
def load() -> tuple[str, ...]:
    """Imports every plug-in once, and returns a note for each that cannot be imported."""
    from importlib.metadata import entry_points

    return tuple(note for point in entry_points(group=GROUP) if (note := _failure(point.name, point.value, point.load)))


def _failure(name: str, value: str, load: Callable[[], object]) -> str | None:
    try:
        load()
    except Exception as error:
        return (
            f"the plug-in {name!r} ({value}) cannot be imported: {error_text(error)}. "
            "Its registrations are missing; repair or remove its package."
        )
    return None
