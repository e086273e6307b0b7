"""What a formula is: pure integer functions of hyper-parameters and input shapes, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import prod
from typing import Any

from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, State, TensorRef, tensors


class NoFormula(Exception):
    """This use of the layer lies outside what its formula covers; the number is unknown, not 0."""


@dataclass(frozen=True)
class Use:
    """One use of a layer: what its formula may look at.

    `inputs` are the shapes of the tensors that go in, in the order of the layer's forward. `hyper` holds the
    hyper-parameters by torch's names. `state` holds the tensors that may be parameters, by their role (`weight`,
    `bias`...); for a functional call they are those arguments of the call.
    """

    inputs: tuple[Shape, ...]
    hyper: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, State | TensorRef | None] = field(default_factory=dict)
    training: bool = False
    kind: str = ""

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0]

    def __getitem__(self, name: str) -> Any:
        """The hyper-parameter `name`."""
        return self.hyper[name]


Adapter = Callable[..., Use]
"""Binds a call's arguments (TensorRefs for tensors) by its own signature and returns the Use."""


def no_params(use: Use) -> dict[str, int]:
    """A layer without parameters."""
    return {}


def no_macs(use: Use) -> int:
    """A layer that multiplies and accumulates nothing; docs/conventions.md says which work counts 0."""
    return 0


def same_shape(use: Use) -> tuple[Shape, ...]:
    """The output has the shape of the (first) input."""
    return (use.input,)


@dataclass(frozen=True)
class Formula:
    """All that is known about one family of layers, tied together.

    `modules` are class names in torch.nn, read through `hyperparameters` (attribute names). `functions` maps public
    names of torch functions to an adapter. `params` gives the count for each role; `roles` names the parameters that
    such a module may have, by default those of `params`, which then looks at hyper-parameters alone. `computes` is
    False for layers that only move data: they cost nothing and have no neurons. `layer_like` is False for functions
    that are nothing a reader would call a layer. `source` says where the formula stands.
    """

    name: str
    source: str
    output: Callable[[Use], tuple[Shape, ...]]
    params: Callable[[Use], dict[str, int]] = no_params
    macs: Callable[[Use], int] = no_macs
    modules: tuple[str, ...] = ()
    hyperparameters: tuple[str, ...] = ()
    functions: Mapping[str, Adapter] = field(default_factory=dict)
    bind: Callable[..., Use] | None = None
    roles: tuple[str, ...] | None = None
    computes: bool = True
    layer_like: bool = True


class Work(str, Enum):
    """What kind of work an op does; only MAC work has multiply-accumulates, every other kind counts 0 MACs."""

    MAC = "mac"
    ELEMENTWISE = "elementwise"
    REDUCTION = "reduction"
    NORMALISATION = "normalisation"
    COMPARISON = "comparison"
    MOVEMENT = "movement"
    CREATION = "creation"

    @property
    def computes(self) -> bool:
        """Whether numbers are worked out; moving data and creating constants is none of it."""
        return self not in (Work.MOVEMENT, Work.CREATION)


@dataclass(frozen=True)
class OpRule:
    """Output shapes and multiply-accumulates of one ATen op, from its arguments (TensorRefs for tensors).

    Both functions bind the op's arguments by their own signature and raise NoFormula where they cannot answer: the
    one does not keep the other from it. `output` may leave out trailing results that no caller sees.
    """

    packet: str
    output: Callable[..., tuple[Shape, ...]]
    macs: Callable[..., int] | None
    source: str
    work: Work


MODULES: dict[str, Formula] = {}
FUNCTIONS: dict[str, tuple[Formula, Adapter]] = {}
OPS: dict[str, OpRule] = {}


def register(formula: Formula) -> Formula:
    """Enter a formula for its modules and functions; entering one twice is an error."""
    for name in formula.modules:
        _enter(MODULES, name, formula)
    for name, adapter in formula.functions.items():
        _enter(FUNCTIONS, name, (formula, adapter))
    return formula


def register_op(
    *packets: str,
    output: Callable[..., tuple[Shape, ...]],
    macs: Callable[..., int] | None = None,
    source: str = "torch documentation of the op",
    work: Work | None = None,
) -> None:
    """Enter the rule of one or several ATen ops; `macs=None` means the op multiplies and accumulates nothing.

    `work` is MAC by default where `macs` is given, and else MOVEMENT.
    """
    kind = work or (Work.MOVEMENT if macs is None else Work.MAC)
    for packet in packets:
        _enter(OPS, packet, OpRule(packet, output, macs, source, kind))


def rule_of(op: Op) -> OpRule | None:
    """The rule of an op, None for one that nothing is known about; ops that torch tags as pointwise share one."""
    return OPS.get(op.packet) or (POINTWISE if op.pointwise else None)


def _enter(table: dict[str, Any], name: str, entry: Any) -> None:
    if name in table:
        raise ValueError(f"{name} has a formula already")
    table[name] = entry


def as_tuple(value: Any, length: int) -> tuple[int, ...]:
    """A hyper-parameter given once or per axis, per axis; NoFormula if it is the content of a tensor."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(item, int) for item in items):
        raise NoFormula(f"{value} is no integer")
    return items * length if len(items) == 1 else items


def broadcast(*shapes: Shape) -> Shape:
    """The shape that results from broadcasting, as in numpy.

    Source: torch documentation, "Broadcasting semantics".
    """
    length = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (length - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        distinct = {size for size in sizes if size != 1}
        if len(distinct) > 1:
            raise NoFormula(f"shapes {shapes} do not broadcast")
        result.append(distinct.pop() if distinct else 1)
    return tuple(result)


def numel(shape: Shape) -> int:
    """Number of elements of a tensor of this shape."""
    return prod(shape)


def broadcast_tensors(*args: Any, out: Any = None, **kwargs: Any) -> tuple[Shape, ...]:
    """The broadcast of all tensors among an op's arguments, other than the one that only receives the result."""
    return (broadcast(*(ref.shape for ref in tensors((args, kwargs)))),)


POINTWISE = OpRule("pointwise", broadcast_tensors, None, "torch.Tag.pointwise", Work.ELEMENTWISE)
