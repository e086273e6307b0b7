"""What is not the same in two reports: each difference once, in the row or total where it stands.

Leaf rows are compared in kind, output shape, params and MACs; neurons where they say more than the shape. Containers
are what they contain. A receptive field grows from row to row, so that only the first one that differs, before any
other difference, is one. A hyper-parameter is the reason of a number that changed, and a difference of its own where
none did. Totals that follow from others are left out: FLOPs, bytes of the same parameters, sums of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cnninspect.checks.alignment import Pair
from cnninspect.checks.numbers import NAMES, Compared, Tolerance, compare_fields, compare_quantities
from cnninspect.checks.tree import Node, settings
from cnninspect.ops.catalogue import same_setting
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import RUN_NAMES, Check, ReceptiveField, Row


@dataclass(frozen=True)
class Comparer:
    """How reports are compared: `source` names the side of what is expected.

    With `by_numbers`, names, kinds and hyper-parameters are no differences, and a row that only one network has is one
    only if it has parameters, MACs or neurons.
    """

    source: str
    tolerance: Tolerance = field(default_factory=Tolerance)
    by_numbers: bool = False

    def checks(self, expected: Report, found: Report, pairs: Sequence[Pair]) -> Iterator[Check]:
        """One check for all that was compared: how the networks ran, the rows in order, the totals."""
        runs = list(self.runs(expected, found))
        yield from runs
        for _, of_pair in self.rows(pairs, runs):
            yield from of_pair
        yield from self.totals(expected, found)

    def runs(self, expected: Report, found: Report) -> Iterator[Check]:
        """The checks of what the networks ran on."""
        for name in RUN_NAMES:
            one, other = (_inputs(side) if name == "input" else side.run.get(name) for side in (expected, found))
            check = self._total(Compared(name, one, other, Verdict.MATCH if one == other else Verdict.DIFFER))
            yield replace(check, hint=None if one == other else self._how_to_run(name, one))

    def _how_to_run(self, name: str, wanted: Any) -> str | None:
        """With which options the baseline was written."""
        if self.source != "baseline" or wanted is None:
            return None
        if name == "training":
            options = "--train" if wanted else "--eval"
        else:
            options = " ".join(f"--{name} {each}" for each in str(wanted).split())
        return f"the baseline was written with {options or 'no input'}"

    def rows(self, pairs: Sequence[Pair], before: Sequence[Check]) -> Iterator[tuple[Pair, list[Check]]]:
        """The checks of each row and its counterpart, or of a block that has none; `before` was checked earlier."""
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
        if one.is_whole or other.is_whole:
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
            if result is not None:
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
    """Whether a total changed only because `params` did: their bytes, or as many more trainable ones."""
    params = results.get("params")
    if params is None or not _differs(params):
        return False
    if name == "trainable_params":
        trained = results[name]
        known = None not in (params.expected, params.found, trained.expected, trained.found)
        return known and params.found - params.expected == trained.found - trained.expected
    return name == "params_bytes"


def _inputs(report: Report) -> str:
    """The inputs as `--input` takes them; of the run's own dtype without it."""
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
    """What a block brings or takes away: its leaf rows, and the parameters and MACs of all of them."""
    counts = {"params": node.row.params, "macs": node.row.macs}
    exact = {
        name: count.value if count is not None and count.status is Status.EXACT else None
        for name, count in counts.items()
    }
    return {"layers": sum(1 for _ in node.leaves()), **exact}


def reason(expected: Row, found: Row) -> str | None:
    """`out_channels 64 -> 96`, `MaxPool2d -> AvgPool2d`, `its bias is gone`, `input 1x64x8x8 -> 1x96x8x8`, or None."""
    if expected.kind != found.kind:
        return f"{expected.kind} -> {found.kind}"
    changed = changed_settings(expected, found)
    if changed:
        return ", ".join(f"{name} {_text(one)} -> {_text(other)}" for name, (one, other) in changed.items())
    if expected.input_shapes != found.input_shapes:
        return f"input {_shapes(expected)} -> {_shapes(found)}"
    return _about_sharing(expected, found) or _about_bias(expected, found)


def changed_settings(expected: Row, found: Row) -> Mapping[str, tuple[Any, Any]]:
    """The hyper-parameters that differ, by name; one that was written per axis is the same as one for all axes."""
    first, second = settings(expected), settings(found)
    both = [name for name in second if name in first]
    return {name: (first[name], second[name]) for name in both if not same_setting(first[name], second[name])}


def _about_sharing(expected: Row, found: Row) -> str | None:
    """A layer that is the same but for all of its parameters has them from another, where they are counted."""
    counts = [row.params.value if row.params is not None else None for row in (expected, found)]
    if None in counts or not any(counts) or all(counts):
        return None
    return "its parameters are its own now" if counts[1] else "its parameters are counted elsewhere: they are shared"


def _about_bias(expected: Row, found: Row) -> str | None:
    """Parameters that come or go by exactly one per output channel are a bias."""
    if expected.params is None or found.params is None:
        return None
    channels = settings(found).get("out_channels", settings(found).get("out_features"))
    change = (found.params.value or 0) - (expected.params.value or 0)
    words = {-channels: "its bias is gone", channels: "it has a bias now"} if channels else {}
    return words.get(change)


def _shapes(row: Row) -> str:
    """The shapes that go in, each once: the two sides of an addition are usually the same."""
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in dict.fromkeys(row.input_shapes)) or "none"


def _text(value: Any) -> str:
    """A hyper-parameter, once if it is the same for all axes."""
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
