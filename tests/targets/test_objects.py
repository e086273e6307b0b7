"""Objects handed to the Python API: modules are left alone, classes, factories and functions are told apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.errors import DeviceError, UsageError
from cnninspect.targets.construct import on_meta
from cnninspect.targets.resolve import resolve


class Tied(nn.Module):
    """An embedding whose table is the head's weight, a buffer that is a view of another, and plain attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("steps", torch.arange(6.0))
        self.register_buffer("first", self.steps[:2])
        self.offset = torch.ones(4)
        self.scale = torch.tensor(2.0)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embed(ids) * self.scale + self.offset)


def fingerprint(model: nn.Module) -> dict[str, Any]:
    """Everything of a module that a run could change: identity, values, place and flags of its tensors, its mode."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "tensors": {name: (id(t), t.device, t.dtype, t.requires_grad, t.clone()) for name, t in tensors.items()},
        "training": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.parametrize(("device", "dtype"), [("meta", None), ("meta", "float16"), ("cpu", None), ("cpu", "bfloat16")])
def test_an_instance_is_left_alone(device: str, dtype: str | None) -> None:
    model = Tied()
    before = fingerprint(model)
    built = resolve(model).build(device, dtype)
    assert isinstance(built, Tied)
    assert {p.device.type for p in built.parameters()} == {device}
    assert {p.dtype for p in built.parameters()} == {getattr(torch, dtype or "float32")}
    assert (built is model) == (device == "cpu" and dtype is None)
    assert same(fingerprint(model), before)


def test_the_meta_copy_keeps_what_is_shared() -> None:
    model = Tied()
    copy = on_meta(model)
    assert copy.head.weight is copy.embed.weight
    assert copy.first.untyped_storage()._cdata == copy.steps.untyped_storage()._cdata
    # 10 rows of 4, once: the head has no bias.
    assert sum(p.numel() for p in copy.parameters()) == 10 * 4
    assert copy.offset.is_meta
    assert not copy.scale.is_meta
    assert copy(torch.zeros(1, 3, dtype=torch.int64, device="meta")).shape == (1, 3, 10)


def weight_normed() -> nn.Module:
    return nn.Sequential(torch.nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU())


def parametrized() -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))


def scripted() -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3)))


def symbolic() -> nn.Module:
    return torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 3)))


def frozen() -> nn.Module:
    return nn.Conv2d(3, 4, 3).requires_grad_(False)


@pytest.mark.parametrize(
    "make", [weight_normed, parametrized, scripted, symbolic, frozen], ids=lambda make: make.__name__
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_unusual_instances_run_on_meta(make: Callable[[], nn.Module]) -> None:
    model = make()
    copy = on_meta(model)
    assert [(n, p.shape, p.requires_grad) for n, p in copy.named_parameters()] == [
        (n, p.shape, p.requires_grad) for n, p in model.named_parameters()
    ]
    # A 3x3 kernel without padding takes 2 off each side.
    assert copy(torch.empty(1, 3, 8, 8, device="meta")).shape == (1, 4, 6, 6)


def test_a_module_that_cannot_be_copied_says_so() -> None:
    model = nn.Linear(2, 2)
    model.lock = Lock()  # type: ignore[assignment]
    assert resolve(model).build("cpu") is model
    with pytest.raises(
        DeviceError, match=r"Linear cannot be copied to meta \(TypeError: cannot pickle '_thread.lock' obj"
    ):
        resolve(model).build("meta")


class ReadsValues(nn.Module):
    """A constructor that reads the values of a tensor, as stochastic depth rates are often made; tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.rates = torch.linspace(0, 1, 3).tolist()
        self.one = nn.Linear(5, 5, bias=False)
        self.other = nn.Linear(5, 5, bias=False)
        self.other.weight = self.one.weight
        self.register_buffer("table", torch.arange(4))


