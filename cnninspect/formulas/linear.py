"""Fully connected layers and look-ups: Linear, Bilinear, Embedding."""

from __future__ import annotations

from typing import Any

from cnninspect.formulas.base import Formula, Use, numel, register, register_op
from cnninspect.quantities import Shape
from cnninspect.trace.records import TensorRef


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
    return numel(use.input[:-1]) * numel(_out(use)) * use["in_features"]


def _linear_call(input: TensorRef, weight: TensorRef, bias: TensorRef | None = None) -> Use:
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
        roles=("weight", "bias"),
        output=linear_output,
        params=linear_params,
        macs=linear_macs,
    )
)


def _mm_output(a: TensorRef, b: TensorRef, **_: Any) -> tuple[Shape, ...]:
    return ((*a.shape[:-1], b.shape[-1]),)


def _mm_macs(a: TensorRef, b: TensorRef, **_: Any) -> int:
    return numel(a.shape) * b.shape[-1]


def _addmm_output(bias: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> tuple[Shape, ...]:
    return _mm_output(a, b)


def _addmm_macs(bias: TensorRef, a: TensorRef, b: TensorRef, **_: Any) -> int:
    return _mm_macs(a, b)


register_op("aten.mm", "aten.bmm", output=_mm_output, macs=_mm_macs, source="torch.mm, torch.bmm")
register_op("aten.addmm", "aten.baddbmm", output=_addmm_output, macs=_addmm_macs, source="torch.addmm, torch.baddbmm")
