"""Imports the plug-ins: modules of other packages, entry points in the group `cnninspect.plugins`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from cnninspect.errors import error_text

GROUP = "cnninspect.plugins"


def imported_from(path: Path) -> ModuleType | None:
    """The plug-in whose module this file is, imported by its name; None for a file that is none.

    Under any other name the file would be run, and register everything, a second time.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if (
            point.module.rpartition(".")[2] in (path.stem, path.resolve().parent.name)
            and _file_of(point.module) == path.resolve()
        ):
            return import_module(point.module)
    return None


def _file_of(module: str) -> Path | None:
    """The file of a module; None for one that cannot be found, which `load` says."""
    try:
        spec = find_spec(module)
    except Exception:
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None


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
