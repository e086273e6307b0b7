"""Parameters of normalisation layers by hand. They keep the shape and count 0 MACs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.ops.samples import estimate

CASES = [
    pytest.param(nn.BatchNorm2d(32), (1, 32, 16, 16), 32 + 32, id="a scale and a shift per channel"),
    pytest.param(nn.BatchNorm2d(32, affine=False), (1, 32, 16, 16), 0, id="running statistics are no parameters"),
    pytest.param(nn.BatchNorm1d(6, bias=False), (2, 6), 6, id="a scale alone"),
    pytest.param(nn.InstanceNorm2d(6), (6, 4, 4), 0, id="instance norm has none by default"),
    pytest.param(nn.InstanceNorm1d(6, affine=True), (2, 6, 4), 6 + 6, id="instance norm with scale and shift"),
    pytest.param(nn.GroupNorm(2, 6), (1, 6, 4, 4), 6 + 6, id="per channel, not per group"),
    pytest.param(nn.LayerNorm(768), (1, 197, 768), 768 + 768, id="ViT-B: per feature"),
    pytest.param(nn.LayerNorm((5, 6)), (2, 5, 6), 5 * 6 + 5 * 6, id="per element of the normalized shape"),
    pytest.param(nn.LayerNorm(6, bias=False), (2, 6), 6, id="layer norm with a scale alone"),
    pytest.param(nn.RMSNorm((5, 6)), (2, 5, 6), 5 * 6, id="RMS norm has no shift"),
    pytest.param(nn.LocalResponseNorm(5), (1, 6, 4, 4), 0, id="local response norm has none"),
]


@pytest.mark.parametrize(("module", "shape", "params"), CASES)
def test_parameters(module: nn.Module, shape: tuple[int, ...], params: int) -> None:
    found = estimate(module.to("meta").eval(), shape)
    assert (found.shapes, found.params, found.macs, found.computes) == ((shape,), params, 0, True)


# The closed form comes from the input and the arguments, so a raw weight of another size does not fit it.
FUNCTIONS = [
    pytest.param(lambda x, w: F.batch_norm(x, None, None, w, training=True), (6,), 6, id="F.batch_norm"),
    pytest.param(lambda x, w: F.group_norm(x, 2, bias=w), (6,), 6, id="F.group_norm, a shift alone"),
    pytest.param(lambda x, w: F.instance_norm(x, weight=w), (6,), 6, id="F.instance_norm"),
    pytest.param(lambda x, w: F.layer_norm(x, (5, 4), w), (5, 4), 5 * 4, id="F.layer_norm"),
    pytest.param(lambda x, w: F.rms_norm(x, [4], w), (4,), 4, id="F.rms_norm"),
]


@pytest.mark.parametrize(("function", "weight", "params"), FUNCTIONS)
def test_raw_weights_are_parameters(function: Any, weight: tuple[int, ...], params: int) -> None:
    scale = torch.rand(weight, device="meta", requires_grad=True)
    found = estimate(lambda x: function(x, scale), (2, 6, 5, 4))
    assert (found.shapes, found.params, found.macs) == (((2, 6, 5, 4),), params, 0)
