"""A layer's own formula, worked out again as somebody who makes a slip would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from cnninspect.ops import families
from cnninspect.ops.base import FUNCTIONS, MODULES, Formula, NoFormula, Use
from cnninspect.report.document import Row
from cnninspect.report.quantities import Quantity, Shape, flops_from_macs

families.load()

Numbers = Mapping[str, Any]
"""What a slip makes of a row: some of its numbers, by column."""


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
        """Multiply-accumulates of the row, 0 where they are not known."""
        return self.row.macs.value or 0 if isinstance(self.row.macs, Quantity) else 0

    @property
    def output(self) -> Shape:
        """The shape of the first output as it really is, () without one."""
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
    def roles(self) -> dict[str, int]:
        """What each parameter that such a layer may have counts; empty where its formula has no answer."""
        return next(_answer(lambda: self.formula.params(self.use)), {})

    def altered(self, **hyper: Any) -> Numbers:
        """The numbers with other values of hyper-parameters that the layer has; nothing where it lacks one."""
        if not all(name in self.use.hyper for name in hyper):
            return {}
        return self._numbers(replace(self.use, hyper={**self.use.hyper, **hyper}))

    def fed(self, shape: Shape) -> Numbers:
        """The numbers on an input of another shape."""
        features = {"in_features": shape[-1]} if shape and "in_features" in self.use.hyper else {}
        return self._numbers(
            replace(self.use, inputs=(shape, *self.use.inputs[1:]), hyper={**self.use.hyper, **features})
        )

    def _numbers(self, use: Use) -> Numbers:
        found: dict[str, Any] = {}
        for output in _answer(lambda: self.formula.output(use)):
            if all(size > 0 for shape in output for size in shape):
                found |= {"output_shape": output, "neurons": prod(output[0][1:]) if self.row.computes else 0}
        for macs in _answer(lambda: self.formula.macs(use)):
            found |= in_both_units(macs)
        for params in _answer(lambda: self._params(use)):
            found |= {} if params is None else {"params": params}
        return found

    def _params(self, use: Use) -> int | None:
        """The parameters that the row has, counted anew; None where it is not plain which those are."""
        true, altered = self.roles, self.formula.params(use)
        held = self.row.params.value if self.row.params is not None else None
        for roles in (tuple(true), ("weight",)):
            if held and held == sum(true.get(role, 0) for role in roles):
                return sum(altered.get(role, 0) for role in roles)
        return None


def in_both_units(macs: int) -> Numbers:
    """A count of multiply-accumulates as MACs and as FLOPs."""
    return {"macs": macs, "flops": flops_from_macs(macs)}


def _answer(ask: Any) -> Iterator[Any]:
    """What a formula says; nothing where the altered layer is one that cannot be."""
    try:
        yield ask()
    except (NoFormula, LookupError, ArithmeticError, TypeError):
        return
