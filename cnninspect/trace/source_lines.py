"""Finds the line in the user's files that each call comes from.

For a module whose class the user defines, this is the line of the class; for any other module, the line in an
enclosing class that creates it. Files are parsed, not run.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from cnninspect.trace.private_torch import modules_of
from cnninspect.trace.records import Trace

Origin = tuple[str, str]
"""The file of a model, and the name there of the model, its class or its factory."""

Place = tuple[str, ast.AST]
"""A file of the user, and a node of its syntax tree."""

_CONTAINERS = {"Sequential", "ModuleList"}
_INSTALLED = {"site-packages", "dist-packages"}
_BETWEEN = (Path(torch.__file__).resolve().parent, Path(__file__).resolve().parent)
"""Folders of torch and cnninspect: their frames are skipped, even below the working directory."""


class OwnFiles:
    """Recognises the user's files: those below the working directory, without installed packages."""

    def __init__(self) -> None:
        try:
            self._folder: Path | None = Path.cwd().resolve()
        except FileNotFoundError:
            self._folder = None
        self._names: dict[str, str | None] = {}

    def name(self, file: str) -> str | None:
        """The file's path relative to the working directory, with slashes; None if it is not the user's."""
        if file not in self._names:
            self._names[file] = self._relative(file)
        return self._names[file]

    def running_line(self, outermost: CodeType) -> str | None:
        """The innermost line, `nets.py:41`, of the user's files in the frames inside `outermost`; None if none."""
        frame = sys._getframe(1)
        while frame.f_code is not outermost and frame.f_back is not None:
            name = self.name(frame.f_code.co_filename)
            if name is not None:
                return f"{name}:{frame.f_lineno}"
            frame = frame.f_back
        return None

    def _relative(self, file: str) -> str | None:
        if self._folder is None or file.startswith("<"):
            return None
        path = (self._folder / file).resolve()
        if not path.is_relative_to(self._folder) or any(path.is_relative_to(folder) for folder in _BETWEEN):
            return None
        below = path.relative_to(self._folder)
        return None if _INSTALLED & set(below.parts) else below.as_posix()


def locate(trace: Trace, model: Any, origin: Origin | None = None) -> None:
    """Sets `where` of every module call to the line of its module in the user's files, `nets.py:41`, or None."""
    places = _Places(model, origin)
    for call in trace.calls:
        if not call.functional:
            place = places.of(call.path)
            call.where = None if place is None else f"{place[0]}:{getattr(place[1], 'lineno', 1)}"


class _Places:
    def __init__(self, model: Any, origin: Origin | None):
        self._modules = dict(modules_of(model)) if isinstance(model, nn.Module) else {}
        self._origin = origin
        self._files = OwnFiles()
        self._definitions = cache(Definitions)
        self._own_file = cache(self._file_of)
        self._known: dict[str, Place | None] = {}

    def of(self, path: str) -> Place | None:
        """The origin of the module at this path."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> Place | None:
        module = self._modules.get(path)
        defined = None if module is None else self._class(type(module))
        if defined is not None or not path:
            return defined or self._start()
        parent, _, name = path.rpartition(".")
        return self._made(parent, name) or self._listed(self.of(parent), name) or self.of(parent)

    def _class(self, cls: type) -> Place | None:
        """The definition of a class, if it is in the user's files."""
        file = self._own_file(cls)
        return None if file is None else _place(file, self._definitions(file).of_class(cls.__qualname__))

    def _made(self, parent: str, name: str) -> Place | None:
        """The assignment of the attribute `name` in a class of the user's files."""
        if parent not in self._modules:
            return None
        for cls in type(self._modules[parent]).__mro__:
            file = self._own_file(cls)
            place = file and _place(file, self._definitions(file).of_attribute(cls.__qualname__, name))
            if place:
                return place
        return None

    def _listed(self, container: Place | None, name: str) -> Place | None:
        return None if container is None else _place(container[0], item(container[1], name))

    def _start(self) -> Place | None:
        """The definition of the target's name in its file, for a root module whose class is not the user's."""
        if self._origin is None:
            return None
        file = self._files.name(self._origin[0])
        return None if file is None else _place(file, self._definitions(file).of_name(self._origin[1]))

    def _file_of(self, cls: type) -> str | None:
        """The user's file that defines a class: that of its methods, else of its module, if it is in `sys.modules`."""
        for member in vars(cls).values():
            if isinstance(member, FunctionType) and member.__qualname__.startswith(f"{cls.__qualname__}."):
                file = self._files.name(inspect.unwrap(member).__code__.co_filename)
                if file is not None:
                    return file
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return None if file is None else self._files.name(file)


def _place(file: str, node: ast.AST | None) -> Place | None:
    return None if node is None else (file, node)


class Definitions:
    """The classes, functions and names of one file; empty if it cannot be parsed."""

    def __init__(self, file: str | Path):
        try:
            tree = ast.parse(Path(file).read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            tree = ast.Module([], [])
        self._classes = dict(_classes(tree, ""))
        self._names = dict(_names(tree))

    def of_class(self, qualified: str) -> ast.ClassDef | None:
        """The class with this qualified name."""
        return self._classes.get(qualified)

    def of_name(self, name: str) -> ast.stmt | ast.expr | None:
        """The function, class or value with this name at the file's top level."""
        return self._names.get(name)

    def of_attribute(self, qualified: str, name: str) -> ast.expr | None:
        """The expression, no constant, that a method of the class assigns to the attribute `name`; None if none."""
        holder = self._classes.get(qualified)
        return None if holder is None else next(_assigned(holder, name), None)


def item(node: ast.AST | None, name: str) -> ast.expr | None:
    """The argument of `nn.Sequential(a, b)` or `nn.ModuleList([a, b])` that becomes the child `name`; None if unclear.

    For a function, the expression of its only `return` is used.
    """
    if isinstance(node, ast.FunctionDef):
        node = _returned(node)
    if not isinstance(node, ast.Call) or not name.isdigit() or _called(node) not in _CONTAINERS:
        return None
    parts = node.args
    if len(parts) == 1 and isinstance(parts[0], (ast.List, ast.Tuple)):
        parts = parts[0].elts
    if int(name) >= len(parts) or any(isinstance(part, ast.Starred) for part in parts):
        return None
    return parts[int(name)]


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue
        inner = prefix
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            inner = f"{prefix}{child.name}."
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = f"{prefix}{child.name}.<locals>."
        yield from _classes(child, inner)


def _names(tree: ast.Module) -> Iterator[tuple[str, ast.stmt | ast.expr]]:
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name))


def _assigned(holder: ast.ClassDef, name: str) -> Iterator[ast.expr]:
    for statement in ast.walk(holder):
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            stored = {part.attr for target in targets for part in ast.walk(target) if isinstance(part, ast.Attribute)}
            if name in stored and not isinstance(statement.value, ast.Constant):
                yield statement.value


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return values[0] if len(values) == 1 else None


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
