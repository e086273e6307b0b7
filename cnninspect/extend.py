"""The interface for plug-ins: these names keep their meaning between minor versions.

A registration takes effect when its file is imported: by the network's file, or as an entry point in the group
`cnninspect.plugins`. docs/extending.md has an example of each.
"""

from __future__ import annotations

from cnninspect.claims.cell import Cell
from cnninspect.claims.evidence import Alternative, Evidence
from cnninspect.claims.judge import hint
from cnninspect.measure.base import Convention, Count, Run, Skip, counter
from cnninspect.ops.registry import Formula, NoFormula, OpRule, Use, Work, register, register_op
from cnninspect.ops.rules import elementwise, everything, mixed_along, product, reduced_over, slid_over
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import NoField, NoRule, ReadByData, depends_on_nothing, reads_by_data
from cnninspect.receptive.reach import Reach, merged
from cnninspect.render import format_
from cnninspect.report.document import Document, Report
from cnninspect.report.quantities import Quantity
from cnninspect.report.rows import ReceptiveField, Row
from cnninspect.report.selection import View, select
from cnninspect.trace.records import Op, TensorRef

__all__ = [
    "Alternative",
    "Cell",
    "Convention",
    "Count",
    "Document",
    "Evidence",
    "Formula",
    "NoField",
    "NoFormula",
    "NoRule",
    "Op",
    "OpRule",
    "Quantity",
    "Reach",
    "ReadByData",
    "ReceptiveField",
    "Report",
    "Row",
    "Run",
    "Skip",
    "TensorRef",
    "Use",
    "View",
    "Work",
    "counter",
    "depends_on_nothing",
    "elementwise",
    "everything",
    "format_",
    "hint",
    "merged",
    "mixed_along",
    "product",
    "reads_by_data",
    "reduced_over",
    "register",
    "register_op",
    "select",
    "slid_over",
    "taps",
]
