"""Two reports compared: each difference once, in the row or total where it first appears; two networks side by side.

Leaf rows are compared by kind, output shape, params and MACs; neurons only if the shapes are equal. Containers are not
compared, because their leaves are. A receptive field depends on all earlier rows, so only the first that differs,
before any other difference, is reported. A changed hyper-parameter is the reason of a changed number; if no number
changed, it is a difference itself. Totals that follow from others are left out: FLOPs, bytes of the same parameters,
sums of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cnninspect.checks import with_checks
from cnninspect.checks.alignment import Pair, align
from cnninspect.checks.numbers import NAMES, Compared, Tolerance, compare_fields, compare_quantities
from cnninspect.checks.tree import Node, settings
from cnninspect.errors import UsageError
from cnninspect.ops.catalogue import same_setting
from cnninspect.report.document import Comparison, Report, formula_checks
from cnninspect.report.parts import AlignedRows, OtherNetwork
from cnninspect.report.quantities import Quantity, Status, Verdict, worst
from cnninspect.report.rows import RUN_NAMES, Check, ReceptiveField, Row


@dataclass(frozen=True)
class Comparer:
    """Compares reports; `source` is the origin of the expected values: "baseline" or "other".

    With `by_numbers`, differences of names, kinds and hyper-parameters are ignored, and a row that only one network has
    is reported only if it has parameters, MACs or neurons.
    """

    source: str
    tolerance: Tolerance = field(default_factory=Tolerance)
    by_numbers: bool = False

    def checks(self, expected: Report, found: Report, pairs: Sequence[Pair]) -> Iterator[Check]:
        """The checks of the run settings, of the rows in order, and of the totals."""
        runs = list(self.runs(expected, found))
        yield from runs
        for _, of_pair in self.rows(pairs, runs):
            yield from of_pair
        yield from self.totals(expected, found)

    def runs(self, expected: Report, found: Report) -> Iterator[Check]:
        """The checks of the run settings: inputs, dtype and mode."""
        for name in RUN_NAMES:
            one, other = (_inputs(side) if name == "input" else side.run.get(name) for side in (expected, found))
            check = self._total(Compared(name, one, other, Verdict.MATCH if one == other else Verdict.DIFFER))
            yield replace(check, hint=None if one == other else self._how_to_run(name, one))

    def _how_to_run(self, name: str, wanted: Any) -> str | None:
        """The options with which the baseline was written, as a hint."""
        if self.source != "baseline" or wanted is None:
            return None
        if name == "training":
            options = "--train" if wanted else "--eval"
        else:
            options = " ".join(f"--{name} {each}" for each in str(wanted).split())
        return f"the baseline was written with {options or 'no input'}"

    def rows(self, pairs: Sequence[Pair], before: Sequence[Check]) -> Iterator[tuple[Pair, list[Check]]]:
        """The checks of each pair of rows; `before` are the checks of the run settings."""
        settled = _any_differs(before)
        for pair in pairs:
            of_pair = list(self._pair(pair, settled=settled))
            settled = settled or _any_differs(of_pair)
            yield pair, of_pair

    def _pair(self, pair: Pair, *, settled: bool) -> Iterator[Check]:
        if pair.expected is None or pair.found is None:
            alone = pair.expected or pair.found
            if alone is not None and (not self.by_numbers or _has_numbers(alone.row)):
                yield self._alone(alone, "removed" if pair.found is None else "added")
            return
        one, other = pair.expected, pair.found
        if pair.is_renamed and not self.by_numbers:
            yield self._row(other.row, Compared("renamed", one.row.path, other.row.path, Verdict.DIFFER))
        if one.is_leaf or other.is_leaf:
            yield from self._leaf(one.row, other.row, settled=settled)

    def _alone(self, node: Node, name: str) -> Check:
        expected, found = (None, _size(node)) if name == "added" else (_size(node), None)
        return self._row(node.row, Compared(name, expected, found, Verdict.DIFFER))

    def _leaf(self, expected: Row, found: Row, *, settled: bool) -> Iterator[Check]:
        if expected.leaf and expected.kind != found.kind and not self.by_numbers:
            yield self._row(found, Compared("kind", expected.kind, found.kind, Verdict.DIFFER))
        compared = list(self._numbers(expected, found, settled=settled))
        why = reason(expected, found)
        for result in compared:
            yield self._row(found, result, why if result.verdict is Verdict.DIFFER else None)
        moved = any(result.expected != result.found for result in compared)
        if expected.kind == found.kind and not (moved or self.by_numbers):
            for name, (one, other) in changed_settings(expected, found).items():
                yield self._row(found, Compared(name, one, other, Verdict.DIFFER))

    def _numbers(self, expected: Row, found: Row, *, settled: bool) -> Iterator[Compared]:
        results = {}
        for name in ("output_shape", "params", "macs", "neurons", "receptive_field"):
            result = self._number(name, getattr(expected, name), getattr(found, name))
            # That nothing ran is said once, of the totals.
            if result is not None and result.verdict is not Verdict.NOT_RUN:
                results[name] = result
        follows = {"neurons": _differs(results.get("output_shape")), "receptive_field": settled}
        for name, result in results.items():
            if not (follows.get(name) and _differs(result)):
                yield result

    def totals(self, expected: Report, found: Report) -> Iterator[Check]:
        """The checks of the totals that do not follow from others."""
        results = {}
        for name in (*NAMES, "receptive_field"):
            result = self._number(name, expected.totals.get(name), found.totals.get(name))
            if result is not None:
                results[name] = result
        for name, result in results.items():
            if not _follows(name, results):
                yield self._total(result)

    def _number(self, name: str, expected: Any, found: Any) -> Compared | None:
        if isinstance(expected, Quantity) and isinstance(found, Quantity):
            return compare_quantities(name, expected, found, self.tolerance.of(name))
        if isinstance(expected, ReceptiveField) and isinstance(found, ReceptiveField):
            return compare_fields(expected, found)
        return None

    def _row(self, row: Row, result: Compared, why: str | None = None) -> Check:
        check = self._total(result)
        hint = "; ".join(filter(None, (why, check.hint))) or None
        return replace(check, row=row.id, hint=hint)

    def _total(self, result: Compared) -> Check:
        margin = self.tolerance.of(result.name)
        beyond = result.verdict is Verdict.DIFFER and result.name in NAMES and margin.text != "0"
        hint = f"over the tolerance of {margin.text}" if beyond else result.why
        return Check(
            result.name, None, result.expected, result.found, self.source, result.verdict, hint,
            expected_status=result.expected_status, found_status=result.found_status,
        )  # fmt: skip


def _any_differs(checks: Sequence[Check]) -> bool:
    return any(check.verdict is Verdict.DIFFER for check in checks)


def _differs(result: Compared | None) -> bool:
    return result is not None and result.verdict is Verdict.DIFFER


def _follows(name: str, results: dict[str, Compared]) -> bool:
    """Whether a total changed only because `params` changed: their bytes, or the same number of trainable ones."""
    params = results.get("params")
    if params is None or not _differs(params):
        return False
    if name == "trainable_params":
        trained = results[name]
        known = None not in (params.expected, params.found, trained.expected, trained.found)
        return known and params.found - params.expected == trained.found - trained.expected
    return name == "params_bytes"


def _inputs(report: Report) -> str:
    """The inputs in the syntax of `--input`; the dtype is left out if it is that of the run."""
    usual = report.run.get("dtype")
    return " ".join(_input(item, usual) for item in report.run.get("inputs", ()))


def _input(item: dict[str, Any], usual: Any) -> str:
    name = "" if str(item["name"]).isdigit() else f"{item['name']}="
    dtype = "" if item["dtype"] == usual else f":{item['dtype']}"
    return f"{name}{'x'.join(map(str, item['shape']))}{dtype}"


def _has_numbers(row: Row) -> bool:
    counts = (row.params, row.macs, row.neurons)
    return any(count is not None and (count.value != 0 or count.status is not Status.EXACT) for count in counts)


def _size(node: Node) -> dict[str, Any]:
    """The size of an added or removed block: its number of leaf rows, and their parameters and MACs."""
    counts = {"params": node.row.params, "macs": node.row.macs}
    exact = {
        name: count.value if count is not None and count.status is Status.EXACT else None
        for name, count in counts.items()
    }
    return {"layers": sum(1 for _ in node.leaves()), **exact}


def reason(expected: Row, found: Row) -> str | None:
    """The reason of a difference, or None: `out_channels 64 -> 96`, `Conv2d -> Linear`, `the bias was removed`."""
    if expected.kind != found.kind:
        return f"{expected.kind} -> {found.kind}"
    changed = changed_settings(expected, found)
    if changed:
        return ", ".join(f"{name} {_text(one)} -> {_text(other)}" for name, (one, other) in changed.items())
    if expected.input_shapes != found.input_shapes:
        return f"input {_shapes(expected)} -> {_shapes(found)}"
    return _about_sharing(expected, found) or _about_bias(expected, found)


def changed_settings(expected: Row, found: Row) -> Mapping[str, tuple[Any, Any]]:
    """Name -> (expected, found) of the hyper-parameters that differ; `3` and `(3, 3)` are the same."""
    first, second = settings(expected), settings(found)
    both = [name for name in second if name in first]
    return {name: (first[name], second[name]) for name in both if not same_setting(first[name], second[name])}


def _about_sharing(expected: Row, found: Row) -> str | None:
    """The reason if one of two equal layers has no parameters of its own: these are shared and counted elsewhere."""
    counts = [row.params.value if row.params is not None else None for row in (expected, found)]
    if None in counts or not any(counts) or all(counts):
        return None
    return "its parameters are not shared any more" if counts[1] else "its parameters are shared and counted elsewhere"


def _about_bias(expected: Row, found: Row) -> str | None:
    """The reason if the number of parameters changed by one per output channel: a bias was added or removed."""
    if expected.params is None or found.params is None:
        return None
    channels = settings(found).get("out_channels", settings(found).get("out_features"))
    change = (found.params.value or 0) - (expected.params.value or 0)
    words = {-channels: "the bias was removed", channels: "a bias was added"} if channels else {}
    return words.get(change)


def _shapes(row: Row) -> str:
    """The input shapes without duplicates, since the operands of an addition usually have the same shape."""
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in dict.fromkeys(row.input_shapes)) or "none"


def _text(value: Any) -> str:
    """A hyper-parameter as text; one value if it is the same for all axes."""
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))


def check_both_ran(report: Report, other: Report, name: str) -> None:
    """Raises UsageError if one of two reports is of a run and the other is not: their rows are other things."""
    ran = [each.run.get("ran") is not False for each in (report, other)]
    if ran[0] is not ran[1]:
        here, there = ("a run", "none") if ran[0] else ("no run", "one")
        raise UsageError(
            f"this is a report of {here}, and {name} is of {there}. Give --no-run for both or for neither."
        )


def compare_models(report: Report, other: Report, tolerance: Tolerance | None = None) -> Comparison:
    """The report with a check for every number that both networks have, and with the aligned layers of both.

    The numbers of `other` are the expected ones. Names and kinds are not compared, because the code may be different.
    """
    check_both_ran(report, other, str(other.target["name"]))
    names = [str(each.target["name"]) for each in (report, other)]
    comparer = Comparer("other", tolerance or Tolerance(), by_numbers=True)
    runs = list(comparer.runs(other, report))
    judged = list(comparer.rows(align(other.rows, report.rows, through_blocks=True), runs))
    checks = [
        *runs,
        *(check for _, of_pair in judged for check in of_pair),
        *comparer.totals(other, report),
        *_wrong(report, f"in {names[0]}, the first network"),
        *_wrong(other, f"in {names[1]}, the other network"),
    ]
    return replace(
        with_checks(report, checks),
        other=OtherNetwork(other.tool, other.target, other.run, other.totals),
        aligned=tuple(_aligned(pair, of_pair) for pair, of_pair in judged if _is_shown(pair)),
    )


def _wrong(report: Report, where: str) -> Iterator[Check]:
    """The failed formula checks of one network: its numbers cannot be trusted in a comparison."""
    for check in formula_checks(report):
        if check.verdict is Verdict.DIFFER:
            yield replace(check, hint="; ".join(filter(None, (where, check.hint))) or None)


def _is_shown(pair: Pair) -> bool:
    """Whether the pair consists of leaves, or of a block that only one network has."""
    return pair.found is None or pair.expected is None or pair.found.is_leaf or pair.expected.is_leaf


def _aligned(pair: Pair, checks: Sequence[Check]) -> AlignedRows:
    """The pair as a part of the document: rows, numbers (this network first) and names of the differences."""
    here, there = (None if node is None else node.row for node in (pair.found, pair.expected))
    return AlignedRows(
        target=None if here is None else here.id,
        other=None if there is None else there.id,
        output_shape=(_shape(here), _shape(there)),
        params=(_count(here, "params"), _count(there, "params")),
        macs=(_count(here, "macs"), _count(there, "macs")),
        verdict=worst(check.verdict for check in checks) if checks else Verdict.MATCH,
        differs=tuple(check.name for check in checks if check.verdict is Verdict.DIFFER),
    )


def _shape(row: Row | None) -> Any:
    """The shapes of the row's outputs; None where they are not known exactly."""
    shape = None if row is None else row.output_shape
    return shape.value if shape is not None and shape.status is Status.EXACT else None


def _count(row: Row | None, name: str) -> Quantity | None:
    """The count with its status, without analytic and measured values; None if it is unknown."""
    count: Quantity | None = None if row is None else getattr(row, name)
    is_known = count is not None and count.value is not None and count.status is not Status.UNKNOWN
    return Quantity(count.value, count.unit, count.status) if count is not None and is_known else None
