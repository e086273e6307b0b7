"""One forward pass on the cheapest device that can make it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import torch

from cnninspect.errors import CnninspectError, DeviceError, LoadError, RunError, UsageError, error_text
from cnninspect.inspection.messages import (
    corrected_inputs,
    explain_failure,
    is_plainly_the_inputs,
    other_inputs,
    place_of,
)
from cnninspect.measure.base import Progress, Run, silent
from cnninspect.measure.limits import Allowance, Limit, LimitReachedError
from cnninspect.ops.catalogue import layer_of
from cnninspect.targets.construct import state_bytes
from cnninspect.targets.inputs import Choice, InputOptions, Inputs, choices
from cnninspect.targets.providers import Model
from cnninspect.targets.target import Instance, Target
from cnninspect.targets.torchvision_ops import refused_at_once, why_missing
from cnninspect.trace.isolation import uncollected
from cnninspect.trace.recorder import ForwardFailed, record
from cnninspect.trace.records import Trace

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account

UNASKED = Allowance(ops=1_000_000, seconds=600, silent=60)
"""The limit of a run that the user did not ask for: with an inferred input, or on the CPU after meta failed."""

TRIAL = Allowance(ops=200_000, seconds=10, silent=5)
"""The limit of a run that only checks whether a piece of advice works."""

_SECONDS_OF_TRIALS = 20


@dataclass(frozen=True)
class Options:
    """How to build and run the target, and the accounts to add to the report.

    Without `run`, nothing runs: parameters alone are counted.
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
    run: bool = True


Ran = tuple[Trace, Run, Inputs, list[str]]
"""The trace, the run (to repeat it), the inputs, and notes on the device and the inputs."""


def run_on_cheapest(target: Target, options: Options) -> Ran:
    """The run on the asked device; `auto` is meta, or the CPU for an account that needs kernels.

    Under `auto`, a model that fails on meta gets one try on the CPU, unless the failure is plainly the input's or its
    parameters do not fit the free memory; the CPU's message is then reported. An inferred input is the first usual
    one that runs. Raises UsageError, LoadError or RunError.
    """
    needs_kernels = any(account.needs_kernels for account in options.accounts)
    if needs_kernels and options.device == "meta":
        raise UsageError("nothing runs on meta, so there is no time to measure. Use --device cpu or --device cuda.")
    if options.device != "auto":
        return _Attempts(target, options, [checked_device(options.device)]).first_that_runs()
    return _Attempts(target, options, ["cpu"] if needs_kernels else ["meta", "cpu"]).first_that_runs()


class _Failed(Exception):
    """A run that failed, with its device, its input and the failure."""

    def __init__(self, device: str, choice: Choice, inputs: Inputs, failure: ForwardFailed):
        super().__init__(str(failure))
        self.device, self.choice, self.inputs, self.failure = device, choice, inputs, failure
        self.remark = ""


