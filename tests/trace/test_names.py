"""The names of functions are those under which the documentation of torch lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from cnninspect.trace.names import public_name

NAMES = [
    (F.relu, "F.relu"),
    (F.max_pool2d, "F.max_pool2d"),
    (F.conv2d, "F.conv2d"),
    (F.threshold, "F.threshold"),
    (F.logsigmoid, "F.logsigmoid"),
    (F.pixel_shuffle, "F.pixel_shuffle"),
    (torch.relu, "torch.relu"),
    (torch.cat, "torch.cat"),
    (torch.mm, "torch.mm"),
    (torch.fft.rfft2, "torch.fft.rfft2"),
    (torch.linalg.vector_norm, "torch.linalg.vector_norm"),
    (torch.special.softmax, "torch.special.softmax"),
    (torch.Tensor.add_, "Tensor.add_"),
    (torch.Tensor.__matmul__, "Tensor.__matmul__"),
    (torch.Tensor.shape.__get__, "Tensor.shape"),
    (torch.ops.aten.conv2d.default, "aten.conv2d"),
]


@pytest.mark.parametrize(("function", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_function_has_its_documented_name(function: Callable[..., Any], name: str) -> None:
    assert public_name(function) == name
