"""Sentences about a run: the notes of a report, and why a forward pass failed, where, and what to try."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from cnninspect.errors import error_text, own_frame, own_line
from cnninspect.inspection.findings import Findings
from cnninspect.inspection.totals import decomposed
from cnninspect.ops.evaluate import sized_by
from cnninspect.ops.rules import numel
from cnninspect.receptive.fields import Fields
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.reasons import Reason
from cnninspect.report.rows import Uncounted
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.inputs import Inputs, usual_inputs
from cnninspect.targets.providers import Model
from cnninspect.targets.target import Function, Target
from cnninspect.targets.torchvision_ops import why_missing
from cnninspect.trace.recorder import ForwardFailed
from cnninspect.trace.records import Call, Trace

_LISTED = 3


def uncounted(findings: Findings) -> tuple[Uncounted, ...]:
    """The ops whose multiply-accumulates nobody counted, with their number of calls and rows."""
    calls: dict[str, int] = {}
    where: dict[str, list[str]] = {}
    for call in findings.trace.calls:
        if findings.is_leaf(call):
            for op in findings.estimates[call.index].missing:
                calls[op] = calls.get(op, 0) + 1
                where.setdefault(op, []).append(call.path)
    return tuple(Uncounted(op, number, tuple(dict.fromkeys(where[op]))) for op, number in calls.items())


def notes_of(findings: Findings, command: str = "summary") -> Iterator[str]:
    """The notes of a report, one sentence each; for `rf` without those about counting."""
    trace = findings.trace
    if trace.gradients:
        yield "run with gradients on, because the model takes gradients in its forward, or does not run without them."
    unread = [name for name in trace.unread if not any(name.startswith(f"{path}.") for path in trace.never_ran)]
    if trace.calls and not trace.outputs:
        yield "the forward returns no tensor, so the network has no output shape and no field. Return its result."
    if any(ref.jagged for call in trace.calls for ref in call.outputs):
        yield "jagged nested tensors are shown as their values: the rows of all sequences, one after the other."
    yield from _never_ran(findings.trace)
    parts = [name for name in unread if trace.unread[name] < numel(trace.parameters[name].shape)]
    if idle := [name for name in unread if name not in parts]:
        yield f"{_count(idle, 'parameter')} not used in this pass: {_some(idle)}; totals.params counts them."
    if parts:
        yield f"{_count(parts, 'parameter')} used only in part: {_some(parts)}; totals.params counts them whole."
    if trace.made:
        yield (
            f"{_count(trace.made, 'parameter')} made and registered by the first forward pass: {_some(trace.made)}; "
            "all numbers are those of a later one."
        )
    if trace.made_anew:
        yield (
            f"{_count(trace.made_anew, 'parameter')} made and registered anew by every forward pass: "
            f"{_some(trace.made_anew)}; the number of parameters is unknown."
        )
    if trace.unregistered:
        yield (
            f"{trace.unregistered:,} elements of parameters are used that the model does not register "
            "(layers in a plain list or dictionary?); they are not counted."
        )
    yield from unknown_numbers(findings, ("output shape", "receptive field") if command == "rf" else None)
    if command == "rf":
        if not any(findings.fields):
            yield "no layer has a field: no input has a dimension of positions, as images, sequences and tokens have."
        return
    if paths := decomposed(trace):
        whole = "--device cpu measures the fused kernel"
        yield f"peak memory of {_some(paths)} is that of the decomposed run on meta; {whole}."
    yield from _failed(findings)
    yield from _explained(findings)
    yield from _unconfirmed(findings)


def _never_ran(trace: Trace) -> Iterator[str]:
    """The modules that were never called: those whose weights a function used, and those without a part in the run."""
    used = [path for path in trace.never_ran if _is_used(path, trace)]
    idle = [path for path in trace.never_ran if path not in used]
    if used:
        whose = "its" if len(used) == 1 else "their"
        yield f"{_count(used, 'module')} never ran, but functions use {whose} weights: {_some(used, 1)}."
    if idle:
        counted = any(name.startswith(f"{path}.") for path in idle for name in trace.unread)
        yield f"{_count(idle, 'module')} never ran: {_some(idle)}{'; totals.params counts their parameters' * counted}."


def note_of_values(fields: Fields) -> Iterator[str]:
    """The note on a run in which values that depend on an input decided which ops ran, or the size of a result."""
    asked = [(shown, ref) for _, shown, ref in fields.trace.read_out]
    asked += [(op.packet, ref) for op in fields.trace.ops for ref in sized_by(op)]
    if who := [shown for shown, ref in asked if fields.depends(ref)]:
        yield (
            f"all numbers are those of this run: values that depend on the input decide what runs, or how much of it "
            f"({_some(who)}). --inputs-from gives other values."
        )


def _is_used(path: str, trace: Trace) -> bool:
    """Whether the module has parameters, and the run read all of them."""
    own = [name for name in trace.parameters if name.startswith(f"{path}.")]
    return bool(own) and not any(name in trace.unread for name in own)


def note_of_masks(masked: Mapping[str, int | None], params: Quantity) -> str | None:
    """The note on parameters that pruning masks set to 0; None without masks."""
    zeros = [number for number in masked.values() if number is not None]
    if not masked:
        return None
    some = f"{sum(zeros):,}" if len(zeros) == len(masked) else "some"
    whole = f"{params.value:,}" if isinstance(params.value, int) else "all"
    return (
        f"{some} of {whole} parameters are 0 by masks of torch.nn.utils.prune ({_some(list(masked))}); "
        "params and MACs count them."
    )


def note_of_frozen(paths: Sequence[str]) -> str | None:
    """The note on modules whose weights are constants of their code; None without any."""
    if not paths:
        return None
    return (
        f"{_count(paths, 'module')} of frozen TorchScript ({_some(paths)}): any weights are constants of the code, "
        "which are no parameters and are not counted."
    )


def unknown_numbers(findings: Findings, asked: Collection[str] | None = None) -> Iterator[str]:
    """Each reason for unknown numbers or bounds once, with its numbers and rows; only of the `asked` numbers."""
    numbers: dict[Reason, dict[str, None]] = {}
    paths: dict[Reason, dict[int, str]] = {}
    for call, estimate, field in zip(findings.trace.calls, findings.estimates, findings.fields, strict=True):
        why = {
            "MACs": estimate.why.macs,
            "params": estimate.why.params,
            "output shape": estimate.why.shapes if findings.is_leaf(call) else (),
            "receptive field": field.why if field is not None and field.status is Status.UNKNOWN else (),
        }
        for number, reasons in why.items():
            for reason in reasons if asked is None or number in asked else ():
                numbers.setdefault(reason, {})[number] = None
                paths.setdefault(reason, {})[call.index] = call.path
    for reason, rows in paths.items():
        what = " and ".join(numbers[reason])
        yield f"{what} unknown in {_count(list(rows), 'row')} ({_some(list(rows.values()))}): {reason}."


def _failed(findings: Findings) -> Iterator[str]:
    """The reason of each counter that found nothing in any call."""
    for name, counts in findings.counts.items():
        if all(count.value is None for count in counts):
            yield f"{name} did not count: {'; '.join(map(str, counts[0].skips))}."


def _explained(findings: Findings) -> Iterator[str]:
    """Each known reason for a difference of a counter, with its rows and whether another counter checks them."""
    rows: dict[tuple[str, bool], list[str]] = {}
    for call in findings.trace.calls:
        if findings.is_leaf(call):
            macs = findings.numbers[call.index].macs
            for reason in macs.reasons.values():
                rows.setdefault((reason, macs.verdict is Verdict.NOT_COUNTED), []).append(call.path)
    for (reason, unchecked), paths in rows.items():
        yield f"{reason}: {_count(paths, 'row')}{' not compared' if unchecked else ''} ({_some(paths)})."


def _unconfirmed(findings: Findings) -> Iterator[str]:
    """Each reason why no counter that agrees with the formula confirms its MACs, with the rows."""
    rows: dict[Reason, list[str]] = {}
    for call in findings.trace.calls:
        if findings.is_leaf(call):
            why = findings.numbers[call.index].macs.why
            for reason in (each for each in why if each not in findings.estimates[call.index].why.macs):
                rows.setdefault(reason, []).append(call.path)
    for reason, paths in rows.items():
        yield f"MACs not confirmed in {_count(paths, 'row')} ({_some(paths)}): {reason}."


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) > 1 else ''}"


def _some(names: Sequence[str], listed: int = _LISTED) -> str:
    items = list(dict.fromkeys(names))
    shown = ", ".join(item or "the root" for item in items[:listed])
    return f"{shown} and {len(items) - listed} more" if len(items) > listed else shown


# Which hyper-parameter of a layer fixes which dimension of its input: (name, dimension from the end of the
# channel-first or channel-last shape, what users call it).
_EXPECTED = {
    "Conv1d": ("in_channels", -2, "input channels"),
    "Conv2d": ("in_channels", -3, "input channels"),
    "Conv3d": ("in_channels", -4, "input channels"),
    "ConvTranspose1d": ("in_channels", -2, "input channels"),
    "ConvTranspose2d": ("in_channels", -3, "input channels"),
    "ConvTranspose3d": ("in_channels", -4, "input channels"),
    "Linear": ("in_features", -1, "input features"),
    "BatchNorm2d": ("num_features", -3, "channels"),
    "BatchNorm3d": ("num_features", -4, "channels"),
    "GroupNorm": ("num_channels", 1, "channels"),
    "RNN": ("input_size", -1, "input features"),
    "LSTM": ("input_size", -1, "input features"),
    "GRU": ("input_size", -1, "input features"),
    "MultiheadAttention": ("embed_dim", -1, "embedding features"),
}


_NO_FORWARD = re.compile(r"Module \[(\w+)\] is missing the required .forward. function")
"""torch's words for a call of a module whose class defines no forward, such as a ModuleList."""


