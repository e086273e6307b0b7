"""The influence of every input pixel on one position of a layer's output, measured as a gradient.

Source: Luo, Li, Urtasun and Zemel, Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
NIPS 2016, section 2: a gradient of 1 at one position of the output and of 0 elsewhere is propagated back to the input,
and averaged over inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnninspect.measure.base import Progress, Run, silent
from cnninspect.trace.recorder import LayerOf
from cnninspect.trace.records import Call
from cnninspect.trace.rerun import watch
from cnninspect.trace.trees import leaves, map_arguments

Array = npt.NDArray[np.float64]


class NoInfluence(Exception):
    """No gradient arrives at the input; the message says why."""


@dataclass(frozen=True)
class Influence:
    """The mean absolute gradient and the mean squared gradient of every element of an input, in its shape."""

    absolute: Array
    squared: Array


def measure_influence(
    run: Run,
    layer_of: LayerOf,
    call: Call,
    at: Mapping[int, int],
    samples: int,
    *,
    as_given: bool = False,
    progress: Progress = silent,
) -> dict[str, Influence]:
    """Input name -> the influence of its elements on the position `at` (dimension -> index) of a call's first output.

    The gradient at the position is 1 or -1 in every channel, drawn for each run: a sum of normalised channels, whose
    gradient is 0, would hide them. Each of the `samples` runs has inputs of normally distributed numbers, or those of
    the run if `as_given`. Seeds are fixed. Raises NoInfluence, and whatever the model raises.
    """
    generator = torch.Generator().manual_seed(0)
    found: dict[str, list[Array]] = {}
    for done in range(samples):
        progress("measuring influence", done, samples)
        for name, gradient in _gradients(run, layer_of, call, at, generator, as_given=as_given).items():
            size = gradient.abs().double().cpu().numpy()
            sums = found.setdefault(name, [np.zeros_like(size), np.zeros_like(size)])
            sums[0] += size / samples
            sums[1] += size**2 / samples
    return {name: Influence(*sums) for name, sums in found.items()}


def _gradients(
    run: Run, layer_of: LayerOf, call: Call, at: Mapping[int, int], generator: torch.Generator, *, as_given: bool
) -> Mapping[str, Tensor]:
    """The gradient of every floating point input that the position depends on, for one run."""
    sources: dict[str, Tensor] = {}

    def source(name: str, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        drawn = tensor.detach() if as_given else torch.randn(tensor.shape, generator=generator)
        sources[name] = drawn.to(device=tensor.device, dtype=tensor.dtype).requires_grad_()
        return sources[name].clone()  # No leaf, since a model may write into its input.

    with torch.enable_grad():
        args, kwargs = map_arguments(run.args, run.kwargs, Tensor, source)
        if not sources:
            raise NoInfluence("the inputs hold no floating point numbers, and only those have a gradient")
        back = _Back(call, at, sources, generator)
        # The Winograd convolutions of NNPACK leave rounding errors where a gradient is 0.
        with torch.backends.nnpack.flags(False):
            watch(run.model, args, kwargs, layer_of, back, training=run.trace.training, gradients=True)
    if back.found is None:
        raise NoInfluence(back.why)
    return back.found


class _Back:
    """Works out the gradients when the call ends: later, its output and the buffers of the model may have changed."""

    def __init__(self, call: Call, at: Mapping[int, int], sources: Mapping[str, Tensor], generator: torch.Generator):
        self.found: dict[str, Tensor] | None = None
        self.why = "with these inputs the network does not reach it"
        self._key, self._at, self._sources, self._generator = _key(call), at, sources, generator

    def __call__(self, call: Call, output: Any) -> None:
        if _key(call) != self._key:
            return
        tensor = leaves(output, Tensor)[0]
        position = tensor[tuple(self._at.get(dim, slice(None)) for dim in range(tensor.dim()))]
        if not position.requires_grad:
            self.why = "no gradient leads from it to the input: it is detached, or gradients are switched off"
            return
        signs = torch.randint(2, position.shape, generator=self._generator) * 2 - 1
        signal = signs.to(device=position.device, dtype=position.dtype)
        gradients = torch.autograd.grad(position, list(self._sources.values()), signal, allow_unused=True)
        self.found = {name: x for name, x in zip(self._sources, gradients, strict=True) if x is not None}


def _key(call: Call) -> tuple[str, int, str]:
    return call.path, call.number, call.kind if call.functional else ""
