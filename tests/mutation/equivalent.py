"""Mutants that make a true statement of another one: what their line decides is no arithmetic.

The run lists them as equivalent, each with its reason. A line that changes is no longer in this table.
"""

from __future__ import annotations

from tests.mutation.sites import Site

OTHER_NAME = "the layer is read as a container: rows of the functions in it stand in its place, and sums are of theirs"

CONFIRMED = "what is unknown without the mutant is said in another way, and the probe confirms it at every position"
"""`torch.cat` of two parts of a map in the other order is a roll, which only shifts a field; so are blocks of zeros."""

GATE = "the factor or summand is left out or not, as papers do or NaN does: with it the field is global, and says why"

OTHER_INPUT = "the field of a row that depends on two inputs is that in the other one, which the probe looks at as well"

OTHER_AXES = "a product that says which axes an input has is not followed: the field along those of an image is as true"

OTHER_CAUSE = "the field is global by two ops, a mean and a distance over all of the map: the other one is named"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("receptive/joins.py", "if len(something) != 1:", "1 becomes 2"): CONFIRMED,
    (
        "receptive/joins.py",
        "if len(digits) != 1 or digits[0].kind < PLACE or digits[0].step is None:",
        "1 becomes 2",
    ): CONFIRMED,
    ("receptive/joins.py", "return bool((part.table > NOTHING // 2).all())", "// becomes *"): CONFIRMED,
    (
        "receptive/joins.py",
        "return part.picked(dim, 0).inserted(dim, tuple(Digit(digit.size, 0, COPY) for digit in like))",
        "0 becomes 1",
    ): CONFIRMED,
    ("receptive/bounds.py", "self.table.min(axes, initial=NOTHING, where=sees),", "min becomes max"): GATE,
    ("receptive/forms.py", "if len(parts) == 1:", "1 becomes 2"): OTHER_CAUSE,
    ("receptive/forms.py", "sizes = (1,) * (rank - len(other.shape)) + tuple(other.shape)", "- becomes +"): GATE,
    (
        "receptive/reach.py",
        "return move((*self.shape[:dim], taps.out, *self.shape[dim + 1 :]), lambda part: part.slid(dim, taps))",
        "right side of + is left out",
    ): OTHER_AXES,
    ("receptive/rows.py", "return own[0] if own else ()", "0 becomes 1"): OTHER_INPUT,
    (
        "ops/catalogue.py",
        "return counts.cause is Cause.FAILED if isinstance(counts, Reason) else names <= set(counts)",
        "<= becomes <",
    ): OTHER_NAME,
}
"""File, line of code and change -> why both numbers are true."""


def reason_of(site: Site) -> str | None:
    """Why the number that a mutant changes is as true as it was; None if it is not in the table."""
    return EQUIVALENT.get((site.file, site.text, site.change))