class _Attempts:
    """The runs of one target, with each input that it may take and on each device in turn."""

    def __init__(self, target: Target, options: Options, devices: Sequence[str]):
        self.target, self.options, self.devices = target, options, list(devices)
        self._models: dict[str, Model] = {}
        self._meta_is_right: set[tuple[object, ...]] = set()
        self._notes: list[str] = []

    def first_that_runs(self) -> Ran:
        """The first run that ends well, cheaper devices and likelier inputs first; RunError if there is none."""
        found = choices(self.target, self._first_model(), self.options.inputs)
        failures: list[_Failed] = []
        for choice in found:
            try:
                ran = self._on_cheapest(choice, first_only=choice.in_turn and choice is not found[-1])
            except _Failed as failed:
                failures.append(failed)
                if isinstance(failed.failure.cause, LimitReachedError):
                    break
            else:
                return self._with_notes(ran, choice, first=not failures)
        raise RunError(self._explained(failures)) from failures[-1].failure.cause

    def _first_model(self) -> Model:
        """The model on the first device that it can be put on."""
        try:
            return self._model(self.devices[0])
        except DeviceError as error:
            if len(self.devices) == 1:
                raise
            self._notes.append(f"run on the CPU, because the model cannot run on meta: {error}")
            self.devices.pop(0)
            return self._model(self.devices[0])

    def _model(self, device: str) -> Model:
        if device not in self._models:
            self.options.progress(f"building {self.target.name} on {device}")
            built = partial(self.target.build, device, self.options.dtype)
            self._models[device] = built() if device != "cpu" or "meta" in self.devices else self._with_room(built)
        return self._models[device]

    def _with_room(self, build: Callable[[], Model]) -> Model:
        """The model that `build` makes on the CPU; RunError if there is no room for it."""
        asked = "Without --device the numbers come from meta, which needs no memory"
        timed = "Without --time the numbers come from meta, which needs no memory"
        refuse_without_room(self.target, self.options.dtype, asked if self.options.device == "cpu" else timed)
        return build()

    def _on_cheapest(self, choice: Choice, *, first_only: bool) -> Ran:
        """The run with this input on the first device, or else on the second, unless only the first is wanted."""
        first, *others = self.devices
        try:
            return self._run(choice, first, UNASKED if choice.reason is not None else None)
        except _Failed as failed:
            if first_only or not others or not self._may_be_the_devices(failed):
                raise
            failed.remark = self._lacking_memory()
            if failed.remark:
                raise
            on_meta = failed
        try:
            ran = self._run(choice, others[0], UNASKED)
        except _Failed as failed:
            if place_of(failed.failure) == place_of(on_meta.failure):
                self._meta_is_right.add(place_of(failed.failure))
            raise
        except LoadError as error:
            on_meta.remark = f" Nor does it run on the CPU: {error}"
            raise on_meta from error
        ran[3].append(f"run on the CPU, because the model cannot run on meta: {error_text(on_meta.failure.cause)}.")
        return ran

    def _may_be_the_devices(self, failed: _Failed) -> bool:
        """Whether another device may succeed: not where the input is wrong or the CPU failed in the same way."""
        return not (
            is_plainly_the_inputs(failed.failure.call)
            or isinstance(failed.failure.cause, LimitReachedError)
            or why_missing(failed.failure.cause)
            or place_of(failed.failure) in self._meta_is_right
        )

    def _run(self, choice: Choice, device: str, allowed: Allowance | None) -> Ran:
        """One recorded run; _Failed if it raises or takes more than is allowed."""
        model = self._model(device)
        inputs = choice.make(self.target, model, device, self.options.dtype)
        self.options.progress(f"running {self.target.name} on {device}")
        try:
            with (
                refused_at_once(model),
                contextlib.nullcontext() if allowed is None else Limit(allowed),
                uncollected() if device == "meta" else contextlib.nullcontext(),
            ):
                trace = record(
                    model, inputs.args, inputs.kwargs, layer_of, device=device, training=self.options.training
                )
        except ForwardFailed as failure:
            raise _Failed(device, choice, inputs, failure) from failure
        except LimitReachedError as limit:
            raise _Failed(device, choice, inputs, ForwardFailed(None, limit)) from limit
        return trace, Run(trace, model, inputs.args, inputs.kwargs, device), inputs, []

    def _lacking_memory(self) -> str:
        """A sentence, after a space, that says why the CPU was not tried; empty if there is room for the parameters."""
        short = shortage(state_bytes(self._models["meta"]))
        return f" It was not tried on the CPU: its parameters take {short}." if short else ""

    def _with_notes(self, ran: Ran, choice: Choice, *, first: bool) -> Ran:
        """The run, with a note on where an inferred input comes from."""
        trace, run, inputs, notes = ran
        if choice.reason is not None:
            where = f" on {self.options.device}" if self.options.device != "auto" else ""
            size = f"; its size is the first usual one with which the model runs{where}"
            origin = _origin(choice, "" if first or choice.in_turn else size)
            inputs = replace(inputs, notes=(origin,))
        return trace, run, inputs, [*self._notes, *notes]

    def _explained(self, failures: Sequence[_Failed]) -> str:
        """Why the likeliest input does not run, and what to try; only advice that was tried and works."""
        if isinstance(failures[-1].failure.cause, LimitReachedError):
            return self._too_long(failures[-1])
        failed = failures[0]
        if len(failures) > 1:
            tried = ", ".join(" ".join(map(str, each.choice.specs)) for each in failures)
            advice = f"No usual input runs ({tried}). --input gives another one, --debug shows the traceback."
        else:
            advice = self._working_advice(failed)
        return explain_failure(failed.failure, self.target, failed.inputs, advice) + failed.remark

    def _too_long(self, failed: _Failed) -> str:
        inferred = failed.choice.reason is not None
        why = f"the input {failed.choice.specs[0]} is inferred" if inferred else "the model cannot run on meta"
        step = "--input gives another input" if inferred else "--device cpu runs it without a limit"
        return (
            f"the forward pass of `{self.target.name}` on {failed.device} did not come to an end: "
            f"{failed.failure.cause}. There is a limit because {why}; {step}."
        )

    def _working_advice(self, failed: _Failed) -> str:
        """Another input or device with which the model runs, found by running it; empty if none is found."""
        until = monotonic() + _SECONDS_OF_TRIALS
        call, given = failed.failure.call, failed.choice.specs
        single = ((spec,) for spec in other_inputs(call, given, self._model(failed.device)))
        for specs in single if len(given) == 1 else corrected_inputs(call, given):
            if monotonic() < until and self._works(Choice(specs), failed.device):
                return f"It runs with {' '.join(f'--input {spec}' for spec in specs)}."
        on_meta = self.options.device == "meta" and self._may_be_the_devices(failed) and not self._lacking_memory()
        return "Use --device cpu." if on_meta and self._works(failed.choice, "cpu") else ""

    def _works(self, choice: Choice, device: str) -> bool:
        """Whether the model runs with this input on this device within the limit of a trial."""
        try:
            self._run(choice, device, TRIAL)
        except (_Failed, LoadError, UsageError):
            return False
        return True


