"""The numbers of a model that does not run: the parameters of its modules by formula and by storage, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from cnninspect.errors import DeviceError, UsageError
from cnninspect.inspection.findings import Findings
from cnninspect.inspection.run import Options, checked_device
from cnninspect.inspection.totals import held_totals
from cnninspect.measure.base import Run
from cnninspect.measure.storages import holdings
from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import PACKED, Estimate, Why, declared_params
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict, not_run
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField, Row
from cnninspect.targets.target import Target
from cnninspect.trace.declared import declared
from cnninspect.trace.records import Call, Trace
from cnninspect.trace.values import is_made

LEFT_OUT = Reason(Cause.NOT_RUN, "nothing ran (--no-run)")
"""Why all numbers but those of parameters are missing."""

_LAZY = Reason(
    Cause.NOT_COVERED, "parameters get their shape in the first forward: give --input, and leave --no-run out"
)
_PACKED = Reason(Cause.NOT_COVERED, PACKED)

_OF_A_RUN = {"macs": Unit.MACS, "flops": Unit.FLOPS, "neurons": Unit.ELEMENTS,
             **dict.fromkeys(("activation_bytes", "input_bytes", "total_bytes", "peak_activation_bytes", "peak_memory"),
                             Unit.BYTES)}  # fmt: skip

Totals = dict[str, Quantity | ReceptiveField]


def built(target: Target, options: Options) -> tuple[nn.Module, str, list[str]]:
    """(the model, its device, notes): on meta where it can be, under `auto` else on the CPU.

    Raises UsageError for a plain function, which has no modules, and LoadError for a model that cannot be built.
    """
    notes: list[str] = []
    for device in ("meta", "cpu") if options.device == "auto" else (checked_device(options.device),):
        options.progress(f"building {target.name} on {device}")
        try:
            model = target.build(device, options.dtype)
        except DeviceError as error:
            if device != "meta" or options.device != "auto":
                raise
            notes.append(f"built on the CPU, because the model cannot be on meta: {error}")
            continue
        if not isinstance(model, nn.Module):
            raise UsageError(f"{target.name} is a plain function, which lists no parameters. Leave --no-run out.")
        return model, device, notes
    raise AssertionError("the loop ends with a model or an error")


def counted(model: nn.Module, device: str, *, training: bool) -> tuple[Findings, tuple[Row, ...], Totals]:
    """The findings on the modules, a row for each, and the totals."""
    trace = declared(model, layer_of, device, training=training)
    unknown = _unknown(model)
    estimates = _estimates(trace, unknown)
    findings = Findings(trace, estimates, {}, [None] * len(trace.calls), holdings(Run(trace, model, (), {}, device)))
    totals: Totals = dict(held_totals(findings))
    if _LAZY in unknown.values():
        totals |= {name: _at_least(number) for name, number in totals.items() if isinstance(number, Quantity)}
    totals |= {name: not_run(unit, LEFT_OUT) for name, unit in _OF_A_RUN.items()}
    totals["receptive_field"] = ReceptiveField(why=(LEFT_OUT,))
    params = [numbers.params for numbers in findings.numbers]
    return findings, tuple(_row(call, params[call.index], findings) for call in trace.calls), totals


def _unknown(model: nn.Module) -> dict[str, Reason]:
    """Path of a module -> why its own parameters cannot be counted."""
    found: dict[str, Reason] = {}
    for path, module in model.named_modules():
        if not all(map(is_made, module.parameters(recurse=False))):
            found[path] = _LAZY
        elif not isinstance(module, torch.jit.ScriptModule) and _packs(module):
            found[path] = _PACKED
    return found


def _packs(module: nn.Module) -> bool:
    """Whether a module keeps its weights in an object of C++."""
    return any(isinstance(value, torch.ScriptObject) for value in vars(module).values())


def _estimates(trace: Trace, unknown: Mapping[str, Reason]) -> list[Estimate]:
    """The parameters of every module, from the parts up."""
    found: dict[int, int | None] = {}
    why: dict[int, tuple[Reason, ...]] = {}
    for call in reversed(trace.calls):
        below = trace.children.get(call.index, ())
        own = unknown.get(call.path) or (0 if below else declared_params(call, trace))
        parts = [found[child] for child in below]
        reasons = {own} if isinstance(own, Reason) else set[Reason]()
        is_known = not reasons and None not in parts
        found[call.index] = (
            (own if isinstance(own, int) else 0) + sum(part or 0 for part in parts) if is_known else None
        )
        why[call.index] = tuple(reasons)
    return [
        Estimate((), found[call.index], None, Status.UNKNOWN, why=Why(params=why[call.index])) for call in trace.calls
    ]


def _at_least(number: Quantity) -> Quantity:
    """A total without the parameters that have no shape yet."""
    return replace(number, status=Status.LOWER_BOUND, verdict=Verdict.UNKNOWN, why=(*number.why, _LAZY))


def _row(call: Call, params: Quantity, findings: Findings) -> Row:
    macs, flops, neurons = (not_run(_OF_A_RUN[name], LEFT_OUT) for name in ("macs", "flops", "neurons"))
    return Row(
        path=call.path, call=0, kind=call.kind, depth=call.depth, leaf=findings.is_leaf(call), functional=False,
        hyperparameters=call.hyperparameters, input_shapes=(), output_shape=not_run(Unit.SHAPE, LEFT_OUT),
        params=params, macs=macs, flops=flops, neurons=neurons, receptive_field=ReceptiveField(why=(LEFT_OUT,)),
        parent=call.parent,
    )  # fmt: skip
