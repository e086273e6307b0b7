"""Latency of every call on a real device: the model as it is, run several times, with a clock at each call.

On CUDA the clock is an event on the current stream, so that the host does not wait between calls; elsewhere it is the
host's own. The whole model is timed in runs of its own without clocks inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Protocol

import torch
from torch import nn

from cnninspect.measure.base import Run
from cnninspect.report.quantities import flops_from_macs
from cnninspect.trace.isolation import restored
from cnninspect.trace.records import Call, Trace
from cnninspect.trace.rerun import Rerun, as_module
from cnninspect.trace.tracker import site_of

Progress = Callable[[int, int], None]
"""Told how many of how many runs are done."""


@dataclass(frozen=True)
class Latency:
    """Seconds that one call takes: the median of the samples, and the distance between their quartiles."""

    median: float
    spread: float
    samples: int

    def flops_per_second(self, macs: int) -> float | None:
        """FLOPs per second at this many multiply-accumulates; None if the clock saw no time pass."""
        return flops_from_macs(macs) / self.median if self.median else None


@dataclass(frozen=True)
class Timing:
    """Latency of the whole model, and of every call of the trace in its order.

    A call includes those below it and the cost of their clocks. It is None where a timed run makes other calls than
    the trace. The whole model may take a fused path that runs with clocks inside do not.
    """

    total: Latency
    calls: tuple[Latency | None, ...]


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> Any:
        """A moment."""

    def seconds(self, start: Any, end: Any) -> float:
        """Seconds between two moments, once all work before them is done."""


def measure_latency(
    run: Run, *, warmup: int = 3, repeats: int = 20, clock: Clock | None = None, progress: Progress | None = None
) -> Timing:
    """Time `repeats` runs of the whole model and as many with clocks at its calls, after `warmup` runs of each.

    ValueError on the meta device, where nothing is computed, and for less than one repeat.
    """
    if run.device == "meta":
        raise ValueError("nothing runs on the meta device; time needs a real one")
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    model, clock = as_module(run.model), clock or clock_of(run.device)
    whole: list[float] = []
    inside: list[list[float | None]] = []
    with restored(model, run.trace.training, gradients=run.trace.gradients, inputs=(run.args, run.kwargs)):
        for done in range(warmup + repeats):
            whole.append(_time_whole(model, run, clock))
            inside.append(_time_calls(model, run, clock))
            if progress is not None:
                progress(done + 1, warmup + repeats)
    of_calls = zip(*inside[warmup:], strict=True)
    return Timing(_latency(whole[warmup:]), tuple(_latency_if_all(samples) for samples in of_calls))


def _time_whole(model: nn.Module, run: Run, clock: Clock) -> float:
    start = clock.now()
    model(*run.args, **run.kwargs)
    return clock.seconds(start, clock.now())


def _time_calls(model: nn.Module, run: Run, clock: Clock) -> list[float | None]:
    """Seconds of every call of the trace that this run makes too."""
    follower = _Clocked(model, run.trace, clock)
    with follower.attached():
        model(*run.args, **run.kwargs)
    found: list[float | None] = [None] * len(run.trace.calls)
    same = follower.same_calls()
    for call in follower.calls:
        if call.number >= 0 and site_of(call) in same:
            found[same[site_of(call)][call.number]] = clock.seconds(*follower.moments[call.index])
    return found


class _Clocked(Rerun):
    """Reads the clock where calls start and end."""

    def __init__(self, model: nn.Module, trace: Trace, clock: Clock):
        super().__init__(model, trace)
        self.clock = clock
        self.moments: dict[int, tuple[Any, Any]] = {}

    def started(self, call: Call, *_: Any) -> None:
        self.moments[call.index] = (self.clock.now(), None)

    def ended(self, call: Call, *_: Any) -> None:
        self.moments[call.index] = (self.moments[call.index][0], self.clock.now())


def _latency(samples: Sequence[float]) -> Latency:
    low, _, high = quantiles(samples, n=4) if len(samples) > 1 else (0.0, 0.0, 0.0)
    return Latency(median(samples), high - low, len(samples))


def _latency_if_all(samples: Sequence[float | None]) -> Latency | None:
    known = [sample for sample in samples if sample is not None]
    return _latency(known) if len(known) == len(samples) else None


def clock_of(device: str) -> Clock:
    """The clock of a device."""
    return _CudaClock() if device.startswith("cuda") else _HostClock(device)


class _HostClock:
    """The host's clock; on an accelerator the host waits for it first."""

    def __init__(self, device: str):
        self._wait = torch.mps.synchronize if device.startswith("mps") else None

    def now(self) -> float:
        if self._wait is not None:
            self._wait()
        return time.perf_counter()

    def seconds(self, start: float, end: float) -> float:
        return end - start


class _CudaClock:
    """Events on the current stream."""

    def now(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000
