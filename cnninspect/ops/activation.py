"""Activations: one function per element, or per slice for the softmax family. They count 0 MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Formula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import axis, divided, elementwise, first_result, mixed_along, numel, resized, same, shape_of
from cnninspect.receptive.knowledge import NoRule, Result
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

_ELEMENTWISE = (
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish",
    "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
    "Threshold",
)  # fmt: skip


_ELEMENTWISE_HYPER = (
    "alpha", "beta", "threshold", "value", "lambd", "negative_slope", "lower", "upper", "min_val", "max_val",
    "approximate",
)  # fmt: skip


_ELEMENTWISE_FUNCTIONS = (
    "F.celu", "F.celu_", "F.elu", "F.elu_", "F.gelu", "F.hardshrink", "F.hardsigmoid", "F.hardswish", "F.hardtanh",
    "F.hardtanh_", "F.leaky_relu", "F.leaky_relu_", "F.logsigmoid", "F.mish", "F.relu", "F.relu_", "F.relu6", "F.rrelu",
    "F.rrelu_", "F.selu", "F.selu_", "F.silu", "F.softplus", "F.softshrink", "F.softsign", "F.tanhshrink",
    "F.threshold", "F.threshold_", "torch.celu", "torch.relu", "torch.rrelu", "torch.selu", "torch.sigmoid",
    "torch.sigmoid_", "torch.tanh", "torch.tanh_", "torch.threshold", "Tensor.hardshrink", "Tensor.relu",
    "Tensor.relu_", "Tensor.sigmoid", "Tensor.sigmoid_", "Tensor.tanh", "Tensor.tanh_",
)  # fmt: skip


_SOFTMAX_FUNCTIONS = (
    "F.softmax", "F.softmin", "F.log_softmax", "F.gumbel_softmax", "torch.softmax", "torch.log_softmax",
    "Tensor.softmax", "Tensor.log_softmax",
)  # fmt: skip


def glu_output(use: Use) -> tuple[Shape, ...]:
    """The input's shape with `dim` halved: one half gates the other. Source: torch.nn.GLU, "Shape"."""
    shape = list(use.input)
    shape[use["dim"]] = divided(shape[use["dim"]], 2)
    return (tuple(shape),)


def prelu_params(use: Use) -> dict[str, int]:
    """weight: num_parameters, one slope for all channels or one each. Source: torch.nn.PReLU, "Variables"."""
    return {"weight": use["num_parameters"]}


def _elementwise_call(input: TensorRef, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {name: value for name, value in keywords.items() if name in _ELEMENTWISE_HYPER})


def _softmax_call(input: TensorRef, *args: Any, **keywords: Any) -> Use:
    return Use((input.shape,), {"dim": keywords["dim"]} if "dim" in keywords else {})


def _glu_call(input: TensorRef, dim: int = -1) -> Use:
    return Use((input.shape,), {"dim": dim})


def _prelu_call(input: TensorRef, weight: TensorRef) -> Use:
    return Use((input.shape,), {"num_parameters": numel(weight.shape)}, {"weight": weight})


register(
    Formula(
        name="elementwise activation",
        source="torch.nn, Non-linear Activations (weighted sum, nonlinearity)",
        modules=_ELEMENTWISE,
        hyperparameters=_ELEMENTWISE_HYPER,
        functions=dict.fromkeys(_ELEMENTWISE_FUNCTIONS, _elementwise_call),
        output=same_shape,
    )
)

register(
    Formula(
        name="softmax",
        source="torch.nn, Non-linear Activations (other)",
        modules=("LogSoftmax", "Softmax", "Softmax2d", "Softmin"),
        hyperparameters=("dim",),
        functions=dict.fromkeys(_SOFTMAX_FUNCTIONS, _softmax_call),
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


# --- the ops: those that torch does not tag as pointwise ------------------------------------------------------------


def _gated(self: TensorRef, dim: int = -1) -> tuple[Shape, ...]:
    """Half of `dim`: the other half is the gate. Source: torch.nn.functional.glu."""
    return (resized(self.shape, dim, self.shape[dim] // 2),)


def _glu_field(op: Op, x: Reach, dim: int = -1) -> Reach:
    """One half of a dimension times a function of the other."""
    shape = shape_of(op)
    dim = axis(dim, len(shape))
    pairs = x.reshaped((*shape[:dim], 2, *shape[dim:])).reduced([dim], op.index)
    return pairs.without([dim])


def _softmax_field(op: Op, x: Reach, dim: int, *_: Any, **__: Any) -> Result:
    """Every element sees the whole dimension."""
    return mixed_along(op, x, dim)


def _masked_softmax_field(op: Op, x: Reach, mask: Reach, dim: int | None = None, *_: Any) -> Result:
    """Every element sees the whole dimension; a mask that depends on an input has a layout of its own."""
    if mask.inputs:
        raise NoRule("the mask depends on an input")
    return mixed_along(op, x, len(x.shape) - 1 if dim is None else dim)


register_op(
    *aten("hardswish(_) mish_ gelu_ threshold_ _prelu_kernel"),
    output=same,
    field=elementwise,
    source="torch.nn, Non-linear Activations (weighted sum, nonlinearity)",
    work=Work.ELEMENTWISE,
)
register_op(
    "aten.softshrink",
    output=same,
    field=elementwise,
    source="torch.nn.Softshrink: older versions of torch make 0 of NaN",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    *aten("rrelu_with_noise(_)"), output=same, field=elementwise, source="torch.nn.RReLU", work=Work.ELEMENTWISE
)
register_op(
    "aten.log_sigmoid_forward", output=same, field=first_result, source="torch.nn.LogSigmoid", work=Work.ELEMENTWISE
)
register_op(
    "aten.glu",
    output=_gated,
    field=_glu_field,
    source="torch.nn.GLU; Dauphin et al. 2017, section 2",
    work=Work.ELEMENTWISE,
)
register_op(
    *aten("_softmax _log_softmax _safe_softmax"),
    output=same,
    field=_softmax_field,
    source="torch.nn.Softmax, torch.nn.LogSoftmax",
    work=Work.NORMALISATION,
)
register_op(
    "aten._masked_softmax",
    output=same,
    field=_masked_softmax_field,
    source="torch.nn.Softmax with a mask, as nn.TransformerEncoder runs it",
    work=Work.NORMALISATION,
)
