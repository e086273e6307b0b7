"""fvcore's flop counter, which traces the model with torch.jit on real data.

Its unit is called flop and is one multiply-accumulate for convolutions and matrix products; it adds its own counts of
normalisation, interpolation and average pooling. Work that it has no formula for stands in `Count.missed`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn

from cnninspect.errors import error_text
from cnninspect.measure.base import Convention, Count, Inexact, Run, Skip, counter
from cnninspect.trace.isolation import as_written, encoder_fast_path_off, restored
from cnninspect.trace.names import DATA
from cnninspect.trace.private_torch import forward_hooks, tracing_state
from cnninspect.trace.records import Call, Dataflow, Trace
from cnninspect.trace.rerun import Rerun, as_module
from cnninspect.trace.tracker import Site
from cnninspect.trace.trees import leaves, map_leaves

_MARK = re.compile(r"@(\d+)/")

VECTOR_WEIGHT = "linear with a vector as weight"
"""fvcore's formula for linear takes the first size of the weight for the number of output features."""

EINSUM = "einsum"
"""Two operands, contracted: the number is right to the four digits that numpy prints."""

NOTHING_CONTRACTED = "einsum that contracts nothing"
"""Elementwise and outer products, sums and permutations of one operand: numpy counts an operation per element."""

SUMMED_ALONE = "einsum with an index of one operand alone"
"""torch adds up such an index before it multiplies, numpy afterwards."""

SEVERAL = "einsum of more than two operands"
"""torch contracts in the order given, numpy in the best one."""

FUNCTION = Skip("prim.PythonOp")
"""A `torch.autograd.Function`, into which the tracer does not look."""

UNUSED = Skip("", "work whose result is not used")
"""The tracer drops what no output depends on."""

TRANSFORMED = Skip("", "work that a function transform adds")
"""The tracer shows what a call does to its own arguments: no tangents, for one."""

BROADCAST_MATMUL = Skip("aten.matmul", "the batch of a matmul's second operand")
"""fvcore's formula for matmul multiplies by the first operand's own batch dimensions only."""

CONVENTION = Convention(
    unit="counts a MAC as one flop",
    other={
        "batch_norm": "normalisation",
        "group_norm": "normalisation",
        "layer_norm": "normalisation",
        "instance_norm": "normalisation",
        "upsample_nearest2d": "interpolation",
        "upsample_bilinear2d": "interpolation",
        "grid_sampler": "interpolation",
        "adaptive_avg_pool2d": "average pooling",
        NOTHING_CONTRACTED: NOTHING_CONTRACTED,
    },
    inexact={
        # numpy.einsum_path prints four digits.
        EINSUM: Inexact("fvcore rounds einsum to four digits", least=0.9995, greatest=1.0005),
        SUMMED_ALONE: Inexact("fvcore multiplies before it adds up in einsum", least=0.9995),
        SEVERAL: Inexact("fvcore takes the best order of contraction for einsum", least=0.0),
        VECTOR_WEIGHT: Inexact("fvcore takes a vector for a matrix in linear", least=1.0),
    },
)


@counter("fvcore", needs_kernels=True, package="fvcore", convention=CONVENTION)
def fvcore_macs(run: Run) -> list[Count]:
    """What FlopCountAnalysis counts in each call; None everywhere, with the reason in `missed`, if it fails."""
    model = as_module(run.model)
    scopes = JitScopes(model, run.trace)
    try:
        with (
            restored(model, run.trace.training, gradients=run.trace.gradients, inputs=(run.args, run.kwargs)),
            encoder_fast_path_off(),
            as_written(),
        ):
            bound, tensors = _Bound(model, run), tuple(leaves((run.args, run.kwargs), torch.Tensor))
            with scopes.attached():
                nodes = counted_nodes(bound, tensors)
    except Exception as error:
        return [Count(None, (Skip("", f"tracing failed: {error_text(error)}"),)) for _ in run.trace.calls]
    left_out = {**dict.fromkeys(_unused(run.trace), UNUSED), **dict.fromkeys(_transformed(run.trace), TRANSFORMED)}
    return [
        replace(count, missed=(*count.missed, left_out[call.index])) if call.index in left_out else count
        for call, count in zip(run.trace.calls, _attribute(nodes, scopes, run.trace.calls), strict=True)
    ]


def _transformed(trace: Trace) -> set[int]:
    """The calls under a function transform, forward-mode differentiation among them."""
    return {call.index for call in trace.calls if call.transformed and call.ops}


