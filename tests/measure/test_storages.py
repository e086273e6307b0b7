"""What tensors hold, by hand: each element of a storage once, whatever the shapes of the tensors that reach it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnninspect.measure.storages import Held, held, holdings
from tests.measure.models import run_of

FLOAT = 4
WHOLE = torch.zeros(4, 6)

# (tensors, distinct elements, their bytes)
CASES = {
    "nothing": ((), 0, 0),
    "without elements": ((torch.zeros(0, 3),), 0, 0),
    "a scalar": ((torch.tensor(1.0, dtype=torch.float64),), 1, 8),
    "two parts of one storage": (WHOLE.split([2, 4], dim=1), 24, 24 * FLOAT),
    "a part and the whole": ((WHOLE[1:3], WHOLE), 24, 24 * FLOAT),
    "columns that overlap": ((WHOLE[:, :4], WHOLE[:, 3:5]), 4 * 5, 4 * 5 * FLOAT),
    "the same twice": ((WHOLE, WHOLE), 24, 24 * FLOAT),
    "one element repeated": ((torch.zeros(3, 1).expand(3, 5),), 3, 3 * FLOAT),
    "every second of every second": ((torch.zeros(4, 4)[::2, ::2],), 4, 4 * FLOAT),
    "channels last": ((torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last),), 120, 120 * FLOAT),
    # Places 0, 1, 1, 2 and 5, 6, 6, 7.
    "windows": ((torch.zeros(8).as_strided((2, 2, 2), (5, 1, 1)),), 6, 6 * FLOAT),
    "two dtypes": ((torch.zeros(3), torch.zeros(5, dtype=torch.int8)), 8, 3 * FLOAT + 5),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_elements_and_bytes(case: str, device: str) -> None:
    tensors, elements, nbytes = CASES[case]
    if device == "meta":
        memory: dict[int, torch.Tensor] = {}
        tensors = tuple(_on_meta(tensor, memory) for tensor in tensors)
    assert held(tensors) == Held(elements, nbytes)


def _on_meta(tensor: torch.Tensor, memory: dict[int, torch.Tensor]) -> torch.Tensor:
    """The tensor on meta; those that share a storage share one there."""
    storage = tensor.untyped_storage()
    content = memory.setdefault(storage._cdata, torch.empty(storage.nbytes(), dtype=torch.uint8, device="meta"))
    return content.view(tensor.dtype).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def test_a_sparse_tensor_has_no_memory_to_walk():
    assert held([torch.zeros(3), torch.eye(3).to_sparse()]) is None


class Mixed(nn.Module):
    """12 + 4 elements that are trained and 4 + 1 that are not, a buffer of 7 bytes, and one that is a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.trained, self.frozen = nn.Linear(3, 4), nn.Linear(4, 1).requires_grad_(False)
        self.register_buffer("mask", torch.zeros(7, dtype=torch.bool))
        self.register_buffer("again", self.trained.weight.data)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(self.trained(x))


def test_what_a_model_and_its_inputs_hold():
    found = holdings(run_of(Mixed(), torch.zeros(2, 3)))
    assert (found.parameters, found.trainable) == (Held(21, 21 * FLOAT), Held(16, 16 * FLOAT))
    assert (found.buffers, found.input_bytes) == (Held(7, 7), 2 * 3 * FLOAT)


def test_a_function_lists_nothing():
    found = holdings(run_of(lambda x: x + 1, torch.zeros(2, 3)))
    assert (found.of_module, found.parameters, found.input_bytes) == (False, None, 2 * 3 * FLOAT)
