"""Samples of concatenation and stacking."""

from __future__ import annotations

import torch

from tests.ops.samples import FunctionSample

FUNCTIONS = [
    FunctionSample("torch.cat", lambda a, b: torch.cat([a, b], 1), ((2, 3), (2, 5))),
    FunctionSample("torch.cat", lambda a, b: torch.cat((a, b), dim=-2), ((2, 3), (4, 3))),
    FunctionSample("torch.cat", lambda a, b: torch.cat((a, b), axis=1), ((2, 3), (2, 1))),
    FunctionSample("torch.cat", lambda a, b: torch.cat((a, b)), ((0,), (4, 3))),
    FunctionSample("torch.concat", lambda a, b: torch.concat((a, b)), ((2, 3), (4, 3))),
    FunctionSample("torch.concatenate", lambda a, b: torch.concatenate((a, b)), ((2, 3), (4, 3))),
    FunctionSample("torch.stack", lambda a, b: torch.stack((a, b), -1), ((2, 3), (2, 3))),
    FunctionSample("torch.stack", lambda a, b: torch.stack([a, b]), ((2, 3), (2, 3))),
    *(
        FunctionSample(f"torch.{stack.__name__}", lambda a, b, stack=stack: stack((a, b)), (shape, shape))
        for stack in (torch.hstack, torch.vstack)
        for shape in ((2, 3, 4), (3,), ())
    ),
]
