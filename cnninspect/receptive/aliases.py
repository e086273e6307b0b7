"""Views and in-place ops: what is written through one tensor shows in all that share its storage."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.trace.records import Op, TensorRef


@dataclass(frozen=True, slots=True)
class View:
    """Where a view came from: result `position` of `op`, applied to the value `of`."""

    of: int
    op: Op
    position: int


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
