"""The typed parts of the documents: what accounts, a look at one layer, and a comparison add to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnninspect.report.quantities import Quantity, Verdict
from cnninspect.report.rows import ReceptiveField, RowId

Ends = tuple[int, int]
"""First and last pixel along one axis."""


@dataclass(frozen=True)
class CounterConvention:
    """What a counter counts, and its total in its own unit; `failed` says why it has none."""

    convention: str
    own_total: int | None
    needs_kernels: bool
    failed: str | None = None


@dataclass(frozen=True)
class Machine:
    """What a processor can do at most: FLOPs and bytes per second."""

    peak_flops: int
    bandwidth: int


@dataclass(frozen=True)
class Peak:
    """The call and the ATen op during which most bytes are alive."""

    path: str
    call: int
    kind: str
    op: str


@dataclass(frozen=True)
class MemoryDetails:
    """The optimizer that the memory of training is for, and where inference holds most; None if no op ran."""

    optimizer: str
    peak_at: Peak | None


@dataclass(frozen=True)
class Timing:
    """How often the model ran to be timed, and before that."""

    warmup: int
    repeats: int


@dataclass(frozen=True)
class SeenInput:
    """What one position sees of one input, axis by axis; None where it sees nothing.

    `image` is the input's size along these axes. `local` and `strict` are clipped to the image, `endless` is the local
    region of an input without borders. `is_global` if the position sees all that the network looks at.
    """

    name: str
    image: tuple[int, ...]
    local: tuple[Ends | None, ...]
    strict: tuple[Ends | None, ...]
    endless: tuple[Ends | None, ...]
    is_global: bool = False


@dataclass(frozen=True)
class Sight:
    """What the position `at` of a row's output sees of every input.

    `layer` is how messages name the row. `positions` are the sizes of the output's map, `at` has one index for each.
    """

    layer: str
    row: RowId
    positions: tuple[int, ...]
    at: tuple[int, ...]
    inputs: tuple[SeenInput, ...]


@dataclass(frozen=True)
class Asked:
    """The layer and position that `rf` was asked for; None where the default was taken."""

    layer: str | None
    at: tuple[int, ...] | None


@dataclass(frozen=True)
class VariedNetwork:
    """One network of `rf --vary`: the arguments that vary, and what follows from them for `layer`.

    `map` holds the sizes of the layer's map; empty for a network without one. `inputs` are those of the run.
    """

    arguments: Mapping[str, Any]
    layer: str
    map: tuple[int, ...]
    receptive_field: ReceptiveField
    params: Quantity
    macs: Quantity
    inputs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class BaselineFile:
    """The file that a report is held against, and the versions that wrote it."""

    file: str
    tool: Mapping[str, Any]


@dataclass(frozen=True)
class OtherNetwork:
    """What a comparison keeps of the second network's report."""

    tool: Mapping[str, Any]
    target: Mapping[str, Any]
    run: Mapping[str, Any]
    totals: Mapping[str, Quantity | ReceptiveField]


@dataclass(frozen=True)
class AlignedRows:
    """A row of this network (`target`) beside its counterpart in the other; None where a network has no such row.

    Of each number there are two, this network's first. A count is None where it is not known, or a bound by its status;
    a shape is None where it is not known exactly. `differs` names what is not the same.
    """

    target: RowId | None
    other: RowId | None
    output_shape: tuple[Any, Any]
    params: tuple[Quantity | None, Quantity | None]
    macs: tuple[Quantity | None, Quantity | None]
    verdict: Verdict
    differs: tuple[str, ...] = ()
