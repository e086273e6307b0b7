"""Layers that let their input pass: Identity and the dropouts. They make no new values: 0 MACs, no neurons.

Dropout in training sets some values to 0 and scales the others; the values are still those of the layer before.
"""

from __future__ import annotations

from typing import Any

from cnninspect.ops.base import Formula, Use, register, same_shape
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

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
