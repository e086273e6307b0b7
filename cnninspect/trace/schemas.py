"""The schema of an ATen op: its name, the arguments that it writes, and the arguments that its results alias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from cnninspect.trace import private_torch
from cnninspect.trace.records import TensorRef
from cnninspect.trace.trees import leaves
from cnninspect.trace.values import Values


@dataclass(frozen=True)
class OpSchema:
    """The parts of an op's schema that the trace needs, read once per op.

    `aliases` holds for each result the name and position of the argument it may alias, and whether it is that
    argument written in place. `written` lists the arguments overwritten but not returned.
    """

    name: str
    packet: str
    pointwise: bool
    is_view: bool
    composite: bool
    is_query: bool
    aliases: tuple[tuple[int, str, bool] | None, ...]
    written: tuple[tuple[int, str], ...]

    def results(
        self, values: Values, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> tuple[tuple[TensorRef, ...], tuple[int, ...]]:
        """The op's results as TensorRefs, and the values that it overwrote."""
        outputs: list[TensorRef] = []
        writes: list[int] = []
        parts = output if isinstance(output, tuple) and len(self.aliases) > 1 else (output,)
        for index, part in enumerate(parts):
            alias = self.aliases[index] if index < len(self.aliases) else None
            source = None
            if alias is not None:
                held = args[alias[0]] if alias[0] < len(args) else kwargs.get(alias[1])
                source = next(leaves(held, torch.Tensor), None)
            for tensor in leaves(part, torch.Tensor):
                if alias is not None and alias[2]:
                    writes.append(values.ref(tensor).value)
                outputs.append(values.new(tensor, source))
        for position, name in self.written:
            for tensor in leaves(args[position] if position < len(args) else kwargs.get(name), torch.Tensor):
                writes.append(values.ref(tensor).value)
                values.new(tensor, tensor)
        return tuple(outputs), tuple(writes)


@cache
def schema_of(op: Any) -> OpSchema:
    """The schema of an op; a higher-order operator has only a name."""
    name = private_torch.name_of(op)
    if not private_torch.is_overload(op):
        return OpSchema(name, name.rsplit(".", 1)[0], False, False, False, False, (), ())
    schema = private_torch.schema_of(op)
    return OpSchema(
        name=name,
        packet=name.rsplit(".", 1)[0],
        pointwise=torch.Tag.pointwise in op.tags,
        is_view=op.is_view,
        composite=private_torch.stands_for_others(op),
        # Labels of the profiler, such as those of DataParallel, compute nothing.
        is_query=name.rsplit(".", 1)[0] in private_torch.QUERIES or op.namespace == "profiler",
        aliases=tuple(_alias(schema, result, is_view=op.is_view) for result in schema.returns),
        written=_written(schema),
    )


def _marked(schema: Any) -> dict[str, tuple[int, str]]:
    """Alias mark in the schema -> (position, name) of the argument."""
    return {
        mark: (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        for mark in (argument.alias_info.before_set if argument.alias_info else ())
    }


def _alias(schema: Any, result: Any, *, is_view: bool) -> tuple[int, str, bool] | None:
    """The argument that a result aliases, and whether it is that argument written in place."""
    marked = _marked(schema)
    for mark in result.alias_info.before_set if result.alias_info else ():
        if mark in marked:
            return (*marked[mark], bool(result.alias_info.is_write))
    # The alias of a list of views (split, unbind) is in the list's element type, which schemas do not expose.
    return (0, schema.arguments[0].name, False) if is_view else None


def _written(schema: Any) -> tuple[tuple[int, str], ...]:
    """The arguments that are overwritten but not returned."""
    returned = {mark for result in schema.returns if result.alias_info for mark in result.alias_info.before_set}
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        if argument.alias_info and argument.alias_info.is_write and not argument.alias_info.before_set & returned
    )
