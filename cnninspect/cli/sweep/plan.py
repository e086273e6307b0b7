"""What a sweep is to do: its targets, and the options and versions that say whether a row is still true."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from cnninspect.cli.options import RunOptions
from cnninspect.cli.reports import plugin_names
from cnninspect.cli.session import Progress, Session
from cnninspect.cli.sweep.process import answer_to
from cnninspect.errors import UsageError
from cnninspect.targets.grammar import (
    Archive,
    Folder,
    FromFile,
    FromModule,
    Named,
    parameter_dtype,
    parse_arguments,
    parse_inputs,
    parse_target,
)
from cnninspect.version import __version__

_UNDER_ALL = ("torch", "fvcore")
"""Packages that every number depends on."""

_MOST_FILES = 2_000
"""Files of code that are read to see whether a model of the user's has changed."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """A target, its provider, and what its row depends on: options as they are typed, and versions."""

    target: str
    provider: str | None
    options: str
    versions: str


def planned(words: Sequence[str], run: RunOptions, session: Session, seconds: float) -> list[Planned]:
    """The targets that the words stand for, each once, in their order; raises UsageError for an unknown name."""
    parse_inputs(run.input)
    parse_arguments(run.arg)
    if run.dtype is not None:
        parameter_dtype(run.dtype)
    found: dict[str, str | None] = {}
    forget_code()
    with Progress(shown=not session.quiet) as progress:
        progress("looking for the models")
        for word in dict.fromkeys(words):
            request = {"word": word, "arg": run.arg, "device": run.device, "folder": os.getcwd()}
            found |= dict(_named(word, answer_to(request, seconds, session.debug), session))
    options = options_text(run)
    return [
        Planned(target, provider, options, versions_text(target, provider, run)) for target, provider in found.items()
    ]


def _named(word: str, answer: Mapping[str, Any], session: Session) -> list[tuple[str, str | None]]:
    """Every target of a word with its provider; a word that cannot be looked into stands for itself."""
    for note in answer.get("notes", ()):
        session.note(note)
    if "targets" in answer:
        return [(target, provider) for target, provider in answer["targets"]]
    if answer.get("code") == UsageError.exit_code:
        raise UsageError(answer["error"])
    return [(word, provider_of(word))]


def provider_of(target: str) -> str | None:
    """The provider of a target by its form; None for a name without one."""
    reference = parse_target(target, plugin_names())
    if isinstance(reference, Named):
        return reference.provider
    return {FromFile: "file", FromModule: "module", Archive: "archive"}.get(type(reference))


_USUAL = RunOptions()


def options_text(run: RunOptions) -> str:
    """The options of the run that are not the default, as they are typed: `--batch-size 8 --train`."""
    words: list[str] = []
    for each in dataclasses.fields(run):
        value, option = getattr(run, each.name), f"--{each.name.replace('_', '-')}"
        if value == getattr(_USUAL, each.name):
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            words += [word for item in (value if isinstance(value, list) else [value]) for word in (option, str(item))]
    return shlex.join(words)


def versions_text(target: str, provider: str | None, run: RunOptions) -> str:
    """The versions that a row depends on: `cnninspect 0.1.0, python 3.11.7, torch 2.13.0, fvcore 0.1.5, timm 1.0.31`.

    For the user's own code it ends in a digest of that code.
    """
    found = {"cnninspect": __version__, "python": platform.python_version()}
    packages = {name: name for name in _UNDER_ALL} | ({} if provider is None else {provider: _package(provider)})
    found |= {name: known for name, package in packages.items() if (known := _version(package)) is not None}
    own = _places(target) | (set() if run.inputs_from is None else _places(run.inputs_from))
    found |= {"code": _digest(tuple(sorted(own)))} if own else {}
    return ", ".join(f"{name} {number}" for name, number in found.items())


@cache
def _package(provider: str) -> str:
    """The package that a provider's models come from: that of a plug-in, else the one of its name."""
    added = {point.name: point.dist.name for point in entry_points(group="cnninspect.models") if point.dist is not None}
    return added.get(provider, provider)


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _places(target: str) -> set[Path]:
    """The folders and files of the user's that a target is made of; empty for the name of a model."""
    reference = parse_target(target, plugin_names())
    if isinstance(reference, (Named, Folder)):
        folder = Path(reference.name) if isinstance(reference, Named) else reference.path
        return {file.resolve() for file in folder.glob("*.json")}
    if isinstance(reference, Archive):
        return {reference.path.resolve()}
    if isinstance(reference, FromFile):
        return {reference.path.resolve().parent, Path.cwd()}
    return {Path.cwd(), *_package_of(reference)}


def _package_of(reference: FromModule) -> Iterator[Path]:
    """The folder of the module's package, or its file."""
    try:
        spec = find_spec(reference.module.partition(".")[0])
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ([spec.origin] if spec.origin else []))


def forget_code() -> None:
    """Read the user's code again for the next versions: it may have changed."""
    _digest.cache_clear()


@cache
def _digest(places: tuple[Path, ...]) -> str:
    """The first digits of a hash of all code in the places; what never comes again if it is too much to read."""
    files = list(islice(_files_of(places), _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        return f"unknown {os.urandom(6).hex()}"
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file}\0".encode())
        if file.is_file():
            total.update(file.read_bytes())
    return total.hexdigest()[:12]


def _files_of(places: Iterable[Path]) -> Iterator[Path]:
    """The files among the places, and the Python files and folders below the others.

    Hidden folders, environments and installed packages are left out.
    """
    for place in places:
        if place.is_file():
            yield place
        for here, folders, files in os.walk(place):
            folders[:] = sorted(name for name in folders if _may_hold_code(Path(here, name)))
            yield from (
                Path(here, name) for name in (*folders, *sorted(files)) if name in folders or name.endswith(".py")
            )


def _may_hold_code(folder: Path) -> bool:
    skipped = folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules", "site-packages")
    return not skipped and not (folder / "pyvenv.cfg").exists()


def request_for(planned: Planned, run: RunOptions) -> dict[str, Any]:
    """What an inspector is asked for one target."""
    return {"target": planned.target, "provider": planned.provider, "options": planned.options,
            "run": dataclasses.asdict(run), "folder": os.getcwd()}  # fmt: skip