class ReadsWeights(nn.Module):
    """A constructor that reads the values of a parameter, which only a real device has."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(5, 5, bias=False)
        self.norm = self.one.weight.norm().item()


@pytest.mark.parametrize("model_class", [ReadsValues, ReadsWeights])
def test_constructors_that_cannot_run_on_meta(model_class: type[nn.Module]) -> None:
    target = resolve(model_class)
    model = target.build("meta")
    assert isinstance(model, model_class)
    assert all(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])
    assert sum(p.numel() for p in model.parameters()) == 5 * 5
    assert any("the constructor ran on the CPU, because it cannot run on meta" in note for note in target.notes)
    target.build("cpu")
    assert target.notes == []


def test_the_registration_hook_is_gone_afterwards() -> None:
    resolve(ReadsValues).build("meta")
    assert not nn.Linear(2, 2).weight.is_meta


def takes_tensors(x, y):  # type: ignore[no-untyped-def]
    return x + y


def takes_annotated(x: Tensor, width: int = 3) -> Tensor:
    return x * width


def takes_quoted(x: "torch.Tensor", width: int = 3):  # type: ignore[no-untyped-def] # noqa: UP037
    return x * width


def scale_first(scale, x):  # type: ignore[no-untyped-def]
    return scale * x


def factory(width: int = 3) -> nn.Module:
    return nn.Linear(width, width)


def required_factory(width: int) -> nn.Module:
    return nn.Linear(width, width)


def gives_function(k: int = 2) -> Callable[[Tensor], Tensor]:
    return lambda x: k * x


@pytest.mark.parametrize(
    ("thing", "arguments", "inputs", "expected"),
    [
        pytest.param(takes_tensors, {}, (1.0, 2.0), 3.0, id="required-unannotated"),
        pytest.param(takes_annotated, {}, (2.0,), 6.0, id="annotated"),
        pytest.param(takes_annotated, {"width": 4}, (2.0,), 8.0, id="annotated-and-argument"),
        pytest.param(takes_quoted, {}, (2.0,), 6.0, id="annotation-is-text"),
        pytest.param(scale_first, {"scale": 5}, (2.0,), 10.0, id="argument-before-the-tensor"),
        pytest.param(gives_function, {}, (2.0,), 4.0, id="factory-of-a-function"),
        pytest.param(torch.neg, {}, (2.0,), -2.0, id="builtin"),
        pytest.param(F.relu, {}, (-1.0,), 0.0, id="torch-function"),
        pytest.param(partial(scale_first, 3), {}, (2.0,), 6.0, id="partial"),
    ],
)
def test_functions_of_tensors(
    thing: Any, arguments: dict[str, Any], inputs: tuple[float, ...], expected: float
) -> None:
    model = resolve(thing, arguments).build("cpu")
    assert not isinstance(model, nn.Module)
    assert model(*(torch.tensor(value) for value in inputs)).item() == expected


def test_factories() -> None:
    assert resolve(factory).build("meta").weight.shape == (3, 3)  # type: ignore[attr-defined]
    assert resolve(required_factory, {"width": 4}).build("meta").weight.shape == (4, 4)  # type: ignore[attr-defined]
    assert resolve(partial(required_factory, width=2)).build("meta").weight.shape == (2, 2)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"required_factory needs --arg width=VALUE\.$"):
        resolve(required_factory)


def test_a_function_is_reported_as_one() -> None:
    target = resolve(takes_tensors)
    target.build("meta")
    assert target.notes == ["takes_tensors is taken as a function of tensors (x, y)."]


def test_a_factory_that_returns_an_existing_model_does_not_change_it() -> None:
    model = Tied()
    before = fingerprint(model)
    target = resolve(lambda: model)
    assert all(p.is_meta for p in target.build("meta").parameters())  # type: ignore[attr-defined]
    assert {p.dtype for p in target.build("cpu", "float64").parameters()} == {torch.float64}  # type: ignore[attr-defined]
    assert same(fingerprint(model), before)


def function_with_weights() -> Callable[[Tensor], Tensor]:
    weight = torch.ones(2, 3)
    return lambda x: F.linear(x, weight)


def test_the_dtype_reaches_the_tensors_of_a_function() -> None:
    model = resolve(function_with_weights).build("cpu", "bfloat16")
    assert model(torch.ones(1, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert torch.get_default_dtype() == torch.float32


def test_arguments_are_reported_as_plain_data() -> None:
    target = resolve(lambda norm, k: nn.Identity(), {"norm": nn.BatchNorm2d, "k": (3, torch.float16)})
    assert target.arguments == {"norm": "BatchNorm2d", "k": [3, "torch.float16"]}


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        pytest.param("float17", "there is no dtype 'float17'", id="unknown"),
        pytest.param("int8", "parameters cannot be converted to int8", id="integer"),
    ],
)
def test_dtypes_that_parameters_cannot_have(dtype: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(factory).build("meta", dtype)


class Unfilled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(3, 4))
        self.second = nn.Parameter(torch.Tensor(5))
        self.third = nn.Parameter(torch.empty_like(self.first))
        self.fourth = nn.Parameter(self.second.new_empty(6))
        self.filled = nn.Parameter(torch.empty(7).fill_(2.0))


def test_memory_that_no_constructor_fills_is_zero() -> None:
    # Freed memory is handed out again with what it held: without care these parameters would hold NaN.
    spoiled = [torch.full((size,), torch.nan) for size in (12, 5, 6, 7) for _ in range(50)]
    del spoiled
    model = resolve(Unfilled).build("cpu")
    assert isinstance(model, Unfilled)
    unfilled = (model.first, model.second, model.third, model.fourth)
    assert all((tensor == 0).all() for tensor in unfilled)
    assert (model.filled == 2).all()