def _origin(choice: Choice, size: str) -> str:
    """The note on inferred inputs."""
    shown = ", ".join(map(str, choice.specs))
    if len(choice.specs) > 1:
        return f"the inputs {shown} are inferred from {choice.reason}{size}. --input gives others."
    return f"the input {shown} is inferred from {choice.reason}{size}. --input gives another one."


def shortage(needed: int) -> str:
    """`25,705 MiB, 16,210 MiB are free`; empty if there is room for so many bytes, or the system does not say."""
    free = free_bytes()
    return "" if free is None or needed <= free else f"{needed / 2**20:,.0f} MiB, {free / 2**20:,.0f} MiB are free"


def refuse_without_room(target: Target, dtype: str | None, otherwise: str) -> None:
    """RunError if the parameters do not fit the free memory, before the system ends the process.

    They are counted on meta; a model that cannot be built there is not refused, nor one that is in memory already.
    `otherwise` is a way without the CPU.
    """
    if isinstance(target.source, Instance):
        return
    try:
        short = shortage(state_bytes(target.build("meta", dtype)))
    except CnninspectError:
        return
    if short:
        smaller = "" if dtype is not None else ", and --dtype bfloat16 takes half of float32"
        raise RunError(
            f"`{target.name}` does not fit the memory: on the CPU its parameters take {short}. {otherwise}{smaller}."
        )


def free_bytes() -> int | None:
    """Bytes free on this machine and in this container; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = 1024 * int(text.partition("MemAvailable:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return None
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        used = int((group / "memory.current").read_text()) - _reclaimable(group / "memory.stat")
        free = min(free, int((group / "memory.max").read_text()) - used)
    return free


def _reclaimable(stat: Path) -> int:
    """Bytes of files in a container's cache, which it gives up when it needs memory."""
    lines = (line.split() for line in stat.read_text().splitlines())
    return sum(int(value) for name, value in lines if name == "inactive_file")


def checked_device(name: str) -> str:
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
