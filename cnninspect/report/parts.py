"""The typed parts of documents: what accounts, `rf LAYER` and a comparison add to a report."""

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
    """The convention of a counter in words, and its total in its own unit; `failed` is the reason for no total."""

    convention: str
    own_total: int | None
    needs_kernels: bool
    failed: str | None = None


@dataclass(frozen=True)
class Machine:
    """The limits of a processor: peak FLOPs per second, and memory bandwidth in bytes per second."""

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
    """The optimizer that training memory is computed for, and the op of the inference peak; None if no op ran."""

    optimizer: str
    peak_at: Peak | None


@dataclass(frozen=True)
class Dataflow:
    """The graph of the network: pairs (source, reader) of rows by their index, and the sources of the outputs.

    Source -1 is the first of `inputs`, -2 the second. `passing` are the rows that return a tensor as they got it.
    """

    inputs: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    outputs: tuple[int, ...]
    passing: tuple[int, ...] = ()

    def among(self, standing: Sequence[int | None]) -> Dataflow:
        """The graph of fewer rows: `standing` has for every row the one that stands for it, None for a row left out.

        What reads a row that is left out reads the sources of that row.
        """
        read_by: dict[int, list[int]] = {}
        for source, reader in self.edges:
            read_by.setdefault(reader, []).append(source)
        behind: dict[int, tuple[int, ...]] = {}

        def kept(sources: Sequence[int]) -> tuple[int, ...]:
            return tuple(dict.fromkeys(each for source in sources for each in behind.get(source, (source,))))

        def stands(source: int) -> int:
            return source if source < 0 else standing[source] or 0

        edges: dict[tuple[int, int], None] = {}
        for reader, row in enumerate(standing):
            sources = kept(read_by.get(reader, []))
            if row is None:
                behind[reader] = sources
                continue
            edges |= {(stands(source), row): None for source in sources if stands(source) != row}
        outputs = tuple(dict.fromkeys(map(stands, kept(self.outputs))))
        passing = dict.fromkeys(stands(row) for row in self.passing if standing[row] is not None)
        others = {row for edge in self.edges for row in edge if row >= 0}.difference(self.passing)
        changing = {standing[row] for row in others}
        return Dataflow(self.inputs, tuple(edges), outputs, tuple(row for row in passing if row not in changing))


