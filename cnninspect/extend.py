"""What a plug-in may import: all of it keeps its name and meaning from one minor version to the next.

A registration counts from the moment its file is imported. docs/extending.md shows each of them at work.
"""

from __future__ import annotations

from cnninspect.measure.base import Convention, Count, Run, Skip, counter
from cnninspect.ops.registry import Formula, NoFormula, OpRule, Use, Work, register, register_op
from cnninspect.ops.rules import elementwise, everything, mixed_along, product, reduced_over, slid_over
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import NoField, NoRule, ReadByData, depends_on_nothing, reads_by_data
from cnninspect.receptive.reach import Reach, merged
from cnninspect.trace.records import Op, TensorRef

__all__ = [
    "Convention",
    "Count",
    "Formula",
    "NoField",
    "NoFormula",
    "NoRule",
    "Op",
    "OpRule",
    "Reach",
    "ReadByData",
    "Run",
    "Skip",
    "TensorRef",
    "Use",
    "Work",
    "counter",
    "depends_on_nothing",
    "elementwise",
    "everything",
    "merged",
    "mixed_along",
    "product",
    "reads_by_data",
    "reduced_over",
    "register",
    "register_op",
    "slid_over",
    "taps",
]
