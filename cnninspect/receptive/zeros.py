"""Constants that hold zeros by design: triangles of parameters, diagonals, padded weights, one-hot rows.

A product with such a 0 depends on nothing. `Reach.blank` follows these zeros, or the trace has their numbers. Here
stand the constants for which neither is true, and all that may hold such zeros. NaN passes a product with 0, so that it
confirms a dependence that is not there: what is computed from a product with any of them is checked by changes instead,
as behind masks.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from cnninspect.receptive.knowledge import OpKnowledge, Zeros
from cnninspect.receptive.reach import Reach
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.records import Op, TensorRef

ReachOf = Callable[[TensorRef], Reach]

_NOT_FOLLOWED = Reason(
    Cause.NOT_COVERED, "it multiplies by a constant that holds zeros by design, and which ones is not followed"
)


def _not_known(buffer: str | None) -> Reason:
    words = f"the buffer {buffer}, by which it multiplies, may hold zeros by design, and its numbers are not known"
    return Reason(Cause.NOT_COVERED, f"{words}: those of up to 1,048,576 are with --device cpu")


def puts_zeros(op: Op, known: OpKnowledge | None) -> Zeros | None:
    """Where an op puts zeros."""
    if known is None:
        return None
    return known.zeros(op) if callable(known.zeros) else known.zeros


def _holds_some(one: Reach) -> bool:
    """Whether a constant is 0 in some places."""
    numbers = one.content if one.content is not None and one.content.dtype.kind in "fb" else None
    return (_has_zeros(one) and not one.is_zero) or (numbers is not None and bool(numbers.any() and not numbers.all()))


def _holds_none(one: Reach) -> bool:
    """Whether a constant is 0 everywhere."""
    return one.is_zero or (one.content is not None and one.content.dtype.kind == "f" and not one.content.any())


def _has_zeros(one: Reach) -> bool:
    return (zero := one.zero) is not None and bool(zero.any())


class LostZeros:
    """The storages of constants that are 0 by design in places that are not followed, or that may be in any.

    Zeros alone hide nothing: a state starts so, and holds numbers later. Numbers that happen to be 0 do not count.
    """

    def __init__(self, buffers: Container[str | None]) -> None:
        self._buffers = buffers
        self._lost: set[int] = set()
        self._touched: set[int] = set()

    def note(self, op: Op, known: OpKnowledge | None, of: ReachOf) -> None:
        """Follow lost zeros through an op of constants; `of` gives the reach of its arguments and results."""
        results = [of(ref) for ref in op.outputs]
        made = {ref.storage for ref in op.outputs}
        if any(one.inputs for one in results):
            self._lost -= made
            self._touched -= made
            return
        if not all(one.is_known for one in results) or self._loses(op, known, of):
            self._lost |= made
        self._lost |= {op.outputs[place].storage for place in (() if known is None else known.zeros_in)}
        if self._touches(op, known, of):
            self._touched |= made

    def lose(self, storages: Iterable[int]) -> None:
        """Note that the zeros in these are no longer followed."""
        self._lost.update(storages)

    def _loses(self, op: Op, known: OpKnowledge | None, of: ReachOf) -> bool:
        if known is None:
            return bool(op.inputs)
        given = [of(ref) for ref in op.inputs]
        blank = [one for one in given if one.blank is not None and _has_zeros(one)]
        puts = puts_zeros(op, known) is Zeros.SOMEWHERE
        lost = [one for ref, one in zip(op.inputs, given, strict=True) if ref.storage in self._lost]
        if not (blank or puts or lost or any(ref.dtype == "bool" for ref in op.outputs)):
            return False
        follows = op.is_view or bool(known.hides)
        some = any(not one.is_zero for one in blank)
        if known.mixes and not follows and (some or not blank):
            return False  # A transform or a norm of some zeros and other numbers has none.
        if any(one.content is None for one in lost) or any(ref.dtype == "bool" for ref in op.outputs):
            return True
        if follows:
            return bool(blank) and any(of(ref).blank is None for ref in op.outputs)
        return some or puts or (bool(blank) and len(blank) < len(given) and not op.pointwise)

    def _touches(self, op: Op, known: OpKnowledge | None, of: ReachOf) -> bool:
        """Whether a constant may hold zeros by design, whatever the rules of fields say of them.

        A rule that took it for dense would be confirmed by NaN, so that it is checked by changes in any case.
        """
        given = [of(ref) for ref in op.inputs]
        if puts_zeros(op, known) is Zeros.SOMEWHERE or op.writes:
            return True
        if known is not None and known.hides and not (op.is_view or op.pointwise):
            return True  # Joined, padded, picked or summed up: a rule says which elements are 0.
        if any(ref.storage in self._touched for ref in op.inputs) or any(map(_holds_some, given)):
            return True
        return len(given) > 1 and (bool(op.writes) or not op.pointwise) and any(map(_holds_none, given))

    def held(self, op: Op, known: OpKnowledge, of: ReachOf) -> list[tuple[TensorRef, Reason | None]]:
        """The factors of a product that may hold zeros by design, and why it is not known which elements these are.

        A buffer that is multiplied as a matrix may: it is no weight to be learned.
        """
        if known.factors is None:
            return []
        matrix, found = not (op.pointwise or known.slides), list[tuple[TensorRef, Reason | None]]()
        for ref, part in ((ref, of(ref)) for ref in known.factors(op)):
            numbers = part.content
            untouched = part.is_zero and ref.storage not in self._touched
            if part.inputs or untouched or (numbers is not None and (numbers.all() or not numbers.any())):
                continue
            if numbers is not None:
                found.append((ref, None))
            elif ref.storage in self._lost or (known.slides and _has_zeros(part)):
                found.append((ref, _NOT_FOLLOWED))
            elif _has_zeros(part) or ref.storage in self._touched:
                found.append((ref, None))
            elif matrix and ref.state in self._buffers:
                found.append((ref, _not_known(ref.state)))
        return found