def _unused(trace: Trace) -> set[int]:
    """The calls that no output depends on in torch.jit's trace, where `tensor.data` depends on nothing."""
    flow = Dataflow(trace)
    cut = {flow.key(ref) for op in trace.ops if trace.calls[op.call].kind in DATA for ref in op.outputs}
    used = {trace.ops[index].call for index in flow.leading_to_outputs(lambda key: key not in cut)}
    return {call.index for call in trace.calls if call.ops} - used


class _Bound(nn.Module):
    """The model with its other arguments bound, from tensors to tensors: all that torch.jit's tracer takes."""

    def __init__(self, model: nn.Module, run: Run):
        super().__init__()
        self.model = model
        self._arguments = (run.args, run.kwargs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = iter(tensors)
        args, kwargs = map_leaves(self._arguments, torch.Tensor, lambda *_: next(given))
        return tuple(leaves(self.model(*args, **kwargs), torch.Tensor))


@dataclass(frozen=True)
class Node:
    """A node of the tracer's graph: the scopes that it lies in, and its counts by op or what fvcore left out."""

    scope: str
    found: Mapping[str, int] | Skip


def counted_nodes(model: nn.Module, tensors: tuple[torch.Tensor, ...]) -> list[Node]:
    """Every node that FlopCountAnalysis counts, and every one that it has no formula for and does not ignore."""
    # fvcore is optional and takes a second to import; a run on meta never needs it.
    from fvcore.nn import FlopCountAnalysis

    nodes: list[Node] = []
    analysis = FlopCountAnalysis(model, tensors)
    analysis.set_op_handle(**{kind: _noting(nodes, kind, handle) for kind, handle in analysis._op_handles.items()})
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    is_ignored = analysis._should_ignore_node

    def should_ignore(node: Any) -> bool:
        ignored = bool(is_ignored(node))
        if not ignored:
            nodes.append(Node(node.scopeName(), Skip(node.kind().replace("::", "."))))
        return ignored

    analysis._should_ignore_node = should_ignore
    analysis.total()
    return nodes


def _noting(nodes: list[Node], kind: str, handle: Callable[..., Any]) -> Callable[..., Any]:
    """fvcore's formula for an op, which also adds each node that it counts to `nodes`."""

    def count(inputs: list[Any], outputs: list[Any]) -> Any:
        found = handle(inputs, outputs)
        counts = found if isinstance(found, Counter) else {_name(kind, inputs): found}
        scope = outputs[0].node().scopeName()
        nodes.append(Node(scope, {name: int(number) for name, number in counts.items()}))
        if kind == "aten::matmul" and _broadcasts_first(inputs, outputs):
            nodes.append(Node(scope, BROADCAST_MATMUL))
        return found

    return count


def _shape(value: Any) -> list[int] | None:
    from fvcore.nn.jit_handles import get_shape

    found: list[int] | None = get_shape(value)
    return found


def _broadcasts_first(inputs: list[Any], outputs: list[Any]) -> bool:
    first, output = _shape(inputs[0]), _shape(outputs[0])
    return first is not None and output is not None and prod(first[:-1]) < prod(output[:-1])


def _attribute(nodes: list[Node], scopes: JitScopes, calls: Sequence[Call]) -> list[Count]:
    """One Count per call. What belongs to no call for certain goes to the module around it, at last to the root.

    Where calls run beside the root's, in its output hooks, work that belongs to none for certain leaves all without a
    count. The tracer makes one node of a `torch.autograd.Function`, outside the calls that its forward makes: those
    have no node, and may be what that node hides.
    """
    same = scopes.same_calls()
    roots = [call.index for call in calls if call.parent is None]
    certain = {*roots[: len(roots) == 1], *(index for indices in same.values() for index in indices)}
    counted: dict[int, Counter[str]] = {index: Counter() for index in certain}
    missed: dict[int, dict[Skip, None]] = {index: {} for index in certain}
    for node in nodes:
        index = scopes.call_of(node.scope, same)
        owners = [index] if index is not None else certain.intersection(roots)
        if isinstance(node.found, Skip):
            for owner in owners:
                missed[owner][node.found] = None
        elif len(owners) == 1:
            counted[next(iter(owners))].update(node.found)
        else:
            certain -= {*roots}
    for index in certain:
        if not counted[index] and not missed[index]:
            missed[index] = _functions_around(calls[index], calls, missed)
    return [
        Count(sum(counted[index].values()), tuple(missed[index]), counted[index]) if index in certain else Count(None)
        for index in range(len(calls))
    ]


def _functions_around(call: Call, calls: Sequence[Call], missed: Mapping[int, Mapping[Skip, None]]) -> dict[Skip, None]:
    """The node of a `torch.autograd.Function` that stands with the nearest call around this one."""
    while call.parent is not None:
        call = calls[call.parent]
        if FUNCTION in missed.get(call.index, ()):
            return {FUNCTION: None}
    return {}


def _name(kind: str, inputs: list[Any]) -> str:
    """The op's name, or that of the case in which fvcore's formula for it gives something else than its MACs."""
    if kind == "aten::einsum":
        return einsum_case(inputs[0].toIValue(), [_shape(operand) or () for operand in inputs[1].node().inputs()])
    is_vector = kind == "aten::linear" and len(_shape(inputs[1]) or ()) == 1
    return VECTOR_WEIGHT if is_vector else kind.removeprefix("aten::")


def einsum_case(equation: str, shapes: Sequence[Sequence[int]]) -> str:
    """Which case of einsum it is: fvcore halves the operations of numpy's best path.

    An index of size 1 is broadcast and contracts nothing.
    """
    terms, arrow, output = equation.replace(" ", "").partition("->")
    operands = [_letters(term, shape) for term, shape in zip(terms.split(","), shapes, strict=True)]
    appear = [letter for letter in terms if letter.isalpha()]
    kept = set(output) if arrow else {letter for letter in appear if appear.count(letter) == 1}
    summed = {letter for operand in operands for letter in operand} - kept
    shared = {letter for letter in summed if sum(letter in operand for operand in operands) > 1}
    if not shared:
        return NOTHING_CONTRACTED
    if len(operands) > 2:
        return SEVERAL
    return SUMMED_ALONE if summed - shared else EINSUM


def _letters(term: str, shape: Sequence[int]) -> set[str]:
    """The indices of an operand along which it has more than one place."""
    before, _, after = term.partition("...")
    sizes = [*zip(before, shape, strict=False), *zip(reversed(after), reversed(shape), strict=False)]
    return {letter for letter, size in sizes if size > 1}


class JitScopes(Rerun):
    """Marks the nodes of the tracer's graph with the calls that made them.

    The tracer stamps every node with the scopes that are open. fvcore opens one per module and reads only the last part
    of a node's scope name. A mark before that part tells the uses of a module, and the functional calls in it, apart,
    and changes nothing that fvcore sees.
    """

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model, trace)
        self._tracked = {id(parameter) for parameter in model.parameters()}
        self._frozen: list[torch.Tensor] = []
        self._bound: int | None = None

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Mark what runs inside; on the way out undo also the hooks that fvcore leaves behind when tracing fails."""
        hooks = [(table, list(table)) for module in self.module.modules() for table in forward_hooks(module)]
        try:
            with super().attached():
                yield
        finally:
            for table, before in hooks:
                for key in set(table) - set(before):
                    del table[key]
            for tensor in self._frozen:
                tensor.requires_grad_(True)

    def hidden(self) -> bool:
        """Also what runs around the tracer makes no row."""
        return tracing_state() is None or super().hidden()

    def _new(self, path: str, kind: str, *, functional: bool) -> Call:
        """A call by the root's own `__call__` or hooks, made in `_Bound` here, has the root's path in the trace."""
        inside = functional and self._bound in {call.index for call in self.open_calls[-1:]}
        return super()._new("" if inside else path, kind, functional=functional)

    def open_module(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """A module's forward begins; that of `_Bound` is noted."""
        call = super().open_module(module, args, kwargs)
        if isinstance(module, _Bound):
            self._bound = call.index
        return call

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a torch function; the tracer takes a tensor that is no parameter only if it requires no gradient."""
        if not self.hidden():
            for tensor in leaves((args, kwargs), torch.Tensor):
                if tensor.is_leaf and tensor.requires_grad and id(tensor) not in self._tracked:
                    self._frozen.append(tensor.requires_grad_(False))
        return super().on_function(function, args, kwargs)

    def started(self, call: Call, *_: Any) -> None:
        """Open a scope that marks the call."""
        state = tracing_state()
        owner = state.current_scope().rsplit("/", 1)[-1]
        state.push_scope(f"@{call.index}/{owner}")

    def ended(self, *_: Any) -> None:
        """Close its scope."""
        tracing_state().pop_scope()

    def raised(self, *_: Any) -> None:
        """Close the scope of a call that the model goes on without; where it does not, the tracer is gone by now."""
        state = tracing_state()
        if state is not None:
            state.pop_scope()

    def call_of(self, scope: str, same: Mapping[Site, list[int]]) -> int | None:
        """The innermost certain call around a node with this scope name; None if there is none."""
        found = _MARK.findall(scope)
        return self.in_trace(int(found[-1]) if found else None, same)
