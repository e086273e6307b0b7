"""Views and in-place ops: what is written through one tensor shows in all that share its storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnninspect.receptive import reach
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.rules import NoRule, shape_of, wrapped
from cnninspect.trace.records import Op, TensorRef

PutBack = Callable[..., Reach]
"""Takes the op that made a view, which of its results, the viewed tensor's reach, the view's new one, the arguments."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a view came from: result `position` of `op`, applied to the value `of`."""

    of: int
    op: Op
    position: int


def put_back(view: View, whole: Reach, part: Reach) -> Reach:
    """The viewed tensor after the view's contents became `part`; NoRule if it is not known where they lie in it."""
    known = _PUT_BACK.get(view.op.packet)
    if known is None:
        raise NoRule
    return known(view.op, view.position, whole, part, *view.op.args[1:])


def _reshaped(op: Op, position: int, whole: Reach, part: Reach, *_: Any) -> Reach:
    return part.reshaped(whole.shape)


def _permuted(op: Op, position: int, whole: Reach, part: Reach, dims: list[int]) -> Reach:
    return part.permuted(np.argsort([wrapped(dim, len(dims)) for dim in dims]).tolist())


def _transposed(op: Op, position: int, whole: Reach, part: Reach, first: int = 0, second: int = -1) -> Reach:
    order = list(range(len(whole.shape)))
    order[first], order[second] = order[second], order[first]
    return part.permuted(order)


def _selected(op: Op, position: int, whole: Reach, part: Reach, dim: int, index: int) -> Reach:
    dim = wrapped(dim, len(whole.shape))
    single = part.reshaped((*part.shape[:dim], 1, *part.shape[dim:]))
    return reach.written(whole, dim, np.array([index % whole.shape[dim]]), single)


def _sliced(
    op: Op, position: int, whole: Reach, part: Reach, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Reach:
    dim = wrapped(dim, len(whole.shape))
    positions = np.arange(whole.shape[dim])[start:end:step]
    return part if len(positions) == whole.shape[dim] else reach.written(whole, dim, positions, part)


def _split(op: Op, position: int, whole: Reach, part: Reach, sizes: Any, dim: int = 0) -> Reach:
    dim = wrapped(dim, len(whole.shape))
    start = sum(output.shape[dim] for output in op.outputs[:position])
    return reach.written(whole, dim, np.arange(start, start + shape_of(op, position)[dim]), part)


def _unbound(op: Op, position: int, whole: Reach, part: Reach, dim: int = 0) -> Reach:
    return _selected(op, position, whole, part, dim, position)


_PUT_BACK: dict[str, PutBack] = {
    **dict.fromkeys(("aten.view", "aten._unsafe_view", "aten._reshape_alias"), _reshaped),
    **dict.fromkeys(("aten.squeeze", "aten.unsqueeze", "aten.alias", "aten.detach"), _reshaped),
    "aten.permute": _permuted,
    "aten.transpose": _transposed,
    "aten.t": _transposed,
    "aten.select": _selected,
    "aten.slice": _sliced,
    **dict.fromkeys(
        ("aten.split", "aten.split_with_sizes", "aten.unsafe_split", "aten.unsafe_split_with_sizes"),
        _split,
    ),
    "aten.unbind": _unbound,
}


class Aliases:
    """Which values are views of which, and under which value a tensor's contents go on after an in-place op."""

    def __init__(self) -> None:
        self.views: dict[int, View] = {}
        self._families: dict[int, list[int]] = {}
        self._renewed: dict[int, int] = {}

    def add(self, op: Op) -> None:
        """Note the results of an op that share the storage of one of its arguments."""
        sources = {ref.storage: ref.value for ref in reversed(op.inputs)}
        for position, output in enumerate(op.outputs):
            if output.storage in sources:
                self.views[output.value] = View(sources[output.storage], op, position)
                self._families.setdefault(output.storage, []).append(output.value)

    def renew(self, old: int, new: TensorRef) -> None:
        """The tensor that was `old` holds `new` contents."""
        self._renewed[old] = new.value
        if old in self.views:
            self.views[new.value] = self.views[old]
            self._families[new.storage].append(new.value)

    def latest(self, value: int) -> int:
        """The value under which a tensor's contents stand now."""
        while value in self._renewed:
            value = self._renewed[value]
        return value

    def others(self, ref: TensorRef) -> list[int]:
        """The views that share the storage of a tensor, apart from itself."""
        return [value for value in self._families.get(ref.storage, ()) if value != ref.value]
