"""Functions of single elements: activations, arithmetic, comparisons; softmax and GLU along one dimension; dropout.

None of them multiplies and accumulates: 0 MACs. Identity and dropout have no neurons either: dropout in training sets
some values to 0 and scales the others, which are still the values of the layer before.
"""

from __future__ import annotations

from typing import Any

from cnninspect.ops.masks import power_field, weights_over
from cnninspect.ops.registry import POINTWISE, Formula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import (
    axis,
    broadcast_tensors,
    divided,
    elementwise,
    first_result,
    mixed_along,
    numel,
    resized,
    same,
    shape_of,
    twice_same,
)
from cnninspect.receptive.knowledge import NoField, NoRule, Result
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- layers -------------------------------------------------------------------------------------------------------

_ACTIVATIONS = (
    "CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish RReLU ReLU ReLU6 SELU SiLU "
    "Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
)
_SETTINGS = (
    "alpha", "beta", "threshold", "value", "lambd", "negative_slope", "lower", "upper", "min_val", "max_val",
    "approximate",
)  # fmt: skip
_ACTIVATION_FUNCTIONS = (
    "F.celu F.celu_ F.elu F.elu_ F.gelu F.hardshrink F.hardsigmoid F.hardswish F.hardtanh F.hardtanh_ F.leaky_relu "
    "F.leaky_relu_ F.logsigmoid F.mish F.relu F.relu_ F.relu6 F.rrelu F.rrelu_ F.selu F.selu_ F.silu F.softplus "
    "F.softshrink F.softsign F.tanhshrink F.threshold F.threshold_ torch.celu torch.relu torch.rrelu torch.selu "
    "torch.sigmoid torch.sigmoid_ torch.tanh torch.tanh_ torch.threshold Tensor.hardshrink Tensor.relu Tensor.relu_ "
    "Tensor.sigmoid Tensor.sigmoid_ Tensor.tanh Tensor.tanh_"
)
_SOFTMAX_FUNCTIONS = (
    "F.softmax F.softmin F.log_softmax F.gumbel_softmax torch.softmax torch.log_softmax Tensor.softmax "
    "Tensor.log_softmax"
)
_DROPOUT_FUNCTIONS = (
    "F.alpha_dropout F.dropout F.dropout1d F.dropout2d F.dropout3d F.feature_alpha_dropout torch.alpha_dropout "
    "torch.alpha_dropout_ torch.dropout torch.dropout_ torch.feature_alpha_dropout torch.feature_alpha_dropout_ "
    "torch.feature_dropout torch.feature_dropout_"
)


def glu_output(use: Use) -> tuple[Shape, ...]:
    """The input's shape with `dim` halved: one half gates the other. Source: torch.nn.GLU, "Shape"."""
    shape = list(use.input)
    shape[use["dim"]] = divided(shape[use["dim"]], 2)
    return (tuple(shape),)


def prelu_params(use: Use) -> dict[str, int]:
    """weight: num_parameters, one slope for all channels or one each. Source: torch.nn.PReLU, "Variables"."""
    return {"weight": use["num_parameters"]}


def every_input(use: Use) -> tuple[Shape, ...]:
    """The shapes of all inputs: a tuple or dictionary of tensors passes whole."""
    return use.inputs


def _activation_call(input: TensorRef, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {name: value for name, value in keywords.items() if name in _SETTINGS})


def _softmax_call(input: TensorRef, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {"dim": keywords["dim"]} if "dim" in keywords else {})


def _glu_call(input: TensorRef, dim: int = -1) -> Use:
    return Use((input.shape,), {"dim": dim})


def _prelu_call(input: TensorRef, weight: TensorRef) -> Use:
    return Use((input.shape,), {"num_parameters": numel(weight.shape)}, {"weight": weight})


def _dropout_call(input: TensorRef, p: float = 0.5, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {"p": p})


