"""An oracle of receptive fields that shares nothing with the analytic engine: push single pixels through the network.

One image for every pixel position, 1 there and 0 elsewhere, goes in a batch through the positive twin of the network.
An output depends on the pixel exactly where it responds, and the hull of the pixels it responds to is its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.records import Call
from cnninspect.trace.rerun import watch
from cnninspect.trace.trees import leaves
from tests.receptive.positive import LocalAlong, PositiveFunctions, positive_twin


@dataclass(frozen=True)
class Hull:
    """The receptive field of every element of one tensor: the first and last pixel it sees along each input axis.

    `lo` and `hi` are [axes, C, *spatial]; where nothing is seen `lo` is the size of the input and `hi` is -1.
    """

    lo: Tensor
    hi: Tensor


def hulls(
    model: nn.Module, channels: int, size: tuple[int, ...], local: LocalAlong | None = None
) -> dict[int, list[Hull]]:
    """The hull of every output of every call, by the call's index in the trace of `model` on [1, channels, *size].

    With `local` only the ends along its axis mean anything.
    """
    found: dict[int, list[Hull]] = {}

    def collect(call: Call, output: Any) -> None:
        found[call.index] = [hull(tensor, size) for tensor in leaves(output, torch.Tensor)]

    twin, images = positive_twin(model), impulses(channels, size)
    with PositiveFunctions(local=local):
        watch(twin, (images,), {}, layer_of, collect)
    return found


def local_hulls(model: nn.Module, channels: int, size: tuple[int, ...]) -> dict[int, list[Hull]]:
    """As `hulls`, for the field without the statistics of normalisation layers and without global gates.

    Raises AmbiguousError where it is not clear what a gate is.
    """
    each = [hulls(model, channels, size, LocalAlong(axis, size)) for axis in range(len(size))]
    return {
        index: [
            Hull(*(torch.stack([getattr(one, end)[axis] for axis, one in enumerate(ones)]) for end in ("lo", "hi")))
            for ones in zip(*(found[index] for found in each), strict=True)
        ]
        for index in each[0]
    }


def impulses(channels: int, size: tuple[int, ...]) -> Tensor:
    """[pixels, channels, *size]: one image per pixel, 1 in all its channels and 0 elsewhere."""
    pixels = prod(size)
    return torch.eye(pixels, dtype=torch.float64).reshape(pixels, 1, *size).repeat(1, channels, *[1] * len(size))


def hull(responses: Tensor, size: tuple[int, ...]) -> Hull:
    """The hull of the pixels to which each element of `responses` [pixels, C, *spatial] responds."""
    assert responses.shape[0] == prod(size), "a row whose first dimension is not the batch"
    assert not (responses < 0).any(), "a positive network gave a negative response"
    seen = (responses > 0).reshape(*size, *responses.shape[1:])
    lo, hi = [], []
    for axis, length in enumerate(size):
        others = [other for other in range(len(size)) if other != axis]
        line = seen.amax(others) if others else seen
        index = torch.arange(length).reshape(-1, *[1] * (line.dim() - 1))
        lo.append(torch.where(line, index, length).amin(0))
        hi.append(torch.where(line, index, -1).amax(0))
    return Hull(torch.stack(lo), torch.stack(hi))


def gradient_support(model: nn.Module, channels: int, size: tuple[int, ...]) -> Tensor:
    """[pixels, *output]: where the gradient of each element of the positive twin's output is not 0, by backward passes.

    A second way to the same answer, to check the first.
    """
    twin = positive_twin(model)

    def run(image: Tensor) -> Tensor:
        with PositiveFunctions(sums=True):
            return twin(image.clone())

    jacobian = torch.autograd.functional.jacobian(run, torch.ones(1, channels, *size, dtype=torch.float64))
    support = (jacobian != 0).flatten(-len(size)).any(-2)[0].squeeze(-2)
    return support.movedim(-1, 0)
