"""fvcore's analysis, with its counts node by node. Importing this file imports fvcore, which a meta run never needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.jit_handles import Handle, get_shape
from torch import nn

from cnninspect.measure.base import Skip

BROADCAST_MATMUL = Skip("aten.matmul", "the batch of a matmul's second operand")
"""fvcore's formula for matmul multiplies by the first operand's own batch dimensions only."""

Name = Callable[[str, list[Any], str], str]
"""(op, shapes of its operands, equation of an einsum) -> the name that the op's count gets."""


@dataclass(frozen=True)
class Node:
    """A node of the graph: the scopes that it lies in, and its counts by op or what fvcore left out."""

    scope: str
    found: Mapping[str, int] | Skip


class Analysis(FlopCountAnalysis):  # type: ignore[misc]
    """FlopCountAnalysis as it is, which also writes down the nodes that it counts and those it has no formula for."""

    def __init__(self, model: nn.Module, inputs: tuple[torch.Tensor, ...], name: Name):
        super().__init__(model, inputs)
        self._name = name
        self.nodes: list[Node] = []
        self.set_op_handle(**{kind: self._noted(kind, handle) for kind, handle in self._op_handles.items()})
        self.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")

    def _noted(self, kind: str, handle: Handle) -> Handle:
        def count(inputs: list[Any], outputs: list[Any]) -> Any:
            found = handle(inputs, outputs)
            counts = found if isinstance(found, Counter) else {self._name(*_case(kind, inputs)): found}
            scope = outputs[0].node().scopeName()
            self.nodes.append(Node(scope, {name: int(number) for name, number in counts.items()}))
            if kind == "aten::matmul" and _broadcasts_first(inputs, outputs):
                self.nodes.append(Node(scope, BROADCAST_MATMUL))
            return found

        return count

    def _should_ignore_node(self, node: Any) -> bool:
        ignored = super()._should_ignore_node(node)
        if not ignored:
            self.nodes.append(Node(node.scopeName(), Skip(node.kind().replace("::", "."))))
        return bool(ignored)


def _case(kind: str, inputs: list[Any]) -> tuple[str, list[Sequence[int] | None], str]:
    """(op, shapes of its operands, equation of an einsum)."""
    operands, equation = (inputs[1].node().inputs(), inputs[0].toIValue()) if kind == "aten::einsum" else (inputs, "")
    return kind.removeprefix("aten::"), [get_shape(operand) for operand in operands], equation


def _broadcasts_first(inputs: list[Any], outputs: list[Any]) -> bool:
    first, output = get_shape(inputs[0]), get_shape(outputs[0])
    return first is not None and output is not None and prod(first[:-1]) < prod(output[:-1])
