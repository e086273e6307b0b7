"""List the names that resolve, by provider, without building anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cnninspect.errors import LoadError
from cnninspect.targets.providers import providers


@dataclass(frozen=True)
class Listing:
    """The names by provider, in the order of lookup, and why a provider could not be asked."""

    names: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def list_models(pattern: str = "") -> Listing:
    """The names that match: `PROVIDER:PATTERN` asks one provider, a bare pattern all of them."""
    wanted, colon, rest = pattern.rpartition(":")
    names: dict[str, tuple[str, ...]] = {}
    notes: dict[str, None] = {}
    for provider in providers().values():
        if colon and provider.name != wanted:
            continue
        try:
            names[provider.name] = tuple(matching(rest, provider.names()))
        except LoadError as error:
            notes[str(error)] = None
    return Listing(names, tuple(notes))


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that contain `pattern`, or that it matches as a whole if it has wildcards; case does not count."""
    folded = pattern.lower()
    if any(wildcard in folded for wildcard in "*?["):
        return [name for name in names if fnmatchcase(name.lower(), folded)]
    return [name for name in names if folded in name.lower()]
