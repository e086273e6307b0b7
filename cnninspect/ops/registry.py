"""The registry of layers and of ATen ops: all that is known of each, in one registration in the file of its family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType
from typing import Any

from cnninspect.receptive.digits import Indices
from cnninspect.receptive.knowledge import Factors, NoField, PutBack, Rule, Zeros
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Declined
from cnninspect.trace.records import Call, Op, State, TensorRef, tensors


class NoFormula(Declined):
    """This use of the layer or op lies outside what its formula covers: the number is unknown, not 0.

    The only way to decline. The text says why, in words that complete `the formula of X does not cover this call: ...`.
    """


# --- layers -------------------------------------------------------------------------------------------------------


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
        """The hyper-parameter `name`; NoFormula if the layer has none of this name."""
        if name not in self.hyper:
            raise NoFormula(f"the layer has no {name}")
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

    `modules` are class names in torch.nn, or full names of other classes (`acme.layers.LowRank`), read through
    `hyperparameters` (attribute names). `functions` maps public names of torch functions to an adapter. `params` gives
    the count for each role; `roles` names the parameters that such a module may have, by default those of `params`,
    which then looks at hyper-parameters alone. `computes` is False for layers that only move data: they cost nothing
    and have no neurons. `layer_like` is False for functions that are nothing a reader would call a layer. `sequences`
    is how many of the first inputs are sequences. `fused` are the kinds of calls that a real device runs in one kernel
    and meta op by op, with other tensors alive in between. `keeps_less` says whether a real device may run a call in a
    kernel that keeps less for the backward pass than the ops that meta runs. `source` says where the
    formula stands. What the outputs see follows from the ops that the layer runs.
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
    sequences: int = 0
    fused: tuple[str, ...] = ()
    keeps_less: Callable[[Use], bool] | None = None


# --- ATen ops -----------------------------------------------------------------------------------------------------


class Work(str, Enum):
    """What kind of work an op does; only MAC work has multiply-accumulates, every other kind counts 0 MACs."""

    MAC = "mac"
    ELEMENTWISE = "elementwise"
    REDUCTION = "reduction"
    NORMALISATION = "normalisation"
    TRANSFORM = "transform"
    COMPARISON = "comparison"
    MOVEMENT = "movement"
    CREATION = "creation"

    @property
    def computes(self) -> bool:
        """Whether numbers are worked out; moving data and creating constants is none of it."""
        return self not in (Work.MOVEMENT, Work.CREATION)


def every_operand(op: Op) -> Sequence[TensorRef]:
    """All tensors that go in: a product is linear in each of them."""
    return tensors(op.args)


@dataclass(frozen=True)
class OpRule:
    """All that is known of one ATen op.

    `output` and `macs` bind the op's arguments (TensorRefs for tensors) by their own signature and raise NoFormula
    where they cannot answer: the one does not keep the other from it. `output` may leave out trailing results that no
    caller sees. `macs` is None for an op that multiplies and accumulates nothing. `field` is the rule for what each
    result depends on, or NoField with the reason why there is none. The other facts:

    - `operations`: how many operations of its class it does, where that is not the larger of input and output;
    - `operands`: the tensors whose gradient is a product as large as the op; NoFormula where that has no closed form;
    - `stops_gradient`: no gradient passes;
    - `sized_by`: the tensors whose contents decide how many elements come out;
    - `swallows_nan`: NaN may go in where none comes out; in words how, or a function that tells by the arguments;
    - `slides`, `put_back`, `content`, `hides`, `zeros`, `zeros_in`, `factors`, `positions`, `features`: see
      receptive.knowledge.OpKnowledge.
    """

    output: Callable[..., tuple[Shape, ...]]
    field: Rule | NoField
    source: str
    work: Work
    macs: Callable[..., int] | None = None
    operations: Callable[[Op], int] | None = None
    operands: Callable[[Op], Sequence[TensorRef]] = every_operand
    stops_gradient: bool = False
    sized_by: Callable[[Op], Sequence[TensorRef]] | None = None
    swallows_nan: bool | str | Callable[[Op], bool] = False
    slides: bool = False
    put_back: PutBack | None = None
    content: Callable[[Op, Sequence[Reach]], Indices | None] | None = None
    hides: bool | Callable[[Op], bool] = False
    zeros: Zeros | Callable[[Op], Zeros | None] | None = None
    zeros_in: Sequence[int] = ()
    factors: Factors | None = None
    positions: Callable[[Op], int] | None = None
    features: Callable[[Op], Sequence[tuple[TensorRef, int]]] | None = None

    @property
    def mixes(self) -> bool:
        """Whether each result is computed of many elements so that zeros among them leave none."""
        return self.work in (Work.NORMALISATION, Work.TRANSFORM)


MODULES: dict[str, Formula] = {}
FUNCTIONS: dict[str, tuple[Formula, Adapter]] = {}
OPS: dict[str, OpRule] = {}

POINTWISE = "pointwise"
"""The entry that all ops share that torch tags as pointwise and that have none of their own."""


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
    field: Rule | NoField,
    source: str,
    macs: Callable[..., int] | None = None,
    work: Work | None = None,
    **facts: Any,
) -> None:
    """Enter all that is known of one or several ATen ops: the fields of OpRule; entering an op twice is an error.

    `work` is MAC by default where `macs` is given, and else MOVEMENT. `factors` are by default the `operands` then.
    """
    if macs is not None:
        facts.setdefault("factors", _factors(facts.get("operands", every_operand)))
    kind = work or (Work.MOVEMENT if macs is None else Work.MAC)
    for packet in packets:
        _enter(OPS, packet, OpRule(output, field, source, kind, macs, **facts))


def _factors(operands: Factors) -> Factors:
    """The operands of a product; all tensors where the gradients have no closed form."""

    def factors(op: Op) -> Sequence[TensorRef]:
        try:
            return operands(op)
        except NoFormula:
            return every_operand(op)

    return factors


def _enter(table: dict[str, Any], name: str, entry: Any) -> None:
    """Enters it; an error if the name is taken, but a file that is run again replaces what it entered before."""
    if name in table and not _is_of_a_second_run(table[name], entry):
        raise ValueError(f"{name} is registered already")
    table[name] = entry


def _is_of_a_second_run(old: Any, new: Any) -> bool:
    """Whether the functions of both stand at the same lines of one file, but were defined twice."""
    one, other = list(_functions(old)), list(_functions(new))
    places = [[(each.__module__, each.__code__.co_firstlineno) for each in side] for side in (one, other)]
    return bool(one) and places[0] == places[1] and any(a is not b for a, b in zip(one, other, strict=True))


def _functions(entry: Any) -> Iterator[FunctionType]:
    for part in entry if isinstance(entry, tuple) else vars(entry).values():
        if isinstance(part, FunctionType):
            yield part
        elif isinstance(part, Formula):
            yield from _functions(part)


def aten(names: str) -> tuple[str, ...]:
    """The packets of ATen ops given by name, with a trailing `(_)` for both the op and its in-place form."""
    found: list[str] = []
    for name in names.split():
        plain = name.removesuffix("(_)")
        found += [f"aten.{plain}", f"aten.{plain}_"] if plain != name else [f"aten.{name}"]
    return tuple(found)


def rule_of(op: Op) -> OpRule | None:
    """The entry of an op, None for one that nothing is known about; ops that torch tags as pointwise share one."""
    return OPS.get(op.packet) or (OPS.get(POINTWISE) if op.pointwise else None)


def sequences_of(call: Call) -> int:
    """How many of a call's first arguments are sequences; 0 for a call that is no recurrent or attention layer."""
    if call.functional:
        return FUNCTIONS[call.kind][0].sequences if call.kind in FUNCTIONS else 0
    name = call.layer or call.base
    return MODULES[name].sequences if name is not None else 0


def fused_kinds() -> set[str]:
    """The kinds of calls that a real device runs in one kernel and meta op by op: there their memory differs."""
    return {kind for formula in MODULES.values() for kind in formula.fused}