def explain_failure(failure: ForwardFailed, target: Target, inputs: Inputs, advice: str) -> str:
    """One sentence with the layer, what it expects and got; then `advice`, or else where to look."""
    missing = why_missing(failure.cause)
    if missing is not None:
        return f"{target.name} cannot run here: {missing}"
    if lacking := _NO_FORWARD.search(error_text(failure.cause)):
        line = own_line(failure.cause)
        return (
            f"{target.name} cannot run{line}: the class {lacking[1]} defines no `forward`. Mend that line: call what "
            f"the {lacking[1]} contains, or define `forward` in the class."
        )
    call = failure.call
    place = f"`{call.path or call.kind}`" if call is not None else f"`{target.name}`"
    kind = f" ({call.kind})" if call is not None and call.path else ""
    reason = _mismatch(call) or error_text(failure.cause)
    seen = f" (input {_dims(call.inputs[0].shape)})" if call is not None and call.inputs else ""
    line = "" if _mismatch(call) else own_line(failure.cause)
    step = advice or _usual_help(failure, target, inputs)
    return f"the forward pass failed in {place}{kind}{line}: {reason}{seen}. {step}"


def is_plainly_the_inputs(call: Call | None) -> bool:
    """Whether the layer that failed was given another number of channels or features than it takes."""
    return _mismatch(call) is not None


