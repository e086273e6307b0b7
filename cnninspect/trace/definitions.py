"""What a Python file defines and where, read from its text without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_CONTAINERS = {"Sequential", "ModuleList"}


class Definitions:
    """The classes, functions and names of one file; of a file that cannot be read, none."""

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
        """The function, class or value that the file's top level gives this name."""
        return self._names.get(name)

    def of_attribute(self, qualified: str, name: str) -> ast.expr | None:
        """What a method of the class assigns to the attribute `name`; None if only constants, or nothing."""
        holder = self._classes.get(qualified)
        return None if holder is None else next(_assigned(holder, name), None)


def item(node: ast.AST | None, name: str) -> ast.expr | None:
    """Where `nn.Sequential(a, b)` or `nn.ModuleList([a, b])` is written, the part that becomes the child `name`.

    Of a function, what its only `return` returns is looked at.
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
