"""Numbers that remember how they came about: a formula that is called with them gives the number and its derivation.

The value is always that of the int (or float) itself, so what is written and what is counted cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any

from cnninspect.explain.expression import (
    Expression,
    Number,
    Operation,
    Symbol,
    Value,
    floored,
    minus,
    plus,
    power,
    quotient,
    times,
)
from cnninspect.ops.registry import Formula, Use
from cnninspect.report.quantities import Shape

Combine = Callable[[Expression, Expression], Expression]


def tree_of(value: Any) -> Expression:
    """The tree that a number carries; of a plain number, the number."""
    return value.tree if isinstance(value, (Recorded, RecordedFloat)) else Number(+value)


def recorded(value: Value, tree: Expression) -> Any:
    """A number with the tree that it came from."""
    return RecordedFloat(value, tree) if isinstance(value, float) else Recorded(value, tree)


def _both(name: str, combine: Combine) -> tuple[Any, Any]:
    """The method and the reflected method of an operator of two numbers."""

    def method(self: Any, other: Any) -> Any:
        return _combined(name, self, other, self, other, combine)

    def reflected(self: Any, other: Any) -> Any:
        return _combined(name, other, self, other, self, combine)

    return method, reflected


def _combined(name: str, left: Any, right: Any, first: Any, second: Any, combine: Combine) -> Any:
    """`left OPERATOR right` as plain numbers, with the tree of both; NotImplemented for anything but real numbers."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return NotImplemented
    value = _plain(left).__getattribute__(name)(_plain(right))
    if value is NotImplemented:
        value = _plain(right).__getattribute__(f"__r{name[2:]}")(_plain(left))
    return value if value is NotImplemented else recorded(value, combine(tree_of(first), tree_of(second)))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, float) else int(value)


def _floor_divided(top: Expression, bottom: Expression) -> Expression:
    return floored(quotient(top, bottom))


def _rest(top: Expression, bottom: Expression) -> Expression:
    return Operation("%", (top, bottom))


def _divided(top: Any, bottom: Any) -> tuple[Any, Any]:
    """Both results of divmod."""
    whole, rest = divmod(_plain(top), _plain(bottom))
    if rest:
        return top // bottom, top % bottom
    return recorded(whole, quotient(tree_of(top), tree_of(bottom))), 0


