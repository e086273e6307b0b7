"""A subclass that keeps the word of its hyper-parameters, and one that does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.ops.catalogue import contradictions, layer_of
from cnninspect.trace.recorder import record


class Pool(nn.MaxPool2d):
    """Declares a 2x2 window and stride, and pools as `how` says."""

    def __init__(self, **how: Any):
        super().__init__(2)
        self.how = how

    def forward(self, input):
        return F.max_pool2d(input, **self.how)


class Norm(nn.LayerNorm):
    def __init__(self, shape: Any):
        super().__init__(4, elementwise_affine=False)
        self.used = shape

    def forward(self, input):
        return F.layer_norm(input, self.used)


CASES = [
    pytest.param(Pool(kernel_size=2), {}, id="stride left out means the kernel size"),
    pytest.param(Pool(kernel_size=(2, 2), stride=[2, 2]), {}, id="declared once, used per axis"),
    pytest.param(Pool(kernel_size=2, stride=1), {"stride": (2, 1)}, id="another stride"),
    pytest.param(Pool(kernel_size=(2, 3), stride=2), {"kernel_size": (2, (2, 3))}, id="another size on one axis"),
    pytest.param(Norm([4]), {}, id="a list for a tuple"),
    pytest.param(Norm((3, 4)), {"normalized_shape": ((4,), (3, 4))}, id="more dimensions than declared"),
]


@pytest.mark.parametrize(("module", "expected"), CASES)
def test_contradictions_between_declaration_and_forward(module: nn.Module, expected: dict[str, Any]) -> None:
    trace = record(module, (torch.empty(1, 2, 3, 4, device="meta"),), {}, layer_of, device="meta")
    assert contradictions(trace.calls[0], trace) == expected
