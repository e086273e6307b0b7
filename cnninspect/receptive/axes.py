"""Which dimensions of an input are its spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.quantities import Shape
from cnninspect.receptive.fields import Axis
from cnninspect.receptive.forms import Forms
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.sources import of_input
from cnninspect.trace.records import Op, TensorRef, Trace

_CONVOLUTIONS = {"aten.convolution", "aten._convolution"}
_PRODUCTS = {"aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm"}
_TRANSPOSITIONS = {"aten.permute", "aten.transpose", "aten.t"}


def of_inputs(trace: Trace) -> dict[str, tuple[Axis, ...]]:
    """The spatial axes of every input, by its name.

    [N, C, *space] has all dimensions from the third on, unless the first op that mixes the input tells otherwise: a
    2-d convolution says that the last two are space, so that [C, H, W] has them too; a product over the last of at
    least three dimensions says that it holds features: the space of [N, T, C] is T; a recurrent or attention layer
    says by `batch_first` which dimension of [N, T, C] or [T, N, C] is T.
    """
    found = {}
    for name, ref in trace.inputs.items():
        dims = _dims(trace, ref)
        found[name] = tuple(Axis(name, index, dim, ref.shape[dim]) for index, dim in enumerate(dims))
    return found


def input_reach(name: str, shape: Shape, axes: Sequence[Axis]) -> Reach:
    """The reach of an input: every element sees its own position."""
    places = [axis.dim for axis in axes]
    forms = {}
    for axis in axes:
        exact = of_input(shape, places, axis.dim, clipped=True)
        forms[axis] = Forms(exact, exact, of_input(shape, places, axis.dim, clipped=False))
    return Reach(shape, forms if 0 not in shape else {}, frozenset({name}))


def _dims(trace: Trace, ref: TensorRef) -> tuple[int, ...]:
    rank = len(ref.shape)
    mixing = _first_mixing(trace, ref)
    if mixing is None:
        return tuple(range(2, rank))
    layer = trace.calls[mixing.call].hyperparameters
    if "batch_first" in layer:
        return (1 if layer["batch_first"] else 0,) if rank == 3 else (0,)
    if mixing.packet in _CONVOLUTIONS:
        space = len(mixing.args[1].shape) - 2
        return tuple(range(rank - space, rank)) if rank > space else tuple(range(2, rank))
    return tuple(range(1, rank - 1)) if rank > 2 and _features_last(ref, mixing) else tuple(range(2, rank))


def _features_last(ref: TensorRef, product: Op) -> bool:
    """Whether a product contracts exactly the last dimension of the input."""
    operand = next((other for other in product.inputs if other.state is None), None)
    return operand is not None and operand.shape[-1] == ref.shape[-1] and operand.shape != (ref.shape[0], ref.shape[-1])


def _first_mixing(trace: Trace, ref: TensorRef) -> Op | None:
    """The first op after the input that is a convolution, a product, or part of a layer that declares `batch_first`.

    A product after a transposition says nothing about the input's dimensions.
    """
    reached, transposed = {ref.value}, False
    for op in trace.ops:
        if any(other.value in reached for other in op.inputs):
            if op.packet in _CONVOLUTIONS or "batch_first" in trace.calls[op.call].hyperparameters:
                return op
            if op.packet in _PRODUCTS and not transposed:
                return op
            transposed = transposed or op.packet in _TRANSPOSITIONS
            reached.update(output.value for output in op.outputs)
    return None
