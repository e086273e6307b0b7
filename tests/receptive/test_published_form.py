"""Size, jump and padding of random networks are what the oracle sees far from the ends of the input."""

from __future__ import annotations

from fractions import Fraction

import torch
from hypothesis import assume, given, settings

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.rows import row_fields
from cnninspect.trace.recorder import record
from tests.receptive.oracle import hulls
from tests.receptive.random_networks import LONG, Network, repeating_networks
from tests.receptive.test_property import CHECKS

MARGIN = 36
"""No network looks so far around a hole: a field that keeps this distance to the ends is not cut by them."""

ENOUGH = 18
"""Outputs in which every phase occurs."""


@given(repeating_networks())
@settings(max_examples=80, derandomize=True, **CHECKS)
def test_size_jump_and_padding_hold_inside(network: Network) -> None:
    model = network.build()
    trace = record(model, (torch.ones(1, network.channels, LONG),), {}, layer_of, device="cpu")
    published = row_fields(intervals(trace, KNOWLEDGE))[0]
    assert published is not None
    seen = hulls(model, network.channels, network.size)[0][0]
    lo, hi = seen.lo[0].amin(0), seen.hi[0].amax(0)
    uncut = [i for i in range(len(lo)) if MARGIN <= lo[i] <= hi[i] < LONG - MARGIN]
    inside = range(uncut[0], uncut[-1] + 1) if uncut else []
    assume(published.jump is not None and len(inside) >= ENOUGH)
    assert published.size is not None
    assert published.jump is not None
    assert published.padding is not None
    sizes = sorted({max(0, int(hi[i] - lo[i]) + 1) for i in inside})
    size = published.size[0]
    assert (size if isinstance(size, list) else [size, size]) == [sizes[0], sizes[-1]]
    if sizes[0]:
        jump = Fraction(published.jump[0])
        assert -published.padding[0] in {int(lo[i]) - jump * i for i in inside}
