"""At which ops the strict and the local field part: where a gate comes in, and where statistics are computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnninspect.receptive.forms import gates_among
from cnninspect.receptive.intervals import Fields
from cnninspect.receptive.maps import Map
from cnninspect.receptive.reach import Reach
from cnninspect.trace.records import Op

STATISTICS = None
"""The op's first result is made with statistics of its first argument."""


def parting_ops(fields: Fields) -> dict[int, tuple[int, ...] | None]:
    """By the index of an op, which of its tensor arguments are gates, counted in order, or STATISTICS."""
    known = fields.engine.reaches
    found: dict[int, tuple[int, ...] | None] = {}
    for op in fields.trace.ops:
        result = known.get(op.outputs[0].value) if op.outputs else None
        if result is None or all(forms.local is forms.strict for forms in result.forms.values()):
            continue
        parts = [known.get(ref.value) for ref in op.inputs]
        gates = _gates(parts, len(result.shape))
        if gates:
            found[op.index] = gates
        elif _computes_statistics(op, parts[0], result):
            found[op.index] = STATISTICS
    return found


def _gates(parts: Sequence[Reach | None], rank: int) -> tuple[int, ...]:
    axes = dict.fromkeys(axis for part in parts if part is not None for axis in part.forms)
    found: set[int] = set()
    for axis in axes:
        those = {i: part.forms[axis] for i, part in enumerate(parts) if part is not None and axis in part.forms}
        gates = gates_among(list(those.values()), rank)
        found |= {i for i, forms in those.items() if id(forms) in gates}
    return tuple(sorted(found))


def _computes_statistics(op: Op, source: Reach | None, result: Reach) -> bool:
    """Whether an op makes the strict field of its first argument larger and leaves the local one as it is."""
    shared = [axis for axis in result.forms if source is not None and axis in source.forms]
    return source is not None and any(
        not _same(result.forms[axis].strict, source.forms[axis].strict)
        and _same(result.forms[axis].local, source.forms[axis].local)
        for axis in shared
    )


def _same(first: Map, second: Map) -> bool:
    """Whether two tensors of one shape have the same bounds."""
    return first is second or (first.shape == second.shape and np.array_equal(first.dense(), second.dense()))
