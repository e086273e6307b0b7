"""What the built-in zoo says about one of its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnninspect.quantities import Shape


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    `factory` takes the network's own arguments by keyword and returns an nn.Module, or a plain function of tensors.
    `inputs` are the shapes of the default inputs, batch first; they are float32.
    """

    name: str
    factory: Callable[..., Callable[..., Any]]
    inputs: tuple[Shape, ...]
    description: str
