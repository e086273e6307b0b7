"""One forward pass on the cheapest device that can make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from cnninspect.errors import DeviceError, RunError, UsageError
from cnninspect.inspection.explain_failure import explain_failure, is_meta_limit
from cnninspect.measure.base import Run
from cnninspect.ops.catalogue import layer_of
from cnninspect.progress import Progress, silent
from cnninspect.targets.inputs import InputOptions, Inputs, make_inputs
from cnninspect.targets.target import Target
from cnninspect.trace.recorder import ForwardFailed, record
from cnninspect.trace.records import Trace

if TYPE_CHECKING:
    from cnninspect.inspection.accounts.base import Account


@dataclass(frozen=True)
class Options:
    """How to build and run the target, and what to account for beyond the numbers of every report.

    `probe` runs the model on the CPU too, for the receptive fields and for counters that need kernels; None does so
    unless it costs too much.
    """

    inputs: InputOptions = field(default_factory=InputOptions)
    device: str = "auto"
    dtype: str | None = None
    training: bool = False
    progress: Progress = silent
    accounts: Sequence[Account] = ()
    probe: bool | None = False


def run_on_cheapest(target: Target, options: Options) -> tuple[Trace, Run, Inputs, list[str]]:
    """The run on the asked device; `auto` is meta, or the CPU for a model or an account that needs values."""
    needs_kernels = any(account.needs_kernels for account in options.accounts)
    if needs_kernels and options.device == "meta":
        raise UsageError("nothing runs on meta, so there is no time to measure. Use --device cpu or --device cuda.")
    if needs_kernels or options.device != "auto":
        device = "cpu" if options.device == "auto" else _checked_device(options.device)
        return (*_run(target, options, device), [])
    try:
        return (*_run(target, options, "meta"), [])
    except (ForwardOnMetaFailed, DeviceError) as limit:
        note = f"run on the CPU, because the model cannot run on meta: {limit}"
        return (*_run(target, options, "cpu"), [note])


class ForwardOnMetaFailed(Exception):
    """The forward pass needs values that a meta tensor does not have."""


def _run(target: Target, options: Options, device: str) -> tuple[Trace, Run, Inputs]:
    options.progress(f"building {target.name} on {device}")
    model = target.build(device, options.dtype)
    inputs = make_inputs(target, model, options.inputs, device, options.dtype)
    options.progress(f"running {target.name} on {device}")
    try:
        trace = record(model, inputs.args, inputs.kwargs, layer_of, device=device, training=options.training)
    except ForwardFailed as failure:
        if device == "meta" and options.device == "auto" and is_meta_limit(failure.cause):
            raise ForwardOnMetaFailed(str(failure.cause).split("\n")[0]) from failure
        raise RunError(explain_failure(failure, target, inputs)) from failure.cause
    return trace, Run(trace, model, inputs.args, inputs.kwargs, device), inputs


def _checked_device(name: str) -> str:
    """A device that torch knows and this machine has; otherwise UsageError or RunError."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device is called {name!r}. Use auto, meta, cpu, cuda, cuda:N or mps.") from None
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise RunError(f"this torch ({torch.__version__}) sees no device {name}. Use --device cpu or --device meta.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RunError("this machine has no mps device. Use --device cpu or --device meta.")
    if device.type not in ("meta", "cpu", "cuda", "mps"):
        raise UsageError(f"device {name!r} is not supported. Use auto, meta, cpu, cuda, cuda:N or mps.")
    return name
