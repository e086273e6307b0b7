"""The flow: target -> model -> trace -> { analytic | measured } -> report. The only file that knows every room."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from cnninspect import plugins
from cnninspect.errors import LoadError
from cnninspect.inspection.findings import Findings, rows
from cnninspect.inspection.messages import (
    note_of_frozen,
    note_of_masks,
    note_of_values,
    notes_of,
    uncounted,
    unknown_numbers,
)
from cnninspect.inspection.run import Options, free_bytes, run_on_cheapest
from cnninspect.inspection.tensors import inspect_checkpoint
from cnninspect.inspection.totals import totals
from cnninspect.inspection.weights import with_weights
from cnninspect.measure import count
from cnninspect.measure.base import Count, Progress, Run, left_out, silent
from cnninspect.measure.storages import frozen, holdings, masked
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.ops.evaluate import evaluate, whole_macs
from cnninspect.receptive.fields import Fields, intervals, name_of
from cnninspect.receptive.rows import last_map, row_fields
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Verdict, worst
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import ReceptiveField
from cnninspect.targets.checkpoint import checkpoint_at
from cnninspect.targets.construct import state_bytes
from cnninspect.targets.grammar import parameter_dtype, parse_method
from cnninspect.targets.inputs import Choice, InputOptions
from cnninspect.targets.resolve import resolve
from cnninspect.targets.target import Target
from cnninspect.trace.isolation import uncollected, with_room
from cnninspect.trace.private_torch import compiler_not_imported
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace
from cnninspect.trace.source_lines import locate
from cnninspect.version import __version__

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account
    from cnninspect.inspection.on_cpu import Maps


def inspect(target: Target, options: Options, command: str) -> Report:
    """The report on a target: one forward pass, every number twice.

    Raises UsageError, LoadError or RunError, each with a message for the user.
    """
    with compiler_not_imported():
        return with_room(lambda: _inspected(target, options, command))


def _inspected(target: Target, options: Options, command: str) -> Report:
    missing = plugins.load()
    if not options.run:
        return _not_run(target, options, command, missing)
    trace, run, inputs, notes = run_on_cheapest(target, options)
    options.progress("evaluating formulas")
    locate(trace, run.model, target.origin)
    notes = [*missing, *target.notes, *inputs.notes, *notes]
    with uncollected():
        reach, estimates = intervals(trace, KNOWLEDGE), evaluate(trace)
    counts, fields, found, maps = _measured(target, options, run, inputs.choice, reach, whole_macs(trace, estimates)[0])
    findings = Findings(trace, estimates, counts, fields, holdings(run))
    with uncollected():
        table = rows(findings)
        whole = totals(findings, _last_field(reach, fields, maps))
    report = Report(
        command=command,
        tool=_tool(),
        target=_described(target),
        run={
            "device": trace.device,
            "dtype": options.dtype or _dtype_of(trace),
            "training": options.training,
            "inputs": list(inputs.described),
        },
        totals=whole,
        rows=table,
        uncounted=uncounted(findings),
        notes=(
            *notes,
            *_masks(target, options, run.model, whole["params"]),
            *found,
            *note_of_values(reach),
            *notes_of(findings, command),
        ),
        verdict=worst(number.verdict for number in (*table, *whole.values())),
    )
    report = with_weights(report, run.model)
    return _with_accounts(report, findings, run, reach, options, target) if options.accounts else report


def _measured(
    target: Target, options: Options, run: Run, choice: Choice, reach: Fields, macs: int
) -> tuple[dict[str, list[Count]], Sequence[ReceptiveField | None], tuple[str, ...], Maps | None]:
    """Counts, the field of every call, notes, probed maps: of this run and, if a probe is wanted, of one on the CPU."""
    if options.probe is False:
        return count(run), row_fields(reach), tuple(left_out().values()) if run.device != "meta" else (), None
    from cnninspect.inspection.on_cpu import measure

    def on_cpu() -> Run:
        if run.device == "cpu":
            return run
        options.progress(f"building {target.name} on cpu")
        model = target.build("cpu", options.dtype)
        inputs = choice.make(target, model, "cpu", options.dtype)
        if run.trace.made:
            record(model, inputs.args, inputs.kwargs, layer_of, device="cpu", training=options.training)
        return Run(run.trace, model, inputs.args, inputs.kwargs, "cpu")

    found = measure(run, on_cpu, reach, macs, options.progress, limited=options.probe is None)
    return found.counts, found.fields, (*left_out().values(), *found.notes), found.maps


def _described(target: Target) -> dict[str, Any]:
    return {
        "spec": target.spec,
        "provider": target.provider,
        "name": target.name,
        "arguments": dict(target.arguments),
        **({} if target.method is None else {"call": str(target.method)}),
    }


def _not_run(target: Target, options: Options, command: str, missing: Sequence[str]) -> Report:
    """The report on a model that is built and does not run."""
    from cnninspect.inspection.without_run import built, counted

    model, device, notes = built(target, options)
    findings, table, whole = counted(model, device, training=options.training)
    report = Report(
        command=command,
        tool=_tool(),
        target=_described(target),
        run={
            "device": device,
            "dtype": options.dtype or _dtype_of(findings.trace),
            "training": options.training,
            "inputs": [],
            "ran": False,
        },
        totals=whole,
        rows=table,
        notes=(
            *missing,
            *target.notes,
            *notes,
            *_masks(target, options, model, whole["params"]),
            *unknown_numbers(findings),
        ),
        verdict=worst(number.verdict for number in (*table, *whole.values())),
    )
    return with_weights(report, model)


def _masks(target: Target, options: Options, model: Any, params: Quantity | ReceptiveField) -> Sequence[str]:
    """The notes on masks and frozen weights; on meta, which holds no values, masks are those of a model on the CPU."""
    found = masked(model)
    if None in found.values():
        options.progress(f"building {target.name} on cpu")
        found = masked(target.build("cpu", options.dtype))
    note = note_of_masks(found, params) if isinstance(params, Quantity) else None
    return tuple(filter(None, (note, note_of_frozen(frozen(model)))))


def _last_field(reach: Fields, fields: Sequence[ReceptiveField | None], maps: Maps | None) -> ReceptiveField:
    """The field of the last feature map, which stands for the network; `match` also says that no later row is a map.

    `maps` are the calls whose output is a map in the probe, or may be one; None without a probe.
    """
    last = last_map(reach)
    found = None if last.call is None else fields[last.call.index]
    if last.call is None or found is None:
        words = "in no output on the way to the result has each axis a dimension of its own along which the field moves"
        why = Reason(Cause.NOT_COVERED, words)
        return ReceptiveField(why=(why,) if any(fields) else ())
    name = name_of(last.call)
    if last.overwritten:
        why = Reason(Cause.NOT_COVERED, f"the output of {name} is written in place later, and no row shows the result")
        return ReceptiveField(cause=name, why=(why,))
    if maps is None:
        return replace(found, layer=name)
    open_ = {i for i, field in enumerate(fields) if field is not None and field.verdict is not Verdict.MATCH}
    own_rank = len(last.call.outputs[0].shape)
    doubtful = [
        call
        for call in last.later
        if call.index in maps.shown
        or (call.index in open_ | maps.possible and len(call.outputs[0].shape) >= last.rank)
        or (len(call.outputs[0].shape) >= own_rank and _has_places(fields[call.index]))
    ]
    stands_still = any(jump == 0 and size > 1 for jump, size in zip(found.jump or (), found.image or (), strict=False))
    if found.verdict is Verdict.MATCH and (stands_still or (found.jump is None and last.call.index not in maps.shown)):
        why = Reason(Cause.NOT_MEASURED, f"no probe could confirm that the output of {name} is a map")
        found = replace(found, verdict=Verdict.UNKNOWN, why=(*found.why, why))
    if found.verdict is Verdict.MATCH and doubtful:
        why = Reason(Cause.NOT_MEASURED, f"no probe could confirm that the output of {name_of(doubtful[0])} is no map")
        found = replace(found, verdict=Verdict.UNKNOWN, why=(*found.why, why))
    return replace(found, layer=name)


def _has_places(field: ReceptiveField | None) -> bool:
    """Whether a row says that the field moves from place to place along every axis, by a rule or by none."""
    if field is None or field.size is None:
        return False
    if field.jump is None:
        return all(isinstance(size, list) for size in field.size)
    return all(jump != 0 for jump, size in zip(field.jump, field.image or (), strict=False) if size > 1)


def _with_accounts(
    report: Report, findings: Findings, run: Run, reach: Fields, options: Options, target: Target
) -> Report:
    from cnninspect.inspection.accounts import Inspected, extended

    def build() -> Any:
        options.progress(f"building {target.name} on cpu")
        needed, free = state_bytes(run.model), free_bytes()
        if free is not None and needed > free:
            room = f"{free / 2**20:,.0f} MiB are free"
            return f"the weights take {needed / 2**20:,.0f} MiB, and {room}: run it where there is room"
        try:
            return target.build("cpu", options.dtype)
        except LoadError as error:
            return (
                f"{str(error).rstrip('.')}: name a function that returns the network with its weights, as file.py:attr"
            )

    inspected = Inspected(findings, run, reach, options.progress, build)
    return extended(report, [account(inspected) for account in options.accounts])


def _dtype_of(trace: Trace) -> str:
    """The floating dtype that most of the parameters have, or else that of the first input."""
    sizes: dict[str, int] = {}
    for state in trace.parameters.values():
        sizes[state.dtype] = sizes.get(state.dtype, 0) + state.fresh
    first = next(iter(trace.inputs.values()), None)
    return max(sizes, key=lambda name: sizes[name]) if sizes else first.dtype if first is not None else "float32"


def _tool() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        fvcore = version("fvcore")
    except PackageNotFoundError:
        fvcore = None
    return {
        "name": "cnninspect",
        "version": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "fvcore": fvcore,
    }


def inspect_model(
    target: Any,
    input_shape: Sequence[int] | Sequence[Sequence[int]] | str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    call: str | None = None,
    inputs: Sequence[str] | str = (),
    inputs_from: str | Callable[[], Any] | None = None,
    batch_size: int | None = None,
    sizes: Mapping[str, int] | None = None,
    device: str = "auto",
    dtype: str | torch.dtype | None = None,
    training: bool = False,
    command: str = "summary",
    progress: Progress = silent,
    accounts: Sequence[Account] = (),
    probe: bool | None = False,
    run: bool = True,
) -> Report:
    """The report on a model: a TARGET string as on the command line, a module, a class, a factory or a function.

    `arguments` are those of the class or factory; a dotted name, `{"config.depth": 2}`, changes a part of one.
    `call` is a method to run in the place of the forward (`"encode_image"`, `"generate(max_new_tokens=4)"`).
    `input_shape` is one shape ([N, C, H, W]) or a sequence of them; `inputs` takes the command line's form
    (`"1x3x224x224"`, `"mask=1x77:int64"`); `sizes` changes dimensions of the first input (`{"h": 64}`). `accounts` are
    added to the report, such as `Memory("adam")` from `cnninspect.inspection.accounts.training`. `probe=True` checks
    the receptive fields with NaN on the CPU and lets fvcore count there; None does so unless it costs too much.
    `run=False` builds the model and counts its parameters, without a forward pass. A
    checkpoint in safetensors files has a report on its tensors. Raises CnninspectError with the command line's message.
    """
    files = checkpoint_at(os.fspath(target)) if isinstance(target, (str, os.PathLike)) else None
    if files is not None and command == "summary":
        return inspect_checkpoint(files)
    chosen = replace(InputOptions.of(input_shape, inputs, inputs_from, batch_size), sizes=sizes or {})
    name = None if dtype is None else parameter_dtype(str(dtype))
    options = Options(chosen, device, name, training, progress, accounts, probe, run)
    method = None if call is None else parse_method(call)
    return inspect(resolve(target, arguments or {}, method), options, command)
