"""Resolves a TARGET."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnninspect.errors import LoadError, MissingPackage, NoSuchTarget, UsageError, error_text
from cnninspect.targets.arguments import prepared
from cnninspect.targets.checkpoint import in_folder
from cnninspect.targets.grammar import (
    Archive,
    Folder,
    FromFile,
    FromModule,
    Method,
    Named,
    first_class,
    holds_weights,
    how_to_save,
    parse_target,
)
from cnninspect.targets.loading import errors_as, find
from cnninspect.targets.members import source_of_member
from cnninspect.targets.names import no_such_model
from cnninspect.targets.providers import Provider, bare_name_providers, providers
from cnninspect.targets.providers.folders import provider_of, settings_in
from cnninspect.targets.providers.package import check_foreign, no_weights
from cnninspect.targets.signatures import check_arguments, check_complete
from cnninspect.targets.target import ArchiveSource, Provided, Target, plain, source_of


def resolve(target: Any, arguments: Mapping[str, Any] | None = None, method: Method | None = None) -> Target:
    """The Target for a text or an object, of which `method` is run in the place of the forward; nothing is built yet.

    Raises UsageError for a target that cannot be parsed or found, LoadError for a module that fails to import.
    """
    found = _resolved(target, arguments)
    return found if method is None else replace(found, method=method)


def _resolved(target: Any, arguments: Mapping[str, Any] | None) -> Target:
    arguments = dict(arguments or {})
    if isinstance(target, os.PathLike):
        target = os.fspath(target)
    if not isinstance(target, str):
        name = getattr(target, "__name__", type(target).__name__)
        source = source_of(target, name, arguments)
        return Target(name, "object", name, plain(arguments), source, origin=_defined(target))
    reference = parse_target(target, providers())
    if isinstance(reference, Named):
        return _named(target, reference, arguments)
    if isinstance(reference, Folder):
        return _in_folder(target, reference.path, arguments)
    if isinstance(reference, Archive):
        return _archive(target, reference, arguments)
    found, around = find(reference)
    provider = "file" if isinstance(reference, FromFile) else "module"
    if target.strip().startswith("hub:"):
        check_foreign(arguments)
        arguments = {**arguments, **no_weights(found)}
    # A lazily imported object may fail at the first access to an attribute.
    with errors_as(lambda error: LoadError(f"{target} cannot be used: {error_text(error)}.")):
        if reference.member is None:
            source, name = source_of(found, target, arguments, around), reference.attr
        else:
            source = source_of_member(found, reference.member, target, arguments, around)
            name = f"{reference.attr}[{reference.member}]"
        origin = _defined(found) or _named_in(reference)
    return Target(target, provider, name, plain(arguments), source, origin=origin)


def _defined(thing: Any) -> tuple[str, str] | None:
    """The file that defines a function and its name there; None for anything else."""
    code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) else None
    return None if code is None else (code.co_filename, code.co_name)


def _named_in(reference: FromFile | FromModule) -> tuple[str, str] | None:
    """The file that the user named and the name there."""
    if isinstance(reference, FromFile):
        return str(reference.path), reference.attr
    file = getattr(sys.modules.get(reference.module), "__file__", None)
    return None if file is None else (file, reference.attr)


def _named(spec: str, reference: Named, arguments: Mapping[str, Any]) -> Target:
    try:
        provider = _first_with(reference.name, _candidates(reference))
    except UsageError:
        if reference.provider is None and os.path.isdir(reference.name):
            return _in_folder(spec, Path(reference.name), arguments)
        raise
    provider.check(arguments)
    factory = provider.factory(reference.name)
    check_arguments(factory, spec, arguments)
    check_complete(factory, spec, {key.partition(".")[0]: None for key in arguments})
    source = Provided(provider, reference.name, prepared(factory, spec, arguments))
    return Target(spec, provider.name, reference.name, plain(arguments), source)


def _in_folder(spec: str, folder: Path, arguments: Mapping[str, Any]) -> Target:
    """The network in a folder; UsageError for a folder without a configuration."""
    found = provider_of(folder)
    if found is None:
        if in_folder(spec, folder) is not None:
            raise UsageError(holds_weights(str(folder), os.path.join(folder, "")))
        raise UsageError(
            f"{str(folder)!r} is a folder without a config.json. "
            f"Name a file in it, and what the file defines: {_example_in(folder)}."
        )
    if found == "timm":
        settings = settings_in(folder)
        written = {key: settings[key] for key in ("num_classes",) if key in settings} | settings.get("model_args", {})
        return _named(spec, Named(str(settings["architecture"]), found), {**written, **arguments})
    return _named(spec, Named(os.fspath(folder), found), arguments)


def _candidates(reference: Named) -> Sequence[Provider]:
    """The providers to ask, in order."""
    if reference.provider is not None:
        return [providers()[reference.provider]]
    return [provider for provider in bare_name_providers() if provider.fits(reference.name)]


def _first_with(name: str, candidates: Sequence[Provider]) -> Provider:
    """The first provider that has the name; UsageError with the nearest names if none has."""
    missing: MissingPackage | None = None
    for provider in candidates:
        try:
            if provider.has(name):
                return provider
        except MissingPackage as error:
            missing = error
    if missing is not None and len(candidates) == 1:
        raise missing
    known = [f"{provider.name}:{each}" for provider in candidates for each in _names(provider)]
    raise UsageError(no_such_model(name, known, missing))


def _example_in(folder: Path) -> str:
    """`folder/nets.py:Net` for the first file of the folder that defines a class, else a name that shows the form."""
    found = filter(None, map(first_class, sorted(folder.glob("*.py"))))
    return next(found, f"{folder / 'file.py'}:attr")


def _names(provider: Provider) -> list[str]:
    try:
        return list(provider.names())
    except MissingPackage:
        return []


def _archive(spec: str, reference: Archive, arguments: Mapping[str, Any]) -> Target:
    if arguments:
        raise UsageError(f"{spec} is a model that is built already and takes no --arg.")
    if not reference.path.is_file():
        raise NoSuchTarget(f"there is no file {spec!r}. {how_to_save(reference.path)}")
    return Target(spec, "archive", reference.path.stem, arguments, ArchiveSource(reference.path))
