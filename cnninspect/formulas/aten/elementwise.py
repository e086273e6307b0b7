"""Elementwise ops that torch does not tag as pointwise, and the pointwise ones that compare."""

from __future__ import annotations

from typing import Any

from cnninspect.formulas.aten.shapes import resized, same, twice_same
from cnninspect.formulas.base import Work, broadcast_tensors, register_op
from cnninspect.quantities import Shape
from cnninspect.trace.records import TensorRef


def gated(self: TensorRef, dim: int = -1) -> tuple[Shape, ...]:
    """Half of `dim`: the other half is the gate. Source: torch.nn.functional.glu."""
    return (resized(self.shape, dim, self.shape[dim] // 2),)


def recurrent_step(input_gates: TensorRef, hidden_gates: TensorRef, state: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """The next state; for the LSTM the next hidden and cell state. The products with the weights happened before."""
    return (state.shape, state.shape)


_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

register_op(
    *(f"aten.{name}{suffix}" for name in _COMPARISONS for suffix in ("", "_")),
    "aten.maximum", "aten.minimum", "aten.fmax", "aten.fmin",
    *(f"aten.{name}" for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")),
    output=broadcast_tensors, work=Work.COMPARISON,
)  # fmt: skip
register_op("aten.isin", output=lambda elements, *_, **__: (getattr(elements, "shape", ()),), work=Work.COMPARISON)

register_op(
    "aten.hardswish", "aten.hardswish_", "aten.mish_", "aten.gelu_", "aten.threshold_", "aten.rrelu_with_noise",
    "aten.rrelu_with_noise_", "aten._prelu_kernel", "aten.copysign_", "aten.heaviside_", "aten.xlogy_", "aten.gcd_",
    "aten.lcm_", "aten.floor_divide_", "aten.log_sigmoid_forward",
    output=same, work=Work.ELEMENTWISE,
)  # fmt: skip
register_op(
    "aten.floor_divide", "aten.polar", "aten.complex", "aten._add_relu",
    output=broadcast_tensors, work=Work.ELEMENTWISE,
)  # fmt: skip
register_op("aten.frexp", "aten.native_dropout", "aten._fused_dropout", output=twice_same, work=Work.ELEMENTWISE)
register_op("aten.glu", output=gated, work=Work.ELEMENTWISE)
register_op("aten._thnn_fused_lstm_cell", "aten._thnn_fused_gru_cell", output=recurrent_step, work=Work.ELEMENTWISE)
