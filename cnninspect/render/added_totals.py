"""What is said about totals that not every report has: counters side by side, peaks, and what accounts added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnninspect.render.columns import counters_of
from cnninspect.render.numbers import bounded, label, sign, value_with_unit, with_unit
from cnninspect.render.page import Fact, Tone
from cnninspect.render.screen import Marks
from cnninspect.report.document import Report
from cnninspect.report.parts import CounterConvention
from cnninspect.report.quantities import Quantity, Unit, Verdict
from cnninspect.report.selection import View, parts, select
from cnninspect.report.sums import total_of

_TOLD = (
    "params", "trainable_params", "params_bytes", "buffers", "macs", "flops", "neurons", "activation_bytes",
    "input_bytes", "total_bytes", "peak_activation_bytes", "peak_memory", "receptive_field",
)  # fmt: skip
"""Totals of every report, which have words of their own."""


def cut(report: Report, view: View, marks: Marks) -> Iterator[Fact]:
    """How much of the whole the rows make up that a view with `top` shows."""
    total = report.totals.get("macs")
    if view.top is None or not isinstance(total, Quantity):
        return
    shown, everything = select(report, view).rows, parts(report, view)
    if len(shown) < len(everything):
        macs = total_of(Unit.MACS, [row.macs for row in shown if row.macs is not None])
        text = f"{len(shown)} of {len(everything)} rows"
        yield Fact("shown", text, f"{bounded(macs, marks)} of {bounded(total, marks)} MACs", Tone.QUIET)


def counted(report: Report, macs: Quantity) -> Iterator[Fact]:
    """Every counter's total with its convention: its own number for it, and what it counts besides or leaves out."""
    about = report.counters or {}
    for name in dict.fromkeys([*about, *counters_of(report)]):
        found, convention = macs.measured.get(name), about.get(name)
        if found is None and convention and convention.failed is not None:
            yield Fact(f"  {name}", "not counted", convention.failed, Tone.QUIET)
        elif found is None:
            needs_kernels = convention is not None and convention.needs_kernels
            needs = "it needs a real device: --probe or --device cpu" if needs_kernels else ""
            yield Fact(f"  {name}", "not run" if needs else "not counted", needs, Tone.QUIET)
        else:
            yield Fact(f"  {name}", f"{found:,}", "; ".join(_words(name, convention, macs)))


def _words(name: str, convention: CounterConvention | None, macs: Quantity) -> Iterator[str]:
    if convention is not None:
        yield f"{convention.own_total:,} in its own unit"
        yield convention.convention
    for reason in macs.reasons.get(name, "").split("; "):
        if reason:
            yield reason.removeprefix(f"{name} ").removeprefix(f"{name}: ")


def peak(report: Report, marks: Marks) -> Iterator[Fact]:
    """What must be held at once for a forward pass, and in which row where that is known."""
    activations, memory = report.totals.get("peak_activation_bytes"), report.totals.get("peak_memory")
    if isinstance(activations, Quantity) and isinstance(memory, Quantity):
        held = f"{with_unit(memory, marks)} with parameters, buffers and inputs"
        allocated = _measured(activations)
        text = f"{with_unit(activations, marks)} of activations at once{_in_row(report)}"
        yield Fact("peak", text, f"{held}; {allocated}" if allocated else held)


def _in_row(report: Report) -> str:
    at = None if report.memory is None else report.memory.peak_at
    return f", in {at.path or '(root)'} ({at.kind})" if at else ""


def added(numbers: Mapping[str, Quantity], marks: Marks) -> Iterator[Fact]:
    """One line for each total that an account added: its value, what it is made of, and who says something else."""
    for name, number in numbers.items():
        if name not in _TOLD:
            tone = Tone.DIFFER if number.verdict is Verdict.DIFFER else Tone.PLAIN
            aside = "; ".join(filter(None, (_made_of(number, marks), _measured(number))))
            yield Fact(label(name.removesuffix("_bytes")), with_unit(number, marks), aside, tone)


def _made_of(number: Quantity, marks: Marks) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {sign(number.status, marks)}{value_with_unit(value, number.unit)}"
        for name, value in number.parts.items()
    )


def _measured(number: Quantity) -> str:
    """Counters that found another number, with the reason where it is known."""
    others = {name: found for name, found in number.measured.items() if found not in (None, number.value)}
    reasons = {name: f" ({reason})" for name, reason in number.reasons.items()}
    return "; ".join(
        f"{name} {value_with_unit(found, number.unit)}{reasons.get(name, '')}" for name, found in others.items()
    )
