"""Tensors made of Python's own numbers: `torch.tensor([1, 2])`. Nothing is worked out."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.base import Formula, NoFormula, Use, register, same_shape
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def nested_shape(data: Any) -> Shape:
    """The lengths of lists in lists, from the outermost on, and the shape of a tensor in them; a number has none.

    Raises NoFormula for anything else, such as an array. Source: torch.tensor.
    """
    if isinstance(data, TensorRef):
        return data.shape
    if isinstance(data, (list, tuple)):
        return (len(data), *(nested_shape(data[0]) if data else ()))
    if isinstance(data, (bool, int, float, complex)):
        return ()
    raise NoFormula(f"{data} is no number and no list")


def _constant_call(data: Any, *_: Any, **__: Any) -> Use:
    return Use((nested_shape(data),))


def _method_call(self: TensorRef, data: Any, *_: Any, **__: Any) -> Use:
    return _constant_call(data)


register(
    Formula(
        name="constant",
        source="torch.tensor",
        functions={
            "torch.tensor": _constant_call,
            "torch.as_tensor": _constant_call,
            "Tensor.new_tensor": _method_call,
        },
        output=same_shape,
        computes=False,
        layer_like=False,
    )
)
