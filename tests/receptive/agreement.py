"""Hold the interval fields of a network against the oracle, at every output index of every call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import torch

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import Field, Interval, intervals
from cnninspect.receptive.reach import Axis
from cnninspect.trace.recorder import record
from tests.receptive.oracle import Hull, hulls, local_hulls
from tests.receptive.positive import AmbiguousError
from tests.receptive.random_networks import Network


def disagreements(network: Network) -> list[str]:
    """One line for each output of each call whose strict or local field is not the oracle's hull."""
    model = network.build()
    trace = record(model, (torch.ones(1, network.channels, *network.size),), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    oracles = {"strict": hulls(model, network.channels, network.size)}
    with suppress(AmbiguousError):
        oracles["local"] = local_hulls(model, network.channels, network.size)
    found = []
    for call in trace.calls:
        for position, field in enumerate(fields.of_call(call)):
            where = f"call {call.index} {call.path} {call.kind} {field.shape}"
            if not field.is_known:
                found.append(f"{where}: {field.unknown or field.data_dependent} is not known")
                continue
            for form, oracle in oracles.items():
                found += _differences(f"{where} {form}", field, getattr(field, form), oracle[call.index][position])
    return found


def _differences(where: str, field: Field, got: Mapping[Axis, Interval], expected: Hull) -> list[str]:
    """Elements that see nothing have to be the same ones; all others need the same ends on every axis."""
    axes = {axis.index: interval for axis, interval in got.items()}
    shape = tuple(field.shape[1:])
    bounds = [_whole(axes.get(axis), shape) for axis in range(len(expected.lo))]
    sees = np.logical_and.reduce([lo <= hi for lo, hi in bounds])
    blind = np.argwhere(sees != (expected.lo[0] <= expected.hi[0]).numpy())
    wrong = [f"{where}: whether {blind[0].tolist()} sees anything"] if len(blind) else []
    for axis, (lo, hi) in enumerate(bounds):
        for name, end, right in (("lo", lo, expected.lo[axis].numpy()), ("hi", hi, expected.hi[axis].numpy())):
            differ = sees & (end != right)
            if differ.any():
                index = tuple(int(i) for i in np.argwhere(differ)[0])
                wrong.append(f"{where}: axis {axis} {name}{list(index)} is {end[index]}, should be {right[index]}")
    return wrong


def _whole(interval: Interval | None, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Both ends for every element of the first sample; an axis that nothing depends on is empty everywhere."""
    if interval is None:
        return np.ones(shape), np.zeros(shape)
    lo, hi = (np.broadcast_to(end, (1, *shape))[0] for end in (interval.lo, interval.hi))
    return lo, hi
