"""Random networks that always fit: every drawn layer accepts the shape that the layers before it leave.

A network is an expression of torch.nn and tests.receptive.blocks, so a failing example can be pasted and rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn

from tests.receptive import blocks
from tests.receptive.random_layers import GLOBAL, LAYERS, REPEATING, Draw, Layer, Shape

START = {1: 24, 2: 12, 3: 6}
"""The largest input per axis, by number of spatial axes."""

GROWN = {1: 48, 2: 22, 3: 9}
"""The largest map per axis that a layer may make."""

LONG = 128
"""The length of the inputs of repeating networks."""

_NAMES = {"nn": nn, **vars(blocks)}


@dataclass(frozen=True)
class Network:
    """A network as an expression, and the input that it takes: [1, channels, *size]."""

    expression: str
    channels: int
    size: tuple[int, ...]

    def build(self) -> nn.Module:
        """The network, in eval mode, with the same random weights every time."""
        torch.manual_seed(0)
        module = eval(self.expression, dict(_NAMES))
        assert isinstance(module, nn.Module)
        return module.eval()


@dataclass(frozen=True)
class Menu:
    """The layers to choose from, and the largest map per axis that they may make."""

    layers: list[Layer]
    longest: int


@st.composite
def networks(draw: Draw, global_parts: bool = True) -> Network:
    """Networks of up to eight layers with branches, on 1-d, 2-d and 3-d inputs.

    `global_parts` allows layers that make everything global: squeeze-and-excitation and normalisation by statistics.
    A 1x1 convolution comes first and says that the input is [N, C, *spatial]; for a linear layer it would be [N, T, C].
    """
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    channels = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(4, START[axes])) for _ in range(axes))
    menu = LAYERS[axes] + (GLOBAL if global_parts else [])
    expression, _ = _chain(draw, (channels, *size), draw(st.integers(1, 5)), Menu(menu, GROWN[axes]), branching=2)
    stem = f"nn.Conv{axes}d({channels}, {channels}, 1)"
    return Network(f"nn.Sequential({stem}, {expression})", channels, size)


@st.composite
def repeating_networks(draw: Draw) -> Network:
    """Networks of few layers on a long 1-d input, which do the same everywhere but at its ends."""
    channels = draw(st.integers(1, 2))
    expression, _ = _chain(draw, (channels, LONG), draw(st.integers(1, 3)), Menu(REPEATING, 3 * LONG), branching=1)
    return Network(f"nn.Sequential(nn.Conv1d({channels}, {channels}, 1), {expression})", channels, (LONG,))


def _chain(draw: Draw, shape: Shape, length: int, menu: Menu, branching: int) -> tuple[str, Shape]:
    """An nn.Sequential of `length` layers or joins, and the shape that it leaves."""
    parts = []
    for _ in range(length):
        if branching and draw(st.integers(0, 4)) == 4:
            part = _join(draw, shape, menu, branching - 1)
        else:
            part = draw(st.sampled_from(menu.layers))(draw, shape)
        left = shape_after(part, shape, menu.longest)
        if left is not None:
            parts.append(part)
            shape = left
    return f"nn.Sequential({', '.join(parts)})", shape


def _join(draw: Draw, shape: Shape, menu: Menu, branching: int) -> str:
    """Two or three branches of different depth, added or concatenated."""
    kind = draw(st.sampled_from(["Add", "Cat"]))
    drawn = [_chain(draw, shape, draw(st.integers(0, 3)), menu, branching) for _ in range(draw(st.integers(2, 3)))]
    width = draw(st.integers(1, 4))
    ends = [f"nn.Conv{len(shape) - 1}d({left[0]}, {width}, 1)" for _, left in drawn]
    branches = [
        f"nn.Sequential({branch}, {end})" if kind == "Add" else branch
        for (branch, _), end in zip(drawn, ends, strict=True)
    ]
    return f"{kind}({', '.join(branches)}, offset={draw(st.integers(0, 3))})"


def shape_after(expression: str, shape: Shape, longest: int) -> Shape | None:
    """What a layer makes of a [C, *spatial] input; None if that is empty or too big to be checked."""
    with torch.device("meta"):
        module = eval(expression, dict(_NAMES)).eval()
        result = tuple(module(torch.empty(1, *shape)).shape[1:])
    fits = result[0] <= 16 and all(0 < n <= longest for n in result[1:])
    return result if fits else None
