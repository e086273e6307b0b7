"""Knowledge: all that the engine asks about ops and layers. It knows none by name; the registry of ops answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cnninspect.receptive.digits import Indices
from cnninspect.receptive.reach import Reach, nothing
from cnninspect.report.reasons import Cause, Declined
from cnninspect.trace.records import Call, Op, TensorRef

Result = Reach | tuple[Reach, ...]
Rule = Callable[..., Result]
"""Takes the op, then the op's own arguments with a Reach for each tensor; returns the reach of its results."""

PutBack = Callable[..., Reach]
"""Takes the op that made a view, which of its results, the viewed tensor's reach, the view's new one, the arguments."""


class NoRule(Declined):
    """The op has a rule, but not for these arguments; the text says why. The only way in which a rule declines."""


class ReadByData(NoRule):
    """With these arguments the contents of a tensor decide which elements the op reads."""

    cause = Cause.READ_BY_DATA

    def __init__(self, text: str = "it reads where the contents of a tensor say") -> None:
        super().__init__(text)


@dataclass(frozen=True)
class NoField:
    """Stands in place of a rule; `why` says why no rule can tell what the results depend on."""

    why: str


def depends_on_nothing(op: Op, *_: Any, **__: Any) -> Result:
    """The field of an op that makes new values: `zeros_like` takes a shape from its argument and reads no element."""
    return tuple(nothing(ref.shape) for ref in op.outputs)


def reads_by_data(op: Op, *_: Any, **__: Any) -> Result:
    """ReadByData, always: the contents of a tensor decide which elements the op reads, or keeps."""
    raise ReadByData


class Zeros(Enum):
    """Where an op puts zeros."""

    EVERYWHERE = "it makes a tensor of zeros"
    SOMEWHERE = "it puts zeros beside, or in the place of, the numbers that it is given"


Factors = Callable[[Op], Sequence[TensorRef]]


class OpKnowledge(Protocol):
    """What the engine asks about one op."""

    @property
    def field(self) -> Rule | NoField:
        """The rule for what each result depends on, or why there is none."""

    @property
    def slides(self) -> bool:
        """Whether a window slides over the first argument: the first such ops show which pixels the network reads."""

    @property
    def put_back(self) -> PutBack | None:
        """How new contents of a view change the tensor that it was taken from; None if that is not known."""

    @property
    def content(self) -> Callable[[Op, Sequence[Reach]], Indices | None] | None:
        """The integers in the result, computed from known integers; None for other ops."""

    @property
    def hides(self) -> bool | Callable[[Op], bool]:
        """Whether the rule says which elements of the results a mask hides, or, by its arguments, whether the op does.

        The results of others hide none. A view hides what it is a view of.
        """

    @property
    def zeros(self) -> Zeros | Callable[[Op], Zeros | None] | None:
        """Where the op puts zeros whatever numbers it is given, or, by its arguments, where."""

    @property
    def zeros_in(self) -> Sequence[int]:
        """The results that are 0 by design in some places, such as triangular factors, which no rule follows."""

    @property
    def mixes(self) -> bool:
        """Whether each result is computed of many elements so that zeros among them leave none."""

    @property
    def factors(self) -> Factors | None:
        """The tensors that the op multiplies by others; None for an op that multiplies nothing."""

    @property
    def positions(self) -> Callable[[Op], int] | None:
        """How many of the last dimensions of the first argument are positions of a feature map to the op."""

    @property
    def features(self) -> Callable[[Op], Sequence[tuple[TensorRef, int]]] | None:
        """Arguments, each with its dimension of features, which the op mixes as a whole."""


@dataclass(frozen=True)
class Knowledge:
    """All that the engine asks.

    `op` returns what is known of an op, None for one that nothing is known about. `sequences` says how many of a call's
    first arguments are sequences, [T, N, E] or with `batch_first` [N, T, E]: 1 for a recurrent layer, 3 for attention.
    """

    op: Callable[[Op], OpKnowledge | None]
    sequences: Callable[[Call], int]
