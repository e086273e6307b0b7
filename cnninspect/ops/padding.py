"""Padding. It moves values and adds constants or copies at the borders: no cost, no neurons.

Conv2d(padding=1) and ZeroPad2d(1) before Conv2d(padding=0) are one network and must have the same neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.registry import Formula, Use, aten, register, register_op
from cnninspect.ops.rules import as_tuple
from cnninspect.receptive import taps
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def padded_output(use: Use) -> tuple[Shape, ...]:
    """Each padded size grows by what stands before and after it, last dimension first; negative padding crops.

    Source: torch.nn.functional.pad, "Padding size".
    """
    shape = list(use.input)
    padding = as_tuple(use["padding"], len(use["padding"]))
    for axis, (before, after) in enumerate(zip(padding[::2], padding[1::2], strict=True), start=1):
        shape[-axis] += before + after
    return (tuple(shape),)


def _pad_call(input: TensorRef, pad: Any, mode: str = "constant", value: float | None = None) -> Use:
    return Use((input.shape,), {"padding": pad, "mode": mode, "value": value})


register(
    Formula(
        name="padding",
        source="torch.nn.functional.pad; torch.nn, Padding Layers",
        modules=tuple(
            f"{mode}Pad{axes}d"
            for mode in ("Circular", "Constant", "Reflection", "Replication", "Zero")
            for axes in (1, 2, 3)
        ),
        hyperparameters=("padding", "value"),
        functions={"F.pad": _pad_call, "torch.constant_pad_nd": _pad_call},
        output=padded_output,
        computes=False,
    )
)


# --- the ops ------------------------------------------------------------------------------------------------------


def _padded(self: TensorRef, padding: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """Each size with what is added before and after it."""
    return padded_output(Use((self.shape,), {"padding": padding}))


def _padded_field(x: Reach, pad: list[int], mode: str) -> Reach:
    """`pad` holds (before, after) for the last dimension first."""
    rank = len(x.shape)
    for position in range(len(pad) // 2):
        before, after = pad[2 * position : 2 * position + 2]
        if before or after:
            dim = rank - 1 - position
            x = x.slid(dim, taps.padded(x.shape[dim], before, after, mode))
    return x


def _constant(op: Op, x: Reach, pad: list[int], *_: Any) -> Reach:
    """A border that depends on nothing."""
    return _padded_field(x, pad, "constant")


def _reflection(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that mirrors the inside."""
    return _padded_field(x, pad, "reflect")


def _replication(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that repeats the edge."""
    return _padded_field(x, pad, "replicate")


for _names, _rule in (
    ("constant_pad_nd", _constant),
    ("reflection_pad1d reflection_pad2d reflection_pad3d", _reflection),
    ("replication_pad1d replication_pad2d replication_pad3d", _replication),
):
    register_op(*aten(_names), output=_padded, field=_rule, source="torch.nn.functional.pad")