register(
    Formula(
        name="elementwise activation",
        source="torch.nn, Non-linear Activations (weighted sum, nonlinearity)",
        modules=tuple(_ACTIVATIONS.split()),
        hyperparameters=_SETTINGS,
        functions=dict.fromkeys(_ACTIVATION_FUNCTIONS.split(), _activation_call),
        output=same_shape,
    )
)
register(
    Formula(
        name="softmax",
        source="torch.nn, Non-linear Activations (other)",
        modules=("LogSoftmax", "Softmax", "Softmax2d", "Softmin"),
        hyperparameters=("dim",),
        functions=dict.fromkeys(_SOFTMAX_FUNCTIONS.split(), _softmax_call),
        output=same_shape,
    )
)
register(
    Formula(
        name="gated linear unit",
        source="Dauphin et al. 2017, section 2; torch.nn.GLU",
        modules=("GLU",),
        hyperparameters=("dim",),
        functions={"F.glu": _glu_call},
        output=glu_output,
    )
)
register(
    Formula(
        name="parametric ReLU",
        source="He et al. 2015, section 2.1; torch.nn.PReLU",
        modules=("PReLU",),
        hyperparameters=("num_parameters",),
        functions={"F.prelu": _prelu_call, "Tensor.prelu": _prelu_call},
        output=same_shape,
        params=prelu_params,
    )
)
register(
    Formula(
        name="identity",
        source="torch.nn.Identity: the output is the input",
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
        functions=dict.fromkeys(_DROPOUT_FUNCTIONS.split(), _dropout_call),
        output=same_shape,
        computes=False,
    )
)


# --- ops of single elements ---------------------------------------------------------------------------------------


def _may_be_one(op: Op) -> bool:
    """Whether a power may be x**0 or 1**x, which are 1 for NaN too."""
    base, exponent = op.args[:2]
    return isinstance(exponent, TensorRef) or exponent == 0 or (base == 1 and not isinstance(base, TensorRef))


def _pointwise(names: str, source: str, output: Any = broadcast_tensors, **facts: Any) -> None:
    """Register ops each of whose results is computed from the elements at its place; elementwise work by default."""
    register_op(*aten(names), output=output, source=source, **{"field": elementwise, "work": Work.ELEMENTWISE, **facts})


register_op(
    POINTWISE,
    output=broadcast_tensors,
    field=elementwise,
    source="torch.Tag.pointwise: every element is computed from the elements at its place",
    work=Work.ELEMENTWISE,
)
register_op(
    *(f"prims.{name}" for name in ("add", "sub", "mul", "div")),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.add and its like of a tangent that is 0, on meta: x + y (torch._refs.add)",
    work=Work.ELEMENTWISE,
)
_pointwise(
    "eq(_) ne(_) lt(_) le(_) gt(_) ge(_)",
    "torch, Comparison Ops: an answer for NaN too, in place as a number",
    work=Work.COMPARISON,
    swallows_nan=True,
)
_pointwise(
    "maximum minimum",
    "torch.maximum, torch.minimum: the greater or less of two elements, NaN beside NaN",
    work=Work.COMPARISON,
)
_pointwise(
    "fmax fmin",
    "torch.fmax, torch.fmin: the number where the other element is NaN",
    work=Work.COMPARISON,
    swallows_nan=True,
)
_pointwise(
    "isnan isinf isposinf isneginf",
    "torch, Comparison Ops: True where an element is of that kind",
    same,
    work=Work.COMPARISON,
)
_pointwise(
    "neg(_) abs(_) sqrt(_) tanh(_) leaky_relu(_) elu(_) silu(_) gelu",
    "torch, Pointwise Ops; torch.nn, Non-linear Activations: a function of each element, f(0) = 0",
    same,
    field=first_result,
    hides=True,
)
_pointwise(
    "pow(_)",
    "torch.pow: x**y for each pair; x**0 and 1**y are 1",
    field=power_field,
    hides=True,
    swallows_nan=_may_be_one,
)
_pointwise(
    "copysign hypot(_)",
    "torch.copysign, torch.hypot: |x| with the sign of y; sqrt(x^2 + y^2), inf where one of the two is",
    swallows_nan=True,
)
_pointwise("heaviside_ copysign_", "torch.heaviside: only the sign of x counts", same, swallows_nan=True)
_pointwise(
    "nan_to_num(_) sign(_) sgn(_) heaviside",
    "torch.nan_to_num, torch.sign, torch.heaviside: a number comes of NaN",
    swallows_nan=True,
)
_pointwise(
    "logical_and_ logical_or_ logical_xor_ logical_not_",
    "torch.logical_and and its like: NaN counts as True, and the result in place is 0.0 or 1.0",
    same,
    swallows_nan=True,
)
_pointwise(
    "igamma(_) igammac(_) special_zeta special_chebyshev_polynomial_t special_chebyshev_polynomial_u "
    "special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_hermite_polynomial_h "
    "special_hermite_polynomial_he special_laguerre_polynomial_l special_legendre_polynomial_p "
    "special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u "
    "special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w",
    "torch.special: some arguments give a constant whatever the other is, as a polynomial of degree 0 does",
    swallows_nan=True,
)
_pointwise("xlogy_ gcd_ lcm_ floor_divide_", "torch, Pointwise Ops: the result replaces the first argument", same)
_pointwise(
    "_add_relu",
    "torch.ao.nn.quantized.FloatFunctional.add_relu: relu(x + y); its kernel may give 0 for NaN",
    swallows_nan=True,
)
_pointwise(
    "floor_divide polar complex",
    "torch, Pointwise Ops: one result for each pair of elements; polar(r, a) is r (cos a + i sin a)",
)
_pointwise("frexp", "torch.frexp: x = mantissa * 2**exponent, element by element", twice_same)
_pointwise(
    "hardswish(_) mish_ gelu_ threshold_",
    "torch.nn, Non-linear Activations (weighted sum, nonlinearity): a function of each element",
    same,
)
_pointwise(
    "softshrink",
    "torch.nn.Softshrink: 0 between -lambd and lambd; older versions of torch make 0 of NaN too",
    same,
    swallows_nan=True,
)
_pointwise(
    "_prelu_kernel",
    "He et al. 2015, equation 1: max(0, x) + a min(0, x); a computed slope a counts for negative elements only",
    same,
    swallows_nan=lambda op: op.args[1].state is None,
)
_pointwise(
    "rrelu_with_noise(_)",
    "torch.nn.RReLU: a slope for each negative element, random in training; the noise is written, not read",
    same,
    field=lambda op, x, *_, **__: elementwise(op, x),
)
_pointwise(
    "log_sigmoid_forward",
    "torch.nn.LogSigmoid: log(1 / (1 + exp(-x))); the second result, exp(-|x|), is kept for the backward pass",
    twice_same,
)
_pointwise(
    "native_dropout",
    "Srivastava et al. 2014; torch.nn.Dropout: x / (1 - p) or 0, and the random mask",
    twice_same,
    field=first_result,
    hides=True,
)
_pointwise(
    "fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask "
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "torch.fake_quantize_per_tensor_affine: x rounded to a multiple of the scale and clamped to a range without NaN",
    twice_same,
    swallows_nan=True,
)
_pointwise(
    "_fused_moving_avg_obs_fq_helper",
    "torch.ao.quantization.FusedMovingAvgObsFakeQuantize: fake quantisation by the range of all elements seen so far",
    twice_same,
    field=NoField("whether the observer is on, and every element sets the scale, is the content of a tensor"),
)
_pointwise(
    "quantize_per_tensor quantize_per_channel dequantize",
    "torch.quantize_per_tensor: round(x / scale) + zero_point, clamped to a range without NaN",
    same,
    swallows_nan=True,
)


