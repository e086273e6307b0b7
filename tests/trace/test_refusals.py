"""What fails on the CPU for its sizes or types fails on meta, where torch's own kernels accept it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.errors import RunError
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.recorder import ForwardFailed, record


class Net(nn.Module):
    """A function of maps that are made on the device of the input."""

    def __init__(self, body: Callable[[str], object]):
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> object:
        self.body(x.device.type)
        return x


def runs(body: Callable[[str], object], device: str) -> bool:
    if device == "cpu":
        try:
            body("cpu")
        except (RuntimeError, NotImplementedError, ValueError):
            return False
        return True
    try:
        record(Net(body), (torch.ones(1, device="meta"),), {}, layer_of, device="meta")
    except ForwardFailed as failure:
        if not isinstance(failure.cause, RuntimeError):
            raise
        return False
    return True


FLOAT, DOUBLE, LONG, HALF = torch.float32, torch.float64, torch.int64, torch.bfloat16


def maps(device: str, *wanted: tuple[torch.dtype, tuple[int, ...]]) -> list[torch.Tensor]:
    return [torch.ones(shape, device=device).to(dtype) for dtype, shape in wanted]


CASES = {
    # name: function, (type, shape) of each operand
    "channels of a convolution": (F.conv2d, [(FLOAT, (1, 3, 8, 8)), (FLOAT, (4, 2, 3, 3))]),
    "no groups": (lambda x, w: F.conv2d(x, w, groups=0), [(FLOAT, (1, 3, 8, 8)), (FLOAT, (4, 3, 3, 3))]),
    "bias of a convolution": (F.conv2d, [(FLOAT, (1, 3, 8, 8)), (FLOAT, (4, 3, 3, 3)), (FLOAT, (5,))]),
    "channels of a transposed one": (F.conv_transpose2d, [(FLOAT, (1, 2, 8, 8)), (FLOAT, (1, 4, 3, 3))]),
    "channels of a transposed one, 1d": (F.conv_transpose1d, [(FLOAT, (1, 2, 8)), (FLOAT, (1, 4, 3))]),
    "no batch": (F.conv_transpose2d, [(FLOAT, (2, 8, 8)), (FLOAT, (1, 4, 3, 3))]),
    "bias of a transposed one": (F.conv_transpose2d, [(FLOAT, (1, 2, 8, 8)), (FLOAT, (2, 4, 3, 3)), (FLOAT, (5,))]),
    "type of a kernel": (F.conv2d, [(FLOAT, (1, 3, 8, 8)), (DOUBLE, (4, 3, 3, 3))]),
    "integers": (F.conv_transpose2d, [(LONG, (1, 3, 8, 8)), (FLOAT, (3, 4, 3, 3))]),
    "types of a product": (torch.matmul, [(FLOAT, (2, 3)), (DOUBLE, (3, 4))]),
    "types of a linear map": (F.linear, [(FLOAT, (2, 3)), (DOUBLE, (4, 3))]),
    "types of a norm": (F.batch_norm, [(FLOAT, (2, 3, 4)), (DOUBLE, (3,)), (DOUBLE, (3,))]),
    "integers of a norm": (F.batch_norm, [(LONG, (2, 3, 4)), (FLOAT, (3,)), (FLOAT, (3,))]),
}


@pytest.mark.parametrize("name", CASES)
def test_meta_refuses_what_the_cpu_refuses(name: str) -> None:
    function, wanted = CASES[name]
    assert not runs(lambda device: function(*maps(device, *wanted)), "cpu")
    assert not runs(lambda device: function(*maps(device, *wanted)), "meta")


@pytest.mark.parametrize(
    "settings",
    [{"groups": 2}, {"stride": 0}, {"padding": -1}, {"output_padding": 2}, {"padding": 5}],
    ids=["groups", "stride", "padding", "output padding", "empty output"],
)
def test_settings_that_no_device_takes(settings: dict[str, int]) -> None:
    def body(device: str) -> object:
        x, weight = maps(device, (FLOAT, (1, 3, 3, 3)), (FLOAT, (3, 4, 3, 3)))
        return F.conv_transpose2d(x, weight, **settings)

    assert not runs(body, "cpu")
    assert not runs(body, "meta")


def test_convolutions_at_random_run_on_both_or_on_neither() -> None:
    """The CPU is the oracle. About half of them run: channels, groups and biases that fit are drawn often."""
    rng = random.Random(5)
    ran = 0
    for _ in range(150):
        groups, inner = rng.choice([1, 1, 2]), rng.choice([2, 2, 4, 3])
        is_transposed, made = rng.random() < 0.5, rng.choice([2, 4])
        shape = (inner, made) if is_transposed else (made, rng.choice([inner // groups, 2]))
        bias = rng.choice([None, made, made * groups])
        extra = rng.choice([0, 0, 1])

        def body(device: str, shape=shape, inner=inner, groups=groups, bias=bias, extra=extra, up=is_transposed):
            x, weight = maps(device, (FLOAT, (1, inner, 5, 5)), (FLOAT, (*shape, 3, 3)))
            added = None if bias is None else torch.ones(bias, device=device)
            if up:
                return F.conv_transpose2d(x, weight, added, groups=groups, output_padding=extra, padding=1)
            return F.conv2d(x, weight, added, groups=groups, padding=1)

        on_cpu = runs(body, "cpu")
        assert runs(body, "meta") == on_cpu, (shape, inner, groups, bias, extra, is_transposed)
        ran += on_cpu
    assert 30 < ran < 120


@pytest.mark.parametrize(
    "wanted",
    [
        [(HALF, (2, 3)), (FLOAT, (3, 4))],
        [(HALF, (2, 3)), (HALF, (3, 4))],
        [(torch.complex64, (2, 3)), (torch.complex64, (3, 4))],
        [(LONG, (2, 3)), (LONG, (3, 4))],
    ],
    ids=["autocast may make them one", "halves", "complex", "integers"],
)
def test_products_that_run_on_meta(wanted: list[tuple[torch.dtype, tuple[int, ...]]]) -> None:
    assert runs(lambda device: torch.matmul(*maps(device, *wanted)), "meta")


def test_a_norm_of_halves_with_wide_parameters_runs() -> None:
    wanted = [(HALF, (2, 3, 4)), (FLOAT, (3,)), (FLOAT, (3,)), (FLOAT, (3,)), (FLOAT, (3,))]
    for device in ("cpu", "meta"):
        assert runs(lambda device: F.batch_norm(*maps(device, *wanted)), device)


@pytest.mark.parametrize("device", ["auto", "meta", "cpu"])
def test_the_message_is_that_of_the_cpu(device: str) -> None:
    with pytest.raises(RunError, match=r"expects 3 input channels, got 1 .*It runs with --input 1x3x2x2"):
        inspect_model("conv-transpose-4", inputs=["1x1x2x2"], device=device)
