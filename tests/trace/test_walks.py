"""Walks through modules, parameters and buffers give what torch's own give, in the same order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnninspect.trace.private_torch import modules_of, named_parameters_of, state_of


class Tied(nn.Module):
    """A module used twice, a parameter with two names, a None in each table, and children named out of order."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3))
        self.last, self.first = nn.ModuleList([block, nn.Sequential(block, nn.Identity())]), block
        self.again = block[0].weight
        self.register_module("nothing", None)
        self.register_buffer("none", None)
        self.register_buffer("mean", block[1].running_mean)


class Chosen(nn.Module):
    """Methods of its own leave out what it freezes."""

    def __init__(self):
        super().__init__()
        self.kept, self.frozen = nn.Linear(2, 2), nn.BatchNorm1d(2)

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        yield from ((path, each) for path, each in super().named_modules(memo, prefix) if each is not self.frozen)

    def parameters(self, recurse=True):
        return self.kept.parameters(recurse)

    def named_buffers(self, *_, **__):
        return iter(())


NETWORKS = {
    "nothing in it": nn.Identity,
    "shared parts": Tied,
    "methods of its own": Chosen,
    "methods of a part": lambda: nn.Sequential(Chosen(), Tied()),
    "attention": lambda: nn.TransformerEncoderLayer(4, 2),
    "scripted": lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d()),
    "normed weights": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)),
}


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning", "ignore:`torch.jit.script`")
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_walks_are_torch_s_own(make):
    model = make()
    assert [(path, id(module)) for path, module in modules_of(model)] == [
        (path, id(module)) for path, module in model.named_modules()
    ]
    parameters, buffers = state_of(model)
    assert list(map(id, parameters)) == list(map(id, model.parameters()))
    assert list(map(id, buffers)) == list(map(id, model.buffers()))
    for layer in model.modules():
        assert [(name, id(parameter)) for name, parameter in named_parameters_of(layer)] == [
            (name, id(parameter)) for name, parameter in layer.named_parameters(remove_duplicate=False)
        ]
