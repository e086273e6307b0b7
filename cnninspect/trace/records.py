"""The trace: one forward pass as plain data.

Three nested levels: a `Call` is one use of a module or one call of a torch function made by the model's own code;
an `Op` is one ATen operation that ran, owned by the innermost call that was open. Nothing here holds a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from cnninspect.report.quantities import Shape, item_size


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor at one moment of the run.

    `value` is the number of its value: an in-place op gives its tensor a new one. `storage` is the number of its
    storage, which views share. `state` is the name of the parameter or buffer that it is a part of. `fresh` is the
    number of parameter elements that this use is the first to read (0 if it is no parameter). `sparse` means that not
    all elements are stored; `repeats` is how often an expanded tensor repeats each element. `parts` are the shapes of
    the tensors in a nested one of the strided layout, whose `shape` is the number of all their elements. `jagged` means
    that a call was given or returned a nested tensor of the jagged layout, and this is the tensor of its values: the
    rows of all sequences, one after the other.
    """

    value: int
    shape: Shape
    dtype: str
    storage: int
    state: str | None = None
    fresh: int = 0
    sparse: bool = False
    repeats: int = 1
    parts: tuple[Shape, ...] | None = None
    jagged: bool = False

    @property
    def irregular(self) -> str | None:
        """Why rules that look at a whole tensor do not hold for this one; None for a dense one."""
        if self.parts is not None:
            return "the tensors in a nested one differ in size"
        return "a sparse tensor is read where it stores elements" if self.sparse else None

    @property
    def nbytes(self) -> int:
        """Bytes of its elements; a view that repeats elements counts each of them."""
        return prod(self.shape) * item_size(self.dtype)


@dataclass(frozen=True, slots=True)
class State:
    """A parameter or buffer, as a view of a storage; `trainable` as requires_grad.

    For the states of a model, `fresh` is the number of elements in the storage that no earlier state has, so that their
    sum counts each element once. For a state that a module call reads, `fresh` is as in TensorRef. `offset` is its
    start in the storage in bytes; `strides` count elements.
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
        """The number of elements of its shape; repeated elements of an expanded state count once."""
        return prod(self.shape) // self.repeats


@dataclass(frozen=True)
class Layer:
    """The catalogue's entry for a module.

    `name` is the layer whose formula applies, None if there is none; `base` is the layer that the module subclasses
    with another forward. `hyperparameters` are read from the module before it runs.
    """

    name: str | None = None
    base: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Op:
    """One ATen op that ran. `name` is e.g. `aten.convolution.default`; arguments hold TensorRefs for tensors.

    `writes` lists the values it overwrote in place; the new contents are among `outputs`. `layout` holds the strides
    and the offset of the first argument, in elements, for ops that read by place in memory.
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
    layout: tuple[tuple[int, ...], int] | None = None
    inputs: list[TensorRef] = field(init=False, repr=False)
    packet: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.inputs = tensors((self.args, self.kwargs))
        self.packet = self.name.rsplit(".", 1)[0]


