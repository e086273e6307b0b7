"""Bytes that ops move between memory and the processor, if nothing stays in a cache from one op to the next.

Each op reads every tensor that goes in once and writes every result once. One that only moves data (copy, look-up,
concatenation) reads as much as it writes, whatever the size of the table it looks into; one that creates data reads
nothing; a view moves nothing.

Source: Williams, Waterman & Patterson 2009, "Roofline"; the compulsory traffic of each op on its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from cnninspect.ops.base import Work, rule_of
from cnninspect.trace.records import Op, TensorRef


def moved_bytes(op: Op) -> int | None:
    """Bytes that an op reads and writes; None for an op that nothing is known about."""
    rule = rule_of(op)
    if rule is None:
        return None
    if op.is_view:
        return 0
    written = _bytes(op.outputs)
    if rule.work is Work.CREATION:
        return written
    return 2 * written if rule.work is Work.MOVEMENT else _bytes(op.inputs) + written


def _bytes(refs: Iterable[TensorRef]) -> int:
    """Bytes of all tensors, each once however often the op takes it."""
    return sum({ref.value: ref.nbytes for ref in refs}.values())
