"""Totals of what runs outside the forward of the root: in its output hooks, or in a `__call__` of its own.

Expected numbers are hand arithmetic for an input of 2x6: Linear(6, 5) has 6*5 + 5 parameters and 2*6*5 MACs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.inspection.accounts.work import Conventions, Operations, Traffic
from cnninspect.report.quantities import Status, Verdict


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)


class Twice(Net):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return super().__call__(x) + super().__call__(x)


class Before(Net):
    def __call__(self, x: torch.Tensor) -> Any:
        return super().__call__(x * 2)


class ProductBefore(Net):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(6, 6))

    def __call__(self, x: torch.Tensor) -> Any:
        return super().__call__(x @ self.w)


class LayerBefore(Net):
    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Linear(6, 6)

    def __call__(self, x: torch.Tensor) -> Any:
        return super().__call__(self.p(x))


class LayerAfter(Net):
    def __init__(self) -> None:
        super().__init__()
        self.h = nn.Linear(5, 4)

    def __call__(self, x: torch.Tensor) -> Any:
        return self.h(super().__call__(x))


class Repeated(Net):
    def __call__(self, x: torch.Tensor) -> Any:
        return super().__call__(x.repeat(3, 1))


class Layer(nn.Linear):
    def __call__(self, x: torch.Tensor) -> Any:
        return super().__call__(x).relu()


def hooked(hook: Callable[..., Any]) -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 5))
    model.register_forward_hook(hook)
    return model


def product(_: nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    return output @ torch.ones(5, 3, device=output.device)


def function(_: nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    return F.linear(output, torch.ones(3, 5, device=output.device)).exp()


# (model, parameters, MACs, neurons: the outputs of everything that computes)
CASES: dict[str, tuple[Callable[[], nn.Module], int, int, int]] = {
    # Two forwards, and their sum.
    "twice": (Twice, 35, 2 * 60, 3 * 2 * 5),
    "a function before": (Before, 35, 60, 2 * 6 + 2 * 5),
    "a product before": (ProductBefore, 6 * 6 + 35, 2 * 6 * 6 + 60, 2 * 6 + 2 * 5),
    "a layer before": (LayerBefore, 6 * 6 + 6 + 35, 2 * 6 * 6 + 60, 2 * 6 + 2 * 5),
    "a layer after": (LayerAfter, 35 + 5 * 4 + 4, 60 + 2 * 5 * 4, 2 * 5 + 2 * 4),
    # `repeat` copies, which is no computation: the layer sees three times as many samples.
    "a batch repeated": (Repeated, 35, 3 * 60, 3 * 2 * 5),
    "a root that is a layer": (lambda: Layer(6, 5), 35, 60, 2 * 5 + 2 * 5),
    "a hook that doubles": (lambda: hooked(lambda _, __, output: output * 2), 35, 60, 2 * 5 + 2 * 5),
    "a hook with a product": (lambda: hooked(product), 35, 60 + 2 * 5 * 3, 2 * 5 + 2 * 3),
    "a hook with functions": (lambda: hooked(function), 35, 60 + 2 * 5 * 3, 2 * 5 + 2 * 3 + 2 * 3),
}


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("case", CASES)
def test_totals_are_of_all_that_runs(case: str, device: str) -> None:
    model, *numbers = CASES[case]
    report = inspect_model(model(), (2, 6), device=device)
    found = [report.total(name) for name in ("params", "macs", "neurons")]
    assert [number.value for number in found] == numbers
    assert {(number.status, number.verdict) for number in found} == {(Status.EXACT, Verdict.MATCH)}
    assert {row.verdict for row in report.rows} == {Verdict.MATCH}


@pytest.mark.parametrize("case", CASES)
def test_both_counters_count_it(case: str) -> None:
    model, _, macs, _ = CASES[case]
    report = inspect_model(model(), (2, 6), device="cpu", accounts=[Conventions()])
    assert report.total("macs").measured == {"fvcore": macs, "torch": macs}
    assert {name: about.own_total for name, about in (report.counters or {}).items()} == {
        "fvcore": macs,
        "torch": 2 * macs,
    }


def test_accounts_are_of_all_that_runs() -> None:
    """`Twice`: each forward has a gradient of the weight, as many MACs as forward, and none of the input.

    Bytes of float32: each linear layer reads 2*6 + 6*5 + 5 and writes 2*5, the sum reads 2*2*5 and writes 2*5.
    """
    report = inspect_model(Twice(), (2, 6), device="cpu", accounts=[Backward(), Operations(), Traffic(), Memory()])
    assert report.total("backward_macs").value == 2 * 60
    assert report.total("backward_macs").measured == {"torch": 2 * 60}
    assert report.total("element_operations").value == 2 * 5
    assert report.total("bytes_moved").value == 4 * (2 * (12 + 30 + 5 + 10) + 20 + 10)
    assert report.total("intensity").value == 120 / 576
    assert report.total("output_bytes").value == 3 * 4 * 2 * 5


def test_work_that_a_counter_cannot_place_beside_the_root_leaves_it_without_a_count() -> None:
    """The tracer of fvcore sees the products of a scripted function as one call of another name."""

    @torch.jit.script
    def scripted(x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(5, 3)

    model = hooked(lambda _, __, output: scripted(output))
    report = inspect_model(model, (2, 6), device="cpu")
    total = report.total("macs")
    assert (total.value, total.status, total.measured["torch"]) == (60 + 2 * 5 * 3, Status.EXACT, 60 + 2 * 5 * 3)
    assert Verdict.DIFFER not in {row.verdict for row in (*report.rows, total)}


def test_the_field_is_that_of_what_comes_out() -> None:
    """A kernel of 3, and a pool of 2 in the hook: 3 + 1 = 4 pixels, and steps of 2."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    model.register_forward_hook(lambda _, __, output: F.avg_pool2d(output, 2))
    found = inspect_model(model, (1, 1, 8, 8), probe=True).totals["receptive_field"]
    assert (found.size, found.jump, found.verdict) == ((4, 4), (2, 2), Verdict.MATCH)
