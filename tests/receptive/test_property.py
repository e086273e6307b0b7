"""On random networks the interval fields are the oracle's hulls, at every output index of every layer.

`python -m pytest tests/receptive -m sweep` draws thousands of networks, other ones every time.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from cnninspect.inspection.probe_check import judged, regions_to_probe
from cnninspect.measure.nan_probe import probe_nan
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.report.quantities import Verdict
from cnninspect.trace.recorder import record
from tests.receptive.agreement import disagreements
from tests.receptive.oracle import gradient_support, hull, hulls
from tests.receptive.random_networks import Network, networks

CHECKS = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": False}


@given(networks(global_parts=False))
@settings(max_examples=120, derandomize=True, **CHECKS)
def test_fields_of_local_networks_are_the_oracle_s(network: Network) -> None:
    assert disagreements(network) == []


@given(networks())
@settings(max_examples=100, derandomize=True, **CHECKS)
def test_fields_of_networks_with_global_gates_and_statistics_are_the_oracle_s(network: Network) -> None:
    assert disagreements(network) == []


@given(networks())
@settings(max_examples=25, derandomize=True, **CHECKS)
def test_the_oracle_agrees_with_the_gradient(network: Network) -> None:
    """Both ask the positive twin: one pushes pixels forward, the other pulls the gradient of every output back."""
    model = network.build()
    outputs = hulls(model, network.channels, network.size)[0][0]
    pulled = hull(gradient_support(model, network.channels, network.size).double(), network.size)
    assert torch.equal(outputs.lo, pulled.lo)
    assert torch.equal(outputs.hi, pulled.hi)


@given(networks())
@settings(max_examples=100, derandomize=True, **CHECKS)
def test_the_nan_probe_confirms_the_fields(network: Network) -> None:
    """A third way: the untouched network with its random weights and nonlinear functions, run in float32."""
    model, x = network.build(), torch.rand(1, network.channels, *network.size)
    trace = record(model, (x,), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    probe = probe_nan(trace, model, (x,), {}, layer_of, regions_to_probe(trace, fields.axes))
    verdicts = [finding.verdict for finding in judged(trace, fields.of_call, probe)]
    assert [call for call, verdict in zip(trace.calls, verdicts, strict=True) if verdict is not Verdict.MATCH] == []


@pytest.mark.sweep
@given(networks())
@settings(max_examples=5000, **CHECKS)
def test_fields_of_thousands_of_networks_are_the_oracle_s(network: Network) -> None:
    assert disagreements(network) == []