class _Arithmetic:
    """The operators that formulas use; each result carries its tree."""

    tree: Expression

    __add__, __radd__ = _both("__add__", plus)
    __sub__, __rsub__ = _both("__sub__", lambda left, right: plus(left, minus(right)))
    __mul__, __rmul__ = _both("__mul__", times)
    __truediv__, __rtruediv__ = _both("__truediv__", quotient)
    __floordiv__, __rfloordiv__ = _both("__floordiv__", _floor_divided)
    __mod__, __rmod__ = _both("__mod__", _rest)
    __pow__, __rpow__ = _both("__pow__", power)

    def __neg__(self) -> Any:
        return recorded(-_plain(self), minus(self.tree))

    def __pos__(self) -> Any:
        return self

    def __floor__(self) -> Any:
        return self if isinstance(self, int) else Recorded(floor(_plain(self)), floored(self.tree))

    def __ceil__(self) -> Any:
        return self if isinstance(self, int) else -(-self).__floor__()

    def __divmod__(self, other: Any) -> Any:
        """Quotient and rest; a quotient without rest is written as a fraction: Cin/g is no rounding."""
        return _divided(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return _divided(other, self)


class Recorded(_Arithmetic, int):
    """An int that carries the expression it came from."""

    def __new__(cls, value: Any, tree: Expression) -> Recorded:
        """The value of an int and its tree."""
        made = super().__new__(cls, value)
        made.tree = tree
        return made


class RecordedFloat(_Arithmetic, float):
    """A float that does so: a scale factor."""

    def __new__(cls, value: Any, tree: Expression) -> RecordedFloat:
        """The value of a float and its tree."""
        made = super().__new__(cls, value)
        made.tree = tree
        return made


# --- a use with names -----------------------------------------------------------------------------------------------

HYPER = {
    "in_channels": "Cin", "out_channels": "Cout", "num_channels": "C", "num_features": "C", "groups": "g",
    "kernel_size": "k", "stride": "s", "padding": "p", "dilation": "d", "output_padding": "op",
    "in_features": "Fin", "out_features": "Fout", "in1_features": "Fin1", "in2_features": "Fin2",
    "input_size": "I", "hidden_size": "Hs", "proj_size": "P", "num_layers": "layers",
    "embed_dim": "E", "num_heads": "h", "kdim": "Ek", "vdim": "Ev",
    "num_embeddings": "V", "embedding_dim": "E", "num_parameters": "C", "normalized_shape": "F",
    "upscale_factor": "u", "downscale_factor": "u", "scale_factor": "scale", "output_ratio": "ratio",
}  # fmt: skip
"""The symbol of every hyper-parameter that has one in the literature; others are called by their own name."""

MEANINGS = {
    "N": "batch", "L": "length", "S": "source length", "T": "time steps",
    "H": "height", "W": "width", "D": "depth",
    "C": "channels", "F": "features", "E": "embedding features", "h": "heads", "Ek": "features of keys",
    "Ev": "features of values", "u": "scale factor",
    **{symbol: name for name, symbol in HYPER.items() if symbol not in ("C", "E", "F", "h", "Ev", "Ek", "u")},
}  # fmt: skip
"""What a reader is told that a symbol stands for; `Hin` and the like say it themselves."""

_NO_AMOUNTS = (
    "dim", "dims", "start_dim", "end_dim", "padding_idx", "bias_kv", "add_zero_attn", "norm_type", "p", "eps", "value",
    "momentum",
)  # fmt: skip
"""Hyper-parameters that say which or how, not how many, and flags that are 0 or 1."""

_ABSENT: Mapping[str, Any] = {"groups": 1, "proj_size": 0}
"""What leaves a hyper-parameter out of the formula: no groups, no projection."""

_SPACE = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_CHANNELS_SECOND = ("batch normalization", "instance normalization", "group normalization", "upsampling", "fold")
"""Formulas whose inputs are [N, C, ...] whatever the rank."""

_BY_RANK: Mapping[int, tuple[str, ...]] = {
    0: (), 1: ("F",), 2: ("N", "F"), 3: ("N", "L", "F"), 4: ("N", "C", "H", "W"), 5: ("N", "C", "D", "H", "W"),
}  # fmt: skip


@dataclass
class Names:
    """The symbols of one layer: one name never stands for two values."""

    taken: dict[str, Value] = field(default_factory=dict)

    def number(self, name: str, value: Value) -> Any:
        """The value as a recorded number under this name, or under the name and a number if it is taken."""
        free, count = name, 1
        while self.taken.setdefault(free, value) != value:
            count += 1
            free = f"{name}{count}"
        return recorded(value, Symbol(free, value))


Layouts = Mapping[Shape, tuple[str, ...]]
"""The names of the dimensions of tensors, by their shape, where the axes of the image tell them."""


def with_names(use: Use, formula: Formula, names: Names | None = None, layouts: Layouts | None = None) -> Use:
    """The use with a recorded number for each input dimension and each hyper-parameter that counts something."""
    names = Names() if names is None else names
    axes = spatial_axes(use, formula)
    hyper = {name: _hyper(name, value, axes, names) for name, value in use.hyper.items()}
    called = _input_names(use, formula, axes, layouts or {})
    inputs = tuple(
        tuple(names.number(name, size) for name, size in zip(dims, shape, strict=True))
        for dims, shape in zip(called, use.inputs, strict=True)
    )
    return replace(use, inputs=inputs, hyper=hyper)


def spatial_axes(use: Use, formula: Formula) -> int:
    """How many axes of the map the layer works on, 0 if neither its kernel nor its name says so."""
    kernel = use.hyper.get("kernel_size")
    if isinstance(kernel, (tuple, list)):
        return len(kernel)
    digit = re.search(r"([123])d", f"{use.kind} {formula.name}")
    return int(digit[1]) if digit else 2 if kernel is not None else 0


def _hyper(name: str, value: Any, axes: int, names: Names) -> Any:
    if name in _NO_AMOUNTS or (name in _ABSENT and value == _ABSENT[name]):
        return value
    symbol = HYPER.get(name, name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return names.number(symbol, value)
    if not isinstance(value, (tuple, list)) or not all(type(item) in (int, float, type(None)) for item in value):
        return value
    called = zip(_per_axis(symbol, value, axes), value, strict=True)
    return tuple(item if item is None else names.number(each, item) for each, item in called)


def _per_axis(symbol: str, value: Sequence[Any], axes: int) -> list[str]:
    """One name for all axes where they are the same, else kh and kw; numbered where they are no axes of a map."""
    if len(value) == 1 or (axes and len(value) == axes):
        if len(set(value)) == 1:
            return [symbol] * len(value)
        joint = "_" if len(symbol) > 2 else ""
        return [f"{symbol}{joint}{axis.lower()}" for axis in _SPACE[axes]]
    return [f"{symbol}{position}" for position in range(1, len(value) + 1)]


def _input_names(use: Use, formula: Formula, axes: int, layouts: Layouts) -> list[tuple[str, ...]]:
    """The names of each input's dimensions."""
    if formula.sequences == 1:
        return [_sequence_names(use, shape, "T", "I") for shape in use.inputs]
    if formula.sequences:
        lasts = (("L", "E"), ("S", "Ek"), ("S", "Ev"))
        return [_sequence_names(use, shape, *last) for shape, last in zip(use.inputs, lasts, strict=True)]
    if "enable_gqa" in use.hyper:
        lasts = (("L", "E"), ("S", "E"), ("S", "Ev"))
        return [(*_leading(shape[:-2]), *last) for shape, last in zip(use.inputs, lasts, strict=True)]
    if formula.name == "matrix product" and len(use.inputs) == 2:
        return [_matrix_names(shape, *last) for shape, last in zip(use.inputs, (("n", "k"), ("k", "m")), strict=True)]
    found = [_dimension_names(use, formula, shape, axes, layouts.get(tuple(shape))) for shape in use.inputs]
    return found if len(found) == 1 else _numbered_where_different(found, use.inputs)


def _sequence_names(use: Use, shape: Shape, length: str, features: str) -> tuple[str, ...]:
    if len(shape) != 3:
        return (length, features)
    return ("N", length, features) if use.hyper.get("batch_first") else (length, "N", features)


def _leading(shape: Shape) -> tuple[str, ...]:
    return {0: (), 1: ("N",), 2: ("N", "h")}.get(len(shape), tuple(f"n{i}" for i in range(1, len(shape) + 1)))


def _matrix_names(shape: Shape, rows: str, columns: str) -> tuple[str, ...]:
    if len(shape) == 1:
        return ("k",)
    return (*_leading(shape[:-2]), rows, columns)


def _dimension_names(
    use: Use, formula: Formula, shape: Shape, axes: int, layout: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Batch, channels and space; the channels and features by the symbol that the layer's own have."""
    channels = "Cin" if "in_channels" in use.hyper else "C"
    if formula.name in _CHANNELS_SECOND and len(shape) in (2, 3, 4, 5):
        return ("N", channels, *_SPACE.get(len(shape) - 2, ()))
    if axes and len(shape) in (axes + 1, axes + 2):
        return (*("N",) * (len(shape) - axes - 1), channels, *_SPACE[axes])
    names = layout or _BY_RANK.get(len(shape), tuple(f"n{position}" for position in range(1, len(shape) + 1)))
    if "in_features" in use.hyper or len(use.hyper.get("normalized_shape") or ()) == 1:
        # The features come last, also in a map.
        last = "Fin" if "in_features" in use.hyper else "F"
        return ("N", "H", "W", last) if len(shape) == 4 and layout is None else (*names[:-1], last)
    if "num_embeddings" not in use.hyper or not names:
        return names
    # The indices of an embedding have no channels: a dimension beside the length is the batch.
    return ("N", "L") if len(names) == 2 else (*names[:-1], "L")


def called_by_places(rank: int, places: Sequence[int | None], *, with_batch: bool) -> tuple[str, ...] | None:
    """The names of a map's dimensions where the axes of the image lie along `places`; None where that is unclear."""
    space, others = _SPACE.get(len(places), ()), [dim for dim in range(rank) if dim not in places]
    if not space or len(others) not in (1, 2) or len(others) + len(space) != rank:
        return None
    alone = "N" if with_batch and others[0] == 0 else "C"
    called = dict(zip((*places, *others), (*space, *(("N", "C") if len(others) == 2 else (alone,))), strict=True))
    return tuple(called[dim] for dim in range(rank))


def called_by_rank(shapes: Sequence[Shape], layouts: Layouts | None = None) -> list[tuple[str, ...]]:
    """The names of the dimensions of tensors that nothing but their rank, and maybe their layout, is known of."""
    layouts = layouts or {}
    numbered = (tuple(f"n{position}" for position in range(1, len(shape) + 1)) for shape in shapes)
    found = [
        layouts.get(tuple(shape)) or _BY_RANK.get(len(shape), other)
        for shape, other in zip(shapes, numbered, strict=True)
    ]
    return _numbered_where_different(found, shapes) if len(found) > 1 else found


def _numbered_where_different(found: list[tuple[str, ...]], shapes: Sequence[Shape]) -> list[tuple[str, ...]]:
    """The names of several inputs: C1 and C2 where their sizes differ, one name where all have the same."""
    if len({len(shape) for shape in shapes}) != 1:
        return found
    different = [len(set(sizes)) > 1 for sizes in zip(*shapes, strict=True)]
    return [
        tuple(f"{name}{index}" if differs else name for name, differs in zip(names, different, strict=True))
        for index, names in enumerate(found, 1)
    ]
