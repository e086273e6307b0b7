"""Parameters that a forward makes and registers: those of the first forward can stay, as those of a lazy module do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnninspect.report.quantities import Shape
from cnninspect.trace.private_torch import contents, modules_of, state_of
from cnninspect.trace.values import is_made


class Registered:
    """The parameters that a model has registered before a forward; `look` finds those that the forward adds.

    `made` are the names that did not exist before, or had another shape. `anew` are the names of all new parameters.
    """

    def __init__(self, model: nn.Module | None):
        self._model = model
        self._modules = [] if model is None else [module for _, module in modules_of(model)]
        self._parameters = [] if model is None else state_of(model)[0]
        self._shapes = {} if model is None else _shapes(model)
        self._changes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.made: tuple[str, ...] = ()
        self.anew: frozenset[str] = frozenset()

    def look(self) -> None:
        """Notes what the model has registered since, before its attributes are restored."""
        known = {id(parameter) for parameter in self._parameters}
        if self._model is None or known.issuperset(map(id, state_of(self._model)[0])):
            return
        known |= {id(module) for module in self._modules}
        self.anew = frozenset(name for name, each in self._model.named_parameters() if id(each) not in known)
        self.made = tuple(name for name, shape in _shapes(self._model).items() if self._shapes.get(name) != shape)
        for module in self._modules:
            own = (*module._modules.values(), *module._parameters.values())
            if any(each is not None and id(each) not in known for each in own):
                self._changes += [(items, dict(items)) for items in contents(module)]

    def keep(self) -> Callable[[], None]:
        """Gives the modules what they had when `look` saw them; returns a function that takes it away again."""
        before = [(items, dict(items)) for items, _ in self._changes]
        for items, after in self._changes:
            mode = {name: items[name] for name in ("training",) if name in items}
            _fill(items, {**after, **mode})

        def undo() -> None:
            for items, old in before:
                _fill(items, old)

        return undo


def _fill(items: dict[str, Any], content: dict[str, Any]) -> None:
    items.clear()
    items.update(content)


def _shapes(model: nn.Module) -> dict[str, Shape]:
    named: list[tuple[str, torch.Tensor]] = list(model.named_parameters())
    return {name: tuple(tensor.shape) for name, tensor in named if is_made(tensor)}
