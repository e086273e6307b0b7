"""The trace: one forward pass written down as plain data.

Three nested levels: a `Call` is one use of a module or one call of a torch function made by the model's own code;
an `Op` is one ATen operation that ran, owned by the innermost call that was open. Nothing here holds a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from cnninspect.report.quantities import Shape, item_size
from cnninspect.trace.trees import leaves


@dataclass(frozen=True, slots=True)
class TensorRef:
    """One tensor as it was seen at one moment.

    `value` numbers the values of the run: an in-place op gives its tensor a new one. `storage` numbers alias sets:
    views share it. `state` names the parameter or buffer that it is a part of. `fresh` is how many elements of
    parameters this use is the first to read (0 for everything that is not a parameter). `sparse` says that not all
    elements are stored, `repeats` how often an expanded part of a state shows each of its elements.
    """

    value: int
    shape: Shape
    dtype: str
    storage: int
    state: str | None = None
    fresh: int = 0
    sparse: bool = False
    repeats: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes of its elements; a view that repeats elements counts each of them."""
        return prod(self.shape) * item_size(self.dtype)


@dataclass(frozen=True, slots=True)
class State:
    """A parameter or buffer, as a view of a storage; `trainable` as requires_grad.

    Of a model's own, `fresh` is how many of its elements, walked in the storage, no state before it holds: the elements
    of all are each counted once. Of one that a module call reads, it is as in TensorRef. `offset` is the place in the
    storage where it begins, in bytes, and `strides` are those of its elements: they let others count in their own way.
    """

    name: str
    shape: Shape
    dtype: str
    fresh: int
    trainable: bool
    storage: int = 0
    offset: int = 0
    strides: tuple[int, ...] | None = None
    repeats: int = 1

    @property
    def elements(self) -> int:
        """Its elements by declared shape, those that an expanded one repeats once."""
        return prod(self.shape) // self.repeats


@dataclass(frozen=True)
class Layer:
    """What a catalogue of formulas knows about a module.

    `name` is the layer whose formula holds for it, None when there is none; `base` is the layer it subclasses with
    a forward of its own. `hyperparameters` are read from the module before it runs.
    """

    name: str | None = None
    base: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Op:
    """One ATen op that ran. `name` is e.g. `aten.convolution.default`; arguments hold TensorRefs for tensors.

    `writes` lists the values it overwrote in place; the new contents are among `outputs`.
    """

    index: int
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[TensorRef, ...]
    call: int
    writes: tuple[int, ...] = ()
    pointwise: bool = False
    is_view: bool = False

    @property
    def packet(self) -> str:
        """The op's name without its overload: `aten.convolution`."""
        return self.name.rsplit(".", 1)[0]

    @property
    def inputs(self) -> list[TensorRef]:
        """Every tensor among the arguments, in order."""
        return list(tensors((self.args, self.kwargs)))


@dataclass(slots=True)
class Call:
    """One use of a module, or one torch function called by the model's code.

    `path` is the module's path ("" for the root); a functional call carries the path of the module whose forward
    makes it. `number` counts the uses of this module, or of this `kind` of function at this path. `layer` names the
    kind whose formula holds for this module, or None: then the calls it makes are recorded below it. `base` names
    the known layer that it subclasses with a forward of its own. `where` is the line in the user's own files that it
    comes from, `nets.py:41`. `transformed` says that it ran under `torch.vmap` or another function transform: what it
    was written to do to one sample, its ops do to a batch.
    """

    index: int
    path: str
    number: int
    kind: str
    parent: int | None
    functional: bool
    layer: str | None = None
    base: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[TensorRef, ...] = ()
    state: Mapping[str, State] = field(default_factory=dict)
    training: bool = False
    ops: list[int] = field(default_factory=list)
    where: str | None = None
    transformed: bool = False

    @property
    def depth(self) -> int:
        """Number of path components; a functional call lies one below its module."""
        components = self.path.count(".") + 1 if self.path else 0
        return components + 1 if self.functional else components

    @property
    def inputs(self) -> list[TensorRef]:
        """Every tensor among the arguments, in order."""
        return list(tensors((self.args, self.kwargs)))


def takes_packed(call: Call) -> bool:
    """Whether a call is handed weights that an object of C++ keeps packed, as quantised layers do: no tensors."""
    return "<ScriptObject>" in _leaves((call.args, call.kwargs))


def _leaves(value: Any) -> list[Any]:
    """What nested tuples, lists and mappings of encoded arguments hold."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, (tuple, list)) else [value]


@dataclass(slots=True)
class Trace:
    """One forward pass: its calls and ops in the order they started, and what went in and came out.

    `unread` holds the elements of each parameter storage that no call read, `freed` for each storage that was gone
    before the run ended how many ops had run by then. `unregistered` counts the elements of parameters that were read
    but are not among the model's (layers kept in a plain list). `gradients` says that the run had gradients on, because
    the model takes gradients in its forward.
    """

    calls: list[Call]
    ops: list[Op]
    inputs: dict[str, TensorRef]
    outputs: tuple[TensorRef, ...]
    device: str
    training: bool
    parameters: dict[str, State] = field(default_factory=dict)
    buffers: dict[str, State] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    unregistered: int = 0
    gradients: bool = False
    never_ran: list[str] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)
    read_out: list[tuple[int, str, TensorRef]] = field(default_factory=list)
    indices: dict[int, list[int]] = field(default_factory=dict)


def tensors(tree: Any) -> Iterator[TensorRef]:
    """Every TensorRef in nested arguments, depth first."""
    return leaves(tree, TensorRef)


Key = tuple[bool, int]
"""A tensor's contents: (False, value), or (True, storage) for all values of a storage that is written in place."""


class Dataflow:
    """Which values of a run are computed from which; a storage that is written in place counts as one value."""

    def __init__(self, trace: Trace):
        self._trace = trace
        self._written = {ref.storage for op in trace.ops if op.writes for ref in op.outputs}

    def key(self, ref: TensorRef) -> Key:
        """The key of a tensor's contents."""
        shared = ref.storage in self._written
        return shared, ref.storage if shared else ref.value

    def leading_to_outputs(self, carries: Callable[[Key], bool] = lambda _: True) -> set[int]:
        """The indices of the ops that an output of the run depends on, through values for which `carries` is true."""
        wanted = {self.key(ref) for ref in self._trace.outputs}
        ops = set()
        for op in reversed(self._trace.ops):
            if any(key in wanted and carries(key) for key in map(self.key, op.outputs)):
                ops.add(op.index)
                wanted |= {self.key(ref) for ref in op.inputs}
        return ops

    def following_inputs(self) -> set[Key]:
        """The keys of the inputs, and of all values that are computed from one of them."""
        found = {self.key(ref) for ref in self._trace.inputs.values()}
        for op in self._trace.ops:
            if any(self.key(ref) in found for ref in op.inputs):
                found |= {self.key(ref) for ref in op.outputs}
        return found
