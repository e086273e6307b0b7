"""The title above the table and the totals below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnninspect.render import tensors
from cnninspect.render.checks import row_name
from cnninspect.render.fields import field_facts
from cnninspect.render.layers import counters_of
from cnninspect.render.numbers import bounded, dimensions, label, mebibytes, sign, value_with_unit, with_unit
from cnninspect.render.page import Fact, Marks, Tone
from cnninspect.report.document import CHECKPOINT, Checkpoint, Comparison, Document, Report, formula_checks
from cnninspect.report.parts import CounterConvention
from cnninspect.report.quantities import Quantity, Verdict, flops_from_macs
from cnninspect.report.rows import Row
from cnninspect.report.sums import remainder


def title(report: Document, marks: Marks) -> str:
    """The title: `resnet18 (torchvision) · 1x3x224x224 float32 · eval · meta · torch 2.13.0`."""
    if isinstance(report, Checkpoint):
        return tensors.title(report, marks)
    if report.target.get("provider") == CHECKPOINT:
        return _named(report.target) + _against(report)
    run = report.run
    parts = (
        _named(report.target) + _against(report),
        ", ".join(_input(item) for item in run.get("inputs", ()))
        or ("not run" if run.get("ran") is False else "no inputs"),
        "train" if run.get("training") else "eval",
        run.get("device"),
        f"torch {report.tool['torch']}" if report.tool.get("torch") else None,
    )
    return marks.separator.join(str(part) for part in parts if part)


def _against(report: Document) -> str:
    """` against NAME`, if the report was compared with another network or a baseline file; else empty."""
    if not isinstance(report, Comparison):
        return ""
    if report.other is not None:
        return f" against {_named(report.other.target)}"
    if report.baseline is None:
        return ""
    tool = report.baseline.tool
    saved = ", ".join(
        f"{name} {tool[key]}" for name, key in (("cnninspect", "version"), ("torch", "torch")) if key in tool
    )
    return f" against {report.baseline.file}" + (f" (saved by {saved})" if saved else "")


def _named(target: Mapping[str, Any]) -> str:
    """The model's name, provider, arguments and revision; for a file, module or archive, the text that was typed."""
    typed = target.get("provider") in ("file", "module", "archive", CHECKPOINT)
    details = [] if typed or not target.get("provider") else [str(target["provider"])]
    details += [f"{name}={value}" for name, value in target.get("arguments", {}).items()]
    name = str(target["spec"] if typed else target["name"])
    at = f" at {_short(target['revision'])}" if "revision" in target else ""
    if called := str(target.get("call", "")):
        name += f".{called}" if called.endswith(")") else f".{called}()"
    return (f"{name} ({', '.join(details)})" if details else name) + at


def _short(revision: str) -> str:
    """A revision as a name; of a whole hash the first digits."""
    return revision[:12] if len(revision) >= 40 and revision.isalnum() else revision


def facts(report: Report, marks: Marks) -> list[Fact]:
    """The totals, how many rows are verified, and the ops that have no formula."""
    totals = {name: number for name, number in report.totals.items() if isinstance(number, Quantity)}
    numbers = {name: number for name, number in totals.items() if not number.was_left_out}
    return [
        *_size(numbers, report.run, marks),
        *_work(numbers, report, marks),
        *_memory(numbers, marks),
        *peak(report, marks),
        *added(numbers, marks),
        *field_facts(report),
        *_verified(report),
        *_differing(report),
        *uncounted_facts(report),
    ]


def uncounted_facts(report: Report) -> list[Fact]:
    """One line per op that the totals leave out."""
    found = []
    for item in report.uncounted:
        times = f"{item.calls} call{'s' if item.calls > 1 else ''}"
        rows = _first_names([row or "the root" for row in item.rows])
        unknown = f"{label(item.quantity)} unknown"
        found.append(Fact("uncounted", f"{item.op}, {times} in {rows}", unknown, Tone.UNKNOWN))
    return found


