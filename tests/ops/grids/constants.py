"""Samples of tensors made of Python's own numbers."""

from __future__ import annotations

import torch

from tests.ops.samples import FunctionSample

FUNCTIONS = [
    FunctionSample("torch.tensor", lambda x: torch.tensor([1.0, 2.0], device=x.device), ((3,),)),
    FunctionSample("torch.tensor", lambda x: torch.tensor([[1, 2, 3], [4, 5, 6]], device=x.device), ((3,),), "cpu"),
    FunctionSample("torch.tensor", lambda x: torch.tensor(True), ((3,),)),
    FunctionSample("torch.tensor", lambda x: torch.tensor([], dtype=torch.float16, device=x.device), ((3,),)),
    FunctionSample("torch.as_tensor", lambda x: torch.as_tensor([(0.5,), (1.5,)], device=x.device), ((3,),)),
    FunctionSample("Tensor.new_tensor", lambda x: x.new_tensor([7, 8]), ((3,),)),
]
