"""What one input of a network looks like; knows the names of dtypes without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnninspect.errors import UsageError
from cnninspect.report.quantities import Shape

FLOATING = ("float32", "float64", "float16", "bfloat16")
DTYPES = (
    *FLOATING, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip
ALIASES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32"}


@dataclass(frozen=True)
class InputSpec:
    """Shape and dtype of one input tensor, batch first as the model takes it.

    `dtype` None follows the parameters. `keyword` is the name of the forward's argument, None for a positional one.
    `listed` tensors next to each other are handed over together, as one list: the images of a detection model.
    """

    shape: Shape
    dtype: str | None = None
    keyword: str | None = None
    listed: bool = False

    def __str__(self) -> str:
        shape = "x".join(str(size) for size in self.shape)
        name = f"{self.keyword}=" if self.keyword else ""
        return f"{name}{shape}:{self.dtype}" if self.dtype else f"{name}{shape}"


@dataclass(frozen=True)
class Given:
    """Inputs that exist as values: the arguments of the forward."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def parameter_dtype(text: str) -> str:
    """torch's name of the floating point dtype `text`; UsageError for any other, which parameters cannot have."""
    name = dtype_name(text)
    if name not in FLOATING:
        raise UsageError(f"parameters cannot be converted to {name}. Use {', '.join(FLOATING)}.")
    return name


def dtype_name(text: str) -> str:
    """torch's own name of the dtype `text`; UsageError listing the known ones."""
    name = text.strip().removeprefix("torch.")
    name = ALIASES.get(name, name)
    if name not in DTYPES:
        raise UsageError(f"there is no dtype {text!r}. Known: {', '.join(DTYPES)}.")
    return name
