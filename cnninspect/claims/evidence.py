"""The data for hints: the report, all claims of the file, and formulas evaluated with altered hyper-parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import prod
from typing import Any, NamedTuple

from cnninspect.claims.cell import SETTINGS, Cell, Found
from cnninspect.ops import catalogue
from cnninspect.ops.registry import FUNCTIONS, MODULES, Formula, NoFormula, Use
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Shape, Status, Unit, Verdict, flops_from_macs, in_flops
from cnninspect.report.rows import Row


class Alternative(NamedTuple):
    """A slip in words, and the value of the number with that slip."""

    words: str
    value: Any


class Evidence:
    """The report and all cells of the claims file."""

    def __init__(self, report: Report, cells: Sequence[Cell]):
        self.report = report
        self.cells = cells

    @cached_property
    def leaves(self) -> tuple[Row, ...]:
        """The leaf rows, in execution order."""
        return tuple(row for row in self.report.rows if row.leaf)

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {id(leaf): position for position, leaf in enumerate(self.leaves)}

    @cached_property
    def batch(self) -> int:
        """The batch size: the first dimension of the first input."""
        inputs = self.report.run.get("inputs") or [{"shape": ()}]
        return int(inputs[0]["shape"][0]) if inputs[0]["shape"] else 1

    @cached_property
    def _wrong(self) -> dict[tuple[int, str], Cell]:
        wrong = [cell for cell in self.cells if cell.judge()[0] is Verdict.DIFFER]
        return {(id(cell.row), cell.column): cell for cell in wrong}

    def wrong(self, row: Row, column: str) -> Cell | None:
        """The cell of a row and column if its claim is wrong, else None."""
        return self._wrong.get((id(row), column))

    def below(self, row: Row | None) -> list[Row]:
        """The leaves whose numbers add up to those of a row, or to the totals; for a leaf, itself."""
        if row is None:
            return list(self.leaves)
        return [row] if row.leaf else [leaf for leaf in self.leaves if any(above is row for above in self._path(leaf))]

    def up_to(self, row: Row | None) -> list[Row]:
        """The leaves up to the last one of a row, in execution order; all for the totals."""
        last = self.below(row)[-1]
        return [*self.before(last)[::-1], last]

    def before(self, row: Row) -> list[Row]:
        """The leaves that ran before a leaf, the latest first."""
        return list(self.leaves[: self._positions[id(row)]][::-1])

    def after(self, row: Row) -> list[Row]:
        """The leaves that ran after a leaf, in order."""
        return list(self.leaves[self._positions[id(row)] + 1 :])

    def _path(self, row: Row) -> list[Row]:
        """The row and all above it."""
        found = [row]
        while row.parent is not None:
            row = self.report.rows[row.parent]
            found.append(row)
        return found


def output_of(row: Row) -> Shape | None:
    """The shape of a row's only output; None where it has several or none."""
    shapes = row.output_shape.value if isinstance(row.output_shape, Quantity) else None
    return shapes[0] if shapes and len(shapes) == 1 else None


catalogue.load()

Numbers = Mapping[str, Any]
"""Column -> value: the numbers of a row that a slip changes."""


_AXES = (("width", 1), ("height", 2))
"""Columns of sizes, and the number of the axis, counted from the last."""


class Layer:
    """A leaf row and its formula."""

    def __init__(self, row: Row, formula: Formula):
        self.row = row
        self.formula = formula
        self.use = Use(row.input_shapes, row.hyperparameters, kind=row.kind)

    @classmethod
    def of(cls, row: Row) -> Layer | None:
        """The layer of a row; None where it has no formula of its own."""
        formula = FUNCTIONS[row.kind][0] if row.kind in FUNCTIONS else MODULES.get(row.kind)
        return cls(row, formula) if formula is not None and row.leaf and row.input_shapes else None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the row, 0 if they are unknown."""
        return self.row.macs.value or 0 if isinstance(self.row.macs, Quantity) else 0

    @property
    def output(self) -> Shape:
        """The true shape of the first output, () if there is none."""
        shapes = self.row.output_shape.value if isinstance(self.row.output_shape, Quantity) else None
        return shapes[0] if shapes else ()

    @property
    def kernel(self) -> tuple[int, ...]:
        """The kernel's size along each axis, () for a layer without one."""
        size = self.use.hyper.get("kernel_size", ())
        return tuple(size) if isinstance(size, (tuple, list)) else (size,) * max(len(self.use.input) - 2, 1)

    def per_axis(self, name: str) -> tuple[int, ...]:
        """A hyper-parameter along each axis of the kernel."""
        value = self.use.hyper[name]
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(self.kernel)

    @property
    def counted_roles(self) -> dict[str, int] | None:
        """Parameter name -> number of elements, of those that the row's params hold; None if they are ambiguous."""
        true, held = self.roles, self.row.params.value if self.row.params is not None else None
        for roles in (tuple(true), ("weight",)):
            if held and held == sum(true.get(role, 0) for role in roles):
                return {role: true[role] for role in roles if role in true}
        return None

    @property
    def roles(self) -> dict[str, int]:
        """Parameter name ("weight", "bias") -> number of elements; empty if the formula declines."""
        return next(_answer(lambda: self.formula.params(self.use)), {})

    def altered(self, **hyper: Any) -> Numbers:
        """The layer's numbers with other hyper-parameters; empty if it does not have one of these."""
        if not all(name in self.use.hyper for name in hyper):
            return {}
        return self._numbers(replace(self.use, hyper={**self.use.hyper, **hyper}))

    def fed(self, shape: Shape) -> Numbers:
        """The layer's numbers on an input of another shape."""
        features = {"in_features": shape[-1]} if shape and "in_features" in self.use.hyper else {}
        return self._numbers(
            replace(self.use, inputs=(shape, *self.use.inputs[1:]), hyper={**self.use.hyper, **features})
        )

    def _numbers(self, use: Use) -> Numbers:
        found: dict[str, Any] = {}
        for output in _answer(lambda: self.formula.output(use)):
            if all(size > 0 for shape in output for size in shape):
                neurons = sum(map(prod, output)) if self.row.computes else 0
                sizes = {name: output[0][-axis] for name, axis in _AXES if len(output[0]) >= 2 + axis}
                found |= {"output_shape": output, "neurons": neurons, **sizes}
        for macs in _answer(lambda: self.formula.macs(use)):
            found |= in_both_units(macs)
        for params in _answer(lambda: self._params(use)):
            found |= params
        return found

    def _params(self, use: Use) -> Numbers:
        """The row's parameters by role with altered hyper-parameters; empty if its parameters are ambiguous."""
        counted, altered = self.counted_roles, self.formula.params(use)
        if counted is None:
            return {}
        kept = {role: altered.get(role, 0) for role in counted}
        parts = {name: sum(count for role, count in kept.items() if name in role) for name in ("weight", "bias")}
        return {"params": sum(kept.values()), **parts}


