"""Where the analytic side computes, and how each place can be broken."""

from __future__ import annotations

import ast
import builtins
import copy
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType

import cnninspect

ROOT = Path(cnninspect.__file__).parent
ROOMS = ("ops", "receptive")
"""The analytic side."""

NO_NUMBERS = ("receptive/positions.py", "receptive/position_fields.py")
"""Files of it that compute no number of a report: which pixels a probe has to look at, what a picture of `rf` shows."""

_SWAPPED_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Div: ast.Mult,
}  # fmt: skip
_SWAPPED_BOUNDS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_SWAPPED_NAMES = {
    "min": "max", "max": "min", "prod": "sum", "minimum": "maximum", "maximum": "minimum", "floor": "ceil",
    "ceil": "floor",
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """One way to break one node: `function` is the outermost function around it, by its first line and name.

    `statement` is the first line of the statement that holds the node. `key` stays the same while the function does,
    whatever happens around it.
    """

    file: str
    function: tuple[int, str]
    line: int
    statement: int
    node: int
    change: str
    key: str

    @property
    def text(self) -> str:
        """The line that is broken."""
        return _source(ROOT / self.file).splitlines()[self.line - 1].strip()

    @property
    def id(self) -> str:
        """How reports name it: `ops/convolution.py:41 (conv_size): - becomes +`."""
        return f"{self.file}:{self.line} ({self.function[1]}): {self.change}"


def sites() -> list[Site]:
    """Every place of the analytic side that can be broken, file by file."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    found = (site for path in paths for site in _sites_of(path))
    return [site for site in found if site.file not in NO_NUMBERS]


def _sites_of(path: Path) -> Iterator[Site]:
    tree = ast.parse(_source(path))
    numbers = {id(node): number for number, node in enumerate(ast.walk(tree))}
    for function in _outermost(tree):
        place = (_first_line(function), getattr(function, "name", "<lambda>"))
        file, text = str(path.relative_to(ROOT)), ast.dump(function)
        within = {id(node): number for number, node in enumerate(ast.walk(function))}
        for node, statement in _computing(function):
            for change in _changes(node):
                key = sha1(f"{file} {text} {within[id(node)]} {change}".encode()).hexdigest()[:16]
                yield Site(file, place, node.lineno, statement, numbers[id(node)], change, key)


@cache
def _source(path: Path) -> str:
    """The text of a file when it was first asked for: a run of an hour does not mix two versions."""
    return path.read_text(encoding="utf-8")


def _outermost(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.Lambda]:
    """Functions that no other function is around: those whose code can be exchanged while they live."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.Lambda)):
            yield child
        else:
            yield from _outermost(child)


def _first_line(function: ast.FunctionDef | ast.Lambda) -> int:
    decorators = getattr(function, "decorator_list", [])
    return min([function.lineno, *(decorator.lineno for decorator in decorators)])


def _computing(function: ast.FunctionDef | ast.Lambda) -> Iterator[tuple[ast.expr, int]]:
    """The expressions of a function's body with the line of their statement; annotations and texts are none."""
    body = function.body if isinstance(function.body, list) else [function.body]
    waiting: list[tuple[ast.AST, int]] = [(node, function.lineno) for node in body]
    while waiting:
        node, statement = waiting.pop()
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.arguments)):
            continue
        if isinstance(node, ast.stmt):
            statement = node.lineno
        if isinstance(node, ast.expr):
            yield node, statement
        below = [node.value] if isinstance(node, ast.AnnAssign) else ast.iter_child_nodes(node)
        waiting += [(child, statement) for child in below if child is not None]


def _changes(node: ast.expr) -> Iterator[str]:
    """What can be done to an expression, in words."""
    if isinstance(node, ast.BinOp) and type(node.op) in _SWAPPED_OPERATORS and not _joins_texts(node):
        yield f"{_sign(node.op)} becomes {_sign(_SWAPPED_OPERATORS[type(node.op)]())}"
        if isinstance(node.op, (ast.Mult, ast.Add)):
            yield f"right side of {_sign(node.op)} is left out"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield f"{node.value} becomes {node.value + 1}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "- is left out"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SWAPPED_BOUNDS:
        yield f"{_sign(node.ops[0])} becomes {_sign(_SWAPPED_BOUNDS[type(node.ops[0])]())}"
    elif isinstance(node, ast.Call) and _called(node) in _SWAPPED_NAMES:
        yield f"{_called(node)} becomes {_SWAPPED_NAMES[_called(node)]}"


