"""What a sample of an ATen op is: one call of it on small tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.ops.samples import Shape, Tensor, is_shape


@dataclass(frozen=True)
class OpSample:
    """One call of `torch.ops.aten.<name>`; tuples of integers among the arguments are shapes of tensors to make.

    `macs` is by hand where torch's FlopCounterMode has no formula for the op. `shape_known` or `macs_known` is False
    where the rule must refuse: for a shape that values decide, or MACs that an algorithm decides. `results` are the
    shapes by hand of an op that no device at hand runs.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    device: str = "meta"
    macs: int | None = None
    shape_known: bool = True
    macs_known: bool = True
    results: tuple[Shape, ...] | None = None

    @property
    def packet(self) -> str:
        return self.name if "." in self.name else f"aten.{self.name}"

    @property
    def id(self) -> str:
        words = [*map(_label, self.args), *(f"{name}={_label(value)}" for name, value in self.kwargs.items())]
        return f"{self.name}({','.join(words)})-{self.device}"


def op(name: str, *args: Any, **kwargs: Any) -> OpSample:
    """A sample on the meta device."""
    return OpSample(name, args, kwargs)


def on_cpu(name: str, *args: Any, **kwargs: Any) -> OpSample:
    """A sample on the CPU, for ops that have no meta kernel or need values."""
    return OpSample(name, args, kwargs, "cpu")


def counted(macs: int, name: str, *args: Any, **kwargs: Any) -> OpSample:
    """A sample of an op that torch's counter does not cover, with its MACs by hand."""
    return OpSample(name, args, kwargs, macs=macs)


def by_values(name: str, *args: Any, **kwargs: Any) -> OpSample:
    """A sample on the CPU of an op whose result has as many elements as the values say."""
    return OpSample(name, args, kwargs, "cpu", shape_known=False)


def by_algorithm(name: str, *args: Any, **kwargs: Any) -> OpSample:
    """A sample of an op that multiplies and accumulates nobody can say how often."""
    return OpSample(name, args, kwargs, macs_known=False)


def by_hand(name: str, *args: Any, results: tuple[Shape, ...]) -> OpSample:
    """A sample of an op that runs on some other device, with the shapes it makes by its documentation."""
    return OpSample(name, args, macs=0, results=results)


def _label(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{_label(value.shape)}:{str(value.dtype).removeprefix('torch.')}"
    if is_shape(value):
        return "x".join(map(str, value)) or "scalar"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_label, value))}]"
    return str(value)
