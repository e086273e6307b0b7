"""Constants that hold zeros by design: triangles of parameters, diagonals, padded weights, one-hot rows.

NaN passes a product with 0, so that it confirms a dependence that is not there. What is computed from a product with
such a constant is checked by changes instead, as behind masks.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.receptive.knowledge import Zeros
from cnninspect.receptive.reach import Reach
from cnninspect.trace.records import Op, TensorRef


class WithZeros:
    """The storages of constants that are 0 everywhere, and of those that are 0 by design in some places.

    A tensor of zeros alone hides nothing: a state starts so, and holds numbers later. Numbers that happen to be 0 do
    not count either.
    """

    def __init__(self) -> None:
        self._everywhere: set[int] = set()
        self._somewhere: set[int] = set()

    def note(self, op: Op, results: Sequence[Reach], puts: Zeros | None, *, multiplies: bool) -> None:
        """Follow the zeros through an op; `multiplies` says that it computes products."""
        made = {ref.storage for ref in op.outputs}
        if any(one.inputs or not one.is_known for one in results):
            self._somewhere -= made
            self._everywhere -= made
            return
        given = {ref.storage for ref in op.inputs}
        blank = given & self._everywhere
        partly = puts is Zeros.SOMEWHERE or given & self._somewhere or any(ref.dtype == "bool" for ref in op.outputs)
        covers = multiplies or (op.pointwise and not op.writes)  # What is written in place may be a part of the zeros.
        if partly or (blank and blank != given and not covers):
            self._somewhere |= made
            self._everywhere -= made
        elif puts is Zeros.EVERYWHERE or (blank and blank == given):
            self._everywhere |= made
            self._somewhere -= made
        elif blank:
            self._everywhere -= made

    def among(self, refs: Sequence[TensorRef]) -> bool:
        """Whether one of these tensors is a constant that is 0 in some places."""
        return any(ref.storage in self._somewhere for ref in refs)