def _size(numbers: Mapping[str, Quantity], run: Mapping[str, Any], marks: Marks) -> Iterator[Fact]:
    params, trainable, size = (numbers.get(name) for name in ("params", "trainable_params", "params_bytes"))
    if params is None:
        return
    memory = f"{_memory_text(size, marks)} {run.get('dtype', '')}".rstrip() if size is not None else ""
    text = f"{bounded(params, marks)}{_trained(params, trainable, marks)}"
    short = text.replace(" (all trainable)", "") + (f", {memory}" if memory else "")
    yield Fact("params", text, memory, _tone(params), short)
    weights, held = numbers.get("weights"), numbers.get("weights_bytes")
    if weights is not None and held is not None:
        aside = f"{_memory_text(held, marks)}: {_made_of(weights, marks)}"
        yield Fact("weights", bounded(weights, marks), aside, _tone(weights))


def _trained(params: Quantity, trainable: Quantity | None, marks: Marks) -> str:
    """The number of trainable parameters and, if both counts are exact, of the others."""
    if trainable is None or not params.value or trainable.value is None:
        return ""
    if trainable.value == params.value:
        return " (all trainable)"
    rest = remainder(params, trainable)
    return f" ({bounded(trainable, marks)} trainable" + (f", {rest:,} not)" if rest is not None else ")")


def _work(numbers: Mapping[str, Quantity], report: Report, marks: Marks) -> Iterator[Fact]:
    macs, flops, neurons = (numbers.get(name) for name in ("macs", "flops", "neurons"))
    if macs is not None and flops is not None:
        text, doubled = bounded(macs, marks), f"{bounded(flops, marks)} FLOPs"
        short = f"{text}, {doubled}"
        yield Fact("MACs", text, f"{doubled} at {flops_from_macs(1)} per MAC", _tone(macs), short)
        if report.command == "flops":
            yield from counted(report, macs)
    if neurons is not None:
        yield Fact("neurons", bounded(neurons, marks), "", _tone(neurons), is_main=False)


def _memory(numbers: Mapping[str, Quantity], marks: Marks) -> Iterator[Fact]:
    activations, total = numbers.get("activation_bytes"), numbers.get("total_bytes")
    if activations is not None:
        text = f"{_memory_text(activations, marks)} activations (Keras style)"
        aside = f"{_memory_text(total, marks)} in all" if total is not None else ""
        yield Fact("memory", text, aside, _tone(activations), aside, is_main=False)


def _memory_text(quantity: Quantity, marks: Marks) -> str:
    return marks.unknown if quantity.value is None else sign(quantity.status, marks) + mebibytes(quantity.value)


def _verified(report: Report) -> Iterator[Fact]:
    """The number of leaf rows whose formulas agree with the measurements, and of rows with other verdicts."""
    leaves = [row for row in report.rows if row.leaf and row.quantities]
    verdicts = Counter(row.verdict for row in leaves)
    parts = ", ".join(f"{label} {_matches(leaves, name)}" for name, label in _VERIFIED if _matches(leaves, name))
    parts = "; ".join(filter(None, (parts, _unprobed(leaves))))
    text = f"formula = measurement on {verdicts[Verdict.MATCH]} of {len(leaves)} rows"
    others = [f"{verdicts[other]} {other.value.replace('_', ' ')}" for other in _UNVERIFIED if verdicts[other]]
    # The legend of a summary says that its fields are not probed.
    unsaid = _unprobed(leaves) if report.command == "flops" else ""
    short = ", ".join(filter(None, (text.partition(" on ")[2], *others, unsaid)))
    yield Fact("verified", f"{text} ({parts})" if parts else text, ", ".join(others), short=short)


def _differing(report: Report) -> Iterator[Fact]:
    """The rows where a formula and a measurement differ."""
    numbers = (*(number for row in report.rows for number in row.quantities.values()), *report.totals.values())
    checks = formula_checks(report) if any(number.verdict is Verdict.DIFFER for number in numbers) else ()
    wrong = list(dict.fromkeys(row_name(check) for check in checks if check.verdict is Verdict.DIFFER))
    if wrong:
        yield Fact("differ", f"{_first_names(wrong)}; `cnninspect compare` says how", tone=Tone.DIFFER)


_UNVERIFIED = (Verdict.DIFFER, Verdict.UNKNOWN, Verdict.NOT_COUNTED)
_VERIFIED = (("output_shape", "shape"), ("params", "params"), ("macs", "MACs"), ("receptive_field", "field"))


