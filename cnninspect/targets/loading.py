"""Loads and runs the user's code: an attribute of a Python module or file.

The import system and the random state are restored, prints go to stderr, and errors become messages.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch

from cnninspect.errors import CnninspectError, LoadError, NoSuchTarget, UsageError, error_text, nearest
from cnninspect.plugins import imported_from
from cnninspect.targets.grammar import BUILT_IN, FromFile, FromModule
from cnninspect.targets.torchvision_ops import tolerate_missing_operators

_MOST_NAMES = 12

Around = Callable[[], AbstractContextManager[None]]


def find(reference: FromFile | FromModule) -> tuple[Any, Around]:
    """(the attribute, a context in which it must be used so that its later imports work).

    Raises NoSuchTarget for a file, module or attribute that does not exist, LoadError for one that fails.
    """
    if isinstance(reference, FromFile):
        around: Around = partial(importable, reference.path.parent)
        load, where = partial(_load_file, reference.path), str(reference.path)
    else:
        around, load, where = importable, partial(_load_module, reference.module), reference.module
    with around():
        return _attribute(load(), reference.attr, where), around


@contextlib.contextmanager
def importable(folder: Path | None = None) -> Iterator[None]:
    """Makes the folder and the working directory importable; afterwards forgets modules found only in the folder.

    So two files whose folders both contain `blocks.py` each get their own.
    """
    before, modules = list(sys.path), set(sys.modules)
    own, working = str((folder or Path.cwd()).resolve()), str(Path.cwd())
    sys.path[:0] = dict.fromkeys((own, working))
    importlib.invalidate_caches()
    tolerate_missing_operators()
    try:
        with without_side_effects():
            yield
    finally:
        sys.path[:] = before
        if own not in (working, *before):
            _forget(set(sys.modules) - modules, own)


class _AsWritten(SourceFileLoader):
    """Compiles the file each time: bytecode of it counts as current for a second after it was made.

    A file that a script edits and inspects at once, with as many bytes as before, would be the old one.
    """

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """The file's code."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _load_file(path: Path) -> ModuleType:
    """The module of the file: the plug-in that it is, else one under a unique name."""
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a directory, not a file.")
    if not path.is_file():
        raise NoSuchTarget(f"there is no file {str(path)!r}.{_similar_file(path)}")
    explain = partial(_file_failed, path)
    with errors_as(explain):
        plugin = imported_from(path)
    if plugin is not None:
        return plugin
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    loader = _AsWritten(f"{path.stem}_{digest}", str(path))
    module = ModuleType(loader.name)
    module.__spec__ = ModuleSpec(loader.name, loader, origin=str(path))
    module.__file__ = str(path)
    # Dataclasses and pickles look their module up by name, also after loading.
    sys.modules[loader.name] = module
    try:
        with errors_as(explain):
            loader.exec_module(module)
    except BaseException:
        sys.modules.pop(loader.name, None)
        raise
    return module


def _file_failed(path: Path, error: BaseException) -> CnninspectError:
    return LoadError(f"{path} cannot be loaded: {_reason(error, str(path))}")


def _load_module(name: str) -> ModuleType:
    """The imported module."""
    with errors_as(lambda error: _import_failed(name, error)):
        return importlib.import_module(name)


def _import_failed(name: str, error: BaseException) -> CnninspectError:
    """NoSuchTarget for a module that does not exist, LoadError for one that fails."""
    if (
        isinstance(error, ModuleNotFoundError)
        and error.name
        and (name == error.name or name.startswith(f"{error.name}."))
    ):
        return NoSuchTarget(_no_module(name))
    return LoadError(f"the module {name} cannot be imported: {_reason(error)}")


def _attribute(module: ModuleType, path: str, where: str) -> Any:
    """The attribute `path`, possibly dotted, of the module.

    Raises NoSuchTarget, with the nearest names, for one that does not exist, and LoadError for one that fails: a
    package may import its attributes on first access.
    """
    found: Any = module
    for name in path.split("."):
        found = _member(found, name, where)
    return found


def _member(holder: Any, name: str, where: str) -> Any:
    def failed(error: BaseException) -> CnninspectError:
        # An AttributeError about another name was raised by the code that imports this one.
        if isinstance(error, AttributeError) and error.name == name:
            return NoSuchTarget(f"{where} has no {name!r}. {_suggestion(name, holder)}")
        return LoadError(f"{where} cannot provide {name!r}: {_reason(error)}")

    with errors_as(failed):
        return getattr(holder, name)