@dataclass(slots=True)
class Call:
    """One use of a module, or one torch function called by the model's code.

    `path` is the module's path ("" for the root); for a functional call, that of the module whose forward makes it.
    `number` counts the uses of this module, or of this `kind` of function at this path. `layer` is the kind whose
    formula applies to this module, or None: then the calls that it makes are recorded below it. `base` is the known
    layer that it subclasses with another forward. `where` is its line in the user's files, `nets.py:41`. `transformed`
    means that it ran under `torch.vmap` or another function transform: the call sees one sample, its ops a batch.
    `direct` means that the code calls the module's `.forward()`, so that its hooks do not run.
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
    direct: bool = False

    @property
    def depth(self) -> int:
        """Number of path components; a functional call lies one below its module."""
        components = self.path.count(".") + 1 if self.path else 0
        return components + 1 if self.functional else components

    @property
    def inputs(self) -> list[TensorRef]:
        """Every tensor among the arguments, in order."""
        return tensors((self.args, self.kwargs))

    @property
    def known_by_ops_alone(self) -> bool:
        """Whether the ops have other sizes than the call: under a transform a batch of it, of nested tensors each part.

        A formula would take all rows of jagged sequences for those of one.
        """
        return self.transformed or any(ref.jagged or ref.parts is not None for ref in (*self.inputs, *self.outputs))


def takes_packed(call: Call) -> bool:
    """Whether an argument of the call is a C++ object with packed weights, as of quantised layers, and not a tensor."""
    return _holds(call.args, "<ScriptObject>") or _holds(call.kwargs.values(), "<ScriptObject>")


def _holds(items: Iterable[Any], word: str) -> bool:
    """Whether this word is among recorded arguments."""
    for item in items:
        if type(item) is str:
            if item == word:
                return True
        elif isinstance(item, (tuple, list)):
            if _holds(item, word):
                return True
        elif isinstance(item, Mapping) and _holds(item.values(), word):
            return True
    return False


@dataclass(slots=True)
class Trace:
    """One forward pass: calls and ops in the order in which they started, inputs and outputs.

    `unread` maps parameters to the number of elements that no call read. `freed` maps each storage that was freed
    during the run to the number of ops that had run by then. `unregistered` is the number of parameter elements that
    were read but are not registered in the model (layers in a plain list). `tied` are trainable parameters whose
    elements all belong to earlier ones: each has a gradient of its own. `leaves` are values that want a gradient and
    are no parameters of the model, with whether they are weights: parameters that are not registered. `gradients` means
    that the run had gradients on, because the model needs them in its forward. `indices` are, by value, the numbers in
    constants that decide what an op reads or hides; None for one that is too large. `renewed` has, by the op that finds
    them changed, the numbers of those that were written in between; None where they are not known. `made` are the
    parameters that an earlier forward made and registered; `made_anew` are those that every forward makes, which are
    not among the parameters.
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
    tied: tuple[State, ...] = ()
    leaves: dict[int, bool] = field(default_factory=dict)
    gradients: bool = False
    made: tuple[str, ...] = ()
    made_anew: tuple[str, ...] = ()
    never_ran: list[str] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)
    read_out: list[tuple[int, str, TensorRef]] = field(default_factory=list)
    indices: dict[int, Any] = field(default_factory=dict)
    renewed: dict[int, dict[int, Any]] = field(default_factory=dict)

    def reads_made_anew(self, call: Call) -> bool:
        """Whether a layer has parameters that the forward made, as every forward does."""
        return bool(self.made_anew) and any(state.name not in self.parameters for state in call.state.values())

    @property
    def roots(self) -> list[Call]:
        """The calls inside no other: of the root, and what its output hooks or its own `__call__` run around it."""
        return [call for call in self.calls if call.parent is None]


def tensors(tree: Any) -> list[TensorRef]:
    """Every TensorRef in nested arguments, depth first."""
    found: list[TensorRef] = []
    _gather((tree,), found)
    return found


def _gather(items: Iterable[Any], found: list[TensorRef]) -> None:
    """Adds the TensorRefs among recorded arguments, which are nested in tuples, lists and dicts alone."""
    for item in items:
        if type(item) is TensorRef:
            found.append(item)
        elif isinstance(item, (tuple, list)):
            _gather(item, found)
        elif isinstance(item, dict):
            _gather(item.values(), found)


Key = tuple[bool, int]
"""The key of a tensor's contents: (False, value), or (True, storage) for a storage that is written in place."""


class Dataflow:
    """The dependencies between values of a run; a storage that is written in place counts as one value."""

    def __init__(self, trace: Trace):
        self._trace = trace
        self._written = {ref.storage for op in trace.ops if op.writes for ref in op.outputs}

    def key(self, ref: TensorRef) -> Key:
        """The key of a tensor's contents."""
        shared = ref.storage in self._written
        return shared, ref.storage if shared else ref.value

    def leading_to_outputs(self, carries: Callable[[Key], bool] = lambda _: True) -> set[int]:
        """The indices of the ops that some output of the run depends on, through values for which `carries` is true."""
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
            if not _makes_values(op.packet) and any(self.key(ref) in found for ref in op.inputs):
                found |= {self.key(ref) for ref in op.outputs}
        return found


def _makes_values(packet: str) -> bool:
    """Whether an op reads no element of its argument, only its shape, dtype and device: `x.new_zeros`, `zeros_like`."""
    name = packet.partition(".")[2]
    return name.startswith("new_") or name.endswith("_like")