def _unprobed(rows: Sequence[Row]) -> str:
    """The number of receptive fields that no probe has checked; empty for a report without fields."""
    fields = [row.receptive_field for row in rows if row.receptive_field is not None]
    verdicts = [field.verdict for field in fields if field.was_computed]
    unprobed = verdicts.count(Verdict.NOT_RUN)
    if not unprobed:
        return ""
    return "fields not probed" if unprobed == len(verdicts) else f"{unprobed} of {len(verdicts)} fields not probed"


def _matches(rows: Sequence[Row], name: str) -> int:
    """The number of rows whose number of this name matches and is not 0."""
    numbers = [number for row in rows if (number := getattr(row, name)) is not None]
    return sum(number.verdict is Verdict.MATCH and getattr(number, "value", True) != 0 for number in numbers)


def _first_names(names: Sequence[str], shown: int = 3) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _tone(quantity: Quantity) -> Tone:
    return Tone.DIFFER if quantity.verdict is Verdict.DIFFER else Tone.PLAIN


def _input(item: Mapping[str, Any]) -> str:
    name = "" if str(item["name"]).isdigit() else f"{item['name']}="
    return f"{name}{dimensions(item['shape'])} {item['dtype']}"


_LISTED_ELSEWHERE = (
    "params", "trainable_params", "params_bytes", "weights", "weights_bytes", "buffers", "macs", "flops", "neurons",
    "activation_bytes", "input_bytes", "total_bytes", "peak_activation_bytes", "peak_memory", "receptive_field",
)  # fmt: skip
"""Totals that have lines of their own and are not listed among the added ones."""


def counted(report: Report, macs: Quantity) -> Iterator[Fact]:
    """One line per counter: its total, its total in its own unit, its convention, and the reasons why it differs."""
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
            yield Fact(f"  {name}", f"{found:,}", "; ".join(_words(name, convention, macs)), short=f"{found:,}")


def _words(name: str, convention: CounterConvention | None, macs: Quantity) -> Iterator[str]:
    if convention is not None:
        yield f"{convention.own_total:,} in its own unit"
        yield convention.convention
    for reason in macs.reasons.get(name, "").split("; "):
        if reason:
            yield reason.removeprefix(f"{name} ").removeprefix(f"{name}: ")


def peak(report: Report, marks: Marks) -> Iterator[Fact]:
    """The peak memory of a forward pass, and the row where it occurs if that is known."""
    activations, memory = report.totals.get("peak_activation_bytes"), report.totals.get("peak_memory")
    if isinstance(activations, Quantity) and isinstance(memory, Quantity) and not memory.was_left_out:
        held = f"{with_unit(memory, marks)} with parameters, buffers and inputs"
        allocated = _measured(activations)
        text = f"{with_unit(activations, marks)} of activations at once{_in_row(report)}"
        aside = f"{held}; {allocated}" if allocated else held
        yield Fact("peak", text, aside, short=with_unit(memory, marks), is_main=False)


def _in_row(report: Report) -> str:
    at = None if report.memory is None else report.memory.peak_at
    return f", in {at.path or '(root)'} ({at.kind})" if at else ""


def added(numbers: Mapping[str, Quantity], marks: Marks) -> Iterator[Fact]:
    """One line per total that an account added: its value, its terms, and the counters that found another value."""
    for name, number in numbers.items():
        if name not in _LISTED_ELSEWHERE:
            tone = Tone.DIFFER if number.verdict is Verdict.DIFFER else Tone.PLAIN
            aside = "; ".join(filter(None, (_made_of(number, marks), _measured(number))))
            yield Fact(label(name.removesuffix("_bytes")), with_unit(number, marks), aside, tone, is_main=False)


def _made_of(number: Quantity, marks: Marks) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {sign(number.status, marks)}{value_with_unit(value, number.unit)}"
        for name, value in number.parts.items()
    )


def _measured(number: Quantity) -> str:
    """The counters that found another number, with the reason if it is known."""
    others = {name: found for name, found in number.measured.items() if found not in (None, number.value)}
    reasons = {name: f" ({reason})" for name, reason in number.reasons.items()}
    return "; ".join(
        f"{name} {value_with_unit(found, number.unit)}{reasons.get(name, '')}" for name, found in others.items()
    )