def _suggestion(wrong: str, holder: Any) -> str:
    """A sentence with the nearest names in `holder`, or all that it defines."""
    known = getattr(holder, "__dict__", {})
    public = [name for name in known if not name.startswith("_")] + list(getattr(holder, "__all__", ()))
    if near := nearest(wrong, dict.fromkeys(public)):
        return f"Nearest: {', '.join(near)}."
    home = str(getattr(holder, "__name__", ""))
    own = [name for name, value in known.items() if name in public and f"{_home_of(value)}.".startswith(f"{home}.")]
    more = f" and {len(own) - _MOST_NAMES} more" if len(own) > _MOST_NAMES else ""
    return f"It has {', '.join(own[:_MOST_NAMES])}{more}." if own else "It has nothing that could be a model."


def _home_of(value: Any) -> str:
    """The module that defines it: this one, or for a package one inside."""
    try:
        return str(getattr(value, "__module__", ""))
    except Exception:  # a lazily imported object may fail at any question
        return ""


def _reason(error: BaseException, path: str | None = None) -> str:
    """The message of an error, with the line in the user's file and the next step, if they are known."""
    if isinstance(error, SystemExit):
        return "it calls sys.exit() while it is imported. Guard the script part with `if __name__ == '__main__':`."
    if isinstance(error, SyntaxError):
        line = f" (line {error.lineno}). Mend that line" if error.lineno else ""
        return f"{Path(error.filename or path or '').name} is not Python: {error.msg}{line}."
    text = error_text(error)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if path and frame.filename == path]
    where = f"line {lines[-1]}: " if lines else ""
    if path and "relative import" in text:
        return f"{where}{text}.{_as_module(Path(path))}"
    if isinstance(error, ModuleNotFoundError):
        return f"{where}{text}. Install it, or run where {error.name} can be imported."
    return f"{where}{text}. Mend that line; --debug shows the traceback."


def _as_module(path: Path) -> str:
    """How a file with relative imports is named: as a module of its package, from the folder above the package."""
    folder, names = path.resolve().parent, [path.stem]
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if len(names) == 1:
        return f" Name it as package.module:attr, from the folder above {path.resolve().parent.name}."
    place = "" if folder == Path.cwd() else f" in {folder}"
    return f" Name it as {'.'.join(names)}:attr{place}."


def _no_module(name: str) -> str:
    if Path(name).is_file():
        return f"{name!r} is not a Python file. A target from a file is file.py:attr."
    if "." not in name:
        near = nearest(name, BUILT_IN, 1)
        hint = f" Nearest: {near[0]}." if near else ""
        return f"no provider or module is called {name!r}.{hint} `cnninspect models` lists the providers."
    top = name.partition(".")[0]
    place = f"neither in the working directory nor in an installed package {top!r}"
    return f"there is no module {name!r}, {place}. Name the file that defines it, as file.py:attr."


def _similar_file(path: Path) -> str:
    """A sentence, after a space: the file with a name like it; for a folder that does not exist, in the one here."""
    folder = path.parent if path.parent.is_dir() else Path()
    scripts = sorted(str(other) for other in folder.glob("*.py"))
    near = nearest(str(folder / path.name), scripts, 1)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" There are {', '.join(scripts[:5])}." if scripts else " Name one that exists, as file.py:attr."


def _forget(new: set[str], folder: str) -> None:
    """Removes the new modules that were found in the folder, and their submodules."""
    tops = {name for name in new if _home(name) == folder}
    for name in new:
        if name.partition(".")[0] in tops:
            del sys.modules[name]


def _home(name: str) -> str | None:
    """The folder in sys.path in which a top-level module was found."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        return None
    origin = next(iter(spec.submodule_search_locations or ()), spec.origin)
    found = Path(origin or "").resolve()
    return str(found.parent) if found.stem == name else None


@contextlib.contextmanager
def without_side_effects(device: str = "cpu") -> Iterator[None]:
    """Redirects prints to stderr; restores the random state of the CPU and of `device`."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with contextlib.redirect_stdout(sys.stderr), torch.random.fork_rng(devices=devices):
        yield


@contextlib.contextmanager
def errors_as(explain: Callable[[BaseException], Exception]) -> Iterator[None]:
    """Raises `explain(error)` for any exception inside, also for `sys.exit()` and `pytest.skip()`.

    Errors of cnninspect, which have messages already, and KeyboardInterrupt pass unchanged.
    """
    try:
        yield
    except (CnninspectError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise explain(error) from error
