"""What an ATen op's schema says: its name, what it writes, which results alias which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from cnninspect.trace.encode import live_tensors
from cnninspect.trace.records import TensorRef
from cnninspect.trace.values import Values

_QUERIES = {
    "aten.sym_size", "aten.sym_stride", "aten.sym_numel", "aten.sym_storage_offset", "aten.size", "aten.stride",
    "aten.numel", "aten.dim", "aten.storage_offset", "aten.is_contiguous", "aten.is_non_overlapping_and_dense",
    "aten.is_strides_like_format", "aten.sym_is_contiguous", "prim.layout", "prim.device",
}  # fmt: skip


@dataclass(frozen=True)
class OpSchema:
    """The parts of an op's schema that the trace needs, read once per op.

    `aliases` holds for each result the name and position of the argument it may alias, and whether it is that
    argument written in place. `written` lists the arguments overwritten but not returned.
    """

    name: str
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
                source = next(live_tensors(held), None)
            for tensor in live_tensors(part):
                if alias is not None and alias[2]:
                    writes.append(values.ref(tensor).value)
                outputs.append(values.new(tensor, source))
        for position, name in self.written:
            for tensor in live_tensors(args[position] if position < len(args) else kwargs.get(name)):
                writes.append(values.ref(tensor).value)
                values.new(tensor, tensor)
        return tuple(outputs), tuple(writes)


@cache
def schema_of(op: Any) -> OpSchema:
    """The schema of an op; a higher-order operator has only a name."""
    if not isinstance(op, torch._ops.OpOverload):
        return OpSchema(str(op), False, False, False, False, (), ())
    name = f"{op.namespace}.{op._opname}.{op._overloadname}"
    return OpSchema(
        name=name,
        pointwise=torch.Tag.pointwise in op.tags,
        is_view=op.is_view,
        # Some ops (nearest upsampling) have a kernel of their own beside a decomposition in Python: those run whole.
        composite=torch._C._dispatch_has_kernel_for_dispatch_key(op._name, "CompositeImplicitAutograd"),
        # A profiler's labels, such as DataParallel's, compute nothing either.
        is_query=name.rsplit(".", 1)[0] in _QUERIES or op.namespace == "profiler",
        aliases=tuple(_alias(op, result) for result in op._schema.returns),
        written=_written(op._schema),
    )


def _marked(schema: Any) -> dict[str, tuple[int, str]]:
    """The alias sets that the arguments open: mark -> position and name of the argument."""
    return {
        mark: (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        for mark in (argument.alias_info.before_set if argument.alias_info else ())
    }


def _alias(op: Any, result: Any) -> tuple[int, str, bool] | None:
    """The argument that a result aliases, and whether it is that argument written in place."""
    marked = _marked(op._schema)
    for mark in result.alias_info.before_set if result.alias_info else ():
        if mark in marked:
            return (*marked[mark], bool(result.alias_info.is_write))
    # The alias of a list of views (split, unbind) stands in the list's element type, which schemas do not expose.
    return (0, op._schema.arguments[0].name, False) if op.is_view else None


def _written(schema: Any) -> tuple[tuple[int, str], ...]:
    """The arguments that are overwritten but not returned."""
    returned = {mark for result in schema.returns if result.alias_info for mark in result.alias_info.before_set}
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        if argument.alias_info and argument.alias_info.is_write and not argument.alias_info.before_set & returned
    )