def in_both_units(macs: int) -> Numbers:
    """A count of multiply-accumulates as MACs and as FLOPs."""
    return {"macs": macs, "flops": flops_from_macs(macs)}


def _answer(ask: Any) -> Iterator[Any]:
    """Yields the result of a formula; nothing if it declines because the altered layer is impossible."""
    try:
        yield ask()
    except NoFormula:
        return


# --- the number in a column ---------------------------------------------------------------------------------------


def number_of(report: Report, row: Row | None, column: str) -> Found:
    """The number in a column of a row or of the totals; FLOPs are computed from MACs where a saved report has none."""
    if row is not None and column in _STEPS:
        return _STEPS[column](row)
    number: Found = report.totals.get(column) if row is None else getattr(row, column)
    if number is None and column == "flops":
        macs = number_of(report, row, "macs")
        return in_flops(macs) if isinstance(macs, Quantity) else None
    return number


def _size_along(axis: int) -> Callable[[Row], Found]:
    """The size of the first output along an axis, counted from the last; None for an output without that axis."""

    def found(row: Row) -> Found:
        shapes = row.output_shape
        has_axis = shapes is not None and shapes.value and len(shapes.value[0]) >= 2 + axis
        return shapes.mapped(lambda each: each[0][-axis], Unit.ELEMENTS) if shapes is not None and has_axis else None

    return found


def _role(role: str) -> Callable[[Row], Found]:
    """The parameters of a row that are called `weight` or `bias`, where its formula and its params say which it has."""

    def found(row: Row) -> Found:
        layer, params = Layer.of(row), row.params
        counts = None if layer is None or params is None else layer.counted_roles
        if params is None or counts is None:
            return None
        return params.mapped(lambda _: sum(count for name, count in counts.items() if role in name), Unit.PARAMS)

    return found


def _setting(name: str, row: Row) -> Found:
    """A hyper-parameter as a claim can state it: a number, or one for each axis; else None."""
    value = row.hyperparameters.get(name)
    if isinstance(value, str):
        return padding_of(value, row)
    values = value if isinstance(value, tuple) else (value,)
    return value if all(isinstance(each, int) for each in values) else None


def padding_of(word: str, row: Row) -> tuple[int, ...] | None:
    """The numbers that a padding in words stands for: 0 for `valid`, d(k - 1)/2 for `same` with stride 1; else None."""
    layer = Layer.of(row)
    if layer is None or not layer.kernel or word not in ("same", "valid"):
        return None
    if word == "valid":
        return (0,) * len(layer.kernel)
    dilation = layer.per_axis("dilation") if "dilation" in layer.use.hyper else (1,) * len(layer.kernel)
    both = [step * (size - 1) for step, size in zip(dilation, layer.kernel, strict=True)]
    is_even = all(each % 2 == 0 for each in both) and set(layer.per_axis("stride")) == {1}
    return tuple(each // 2 for each in both) if is_even else None


def _jump(row: Row) -> Found:
    field = row.receptive_field
    sure = field is not None and field.status is Status.EXACT and field.verdict is not Verdict.DIFFER
    return field.jump if field is not None and sure else None


_STEPS: dict[str, Callable[[Row], Found]] = {
    "input_shape": lambda row: row.input_shapes[:1] or None,
    **{column: partial(_setting, name) for column, name in SETTINGS.items()},
    **{column: _size_along(axis) for column, axis in _AXES},
    "weight": _role("weight"),
    "bias": _role("bias"),
    "jump": _jump,
}
"""Columns of derivation steps, and where a row has the number."""