def place_of(failure: ForwardFailed) -> tuple[object, ...]:
    """The call and the exception's type: two failures with the same reason have the same."""
    call = failure.call
    where = None if call is None else (call.path, call.number, call.kind)
    return where, type(failure.cause)


def other_inputs(call: Call | None, specs: Sequence[InputSpec], model: Model) -> Iterator[InputSpec]:
    """Inputs to try in place of the model's only input, the likeliest first.

    The first corrects the dimension that a first layer says is wrong. The others have the sizes that are usual for the
    model's first layer.
    """
    if len(specs) != 1 or specs[0].listed:
        return
    spec = specs[0]
    usual = usual_inputs(model)
    yield from _rearranged(spec, usual)
    yield from (only for (only,) in corrected_inputs(call, specs))
    for other in usual:
        yield replace(
            other, shape=(spec.shape[0], *other.shape[1:]) if len(spec.shape) == len(other.shape) else other.shape
        )


def corrected_inputs(call: Call | None, specs: Sequence[InputSpec]) -> Iterator[tuple[InputSpec, ...]]:
    """All inputs, one of them with the size that the first layer which takes it says is wrong."""
    found = _dimension(call)
    if call is None or found is None:
        return
    expected, axis, _ = found
    for place, spec in enumerate(specs):
        if spec.shape == call.inputs[0].shape:
            shape = list(spec.shape)
            shape[axis] = expected
            yield (*specs[:place], replace(spec, shape=tuple(shape)), *specs[place + 1 :])


