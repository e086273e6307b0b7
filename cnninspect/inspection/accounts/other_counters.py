"""Counters of other libraries beside ours: what each prints, by class of work, and why it is not our number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.conventions.apply import Applied, apply
from cnninspect.conventions.differences import differences, macs_by_work, own_macs
from cnninspect.conventions.sight import Sight, sight_of
from cnninspect.conventions.table import CONVENTIONS, REPLACED
from cnninspect.inspection.accounts import Addition, Inspected
from cnninspect.inspection.other_process import LibraryFailedError, Request, ask
from cnninspect.measure.base import Run
from cnninspect.measure.libraries import LIBRARIES, Library, Printed
from cnninspect.report.parts import CounterDifference, OtherCounter
from cnninspect.targets.inputs import lazy_kinds
from cnninspect.trace.records import Trace


@dataclass(frozen=True)
class OtherCounters:
    """Runs the libraries of these names in processes of their own; where one is missing its convention stands alone."""

    names: Sequence[str]
    request: Request
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`other_counters` in the document, and our MACs by class of work."""
        trace = inspected.trace
        sight = seen(inspected.run)
        own = own_macs(trace, [estimate.macs for estimate in inspected.findings.estimates])
        given = () if self.request.inputs_from else inputs_of(trace)
        request = replace(self.request, inputs=given)
        found = []
        for name in self.names:
            inspected.progress(f"running {name}")
            printed, failed = _printed(name, request)
            for convention in (each for each in CONVENTIONS.values() if each.package == name):
                applied = apply(convention, sight)
                found.append(_counter(LIBRARIES[name], applied, trace, own, printed.get(convention.name), failed))
        ours = {work.value: number for work, number in macs_by_work(trace, own).items() if number}
        return Addition(parts=lambda report: replace(report, other_counters=tuple(found), macs_by_work=ours))


def seen(run: Run) -> Sight:
    """What counters meet in a run."""
    return sight_of(run.trace, run.model, run.args, run.kwargs, REPLACED, lazy_kinds(run.model))


def inputs_of(trace: Trace) -> tuple[str, ...]:
    """The inputs of the run as texts for `--input`; none if some are not arguments of their own."""
    if not all(name.isidentifier() or name.isdecimal() for name in trace.inputs):
        return ()
    return tuple(
        ("" if name.isdecimal() else f"{name}=") + f"{'x'.join(map(str, ref.shape))}:{ref.dtype}"
        for name, ref in trace.inputs.items()
    )


def _printed(name: str, request: Request) -> tuple[Printed, str | None]:
    """What the library prints, or nothing and the reason."""
    library = LIBRARIES[name]
    if not library.is_installed:
        return {}, f"not installed: `{library.install}`"
    try:
        return ask(name, request), None
    except LibraryFailedError as error:
        return {}, f"it failed: {error}"


def _counter(
    library: Library, applied: Applied, trace: Trace, own: Sequence[int], printed: int | None, failed: str | None
) -> OtherCounter:
    convention, expected = applied.convention, applied.total
    reasons = [
        CounterDifference(None if each.work is None else each.work.value, each.amount, each.text)
        for each in differences(applied, trace, own)
    ]
    if expected is None:
        reasons = []
        failed = "; ".join(filter(None, (failed, applied.unknown)))
    elif printed is not None and printed != expected:
        text = f"{library.package} {library.version} counts otherwise than {convention.version}, which is described"
        if library.version == convention.version:
            text = "not explained: it counts otherwise than the table says"
        reasons.append(CounterDifference(None, printed - expected, text))
    by_work = {} if expected is None else {work.value: number for work, number in applied.by_work.items()}
    return OtherCounter(
        convention.name, convention.says, convention.version, library.version, printed, expected,
        convention.per_mac * sum(own), by_work,
        tuple(reasons), failed,
    )  # fmt: skip
