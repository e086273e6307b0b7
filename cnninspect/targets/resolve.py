"""Find what a TARGET refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cnninspect.errors import MissingPackage, UsageError
from cnninspect.targets import loading
from cnninspect.targets.archive import ArchiveSource
from cnninspect.targets.grammar import Archive, FromFile, FromModule, Named, parse_target
from cnninspect.targets.nearest import nearest
from cnninspect.targets.providers import Provider, bare_name_providers, providers
from cnninspect.targets.signatures import check_arguments
from cnninspect.targets.sources import Provided, source_of
from cnninspect.targets.target import Target


def resolve(target: Any, arguments: Mapping[str, Any] | None = None) -> Target:
    """The Target that a specification or object stands for; nothing is built yet.

    Raises UsageError for what cannot be understood or found, LoadError for a module that fails to import.
    """
    arguments = dict(arguments or {})
    if not isinstance(target, str):
        name = getattr(target, "__name__", type(target).__name__)
        return Target(name, "object", name, arguments, source_of(target, name, arguments))
    reference = parse_target(target, providers())
    if isinstance(reference, Named):
        return _named(target, reference, arguments)
    if isinstance(reference, FromFile):
        return _from_file(target, reference, arguments)
    if isinstance(reference, FromModule):
        return _from_module(target, reference, arguments)
    return _archive(target, reference, arguments)


def _named(spec: str, reference: Named, arguments: Mapping[str, Any]) -> Target:
    candidates = (
        bare_name_providers() if reference.provider is None else {reference.provider: providers()[reference.provider]}
    )
    provider = _first_with(reference.name, candidates)
    check_arguments(provider.factory(reference.name), spec, arguments)
    return Target(spec, provider.name, reference.name, arguments, Provided(provider, reference.name, arguments))


def _first_with(name: str, candidates: Mapping[str, Provider]) -> Provider:
    """The first provider that has the name; UsageError with the nearest names, MissingPackage if one had to be asked."""
    missing: MissingPackage | None = None
    for provider in candidates.values():
        try:
            if provider.has(name):
                return provider
        except MissingPackage as error:
            missing = error
    if missing is not None and len(candidates) == 1:
        raise missing
    raise UsageError(_unknown(name, candidates, missing))


def _unknown(name: str, candidates: Mapping[str, Provider], missing: MissingPackage | None) -> str:
    names = [f"{provider.name}:{known}" for provider in candidates.values() for known in _names(provider)]
    near = nearest(name, names)
    hints = [f"Nearest: {', '.join(near)}."] if near else []
    if missing is not None:
        hints.append(str(missing))
    if "." in name and not near:
        module, _, attr = name.rpartition(".")
        hints.append(f"A model from a module is {module}:{attr}.")
    start = re.match(r"[A-Za-z]*", name)
    hints.append(f"`cnninspect models{' ' + start[0] if start and start[0] and near else ''}` lists more.")
    return f"no model is called {name!r}. {' '.join(hints)}"


def _names(provider: Provider) -> list[str]:
    try:
        return list(provider.names())
    except MissingPackage:
        return []


def _from_file(spec: str, reference: FromFile, arguments: Mapping[str, Any]) -> Target:
    around = partial(loading.importable, reference.path.parent)
    with around():
        module = loading.load_file(reference.path)
        found = loading.attribute(module, reference.attr, str(reference.path))
    source = source_of(found, spec, arguments, around)
    return Target(spec, "file", reference.attr, arguments, source)


def _from_module(spec: str, reference: FromModule, arguments: Mapping[str, Any]) -> Target:
    with loading.importable():
        module = loading.load_module(reference.module)
        found = loading.attribute(module, reference.attr, reference.module)
    return Target(spec, "module", reference.attr, arguments, source_of(found, spec, arguments, loading.importable))


def _archive(spec: str, reference: Archive, arguments: Mapping[str, Any]) -> Target:
    if arguments:
        raise UsageError(f"{spec} is a model that is built already and takes no --arg.")
    if not reference.path.is_file():
        raise UsageError(f"there is no file {spec!r}.")
    return Target(spec, "archive", Path(spec).stem, arguments, ArchiveSource(reference.path))
