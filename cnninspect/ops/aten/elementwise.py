"""Elementwise ops that torch does not tag as pointwise, and the pointwise ones that compare."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import resized, same, twice_same
from cnninspect.ops.base import Work, broadcast_tensors, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def gated(self: TensorRef, dim: int = -1) -> tuple[Shape, ...]:
    """Half of `dim`: the other half is the gate. Source: torch.nn.functional.glu."""
    return (resized(self.shape, dim, self.shape[dim] // 2),)


def found_among(elements: Any, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """One answer per element. Source: torch.isin."""
    return (elements.shape if isinstance(elements, TensorRef) else (),)


def lstm_step(input_gates: TensorRef, hidden_gates: TensorRef, cx: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """The next hidden and cell state. The products with the weights happened before."""
    return (cx.shape, cx.shape)


def gru_step(input_gates: TensorRef, hidden_gates: TensorRef, hx: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """The next hidden state."""
    return (hx.shape,)


_FAKE_QUANTIZED = (
    "fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask "
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams _fused_moving_avg_obs_fq_helper"
)

_ACTIVATIONS = "hardswish(_) mish_ gelu_ threshold_ rrelu_with_noise(_) _prelu_kernel log_sigmoid_forward"

register_op(*packets("eq(_) ne(_) lt(_) le(_) gt(_) ge(_)"), output=broadcast_tensors, work=Work.COMPARISON)
register_op(*packets("maximum minimum fmax fmin"), output=broadcast_tensors, work=Work.COMPARISON)
register_op(*packets("isnan isinf isposinf isneginf"), output=same, work=Work.COMPARISON)
register_op("aten.isin", output=found_among, work=Work.COMPARISON)

register_op(*packets(_ACTIVATIONS), output=same, work=Work.ELEMENTWISE)
register_op(*packets("copysign_ heaviside_ xlogy_ gcd_ lcm_ floor_divide_"), output=same, work=Work.ELEMENTWISE)
register_op(*packets("floor_divide polar complex _add_relu"), output=broadcast_tensors, work=Work.ELEMENTWISE)
register_op(*packets("frexp native_dropout"), output=twice_same, work=Work.ELEMENTWISE)
register_op(*packets(_FAKE_QUANTIZED), output=twice_same, work=Work.ELEMENTWISE)
register_op(*packets("quantize_per_tensor quantize_per_channel dequantize"), output=same, work=Work.ELEMENTWISE)
register_op("aten.glu", output=gated, work=Work.ELEMENTWISE)
register_op("aten._thnn_fused_lstm_cell", output=lstm_step, work=Work.ELEMENTWISE)
register_op("aten._thnn_fused_gru_cell", output=gru_step, work=Work.ELEMENTWISE)
