"""Which dimensions of an input are its spatial axes.

The first op that slides a window, or the first recurrent or attention layer, decides: the dimensions that it takes for
positions are spatial. A second engine, which treats every dimension of the inputs as spatial, traces the dimensions of
that op's argument back to dimensions of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cnninspect.receptive.engine import Engine
from cnninspect.receptive.knowledge import Knowledge
from cnninspect.receptive.reach import Axis
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Cause, Reason, ask
from cnninspect.trace.records import Call, Op, TensorRef, Trace

T = TypeVar("T")

Dims = tuple[int, ...]


LONGEST = 1 << 24
"""Elements of the longest dimension of an input along which fields are followed."""


def of_inputs(trace: Trace, knowledge: Knowledge) -> tuple[dict[str, tuple[Axis, ...]], Reason | None]:
    """The spatial axes of every input, by its name, and a reason to doubt them where the registration of an op failed.

    By default these are all dimensions from the third on, as in [N, C, *space]. A convolution over other dimensions
    overrules that: H and W for [C, H, W], T for [N, T, C] that is transposed first. So does a recurrent or attention
    layer, whose `batch_first` says which dimension holds its steps. Without either, a product or layer norm over the
    last of at least three dimensions shows that the last one holds features and those before it positions: T for
    [N, T, C], and for [T, N, C], if steps meet in an output and samples do not. Numbers [N, T] that are embedded first
    are tokens: T is their axis.
    """
    longest = max((size for ref in trace.inputs.values() for size in ref.shape), default=0)
    if longest > LONGEST:
        words = f"an input has a dimension of {longest:,}, and fields are followed along {LONGEST:,} at most"
        return {name: _axes(name, ref.shape, _usual(ref)) for name, ref in trace.inputs.items()}, Reason(
            Cause.LIMIT, words
        )
    listener = _Listener(trace, knowledge)
    decided = listener.spatial_dims()
    axes = {name: _axes(name, ref.shape, decided.get(name, _usual(ref))) for name, ref in trace.inputs.items()}
    return axes, listener.failure


def _axes(name: str, shape: Shape, dims: Iterable[int]) -> tuple[Axis, ...]:
    return tuple(Axis(name, index, dim, shape[dim]) for index, dim in enumerate(dims))


def _usual(ref: TensorRef) -> Dims:
    return tuple(range(2, len(ref.shape)))


class _Listener:
    """Collects, from the ops of a trace, which dimensions of its inputs are positions."""

    def __init__(self, trace: Trace, knowledge: Knowledge):
        self.failure: Reason | None = None
        self._trace = trace
        self._known = knowledge
        self._every = {name: _axes(name, ref.shape, range(len(ref.shape))) for name, ref in trace.inputs.items()}
        self._scout = Engine(trace, self._every, knowledge, scouts=True)
        self._stepped: set[str] = set()
        self._last = next((op.index for op in reversed(trace.ops) if self._decides(op)), -1)

    def spatial_dims(self) -> dict[str, Dims]:
        """The spatial dimensions by the name of the input; inputs that no op decides about are absent."""
        found: dict[str, Dims] = {}
        asked = [name for name, ref in self._trace.inputs.items() if self._is_read(ref)]
        for op in self._trace.ops:
            asked = [name for name in asked if not self._settled(op, name, found)]
            if not asked and not self._stepped:
                break
            self._scout.run(op)
        return {name: self._steps_first(name) or dims for name, dims in found.items()}

    def _steps_first(self, name: str) -> Dims | None:
        """The positions of [T, N, ..., C]: if an output sees several steps of T, and of N a single sample.

        A loop over a batch reads [N, T, C] in the same way as one over steps reads [T, N, C], and samples never meet.
        Statistics of a batch, which a local field leaves out, are no meeting.
        """
        if name not in self._stepped:
            return None
        results = [self._scout.of(ref).made().forms for ref in self._trace.outputs]

        def meet(axis: Axis) -> bool:
            return any(axis in forms and (forms[axis].local.table.sum(0) < 0).any() for forms in results)

        first, second = self._every[name][:2]
        return (0, *range(2, len(self._every[name]) - 1)) if meet(first) and not meet(second) else None

    def _is_read(self, ref: TensorRef) -> bool:
        return any(ref.value == other.value for op in self._trace.ops for other in op.inputs)

    def _settled(self, op: Op, name: str, found: dict[str, Dims]) -> bool:
        """Whether no later op will be asked about an input; `found` gets the dimensions that this op decides."""
        if not any(name in self._scout.of(ref).inputs for ref in op.inputs):
            return False
        decides = self._decides(op)
        dims = self._decision(op, name) if decides else None
        if dims is not None:
            found[name] = dims
            self._stepped.discard(name)
        elif not decides and name not in found and (hint := self._hint(op, name)) is not None:
            found[name] = hint
        return decides or (name in found and op.index > self._last)

    def _decides(self, op: Op) -> bool:
        return self._positions(op) > 0 or self._known.sequences(self._trace.calls[op.call]) > 0

    def _positions(self, op: Op) -> int:
        """How many of the last dimensions of an op's first argument are positions to it."""
        known = self._known.op(op)
        return 0 if known is None or known.positions is None else self._asked(op, known.positions, 0)

    def _asked(self, op: Op, fact: Callable[[Op], T], otherwise: T) -> T:
        """What an op's registration says, or `otherwise` where it declines or fails; a failure is noted."""
        answer = ask(f"the registration of {op.packet}", fact, op)
        if not isinstance(answer, Reason):
            return answer
        if answer.cause is Cause.FAILED:
            self.failure = self.failure or answer
        return otherwise

    def _decision(self, op: Op, name: str) -> Dims | None:
        ref = self._trace.inputs[name]
        if self._positions(op):
            return self._slid_over(op, name, ref)
        return self._steps(self._trace.calls[op.call], name, ref)

    def _along(self, ref: TensorRef, name: str, *dims: int) -> set[int]:
        """The dimensions of an input along which the field moves when an index of one of `dims` does."""
        forms = self._scout.of(ref).forms
        return {axis.dim for axis in forms if axis.input == name and any(map(forms[axis].sees_move, dims))}

    def _slid_over(self, op: Op, name: str, ref: TensorRef) -> Dims | None:
        """The input's dimensions that a convolution slides over, and those that were folded into its batch.

        A dimension of size 1, or one mixed by an earlier op, moves along none of the input's: then the last dimensions
        of the input count if their sizes are the same.
        """
        x, count = op.args[0], self._positions(op)
        rank = len(ref.shape)
        if rank <= count:
            return None
        along = self._along(x, name, *range(len(x.shape) - count, len(x.shape)))
        if len(along) < count and x.shape[-count:] == ref.shape[-count:]:
            return tuple(range(rank - count, rank))
        in_batch = {dim for dim in self._along(x, name, 0) if dim >= 2}
        return tuple(sorted(along | in_batch)) if along else None

    def _steps(self, layer: Call, name: str, ref: TensorRef) -> Dims | None:
        """The input's dimension that a recurrent or attention layer takes for steps; None for an image in pieces."""
        sequences = layer.inputs[: self._known.sequences(layer)]
        x = next((one for one in sequences if name in self._scout.of(one).inputs), None)
        if x is None:
            return None
        dim = int(layer.hyperparameters.get("batch_first", False)) if len(x.shape) == 3 else 0
        along = self._along(x, name, dim)
        if len(along) <= 1 and len(ref.shape) > 3:
            return None
        return tuple(sorted(along)) if along else (dim,) if x.shape == ref.shape else None

    def _in_part(self, pairs: Sequence[tuple[TensorRef, int]], name: str, dim: int) -> bool:
        """Whether each sum sees a part of a dimension of the input alone, as windows of steps side by side do."""
        axis = self._every[name][dim]
        summed = [(self._scout.of(x).forms.get(axis), over % len(x.shape)) for x, over in pairs]
        sizes = [1 - forms.strict.reduced([over]).table.sum(0) for forms, over in summed if forms is not None]
        return all((size < axis.size).all() for size in sizes)

    def _hint(self, op: Op, name: str) -> Dims | None:
        """The positions of an input whose last dimension an op mixes: all between the first dimension and the last.

        Those of numbers [N, T] are T if the op mixes none of their dimensions, as after an embedding: tokens.
        """
        known = self._known.op(op)
        none: Sequence[tuple[TensorRef, int]] = ()
        pairs = none if known is None or known.features is None else self._asked(op, known.features, none)
        mixed = next(filter(None, (self._along(x, name, dim) for x, dim in pairs)), set())
        ref = self._trace.inputs[name]
        rank = len(ref.shape)
        if not mixed and rank == 2 and ref.dtype in ("int32", "int64"):
            moving = [self._along(x, name, *range(len(x.shape) - 1)) for x, _ in pairs]
            return (1,) if any(1 in dims for dims in moving) else None
        if rank > 2 and rank - 1 in mixed and all(self._in_part(pairs, name, dim) for dim in mixed - {rank - 1}):
            if ref.shape[0] > 1:
                self._stepped.add(name)
            return tuple(range(1, rank - 1))
        return _usual(ref) if mixed else None
