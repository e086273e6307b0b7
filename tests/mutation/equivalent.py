"""Mutants that make a true statement of another one: what their line decides is a reading, not arithmetic.

The run lists them as equivalent, each with its reason. A line that changes is no longer in this table.
"""

from __future__ import annotations

from tests.mutation.sites import Site

AXES = "no layer names the axes of this input, so they are a reading; rows print their `image`, and are right for it"
"""Only where a product or a norm is all there is: where torch's names say the axes, `axes_by_name` holds them to it."""

OTHER_MAP = "the total names its layer: this one puts out a map as well, whose row has that field"

OTHER_NAME = "the layer is read as the function in it: the same numbers, and `global` names the function"

CAUSE = "the same size; only the call that `global` names is another, which is a word and no number"

GATE = "the field with the gate and the one without it are both true; which factor is a gate is a reading"

STATISTICS = (
    "with the statistics every output sees everything: the row says so, and does not print the field without them"
)

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "receptive/forms.py",
        "least = rows.max(1, initial=-NOTHING, where=rows < NOTHING // 2)",
        "max becomes min",
    ): CAUSE,
    ("receptive/forms.py", "least = rows.max(1, initial=-NOTHING, where=rows < NOTHING // 2)", "- is left out"): GATE,
    (
        "receptive/reach.py",
        "kinds = [PLACE + 1 + places.index(position) if position in places else FEATURE"
        " for position in range(len(shape))]",
        "+ becomes -",
    ): STATISTICS,
    ("receptive/rows.py", "return fields.label(min(seen)) if seen else None", "min becomes max"): CAUSE,
    ("receptive/joins.py", "if len(something) != 1:", "1 becomes 2"): OTHER_MAP,
    (
        "receptive/joins.py",
        "if len(digits) != 1 or digits[0].kind < PLACE or digits[0].step is None:",
        "1 becomes 2",
    ): OTHER_MAP,
    (
        "receptive/joins.py",
        "return left, right, Digit(1, p.step or q.step or 0, meeting(p.kind, q.kind))",
        "0 becomes 1",
    ): OTHER_MAP,
    ("receptive/forms.py", "offset = rank - len(gate.endless.dims)", "- becomes +"): GATE,
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
    ("receptive/axes.py", "if mixed == {rank - 1} and rank > 2:", "1 becomes 2"): AXES,
    ("receptive/axes.py", "if mixed == {rank - 1} and rank > 2:", "2 becomes 3"): AXES,
    ("receptive/axes.py", "if mixed == {rank - 1} and rank > 2:", "- becomes +"): AXES,
    ("receptive/axes.py", "return tuple(range(1, rank - 1))", "1 becomes 2"): AXES,
    ("receptive/axes.py", "return tuple(range(2, len(ref.shape)))", "2 becomes 3"): AXES,
    (
        "receptive/forms.py",
        "broadcast = (gate.endless.dims[dim - offset] if dim >= offset else () for dim in places)",
        ">= becomes >",
    ): GATE,
    (
        "receptive/forms.py",
        "return {id(gate) for gate, other in permutations(parts, 2) if _is_gate(gate, other, rank)}",
        "2 becomes 3",
    ): GATE,
    (
        "ops/normalization.py",
        "features=lambda op: [(op.args[0], -1)] if len(op.args[1]) == 1 else [],",
        "1 becomes 2",
    ): AXES,
    ("ops/linalg.py", "return [(op.args[0], -1)]", "0 becomes 1"): AXES,
    ("ops/linalg.py", "return [(op.args[0], -1)]", "1 becomes 2"): AXES,
    ("ops/linear.py", "features=lambda op: [(op.args[0], -1)],", "0 becomes 1"): AXES,
    ("ops/linear.py", "features=lambda op: [(op.args[0], -1)],", "1 becomes 2"): AXES,
    ("ops/matmul.py", "return [(op.args[-2], -1), (op.args[-1], -2)]", "1 becomes 2"): AXES,
    ("ops/matmul.py", "return [(op.args[-2], -1), (op.args[-1], -2)]", "2 becomes 3"): AXES,
    ("ops/views.py", "if prod(x.shape) != prod(shape_of(op)):", "prod becomes sum"): AXES,
    (
        "ops/registry.py",
        "return FUNCTIONS[call.kind][0].sequences if call.kind in FUNCTIONS else 0",
        "0 becomes 1",
    ): AXES,
    ("receptive/joins.py", "return bool((part.table > NOTHING // 2).all())", "// becomes *"): OTHER_MAP,
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
