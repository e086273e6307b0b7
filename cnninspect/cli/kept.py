"""Reports and lists of names that are kept between runs, and the command `cache`.

A report on a model of a catalogue is the same each time for the same versions and options, so the second one is read
from the cache, without torch. A user's own files and modules, models of plug-ins and anything measured on a device are
never kept.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.files import MOST_KEPT, cache_entries, cache_folder, cause_of, clear_cache, keep, kept
from cnninspect.plugins import GROUP
from cnninspect.report.document import Report
from cnninspect.report.json_form import SCHEMA_VERSION
from cnninspect.report.json_rows import frozen
from cnninspect.report.rows import ReceptiveField
from cnninspect.targets.grammar import OPTIONAL, FromFile, FromModule, Named, parse_argument, parse_target
from cnninspect.targets.names import matching, no_such_model
from cnninspect.version import __version__

CATALOGUES = ("zoo", "torchvision", "timm")
"""Providers whose models change only with the version of a package."""

_KEPT_ACCOUNTS = (
    "by", "top", "elementwise", "backward", "input_grad", "memory", "optimizer", "repeats", "warmup", "peak_flops",
    "bandwidth",
)  # fmt: skip
"""Options of `flops` that need nothing but the run on meta."""

_PACKAGES = {**{name: name for name in ("torch", "torchvision", "timm", "fvcore", "numpy")}, **dict(OPTIONAL.values())}
"""The name that is imported -> the name that pip installs."""


def kept_report(key: Any, session: Session, inspect: Callable[[], Report]) -> Report:
    """The report that was kept under the key with its notes, else that of `inspect`, which is then kept if it may be.

    It is kept only if what is read back is equal to it, so that every format writes the same bytes.
    """
    if key is None or not session.cached:
        return inspect()
    found = kept(key)
    if found is not None:
        session.add_notes(found["notes"])
        return Report.from_dict(found["report"])
    report, notes = session.with_notes_of(inspect)
    if _is_of_catalogue(report):
        data = json.loads(json.dumps(report.to_dict()))
        again = Report.from_dict(data)
        if again == _as_read(report) and again.to_dict() == report.to_dict():
            keep(key, {"notes": notes, "report": data})
    return report


def _as_read(report: Report) -> Report:
    """The report with its ranges of sizes as tuples, as they are read from JSON."""

    def read(field: Any) -> Any:
        return replace(field, size=frozen(field.size)) if isinstance(field, ReceptiveField) else field

    rows = tuple(replace(row, receptive_field=read(row.receptive_field)) for row in report.rows)
    return replace(report, rows=rows, totals={name: read(number) for name, number in report.totals.items()})


def report_key(
    target: str, plugins: Sequence[str], options: Mapping[str, Any], command: str, accounts: Mapping[str, Any]
) -> Any:
    """All that a report depends on, as plain data; None if it must not be kept.

    `plugins` are the names of further providers, `options` those of the run that are not left out, `accounts` those of
    the accounts that are added.
    """
    given = {name: value for name, value in options.items() if value and (name, value) != ("device", "auto")}
    reference = parse_target(target, plugins)
    known = all(name in _KEPT_ACCOUNTS for name, value in accounts.items() if value)
    own_code = "inputs_from" in given or "call" in given or any(map(_names_code, given.get("arg", ())))
    on_meta = given.get("device", "meta") == "meta" and "probe" not in given and known
    if not isinstance(reference, Named) or reference.provider not in (None, *CATALOGUES) or own_code or not on_meta:
        return None
    versions = versions_key()
    return None if versions is None else ["report", command, target, given, dict(accounts), versions]


def _names_code(argument: str) -> bool:
    return isinstance(parse_argument(argument)[1], FromModule | FromFile)


def _is_of_catalogue(report: Report) -> bool:
    """Whether the model is in a catalogue and was run on meta: on a device, limits of time and memory decide."""
    return report.target["provider"] in CATALOGUES and report.run["device"] == "meta"


def versions_key() -> Any:
    """The versions of everything that makes a report; None if plug-ins add to it or a package is edited in place."""
    if entry_points(group=GROUP):
        return None
    packages = {name: _installed(name) for name in _PACKAGES}
    return None if "edited" in packages.values() else [__version__, _own_code(), sys.version, packages]


def _installed(name: str) -> str | None:
    """Version, place and time of an installed package; `edited` if another copy is imported, None without one."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    try:
        found = distribution(_PACKAGES[name])
        place = Path(str(found.locate_file(f"{name}/__init__.py")))
        same = place.samefile(spec.origin)
    except (OSError, PackageNotFoundError):
        return "edited"
    return f"{found.version} {place} {place.stat().st_mtime_ns}" if same else "edited"


