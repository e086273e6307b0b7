"""Fully connected layers: Linear and Bilinear."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Formula, NoFormula, Use, register, register_op
from cnninspect.ops.shapes import numel
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _out(use: Use) -> Shape:
    """(out_features,), or () for a raw weight without an output dimension."""
    return () if use["out_features"] is None else (use["out_features"],)


def linear_output(use: Use) -> tuple[Shape, ...]:
    """[*, out_features]: the last dimension is replaced, all others are positions."""
    return ((*use.input[:-1], *_out(use)),)


def linear_params(use: Use) -> dict[str, int]:
    """weight: out * in; bias: out."""
    return {"weight": numel(_out(use)) * use["in_features"], "bias": numel(_out(use))}


def linear_macs(use: Use) -> int:
    """positions * out * in; the bias is an addition, not a multiply-accumulate."""
    return numel((*use.input[:-1], *_out(use), use["in_features"]))


def _linear_call(input: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    if input.sparse or weight.sparse:
        raise NoFormula("a sparse tensor is multiplied where it is not 0")
    # A one-dimensional weight is one output feature, and the output then has no dimension for it.
    out_features = weight.shape[0] if len(weight.shape) == 2 else None
    hyper = {"in_features": weight.shape[-1], "out_features": out_features}
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


LINEAR = register(
    Formula(
        name="linear",
        source='torch.nn.Linear, "Shape" and "Variables"',
        modules=("Linear", "NonDynamicallyQuantizableLinear"),
        hyperparameters=("in_features", "out_features"),
        functions={"F.linear": _linear_call},
        output=linear_output,
        params=linear_params,
        macs=linear_macs,
    )
)


# --- bilinear -----------------------------------------------------------------------------------------------------


def bilinear_params(use: Use) -> dict[str, int]:
    """weight: out * in1 * in2; bias: out."""
    return {"weight": use["out_features"] * use["in1_features"] * use["in2_features"], "bias": use["out_features"]}


def bilinear_macs(use: Use) -> int:
    """positions * out * (in1 + 1) * in2: y_k = sum_j (sum_i x1_i W_kij) x2_j, one contraction after the other.

    For each output the first takes in1 * in2 MACs, every weight once, and the second in2. This is the order in which
    torch contracts (`aten::_trilinear`), and what `einsum("ni,kij,nj->nk")` costs as two matrix products.
    """
    return numel((*use.input[:-1], use["out_features"], use["in1_features"] + 1, use["in2_features"]))


def _bilinear_call(input1: TensorRef, input2: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
    out, in1, in2 = weight.shape
    hyper = {"in1_features": in1, "in2_features": in2, "out_features": out}
    return Use((input1.shape, input2.shape), hyper, {"weight": weight, "bias": bias})


register(
    Formula(
        name="bilinear",
        source='torch.nn.Bilinear, "Shape" and "Variables"',
        modules=("Bilinear",),
        hyperparameters=("in1_features", "in2_features", "out_features"),
        functions={"F.bilinear": _bilinear_call},
        output=linear_output,
        params=bilinear_params,
        macs=bilinear_macs,
    )
)


def _trilinear_use(
    i1: TensorRef, i2: TensorRef, i3: TensorRef, expand1: Any, expand2: Any, expand3: Any, sumdim: Any, *_: Any
) -> Use:
    if tuple(map(tuple, (expand1, expand2, expand3, sumdim))) != ((1, 3), (0,), (1, 2), (2, 3)):
        raise NoFormula("not the contraction of a bilinear layer")
    return _bilinear_call(i1, i3, i2)


def _trilinear_field(
    op: Op, a: Reach, b: Reach, c: Reach, expand_a: list[int], expand_b: list[int], expand_c: list[int],
    summed: list[int], *_: Any,
) -> Reach:  # fmt: skip
    """The product of three tensors given dimensions of size 1, summed over some."""
    parts = []
    for part, dims in ((a, expand_a), (b, expand_b), (c, expand_c)):
        for dim in dims:
            part = part.inserted(dim)
        parts.append(part)
    shape = tuple(map(max, *(part.shape for part in parts)))
    return merged(parts, shape, op.index).reduced(summed, op.index).without(summed)


register_op(
    "aten._trilinear",
    output=lambda *args: linear_output(_trilinear_use(*args)),
    macs=lambda *args: bilinear_macs(_trilinear_use(*args)),
    field=_trilinear_field,
    source="torch.nn.functional.bilinear",
    features=lambda op: [(op.args[0], -1)],
)
