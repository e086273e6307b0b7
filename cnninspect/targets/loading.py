"""Load an attribute of a Python module or file, leaving the import system as it was."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.nearest import nearest


@contextlib.contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Let the folders and the working directory be imported from; forget afterwards what came from them.

    Two targets whose folders both hold a `blocks.py` each get their own.
    """
    before, modules = list(sys.path), set(sys.modules)
    added = [str(folder.resolve()) for folder in (*folders, Path.cwd())]
    sys.path[:0] = dict.fromkeys(added)
    importlib.invalidate_caches()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:] = before
        _forget(set(sys.modules) - modules, set(added) - set(before))


def load_file(path: Path) -> ModuleType:
    """The module that the file defines, under a name no other module has; UsageError or LoadError."""
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}{_similar_file(path)}.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{digest}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by name, also after loading.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise LoadError(f"{path} cannot be loaded: {_reason(error, str(path))}") from error
    return module


def load_module(name: str) -> ModuleType:
    """The imported module `name`; UsageError if there is none, LoadError if it fails."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(_no_module(name)) from None
        raise LoadError(f"the module {name} cannot be imported: {_reason(error)}") from error
    except (Exception, SystemExit) as error:
        raise LoadError(f"the module {name} cannot be imported: {_reason(error)}") from error


def attribute(module: ModuleType, path: str, where: str) -> Any:
    """The attribute `path`, possibly dotted, of the module; UsageError with the nearest names there are."""
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            near = nearest(name, [other for other in vars(found) if not other.startswith("_")])
            raise UsageError(f"{where} has no {name!r}. {_suggestion(near, found)}")
        found = getattr(found, name)
    return found


def _suggestion(near: list[str], holder: Any) -> str:
    if near:
        return f"Nearest: {', '.join(near)}."
    own = [name for name, value in vars(holder).items() if callable(value) and not name.startswith("_")]
    return f"It has {', '.join(own[:8])}." if own else "It has nothing that could be a model."


def _reason(error: BaseException, path: str | None = None) -> str:
    """What went wrong, with the line of the user's file if there is one, and the next step if there is a known one."""
    if isinstance(error, SystemExit):
        return "it calls sys.exit() while it is imported. Guard the script part with `if __name__ == '__main__':`."
    text = str(error).split("\n")[0].rstrip(".")
    if isinstance(error, SyntaxError):
        return f"line {error.lineno} is not Python ({error.msg})."
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if path and frame.filename == path]
    where = f"line {lines[-1]}: " if lines else ""
    hint = " Name it as package.module:attr." if "relative import" in text else ""
    return f"{where}{type(error).__name__}: {text}.{hint}"


def _no_module(name: str) -> str:
    path = Path(name)
    if path.is_file():
        return f"{name!r} is not a Python file. A target from a file is file.py:attr."
    top = name.split(".")[0]
    if "." not in name:
        return f"no provider or module is called {name!r}. `cnninspect models` lists the providers."
    return f"there is no module {name!r} (looked in the working directory and where {top!r} would be installed)."


def _similar_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return ""
    near = nearest(path.name, sorted(entry for entry in os.listdir(folder) if entry.endswith(".py")), 1)
    return f". Did you mean {str(folder / near[0])!r}" if near else ""


def _forget(names: set[str], folders: set[str]) -> None:
    """Drop the modules that were found directly in one of the folders, and their submodules."""
    for name in [name for name in names if _home(name.split(".")[0]) in folders]:
        del sys.modules[name]


def _home(name: str) -> str | None:
    """The folder that had to be on the path for the top-level module to be found by its name."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        return None
    origin = next(iter(spec.submodule_search_locations or ()), spec.origin)
    found = Path(origin or "").resolve()
    return str(found.parent) if found.stem == name else None