def _rearranged(spec: InputSpec, usual: Sequence[InputSpec]) -> Iterator[InputSpec]:
    """The input with its channels first, with the batch or the channels that it lacks, or with the layer's dtype."""
    if not usual:
        return
    first, shape = usual[0], spec.shape
    rank, channels = len(first.shape), first.shape[1]
    if len(shape) == rank and shape[-1] == channels != shape[1]:
        yield replace(spec, shape=(shape[0], channels, *shape[1:-1]))
    if len(shape) == rank - 1 and rank > 2:
        yield replace(spec, shape=(1, *shape))
        if shape[-1] == channels:
            yield replace(spec, shape=(1, channels, *shape[:-1]))
    if len(shape) == rank - 2 and rank > 2:
        yield replace(spec, shape=(1, channels, *shape))
    if spec.dtype != first.dtype:
        yield replace(spec, dtype=first.dtype)


def _mismatch(call: Call | None) -> str | None:
    """`expects 3 input channels, got 4`, where the layer's hyper-parameters say so."""
    found = _dimension(call)
    if call is None or found is None:
        return None
    expected, axis, noun = found
    got = call.inputs[0].shape[axis]
    return f"expects {expected} {noun}, got {got}" if got != expected else None


def _dimension(call: Call | None) -> tuple[int, int, str] | None:
    if call is None or call.layer not in _EXPECTED or not call.inputs or call.inputs[0].parts is not None:
        return None
    name, axis, noun = _EXPECTED[call.layer]
    shape = call.inputs[0].shape
    if not -len(shape) <= axis < len(shape):
        return None
    return call.hyperparameters[name], axis, noun


_OWN_ERRORS = (AttributeError, NameError, KeyError, ZeroDivisionError, AssertionError, NotImplementedError)
"""Errors that another input rarely mends."""

_ITEM = re.compile(r"""\w\[(["'][^"']*["'])\]""")
"""An item of a dictionary in a line of code."""

_OF_A_KEY = re.compile("'str'|indices")
"""What torch says of a tensor that is asked for an item by its name."""


def _usual_help(failure: ForwardFailed, target: Target, inputs: Inputs) -> str:
    """Advice for an unknown cause; it names the model's inputs unless the failed call had the same."""
    if isinstance(target.source, Function) and target.source.doubt:
        return target.source.doubt
    if "NestedTensor outside of its fast path" in str(failure.cause):
        return "A run here takes none of torch's fast paths: give the layer padded tensors."
    if "Creating a new Tensor subclass" in str(failure.cause):
        return "torch cannot make such a tensor while its ops are watched: make it in __init__ and keep it."
    if isinstance(failure.cause, SystemExit):
        return "Inspect it without that call."
    frame = own_frame(failure.cause)
    item = _ITEM.search(frame.line or "") if frame is not None else None
    if item is not None and isinstance(failure.cause, (TypeError, IndexError)) and _OF_A_KEY.search(str(failure.cause)):
        return f"It takes a dictionary: --inputs-from file.py:fn, where fn returns ({{{item[1]}: tensor}},)."
    if frame is not None and isinstance(failure.cause, _OWN_ERRORS):
        return "Mend that line; --debug shows the traceback."
    given = [tuple(item["shape"]) for item in inputs.described]
    known = failure.call is not None and [ref.shape for ref in failure.call.inputs] == given
    tried = "" if known else f"The input was {', '.join(map(_dims, given)) or 'none'}; "
    return f"{tried}--input gives another one, --debug shows the traceback."


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"