def _joins_texts(node: ast.BinOp) -> bool:
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in (node.left, node.right))


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _sign(operator: ast.AST) -> str:
    signs = {
        "Add": "+", "Sub": "-", "Mult": "*", "FloorDiv": "//", "Pow": "**", "Mod": "%", "Div": "/", "Lt": "<",
        "LtE": "<=", "Gt": ">", "GtE": ">=",
    }  # fmt: skip
    return signs[type(operator).__name__]


def broken_code(site: Site) -> CodeType:
    """The code of the function of a site, with that one change."""
    path = ROOT / site.file
    tree = copy.deepcopy(ast.parse(_source(path)))
    nodes = list(ast.walk(tree))
    _break(nodes[site.node], site.change)
    if site.change.startswith(("right side", "- is left out")):
        tree = _Replaced(nodes[site.node]).visit(tree)
    found = [code for code in _codes(compile(tree, str(path), "exec")) if _key(code) == site.function]
    return found[0]


def _break(node: ast.AST, change: str) -> None:
    if isinstance(node, ast.BinOp) and "becomes" in change:
        node.op = _SWAPPED_OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Constant):
        node.value += 1
    elif isinstance(node, ast.Compare):
        node.ops = [_SWAPPED_BOUNDS[type(node.ops[0])]()]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        node.func.id = _SWAPPED_NAMES[node.func.id]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node.func.attr = _SWAPPED_NAMES[node.func.attr]


class _Replaced(ast.NodeTransformer):
    """Puts one operand in the place of a node."""

    def __init__(self, node: ast.AST):
        self._node = node

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self._node:
            return self.generic_visit(node)
        return node.left if isinstance(node, ast.BinOp) else node.operand  # type: ignore[attr-defined]


def watch(hit: Callable[[tuple[str, int]], None]) -> None:
    """Let every living function of the analytic side say which of its statements it runs, as (file, line)."""
    builtins._statement_runs = hit  # type: ignore[attr-defined]
    functions = live_functions()
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        file = str(path.relative_to(ROOT))
        tree = ast.fix_missing_locations(_Watched(file).visit(ast.parse(_source(path))))
        for code in _codes(compile(tree, str(path), "exec")):
            for function in functions.get((file, *_key(code)), ()):
                if len(code.co_freevars) == len(function.__code__.co_freevars):
                    function.__code__ = code


class _Watched(ast.NodeTransformer):
    """Puts a call before every statement of a function, and around the body of a lambda."""

    def __init__(self, file: str):
        self._file = file

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function whose statements, those of blocks in it included, are watched."""
        self.generic_visit(node)
        for block in ast.walk(node):
            for name in ("body", "orelse", "finalbody"):
                statements = getattr(block, name, None)
                if isinstance(statements, list) and statements and not isinstance(block, ast.ClassDef):
                    setattr(block, name, [one for each in statements for one in self._pair(each)])
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """A lambda that says that it runs."""
        self.generic_visit(node)
        both = ast.Tuple([self._call(node.lineno), node.body], ast.Load())
        node.body = ast.Subscript(both, ast.Constant(1), ast.Load())
        return node

    def _pair(self, statement: ast.stmt) -> list[ast.stmt]:
        watched = getattr(statement, "watched", False) or isinstance(statement, (ast.Nonlocal, ast.Global))
        if watched:
            return [statement]
        statement.watched = True  # type: ignore[attr-defined]
        call = ast.copy_location(ast.Expr(self._call(statement.lineno)), statement)
        call.watched = True  # type: ignore[attr-defined]
        return [call, statement]

    def _call(self, line: int) -> ast.Call:
        place = ast.Constant((self._file, line))
        return ast.Call(ast.Name("_statement_runs", ast.Load()), [place], [])


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _key(code: CodeType) -> tuple[int, str]:
    return code.co_firstlineno, code.co_name


@cache
def live_functions() -> dict[tuple[str, int, str], list[FunctionType]]:
    """The functions of the analytic side by file, first line and name; its files are imported first."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            import_module(".".join(("cnninspect", *path.relative_to(ROOT).with_suffix("").parts)))
    found: dict[tuple[str, int, str], list[FunctionType]] = {}
    for item in gc.get_objects():
        # type(), not isinstance(), which asks lazy objects for their class.
        if type(item) is FunctionType and item.__code__.co_filename.startswith(str(ROOT)):
            file = str(Path(item.__code__.co_filename).relative_to(ROOT))
            found.setdefault((file, *_key(item.__code__)), []).append(item)
    return found
