"""Joins formulas and counters: judged numbers of every call, from the leaves up, and one row per call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from math import prod

from cnninspect.measure.base import Count, doubt, explain, with_calls_below
from cnninspect.measure.storages import Holdings
from cnninspect.ops.evaluate import Estimate, multiplies, whole_macs
from cnninspect.ops.registry import FUNCTIONS
from cnninspect.report.quantities import Quantity, Unit, Verdict, in_flops, judge, not_confirmed, worst
from cnninspect.report.reasons import distinct
from cnninspect.report.rows import ReceptiveField, Row
from cnninspect.report.sums import all_reasons, summed
from cnninspect.trace.records import Call, Trace, takes_packed


@dataclass(frozen=True)
class Numbers:
    """The judged numbers of one call."""

    params: Quantity
    macs: Quantity
    neurons: Quantity


@dataclass(frozen=True)
class Findings:
    """The results of both sides for one run; estimates, counts and fields have one entry per call of the trace."""

    trace: Trace
    estimates: Sequence[Estimate]
    counts: Mapping[str, Sequence[Count]]
    fields: Sequence[ReceptiveField | None]
    held: Holdings

    def is_leaf(self, call: Call) -> bool:
        """Whether no row lies below this call."""
        return call.index not in self.trace.children

    @cached_property
    def numbers(self) -> list[Numbers]:
        """The numbers of every call; those of a container are the sums of its children's."""
        found: dict[int, Numbers] = {}
        for call in reversed(self.trace.calls):
            children = [found[child] for child in self.trace.children.get(call.index, ())]
            found[call.index] = self._leaf(call) if self.is_leaf(call) else self._container(call, children)
        return [found[call.index] for call in self.trace.calls]

    @cached_property
    def whole(self) -> Numbers:
        """The numbers of the whole run: those of the root, and of all that runs outside its call."""
        roots = [self.numbers[call.index] for call in self.trace.roots]
        if len(roots) == 1:
            return roots[0]
        macs, status = whole_macs(self.trace, self.estimates)
        parts = [root.macs for root in roots]
        total = judge(Unit.MACS, macs, summed(parts), status=status, reasons=all_reasons(parts))
        verdict = worst([total.verdict, *(part.verdict for part in parts)])
        params, neurons = [root.params for root in roots], [root.neurons for root in roots]
        return Numbers(
            _whole(Unit.PARAMS, _sum_if_known(params), params),
            replace(total, verdict=verdict, why=distinct(reason for part in parts for reason in part.why)),
            _whole(Unit.ELEMENTS, _sum_if_known(neurons), neurons),
        )

    def _leaf(self, call: Call) -> Numbers:
        estimate = self.estimates[call.index]
        read = {} if takes_packed(call) or self.trace.reads_made_anew(call) else {"storage": _first_read(call)}
        params = judge(Unit.PARAMS, estimate.params, read, why=estimate.why.params)
        return Numbers(params, self._leaf_macs(call), self._leaf_neurons(call))

    def _leaf_macs(self, call: Call) -> Quantity:
        """The formula's multiply-accumulates against every counter's, with the reasons for differences."""
        estimate = self.estimates[call.index]
        counts = {name: found[call.index] for name, found in self.counts.items()}
        measured = {name: count.value for name, count in counts.items() if _says_something(count, estimate)}
        reasons, doubts = _against({name: count for name, count in counts.items() if name in measured}, estimate.macs)
        whole = judge(
            Unit.MACS, estimate.macs, measured, status=estimate.status, reasons=reasons, why=estimate.why.macs
        )
        return not_confirmed(whole, doubts)

    def _leaf_neurons(self, call: Call) -> Quantity:
        """Output elements of a call that computes, for the whole batch; indices and masks are no neurons."""
        estimate = self.estimates[call.index]
        outputs = call.outputs if estimate.computes else ()
        floating = [
            (ref.shape, shape)
            for ref, shape in zip_longest(outputs, estimate.shapes[: len(outputs)])
            if ref.dtype.startswith(("float", "bfloat", "complex"))
        ]
        known = all(shape is not None for _, shape in floating)
        analytic = sum(prod(shape) for _, shape in floating if shape is not None) if known else None
        why = () if known else estimate.why.shapes
        return judge(Unit.ELEMENTS, analytic, {"hooks": sum(prod(shape) for shape, _ in floating)}, why=why)

    def _container(self, call: Call, children: list[Numbers]) -> Numbers:
        """The sums of the children's numbers, with the worst of their verdicts: errors that cancel out are errors."""
        estimate = self.estimates[call.index]
        neurons = [child.neurons for child in children]
        return Numbers(
            _whole(Unit.PARAMS, estimate.params, [child.params for child in children]),
            self._container_macs(call, [child.macs for child in children]),
            _whole(Unit.ELEMENTS, _sum_if_known(neurons), neurons),
        )

    def _container_macs(self, call: Call, parts: list[Quantity]) -> Quantity:
        """The sum of the children's MACs, and what a counter found in the container but could give to no child.

        A container with a formula of its own is judged by that formula.
        """
        estimate = self.estimates[call.index]
        measured = {name: found for name, sums in self._counted.items() if (found := sums[call.index]) is not None}
        own = {name: replace(self.counts[name][call.index], value=found) for name, found in measured.items()}
        given = {name: count for name, count in own.items() if self.counts[name][call.index].value is not None}
        reasons, doubts = _against(given, estimate.macs)
        reasons |= all_reasons(parts)
        whole = judge(Unit.MACS, estimate.macs, measured, status=estimate.status, reasons=reasons)
        if whole.verdict is not Verdict.DIFFER and whole.analytic is not None:
            whole = replace(whole, verdict=worst([part.verdict for part in parts]))
        below = (reason for part in parts for reason in part.why)
        return not_confirmed(replace(whole, why=distinct((*estimate.why.macs, *below))), doubts)

    @cached_property
    def _counted(self) -> dict[str, list[int | None]]:
        """Counter -> for each call its count, calls below included."""
        return {name: with_calls_below(self.trace, counts) for name, counts in self.counts.items()}


