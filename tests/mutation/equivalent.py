"""Mutants that make a true statement of another one: what their line decides is no arithmetic.

The run lists them as equivalent, each with its reason, as far as they change a number in the way that is told here; any
other change that keeps its verdict is silent. A line that changes is no longer in this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.mutation.sites import Site


@dataclass(frozen=True)
class Equivalent:
    """Why both numbers are true. `change` is a regular expression: what the run says of the number has to match."""

    why: str
    change: str


OTHER_NAME = Equivalent(
    "the layer is read as a container: rows of the functions in it stand in its place, and sums are of theirs", r""
)

CONFIRMED = Equivalent(
    "what is unknown without the mutant is said in another way, and the probe confirms it at every position",
    r", (unknown|not_run) -> match$",
)
"""`torch.cat` of two parts of a map in the other order is a roll, which only shifts a field; so are blocks of zeros."""

GATE = Equivalent(
    "the factor or summand is left out or not, as papers do or NaN does: with it the field is global, and says why",
    r"receptive_field: .*'global': \{.*'global': \{",
)

OTHER_INPUT = Equivalent(
    "the field of a row that depends on two inputs is that in the other one, which the probe looks at as well",
    r"receptive_field: ",
)

OTHER_AXES = Equivalent(
    "a product that says which axes an input has is not followed: the field along those of an image is as true",
    r"receptive_field: ",
)

FEWER_AXES = Equivalent(
    "that an input which no op decides about has positions from its third dimension on is a convention; the field "
    "along those from the fourth on is as true",
    r"receptive_field: ",
)

OTHER_CAUSE = Equivalent(
    "the field is global by two ops, a mean and a distance over all of the map: the other one is named",
    r"receptive_field: \{'size': None,.* -> \{'size': None,",
)

INSIDE = Equivalent(
    "the row prints the sizes inside the image, all probed, in place of those without ends; its positions are too few "
    "to see the rule in them",
    r"receptive_field: .* -> \{'size': \[\[.*'jump': None",
)

STEPS = Equivalent(
    "whether the first dimension of an input holds samples or steps is a convention; the field along the second is as "
    "true",
    r"receptive_field: \{'size': None,.* -> \{'size': \[1\], 'jump': \[1\],",
)

SEAMS = Equivalent(
    "the first and the last column of a folded image are its borders, where an input without ends has no fewer pixels",
    r"\{'size': \[\[5, 6\]\], 'jump': \[4\],.* -> \{'size': \[6\], 'jump': \[1\],",
)

EQUIVALENT: dict[tuple[str, str, str], Equivalent] = {
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
    (
        "receptive/bounds.py",
        "table, digits[axis - 1] = simplified(table, axis, digit, affine=not self.clipped)",
        "1 becomes 2",
    ): CONFIRMED,
    (
        "receptive/bounds.py",
        "return own > 0 and any(digit.size > 1 and abs(digit.step or 0) > own for digit in others)",
        "0 becomes 1",
    ): SEAMS,
    ("receptive/digits.py", "return first, Digit(digit.size, 0, digit.kind)", "0 becomes 1"): CONFIRMED,
    (
        "receptive/digits.py",
        "return PLACE if a != b and min(a, b) > PLACE else max(a, b)",
        "max becomes min",
    ): CONFIRMED,
    (
        "receptive/axes.py",
        "return any(axis in forms and (forms[axis].local.table.sum(0) < 0).any() for forms in results)",
        "0 becomes 1",
    ): STEPS,
    (
        "receptive/axes.py",
        "return any(axis in forms and (forms[axis].local.table.sum(0) < 0).any() for forms in results)",
        "< becomes <=",
    ): STEPS,
    (
        "receptive/axes.py",
        "return (0, *range(2, len(self._every[name]) - 1)) if meet(first) and not meet(second) else None",
        "0 becomes 1",
    ): STEPS,
    ("receptive/forms.py", "offset = rank - len(part.dims)", "- becomes +"): GATE,
    (
        "receptive/forms.py",
        "return {(gate, other) for gate, other in permutations(parts, 2) if _is_gate(parts[gate], parts[other], rank)}",
        "2 becomes 3",
    ): GATE,
    ("receptive/forms.py", "if len(parts) == 1:", "1 becomes 2"): OTHER_CAUSE,
    ("receptive/forms.py", "sizes = (1,) * (rank - len(other.shape)) + tuple(other.shape)", "- becomes +"): GATE,
    (
        "receptive/reach.py",
        "return move((*self.shape[:dim], taps.out, *self.shape[dim + 1 :]), lambda part: part.slid(dim, taps))",
        "right side of + is left out",
    ): OTHER_AXES,
    ("ops/matmul.py", "features=lambda op: [(op.args[0], -1), (op.args[1], -2)],", "0 becomes 1"): CONFIRMED,
    ("ops/matmul.py", "features=lambda op: [(op.args[0], -1), (op.args[1], -2)],", "1 becomes 2"): CONFIRMED,
    (
        "ops/masks.py",
        "shape, last = (*a.shape[:-1], b.shape[-1]), len(a.shape) - 1",
        "1 becomes 2",
    ): CONFIRMED,
    ("ops/movement.py", "for position in range(len(pad) // 2):", "// becomes *"): CONFIRMED,
    ("ops/movement.py", "for position in range(len(pad) // 2):", "2 becomes 3"): CONFIRMED,
    (
        "ops/movement.py",
        "before, after = pad[2 * position : 2 * position + 2]",
        "right side of * is left out",
    ): CONFIRMED,
    ("receptive/bounds.py", "table, digit = one.table, one.dims[dim][0]", "0 becomes 1"): CONFIRMED,
    ("receptive/axes.py", "return tuple(range(2, len(ref.shape)))", "2 becomes 3"): FEWER_AXES,
    (
        "receptive/digits.py",
        "if digit.step is not None and inner % table.shape[axis] and table.shape[axis] % inner:",
        "% becomes //",
    ): INSIDE,
    ("receptive/rows.py", "return bool(moving) and all(moving) and (apart or ways == 1)", "1 becomes 2"): CONFIRMED,
    ("receptive/rows.py", "return own[0] if own else ()", "0 becomes 1"): OTHER_INPUT,
    (
        "ops/catalogue.py",
        "return counts.cause is Cause.FAILED if isinstance(counts, Reason) else names <= set(counts)",
        "<= becomes <",
    ): OTHER_NAME,
}
"""File, line of code and change -> which numbers become others that are as true."""


def reason_of(site: Site, change: str) -> str | None:
    """Why a number that a mutant changes is as true as it was; None if the table does not say so of this change."""
    found = EQUIVALENT.get((site.file, site.text, site.change))
    return found.why if found is not None and re.search(found.change, change) else None
