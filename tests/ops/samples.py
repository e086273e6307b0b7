"""What a sample is: one use of a layer or function on small tensors, run by the tests that walk the registries.

Each file in `grids/` lists its family's samples as MODULES and FUNCTIONS; a new file is found by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from itertools import product
from pkgutil import iter_modules, walk_packages
from typing import Any

import torch
from torch import nn

from cnninspect.ops.catalogue import layer_of
from cnninspect.ops.evaluate import Estimate, evaluate
from cnninspect.trace.recorder import record
from tests.ops import grids

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor to make. `below` bounds integers (an index must exist); `param` marks a leaf that wants a gradient."""

    shape: Shape
    dtype: torch.dtype = torch.float32
    below: int = 1
    param: bool = False

    def make(self, device: str) -> torch.Tensor:
        if self.dtype.is_floating_point or self.dtype.is_complex:
            return torch.rand(self.shape, dtype=self.dtype, device=device, requires_grad=self.param)
        return torch.zeros(self.shape, dtype=torch.int64, device=device).add_(self.below - 1).to(self.dtype)


def index(*shape: int, below: int = 1) -> Tensor:
    """An integer tensor with entries below `below`."""
    return Tensor(shape, torch.int64, below)


def param(*shape: int) -> Tensor:
    """A raw weight."""
    return Tensor(shape, param=True)


@dataclass(frozen=True)
class ModuleSample:
    """A layer of torch.nn, its constructor's arguments, and what its forward gets: shapes or Tensors for tensors.

    `macs` is hand arithmetic, needed only where torch's FlopCounterMode has no formula for what the layer runs.
    """

    kind: str
    inputs: tuple[Any, ...]
    constructor: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    device: str = "meta"
    training: bool = False
    macs: int | None = None

    @property
    def id(self) -> str:
        arguments = ",".join(f"{name}={_label(value)}" for name, value in {**self.constructor, **self.keywords}.items())
        return f"{self.kind}({arguments})-{'-'.join(map(_label, self.inputs))}".replace(" ", "")

    def build(self) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
        """The layer and its positional and keyword inputs."""
        with torch.device(self.device):
            module = module_class(self.kind)(**self.constructor).eval()
        args = tuple(make(value, self.device) for value in self.inputs)
        return module, args, {name: make(value, self.device) for name, value in self.keywords.items()}


@dataclass(frozen=True)
class FunctionSample:
    """A function of torch under its public name, and a plain function of tensors that calls it once.

    The parameters come last among the inputs; the test binds them, as a model that holds raw weights would.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    device: str = "meta"
    macs: int | None = None

    @property
    def id(self) -> str:
        return f"{self.name}-{'-'.join(map(_label, self.inputs))}".replace(" ", "")

    def build(self) -> tuple[Callable[..., Any], tuple[Any, ...], list[torch.Tensor]]:
        """The function with its parameters bound, its other arguments, and the parameters."""
        made = tuple(make(value, self.device) for value in self.inputs)
        weights = [value for value in made if isinstance(value, torch.Tensor) and value.requires_grad]
        args = made[: len(made) - len(weights)]
        return (lambda *inputs: self.function(*inputs, *weights)), args, weights


def grid(kind: str, *inputs: Any, **choices: Any) -> list[ModuleSample]:
    """Every combination of the constructor arguments, each given as a list of choices, on each of the inputs.

    An input is one shape or Tensor, or a list of them for a layer with several.
    """
    names = list(choices)
    combinations = [dict(zip(names, values, strict=True)) for values in product(*choices.values())]
    return [ModuleSample(kind, _as_inputs(given), arguments) for given in inputs for arguments in combinations]


def on_cpu(samples: list[ModuleSample]) -> list[ModuleSample]:
    """The same samples for the CPU: what they run has no meta kernel."""
    return [replace(sample, device="cpu") for sample in samples]


def make(value: Any, device: str) -> Any:
    """A Tensor or shape as a tensor; lists and tuples of them likewise; anything else as it is."""
    if isinstance(value, Tensor):
        return value.make(device)
    if is_shape(value):
        return Tensor(value).make(device)
    if isinstance(value, (list, tuple)):
        return type(value)(make(item, device) for item in value)
    return value


def is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(size) is int for size in value)


@cache
def module_class(kind: str) -> type[nn.Module]:
    """The class of that name anywhere in torch.nn.modules."""
    if hasattr(nn, kind):
        return getattr(nn, kind)
    for info in walk_packages(nn.modules.__path__, "torch.nn.modules."):
        if hasattr(import_module(info.name), kind):
            return getattr(import_module(info.name), kind)
    raise LookupError(f"torch.nn has no {kind}")


def module_samples() -> list[ModuleSample]:
    """The module samples of every family."""
    return [sample for family in _families() for sample in getattr(family, "MODULES", ())]


def function_samples() -> list[FunctionSample]:
    """The function samples of every family."""
    return [sample for family in _families() for sample in getattr(family, "FUNCTIONS", ())]


def estimate(model: Callable[..., Any], *inputs: Any, device: str = "meta", **keywords: Any) -> Estimate:
    """The formula's answer for a layer, or for the one torch function that a plain function calls."""
    trace = record(model, tuple(make(value, device) for value in inputs), keywords, layer_of, device=device)
    call = trace.calls[0 if isinstance(model, nn.Module) else 1]
    found = evaluate(trace)[call.index]
    assert found.formula is not None, f"no formula answers for {call.kind}"
    return found


def _families() -> list[Any]:
    return [import_module(f"{grids.__name__}.{info.name}") for info in iter_modules(grids.__path__)]


def _as_inputs(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list) else (given,)


def _label(value: Any) -> str:
    shape = value.shape if isinstance(value, Tensor) else value
    return "x".join(map(str, shape)) if is_shape(shape) else str(shape)
