"""Mutants that make a true statement of another one: what their line decides is a reading, not arithmetic.

The run lists them as equivalent, each with its reason. A line that changes is no longer in this table.
"""

from __future__ import annotations

from tests.mutation.sites import Site

AXES = "which dimensions of the input are its axes is a reading; rows print their `image`, and are right for it"

EXACT_SIZES = "the exact sizes inside the image, without jump and padding, where a row may print these as well"

WHOLE = "every output sees all pixels: the row prints their number in place of `global`, and the same cause"

OTHER_MAP = "the total names its layer: this one puts out a map as well, whose row has that field"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "receptive/axes.py",
        "return self._positions(op) > 0 or self._known.sequences(self._trace.calls[op.call]) > 0",
        "> becomes >=",
    ): AXES,
    (
        "receptive/axes.py",
        "return 0 if known is None or known.positions is None else self._asked(op, known.positions, 0)",
        "0 becomes 1",
    ): AXES,
    ("receptive/axes.py", "if len(along) <= 1 and len(ref.shape) > 3:", "> becomes >="): AXES,
    ("receptive/axes.py", "return tuple(range(1, rank - 1))", "1 becomes 2"): AXES,
    (
        "receptive/bounds.py",
        "digit.size > 1 and (bool(digit.step) or self.table.shape[axis] > 1)",
        "> becomes >=",
    ): AXES,
    (
        "ops/normalization.py",
        "features=lambda op: [(op.args[0], -1)] if len(op.args[1]) == 1 else [],",
        "1 becomes 2",
    ): AXES,
    ("ops/convolution.py", "positions=lambda op: len(op.args[1].shape) - 2,", "1 becomes 2"): AXES,
    ("receptive/joins.py", "if axis != maps[0].axis(dim) and len(forms) > 1:", "1 becomes 2"): OTHER_MAP,
    ("ops/linear.py", "features=lambda op: [(op.args[0], -1)],", "1 becomes 2"): AXES,
    ("receptive/digits.py", "advance = (indices // period * digit.step).reshape(shape)", "* becomes +"): WHOLE,
    ("ops/views.py", "if prod(x.shape) != prod(shape_of(op)):", "prod becomes sum"): AXES,
    (
        "receptive/joins.py",
        "if (np.diff(positions) != 1).any() or any(d.kind < PLACE or d.step is None for d in part.dims[dim]):",
        "1 becomes 2",
    ): EXACT_SIZES,
    ("ops/views.py", "if of is None or stride[position] % strides[of]:", "% becomes //"): EXACT_SIZES,
    (
        "ops/views.py",
        "last = begin + sum((wanted[position] - 1) * step for position, step in steps)",
        "* becomes +",
    ): EXACT_SIZES,
}
"""File, line of code and change -> why both numbers are true."""


def reason_of(site: Site) -> str | None:
    """Why the number that a mutant changes is as true as it was; None if it is not in the table."""
    return EQUIVALENT.get((site.file, site.text, site.change))