# --- ops along a dimension ----------------------------------------------------------------------------------------


def _gated(self: TensorRef, dim: int = -1) -> tuple[Shape, ...]:
    """Half of `dim`: the other half is the gate."""
    return (resized(self.shape, dim, self.shape[dim] // 2),)


def _glu_field(op: Op, x: Reach, dim: int = -1) -> Reach:
    """One half of a dimension times a function of the other: element i sees elements i and i + half."""
    shape = shape_of(op)
    dim = axis(dim, len(shape))
    pairs = x.reshaped((*shape[:dim], 2, *shape[dim:])).reduced([dim], op.index)
    return pairs.without([dim])


def _softmax_field(op: Op, x: Reach, dim: int, *_: Any, **__: Any) -> Result:
    """Every element sees the whole dimension, but what a mask hides."""
    return mixed_along(op, x, dim) if "log" in op.packet else weights_over(op, x, dim)


def _masked_softmax_field(op: Op, x: Reach, mask: Reach, dim: int | None = None, *_: Any) -> Result:
    """Every element sees the whole dimension; NoRule for a mask that depends on an input."""
    if mask.inputs:
        raise NoRule("the mask depends on an input")
    return mixed_along(op, x, len(x.shape) - 1 if dim is None else dim)


register_op(
    "aten.glu",
    output=_gated,
    field=_glu_field,
    source="Dauphin et al. 2017, section 2; torch.nn.GLU: a * sigmoid(b) for both halves a and b of a dimension",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten("_softmax _log_softmax _safe_softmax"),
    output=same,
    field=_softmax_field,
    hides=True,
    source="torch.nn.Softmax: exp(x_i) / sum_j exp(x_j) along a dimension",
    work=Work.NORMALISATION,
)
register_op(
    "aten._masked_softmax",
    output=same,
    field=_masked_softmax_field,
    source="torch.nn.TransformerEncoder: softmax over the elements that a mask leaves",
    work=Work.NORMALISATION,
    swallows_nan="makes 0 of what its mask leaves out",
)
