"""The course of a run, for the HTML page: which rows read which, and the bytes that are alive after each op."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected
from cnninspect.measure.memory import held_bytes, live_bytes
from cnninspect.report.parts import Dataflow, LiveBytes
from cnninspect.trace.links import links


@dataclass(frozen=True)
class Course:
    """Adds the graph of the network, and its memory over the run."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`dataflow` and `live_bytes` in the document; its rows are the calls of the trace."""
        trace = inspected.trace
        found = links(trace)
        flow = Dataflow(tuple(trace.inputs), found.edges, found.outputs, found.passing)
        held = sum(held_bytes(trace).values())
        alive = LiveBytes(held, tuple(live_bytes(trace)), tuple(op.call for op in trace.ops))
        return Addition(parts=lambda report: replace(report, dataflow=flow, live_bytes=alive))