def _against(counts: Mapping[str, Count], analytic: int | None) -> tuple[dict[str, str], dict[str, str]]:
    """By counter, why one that differs from the formula may do so, and why one that agrees confirms nothing."""
    reasons: dict[str, str] = {}
    doubts: dict[str, str] = {}
    if analytic is None:
        return reasons, doubts
    for name, count in counts.items():
        reason = explain(name, count, analytic, multiplies) if count.value != analytic else None
        chance = doubt(name, count, analytic, multiplies)
        reasons |= {name: reason} if reason else {}
        doubts |= {name: chance} if chance else {}
    return reasons, doubts


def _whole(unit: Unit, analytic: int | None, parts: list[Quantity]) -> Quantity:
    whole = judge(unit, analytic, summed(parts))
    verdict = worst([whole.verdict, *(part.verdict for part in parts)])
    why = distinct(reason for part in parts for reason in part.why)
    return whole if verdict is whole.verdict and not why else replace(whole, verdict=verdict, why=why)


def _sum_if_known(parts: list[Quantity]) -> int | None:
    found = [part.analytic for part in parts]
    return None if None in found else sum(found)


def _says_something(count: Count, estimate: Estimate) -> bool:
    """Whether a count can be shown; without a formula to compare with, a counter that missed an op proves nothing."""
    return count.value is not None and not (estimate.macs is None and count.missed)


def _first_read(call: Call) -> int:
    """Elements of parameters that a leaf call is the first to read."""
    read_by_function = sum(ref.fresh for ref in call.inputs) if call.functional else 0
    return read_by_function + sum(state.fresh for state in call.state.values())


def rows(findings: Findings) -> tuple[Row, ...]:
    """One row per call of the trace, in the order in which they started."""
    return tuple(_row(call, findings) for call in findings.trace.calls)


def _row(call: Call, findings: Findings) -> Row:
    """The row of one call; a call without a tensor output has no numbers."""
    estimate = findings.estimates[call.index]
    numbers = findings.numbers[call.index] if call.outputs else None
    return Row(
        path=call.path,
        call=call.number,
        kind=call.kind,
        depth=call.depth,
        leaf=findings.is_leaf(call),
        functional=call.functional,
        hyperparameters=call.hyperparameters or estimate.hyper,
        input_shapes=tuple(ref.shape for ref in call.inputs),
        output_shape=_shape(call, estimate) if call.outputs else None,
        params=None if numbers is None else numbers.params,
        macs=None if numbers is None else numbers.macs,
        flops=None if numbers is None else in_flops(numbers.macs),
        neurons=None if numbers is None else numbers.neurons,
        receptive_field=findings.fields[call.index] if call.outputs else None,
        computes=estimate.computes,
        layer_like=not call.functional or _is_function_of_a_layer(call) or estimate.computes,
        parent=call.parent,
        where=call.where,
    )


def _is_function_of_a_layer(call: Call) -> bool:
    return call.kind in FUNCTIONS and FUNCTIONS[call.kind][0].layer_like


def _shape(call: Call, estimate: Estimate) -> Quantity:
    measured = tuple(ref.shape for ref in call.outputs)
    known = len(estimate.shapes) == len(measured) and None not in estimate.shapes
    why = () if known else estimate.why.shapes
    return judge(Unit.SHAPE, estimate.shapes if known else None, {"hooks": measured}, why=why)
