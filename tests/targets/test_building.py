"""Building on meta leaves out what fills tensors, and nothing else; collections and frames while a trace is made."""

import gc

import pytest
import torch
from torch import nn

from cnninspect.targets.construct import ConstructionError, construct
from cnninspect.trace.isolation import uncollected, with_room


@pytest.mark.parametrize(
    "fill",
    [nn.init.zeros_, nn.init.kaiming_normal_, nn.init.xavier_uniform_, nn.init.trunc_normal_, nn.init.orthogonal_],
)
def test_a_filled_parameter_is_the_same_parameter(fill):
    class Filled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(4, 3))
            assert fill(self.weight) is self.weight

    model, notes = construct(Filled, "meta", None)
    assert (model.weight.shape, model.weight.is_meta, list(notes)) == ((4, 3), True, [])


def refused(build, fill):
    """Whether building raises when the constructor fills a parameter in this way."""
    try:
        build(lambda: fill(nn.Parameter(torch.zeros(3, 3))))
    except (ConstructionError, RuntimeError, TypeError):
        return True
    return False


def on_meta(make):
    with torch.device("meta"):
        make()


@pytest.mark.parametrize(
    ("fill", "wrong"),
    [
        (lambda weight: weight.zero_(), True),  # A leaf of autograd.
        (lambda weight: weight.detach().normal_(0.0, -1.0), True),
        (lambda weight: weight.detach().fill_(), True),
        (lambda weight: weight.detach().zero_(1), True),
        (lambda weight: weight.detach().uniform_(0.0, 1.0), False),
        (lambda weight: weight.detach()[:1].expand(3, 3).fill_(1.0), False),
    ],
)
def test_what_torch_refuses_is_refused(fill, wrong):
    assert refused(lambda make: construct(make, "meta", None), fill) is wrong
    assert refused(on_meta, fill) is wrong


def test_values_that_the_constructor_reads_are_there():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, int(torch.empty(5).fill_(1.0).sum().item()))

    assert construct(Sums, "meta", None)[0].layer.weight.shape == (5, 3)


def test_collections_are_as_before_afterwards():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_call_with_room_returns_and_raises():
    assert with_room(lambda: 3) == 3
    with pytest.raises(KeyError):
        with_room(lambda: {}["a"])
