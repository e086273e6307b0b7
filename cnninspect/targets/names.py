"""Lists of model names: those that match a pattern, and the nearest to a name that does not exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from cnninspect.errors import UsageError, nearest
from cnninspect.targets.grammar import defined_in, first_class


def built_in() -> list[str]:
    """The names of the zoo, as `zoo:name`."""
    from cnninspect.zoo import ENTRIES

    return [f"zoo:{name}" for name in ENTRIES]


def matching(names: Sequence[str], pattern: str) -> list[str]:
    """The names, written as `provider:name`, that match; UsageError, with the nearest names, if none does."""
    found = [name for name in names if _matches(name, pattern)]
    if found:
        return found
    near = ", ".join(nearest(pattern, names))
    hint = f"Nearest: {near}." if near else "`cnninspect models` lists all names."
    raise UsageError(f"no model matches {pattern!r}. {hint}")


def _matches(name: str, pattern: str) -> bool:
    """Whether the pattern is part of the name, or matches all of it or of what follows the provider."""
    if any(letter in pattern for letter in "*?["):
        return fnmatchcase(name, pattern) or fnmatchcase(name.partition(":")[2], pattern)
    return pattern.lower() in name.lower()


def no_such_model(name: str, known: Sequence[str], missing: object = None) -> str:
    """`no model is called ...`, the nearest of the names that are known, and where to see more.

    `missing` is the error of a provider that could not be asked.
    """
    if mine := in_a_file(name):
        return f"no model is called {name!r}; a file here defines one. Write {mine}."
    near = nearest(name, known)
    sentences = [f"no model is called {name!r}."]
    if near:
        sentences.append(f"Nearest: {', '.join(near)}.")
    elif "." in name:
        sentences.append("A model from a module is {}:{}.".format(*name.rsplit(".", 1)))
    if missing is not None:
        sentences.append(str(missing))
    # Of the nearest name, which exists: the misspelt one would list nothing.
    family = re.match(r"[a-zA-Z]*", near[0].rpartition(":")[2]) if near else None
    pattern = f" {family[0]}" if family and family[0] else ""
    return " ".join([*sentences, f"`cnninspect models{pattern}` lists {'more' if near else 'them'}."])


def in_a_file(name: str) -> str | None:
    """`nets.py:Net` for `nets` and for `nets.Net`, where a file nets.py in the working directory defines it."""
    stem, _, attr = name.rpartition(".")
    module = Path(*stem.split("."))
    file = module.with_name(f"{module.name}.py") if stem else None
    if file is not None and attr in defined_in(file):
        in_package = (file.parent / "__init__.py").is_file()
        return f"{stem}:{attr}" if in_package else f"{file}:{attr}"
    return first_class(Path(f"{name}.py"))