def _own_code() -> str:
    """A digest of the sizes and times of cnninspect's own files, which a developer changes without a new version."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return sha256(repr([(str(file), (s := file.stat()).st_size, s.st_mtime_ns) for file in files]).encode()).hexdigest()


# -- names -----------------------------------------------------------------------------------------------------------


def model_names(pattern: str, session: Session) -> list[str]:
    """The names that match, as `provider:name`; the list of all is kept if all providers could be asked."""
    names = kept_names() if session.cached and not _is_of_another(pattern) else None
    if names is None:
        from cnninspect.targets.providers import all_names

        failures: list[str] = []
        names = all_names(pattern, failures.append)
        for failure in failures:
            session.note(failure)
        if session.cached and not failures and (key := _names_key()) is not None:
            keep(key, names)
    return matching(names, pattern)


def kept_names() -> list[str] | None:
    """The names of all providers if they were listed before; plug-ins may change theirs, and are asked each time."""
    key = _names_key()
    found: list[str] | None = None if key is None else kept(key)
    return found


def refuse_unknown(target: str, plugins: Sequence[str], session: Session) -> None:
    """Raises UsageError, with the nearest names, for a name that no catalogue has; needs a kept list, not torch.

    Names that a provider may know without listing them (tags, classes, quantized models) are left to the providers.
    """
    reference = parse_target(target, plugins)
    if not isinstance(reference, Named) or not session.cached or not _PLAIN_NAME.fullmatch(reference.name):
        return
    name, asked = reference.name, CATALOGUES if reference.provider is None else (reference.provider,)
    if not set(asked) <= set(CATALOGUES) or name.startswith("quantized_") or Path(name).is_dir():
        return
    known = [each for each in kept_names() or () if each.partition(":")[0] in asked]
    if {each.partition(":")[0] for each in known} == set(asked) and not {f"{each}:{name}" for each in asked} & {*known}:
        raise UsageError(no_such_model(name, known))


_PLAIN_NAME = re.compile("[a-z0-9_-]+")


def _names_key() -> Any:
    versions = versions_key()
    return None if versions is None or entry_points(group="cnninspect.models") else ["names", versions]


def _is_of_another(pattern: str) -> bool:
    """Whether a pattern names a provider whose package may be missing, which has to be said."""
    left, colon, _ = pattern.partition(":")
    return bool(colon) and left not in CATALOGUES


# -- the command -----------------------------------------------------------------------------------------------------

ACTIONS = ("info", "clear")


def cache_report(action: str, form: str) -> str:
    """What `cache info` or `cache clear` prints, as text or JSON."""
    if action not in ACTIONS:
        raise UsageError(f"cache has no action {action!r}. Write `cnninspect cache info` or `cnninspect cache clear`.")
    folder, entries = cache_folder(), cache_entries()
    size = sum(about.st_size for _, about in entries)
    removed = clear_cache() if action == "clear" else 0
    if form == "json":
        shown = {"folder": None if folder is None else str(folder), "entries": len(entries) - removed}
        sizes = {"bytes": 0 if removed else size, "limit": MOST_KEPT, "removed": removed}
        document = {"schema_version": SCHEMA_VERSION, "command": "cache", **shown, **sizes}
        return json.dumps(document, indent=2) + "\n"
    if folder is None:
        return "Nothing is kept: CNNINSPECT_CACHE_DIR is empty.\n"
    number = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}, {size / 2**20:.1f} MiB"
    if action == "clear":
        return f"removed {number} from {folder}\n"
    return f"{folder}: {number} of at most {MOST_KEPT // 2**20} MiB{_state(folder)}\n"


def _state(folder: Path) -> str:
    """Why nothing can be kept there; empty if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"; it cannot be written ({cause_of(error)}), so nothing new is kept"
    return ""
