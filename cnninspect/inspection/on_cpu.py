"""What a run on meta cannot measure: the untouched model again on the CPU, for the NaN probe and counters with kernels.

A network that would keep a machine busy for minutes, or fill its memory, is left out unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cnninspect.inspection.probe_check import check_fields, contradiction, regions_to_probe
from cnninspect.measure import count
from cnninspect.measure.base import Count, Run
from cnninspect.measure.memory import held_bytes, inference_peak
from cnninspect.measure.nan_probe import Probe, Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.progress import Progress
from cnninspect.receptive.intervals import Fields
from cnninspect.receptive.rows import row_fields
from cnninspect.report.field import ReceptiveField
from cnninspect.report.quantities import Verdict
from cnninspect.trace.records import Call, Trace

MOST_MACS = 500 * 10**9
"""Multiply-accumulates of a run that nobody asked for: about half a minute on two cores."""

MOST_BYTES = 4 * 2**30
"""Memory that such a run may take: parameters, buffers, inputs and the activations alive at once."""

_ALL = "nothing is measured on the CPU, neither by fvcore nor with NaN"
_FIELDS = "receptive fields are not probed on the CPU"


@dataclass(frozen=True)
class Measured:
    """What both runs found: the counters, the field of every call with its verdict if it was probed, and notes."""

    counts: dict[str, list[Count]]
    fields: Sequence[ReceptiveField | None]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a forward pass of some copies of the input takes."""

    macs: int
    nbytes: int

    @classmethod
    def of(cls, trace: Trace, macs: int, copies: int) -> Cost:
        """The cost when one copy takes `macs`."""
        held = held_bytes(trace)
        fixed = held["parameters"] + held["buffers"]
        return cls(macs * copies, fixed + (held["inputs"] + inference_peak(trace).nbytes) * copies)

    @property
    def excess(self) -> str | None:
        """What is too much of it, in words; None if nothing is."""
        if self.macs > MOST_MACS:
            return f"it takes {self.macs:,} multiply-accumulates, more than {MOST_MACS:,}"
        if self.nbytes > MOST_BYTES:
            return f"it takes {self.nbytes:,} bytes, more than {MOST_BYTES:,}"
        return None


def measure(
    run: Run, on_cpu: Callable[[], Run], reach: Fields, macs: int, progress: Progress, *, limited: bool
) -> Measured:
    """What is found when the model of `run`, which takes `macs`, runs on the CPU too.

    `on_cpu` gives the run to make there. `limited` leaves out what costs too much; a note says what was left out and
    why. What the model's code raises there becomes a note: the report on the first run stands.
    """
    fields = row_fields(reach)
    regions = regions_to_probe(run.trace, reach.axes)

    def excess(copies: int) -> str | None:
        return Cost.of(run.trace, macs, copies).excess if limited else None

    if (reason := excess(1)) is not None:
        return Measured(count(run), fields, (_left_out(_ALL, reason),))
    try:
        real = on_cpu()
    except Exception as error:
        return Measured(count(run), fields, (_failed(_ALL, error),))
    progress("counting on the CPU")
    counts = count(run, real)
    if not regions:
        return Measured(counts, fields)
    if (reason := excess(1 + len(regions))) is not None:
        return Measured(counts, fields, (_left_out(_FIELDS, reason),))
    progress("probing receptive fields with NaN")
    try:
        return Measured(counts, _probed(real, reach, fields, regions))
    except Exception as error:
        return Measured(counts, fields, (_failed(_FIELDS, error),))


def _probed(
    run: Run, reach: Fields, fields: Sequence[ReceptiveField | None], regions: Sequence[Region]
) -> list[ReceptiveField | None]:
    """The fields with their verdicts: with oneDNN's fast convolutions first; where those contradict one, without."""
    for onednn in (True, False):
        probe = probe_nan(run.trace, run.model, run.args, run.kwargs, layer_of, regions, onednn=onednn)
        verdicts = check_fields(run.trace, reach.of_call, probe)
        if Verdict.DIFFER not in verdicts:
            break
    return [
        None if field is None else _judged(field, verdict, call, run.trace, reach, probe)
        for field, verdict, call in zip(fields, verdicts, run.trace.calls, strict=True)
    ]


def _judged(
    field: ReceptiveField, verdict: Verdict, call: Call, trace: Trace, reach: Fields, probe: Probe
) -> ReceptiveField:
    differs = verdict is Verdict.DIFFER
    return replace(field, verdict=verdict, found=contradiction(trace, call, reach.of_call, probe) if differs else None)


def _left_out(what: str, reason: str) -> str:
    return f"{what}: {reason}. --probe does it all the same."


def _failed(what: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return f"{what}: the model fails there ({reason})."
