"""Ops that work element by element, and layers that let their input pass: Identity and the dropouts.

Dropout in training sets some values to 0 and scales the others; the values are still those of the layer before, so such
a layer counts 0 MACs and no neurons.
"""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import POINTWISE, Formula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import broadcast_tensors, elementwise, first_result, same, shape_of, twice_same
from cnninspect.receptive.knowledge import NoField, Result
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

_FUNCTIONS = (
    "F.alpha_dropout", "F.dropout", "F.dropout1d", "F.dropout2d", "F.dropout3d", "F.feature_alpha_dropout",
    "torch.alpha_dropout", "torch.alpha_dropout_", "torch.dropout", "torch.dropout_", "torch.feature_alpha_dropout",
    "torch.feature_alpha_dropout_", "torch.feature_dropout", "torch.feature_dropout_",
)  # fmt: skip


def every_input(use: Use) -> tuple[Shape, ...]:
    """The shapes of all inputs: a tuple or dictionary of tensors passes whole."""
    return use.inputs


def _dropout_call(input: TensorRef, p: float = 0.5, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {"p": p})


register(
    Formula(
        name="identity",
        source="torch.nn.Identity",
        modules=("Identity",),
        output=every_input,
        computes=False,
    )
)

register(
    Formula(
        name="dropout",
        source="Srivastava et al. 2014; torch.nn, Dropout Layers",
        modules=("AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"),
        hyperparameters=("p",),
        functions=dict.fromkeys(_FUNCTIONS, _dropout_call),
        output=same_shape,
        computes=False,
    )
)


# --- the ops ------------------------------------------------------------------------------------------------------


def _found_among(elements: Any, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """One answer per element. Source: torch.isin."""
    return (elements.shape if isinstance(elements, TensorRef) else (),)


def _among_field(op: Op, elements: Any, among: Any, *_: Any, **__: Any) -> Result:
    """Every answer sees its element and all that it is looked up among."""
    shape = shape_of(op)
    parts = [elements] if isinstance(elements, Reach) else []
    if isinstance(among, Reach):
        dims = range(len(among.shape))
        parts.append(among.reduced(dims, op.index).without(dims))
    return merged(parts, shape, op.index)


register_op(
    POINTWISE,
    output=broadcast_tensors,
    field=elementwise,
    source="torch.Tag.pointwise: every element is computed from the elements at its place",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten("eq(_) ne(_) lt(_) le(_) gt(_) ge(_)"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch, Comparison Ops: an answer for NaN too, in place as a number",
    work=Work.COMPARISON,
    swallows_nan=True,
)
register_op(
    *aten("maximum minimum"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.maximum, torch.minimum",
    work=Work.COMPARISON,
)
register_op(
    *aten("fmax fmin"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.fmax, torch.fmin: the number where the other is NaN",
    work=Work.COMPARISON,
    swallows_nan=True,
)


def _may_be_one(op: Op) -> bool:
    """Whether a power may be x**0 or 1**x, which are 1 for NaN too."""
    base, exponent = op.args[:2]
    return isinstance(exponent, TensorRef) or exponent == 0 or (base == 1 and not isinstance(base, TensorRef))


register_op(
    *aten("pow(_)"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.pow",
    work=Work.ELEMENTWISE,
    swallows_nan=_may_be_one,
)
register_op(
    *aten("copysign hypot(_)"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.copysign (takes the sign of NaN), torch.hypot (inf beside NaN)",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    *aten("isnan isinf isposinf isneginf"),
    output=same,
    field=elementwise,
    source="torch, Comparison Ops",
    work=Work.COMPARISON,
)
register_op(
    *aten("nan_to_num(_) sign(_) sgn(_) heaviside"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.nan_to_num, torch.sign, torch.heaviside: a number comes of NaN",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    "aten.isin",
    output=_found_among,
    field=_among_field,
    source="torch.isin",
    work=Work.COMPARISON,
)
register_op(
    *aten("xlogy_ gcd_ lcm_ floor_divide_"),
    output=same,
    field=elementwise,
    source="torch, Pointwise Ops, in place",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten("heaviside_ copysign_"),
    output=same,
    field=elementwise,
    source="torch.Tensor.heaviside_, torch.Tensor.copysign_",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    "aten._add_relu",
    output=broadcast_tensors,
    field=elementwise,
    source="torch._add_relu: the relu(x + y) of quantised networks; its kernel may give 0 for NaN",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    *aten("floor_divide polar complex"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch, Pointwise Ops and Creation Ops: one result per pair of elements",
    work=Work.ELEMENTWISE,
)
register_op("aten.frexp", output=twice_same, field=elementwise, source="torch.frexp", work=Work.ELEMENTWISE)
register_op(
    "aten.native_dropout",
    output=twice_same,
    field=first_result,
    source="torch.nn.Dropout; Srivastava et al. 2014",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten(
        "fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask "
        "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams"
    ),
    output=twice_same,
    field=elementwise,
    source="torch.fake_quantize_per_tensor_affine, torch.fake_quantize_per_channel_affine; a range without NaN",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    "aten._fused_moving_avg_obs_fq_helper",
    output=twice_same,
    field=NoField("whether the observer is on, and every element sets the scale, is the content of a tensor"),
    source="torch.ao.quantization.FusedMovingAvgObsFakeQuantize",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten("quantize_per_tensor quantize_per_channel dequantize"),
    output=same,
    field=elementwise,
    source="torch.quantize_per_tensor, torch.quantize_per_channel, torch.dequantize; a range without NaN",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