@dataclass(frozen=True)
class LiveBytes:
    """Memory over the run: `held` by parameters, buffers and inputs all the time, and by activations after each op.

    `rows` has for each op the index of its row.
    """

    held: int
    activations: tuple[int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Timing:
    """The number of timed runs, and of untimed runs before them."""

    warmup: int
    repeats: int


@dataclass(frozen=True)
class InputField:
    """The receptive field of one position in one input, as first and last pixel per axis; None where it sees nothing.

    `image` is the input's size along these axes. `local` and `strict` are clipped to the image; `endless` is the local
    field on an input without borders. `is_global` if the position depends on every pixel that the network reads.
    """

    name: str
    image: tuple[int, ...]
    local: tuple[Ends | None, ...]
    strict: tuple[Ends | None, ...]
    endless: tuple[Ends | None, ...]
    is_global: bool = False


@dataclass(frozen=True)
class PositionField:
    """The receptive fields of the position `at` of a row's output, one per input.

    `layer` is the row's name in messages. `positions` are the spatial sizes of the output; `at` has one index for each.
    """

    layer: str
    row: RowId
    positions: tuple[int, ...]
    at: tuple[int, ...]
    inputs: tuple[InputField, ...]


@dataclass(frozen=True)
class InfluenceRegion:
    """A region of one input: the smallest box around it, its number of pixels, its share of all influence, 0 to 1."""

    name: str
    box: tuple[Ends, ...]
    pixels: int
    share: float

    @property
    def size(self) -> tuple[int, ...]:
        """Pixels of the box along each axis."""
        return tuple(last - first + 1 for first, last in self.box)


@dataclass(frozen=True)
class EffectiveInput:
    """How much the pixels of one input influence a position: means over all runs, summed over channels.

    `deviation` is the standard deviation of the absolute gradient along each axis in pixels, `deviation_of_squares`
    that of the squared gradient. `influence` holds the absolute gradients on the last two axes, or on the only one,
    divided by the largest. `verdict` is `match` if no pixel outside the (strict) theoretical field has any influence,
    `not_run` if no pixel lies outside.
    """

    name: str
    image: tuple[int, ...]
    deviation: tuple[float, ...]
    deviation_of_squares: tuple[float, ...]
    regions: tuple[InfluenceRegion, ...]
    influence: tuple[Any, ...]
    verdict: Verdict

    @property
    def effective(self) -> InfluenceRegion:
        """The pixels with more than 1 - 95.45 % of the largest influence."""
        return next(region for region in self.regions if region.name == "effective")

    @property
    def across(self) -> float:
        """The size of the effective field in pixels along an axis: the root of its number of pixels."""
        return float(self.effective.pixels ** (1 / len(self.image)))


@dataclass(frozen=True)
class EffectiveField:
    """The effective receptive field of the last of the `sights`: as of Luo et al. 2016, from `samples` runs.

    `drawn` says that the inputs were drawn at random; otherwise they are those that the user gave.
    """

    samples: int
    drawn: bool
    inputs: tuple[EffectiveInput, ...]


@dataclass(frozen=True)
class Asked:
    """The layer and position in the command line of `rf`; None where the default was used."""

    layer: str | None
    at: tuple[int, ...] | None


@dataclass(frozen=True)
class VariedNetwork:
    """One network of `rf --vary`: the values of the varied arguments, and the resulting numbers of `layer`.

    `map` holds the spatial sizes of the layer's output; empty for a network without spatial axes. `inputs` are those
    of the run.
    """

    arguments: Mapping[str, Any]
    layer: str
    map: tuple[int, ...]
    receptive_field: ReceptiveField
    params: Quantity
    macs: Quantity
    inputs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Shard:
    """One file of a checkpoint: its tensors and the bytes of its header, None where the file is missing.

    `file_bytes` are those that the header asks for, against the size on the disk.
    """

    file: str
    tensors: int | None
    header_bytes: int | None
    file_bytes: Quantity
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class BaselineFile:
    """The baseline file that a report is compared with, and the versions that wrote it."""

    file: str
    tool: Mapping[str, Any]


@dataclass(frozen=True)
class OtherNetwork:
    """The parts of the second network's report that a comparison keeps."""

    tool: Mapping[str, Any]
    target: Mapping[str, Any]
    run: Mapping[str, Any]
    totals: Mapping[str, Quantity | ReceptiveField]

    @property
    def is_earlier(self) -> bool:
        """Whether it is the first network as it was at a git revision: changes are then those since."""
        return "revision" in self.target


@dataclass(frozen=True)
class AlignedRows:
    """A row of the first network (`target`) and its counterpart in the second (`other`); None where there is none.

    Each number is a pair, the first network's value first. A count is None where it is unknown, and may be a bound; a
    shape is None unless it is known exactly. `differs` holds the names of the numbers that differ.
    """

    target: RowId | None
    other: RowId | None
    output_shape: tuple[Any, Any]
    params: tuple[Quantity | None, Quantity | None]
    macs: tuple[Quantity | None, Quantity | None]
    verdict: Verdict
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class CounterDifference:
    """A reason why a counter's number is not ours, the class of work that it concerns, and how much it adds."""

    work: str | None
    amount: int
    text: str


@dataclass(frozen=True)
class OtherCounter:
    """The number of a counter of another library: as the library prints it here, and as its convention gives it.

    `unit` is the library's word for it. `ours` is our number in this unit, `by_work` the convention's number by class
    of work; `differences` add up to what lies between. `version` is the installed one, `described` that of the
    convention. `failed` is why the library printed nothing.
    """

    name: str
    unit: str
    described: str
    version: str | None
    printed: int | None
    expected: int | None
    ours: int
    by_work: Mapping[str, int]
    differences: tuple[CounterDifference, ...] = ()
    failed: str | None = None

    @property
    def value(self) -> int | None:
        """What it prints or, if it did not run, what it would print."""
        return self.expected if self.printed is None else self.printed
