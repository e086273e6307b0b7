"""Reads the JSON files of a model's folder. No other file in it is opened, and no code of it is ever run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.grammar import CONFIG, PIPELINE


def provider_of(folder: Path) -> str | None:
    """The provider of the network in a folder by the keys of its `config.json`; None for a folder without one.

    Raises UsageError for a folder that holds several networks, which it names.
    """
    if (folder / PIPELINE).is_file():
        raise UsageError(_components(folder))
    if not (folder / CONFIG).is_file():
        return None
    settings = settings_in(folder)
    return "diffusers" if "_class_name" in settings else "timm" if "architecture" in settings else "transformers"


def settings_in(folder: str | Path, file: str = CONFIG) -> dict[str, Any]:
    """The object that a JSON file of the folder holds; LoadError if it cannot be read."""
    path = Path(folder) / file
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}. Name a folder that holds it.") from error
    except ValueError as error:
        raise LoadError(f"{path} is not JSON: {error}. Mend the file.") from error
    if not isinstance(found, dict):
        raise LoadError(f"{path} holds a {type(found).__name__}, not an object with settings. Mend the file.")
    return found


def class_in(folder: str | Path, key: str, default: str | None = None) -> str:
    """The class of the network that the folder's configuration names under `key`, or the default.

    Raises UsageError if it names none, or names code of its own (`auto_map`).
    """
    settings = settings_in(folder)
    stated = settings.get(key)
    name = stated[0] if isinstance(stated, list) and stated else stated if isinstance(stated, str) else default
    own = settings.get("auto_map")
    if isinstance(own, Mapping) and any("Config" not in str(each) for each in own):
        raise UsageError(
            f"{Path(folder) / CONFIG} names code of its own (auto_map: {', '.join(map(str, own.values()))}), which is "
            "never run. Name the code yourself, as file.py:attr; or take auto_map out, if the package has the class."
        )
    if name is None:
        raise UsageError(f'{Path(folder) / CONFIG} names no class: it has no {key!r}. Add it, as "{key}": ["CLASS"].')
    return name


def _components(folder: Path) -> str:
    """The sentence that names the networks of a pipeline."""
    parts = [name for name, value in settings_in(folder, PIPELINE).items()
             if isinstance(value, list) and (folder / name / CONFIG).is_file()]  # fmt: skip
    if not parts:
        return f"{folder} is a pipeline, and no folder in it has a {CONFIG}. Name the folder of one network."
    shown = ", ".join(str(folder / name) for name in parts)
    return f"{folder} is a pipeline of {len(parts)} network{'s' if len(parts) > 1 else ''}. Name one: {shown}."
