"""Where branches meet: concatenation and stacking. They move data, yet a reader of the table looks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.base import Formula, Use, register, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def joined_output(use: Use) -> tuple[Shape, ...]:
    """The sizes along `dim` added up; an empty one-dimensional tensor joins with anything.

    Source: torch.cat.
    """
    shapes = [shape for shape in use.inputs if shape != (0,)] or [(0,)]
    dim = use["dim"] % len(shapes[0])
    return ((*shapes[0][:dim], sum(shape[dim] for shape in shapes), *shapes[0][dim + 1 :]),)


def stacked_output(use: Use) -> tuple[Shape, ...]:
    """A new dimension at `dim`, one place per tensor. Source: torch.stack."""
    dim = use["dim"] % (len(use.input) + 1)
    return ((*use.input[:dim], len(use.inputs), *use.input[dim:]),)


def _call(tensors: Sequence[TensorRef], dim: int = 0, *, axis: int | None = None, **_: Any) -> Use:
    return Use(tuple(ref.shape for ref in tensors), {"dim": dim if axis is None else axis})


def _horizontal_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _call(tensors)
    return Use(tuple(shape or (1,) for shape in use.inputs), {"dim": min(1, max(len(use.input), 1) - 1)})


def _vertical_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _call(tensors)
    return Use(tuple((*(1,) * (2 - len(shape)), *shape) for shape in use.inputs), use.hyper)


register(
    Formula(
        name="concatenation",
        source="torch.cat, torch.hstack, torch.vstack",
        functions={
            **{f"torch.{name}": _call for name in ("cat", "concat", "concatenate")},
            "torch.hstack": _horizontal_call,
            "torch.vstack": _vertical_call,
        },
        output=joined_output,
        computes=False,
    )
)

register(
    Formula(
        name="stacking",
        source="torch.stack",
        functions={"torch.stack": _call},
        output=stacked_output,
        computes=False,
    )
)

register_op("aten.cat", output=lambda *args: joined_output(_call(*args)), source="torch.cat")
register_op("aten.stack", "aten._stack", output=lambda *args: stacked_output(_call(*args)), source="torch.stack")
