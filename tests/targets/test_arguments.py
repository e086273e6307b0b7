"""`--arg` that reaches into configurations and names classes, and `--call`. Expected numbers are worked out by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.errors import CnninspectError, LoadError, UsageError
from cnninspect.report.document import Report
from cnninspect.targets.grammar import FromModule, Method, argument_text, parse_argument, parse_method

from .conftest import Write

NETS = """
    from dataclasses import dataclass, field
    from types import SimpleNamespace

    import torch
    from torch import nn


    @dataclass
    class Head:
        classes: int = 10
        bias: bool = True


    @dataclass
    class Config:
        width: int = 8
        depth: int = 2
        widths: list = None
        head: Head = field(default_factory=Head)

        def __post_init__(self):
            self.widths = self.widths or [self.width] * self.depth
            if len(self.widths) != self.depth:
                raise ValueError("as many widths as the depth says")


    class Net(nn.Module):
        def __init__(self, config: Config, act=nn.ReLU):
            super().__init__()
            sizes = [3, *config.widths]
            self.body = nn.Sequential(*(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])))
            self.act = act()
            self.head = nn.Linear(sizes[-1], config.head.classes, config.head.bias)

        def encode(self, x):
            return self.act(self.body(x))

        def twice(self, x, times=2):
            return sum(self(x) for _ in range(times))

        def forward(self, x):
            return self.head(self.encode(x))


    NARROW = Config(width=5)
    SPACE = SimpleNamespace(rank=2, parts=[4, 6])


    def of_dict(cfg={"in": 4, "deep": {"out": 3}}):
        return nn.Linear(cfg["in"], cfg["deep"]["out"], cfg.get("bias", True))


    def of_space(space=SPACE):
        return nn.Linear(space.rank, space.parts[1])


    class Open:
        def __init__(self, **sizes):
            self.a = sizes["a"]


    def bare(cfg):
        return nn.Linear(cfg.a, 3)
"""


@pytest.fixture
def nets(write: Write) -> str:
    return str(write("nets.py", NETS))


def report(target: str, inputs: str = "1x3", call: str | None = None, **arguments: Any) -> Report:
    return inspect_model(target, inputs=[inputs], arguments=dict(map(parse_argument, arguments["args"])), call=call)


@pytest.mark.parametrize(
    ("attr", "args", "shape", "params"),
    [
        # Linear(a, b) has a * b + b parameters; Net is 3 -> widths -> classes.
        pytest.param("Net", ["config.depth=3"], "1x3", 32 + 72 + 72 + 90, id="dataclass-by-annotation"),
        pytest.param("Net", ["config.head.classes=7"], "1x3", 32 + 72 + 63, id="two-levels"),
        pytest.param("Net", ["config.width=4", "config.head.bias=False"], "1x3", 16 + 20 + 40, id="two-changes"),
        pytest.param("Net", ["config=nets:NARROW", "config.depth=1"], "1x3", 20 + 60, id="derived-is-derived-again"),
        pytest.param("Net", ["config.depth=1", "act=torch.nn:PReLU"], "1x3", 32 + 1 + 90, id="class-by-import-path"),
        pytest.param("Net", ["config=nets:Config", "config.depth=1"], "1x3", 32 + 90, id="class-reached-into"),
        pytest.param("of_dict", ["cfg.deep.out=5"], "1x4", 25, id="dictionary"),
        pytest.param("of_dict", ["cfg.in=2", "cfg.bias=False"], "1x2", 6, id="new-key-of-a-dictionary"),
        pytest.param("of_dict", ["cfg={'in': 1, 'deep': {}}", "cfg.deep.out=2"], "1x1", 4, id="given-dictionary"),
        pytest.param("of_space", ["space.rank=3", "space.parts.1=2"], "1x3", 8, id="object-and-place-of-a-list"),
        pytest.param("bare", ["cfg=nets:Open", "cfg.a=2"], "1x2", 9, id="class-that-takes-any-keyword"),
    ],
)
def test_an_argument_is_reached_into(
    nets: str, monkeypatch: pytest.MonkeyPatch, attr: str, args: list[str], shape: str, params: int
) -> None:
    monkeypatch.syspath_prepend(nets.removesuffix("nets.py"))
    found = report(f"{nets}:{attr}", shape, args=args)
    assert found.total("params").value == params
    assert found.target["arguments"] == {
        name: str(value) if isinstance(value, FromModule) else value for name, value in map(parse_argument, args)
    }


def test_what_is_reached_into_stays_as_it_was(nets: str) -> None:
    changed = report(f"{nets}:of_space", "1x9", args=["space.rank=9"]).total("params").value
    assert (changed, report(f"{nets}:of_space", "1x2", args=[]).total("params").value) == (9 * 6 + 6, 2 * 6 + 6)


@pytest.mark.parametrize(
    ("attr", "args", "error", "message"),
    [
        pytest.param(
            "Net", ["config.dpth=1"], UsageError, r"config \(Config\) has no 'dpth'\. It has depth", id="field"
        ),
        pytest.param(
            "Net",
            ["config.head.x=1"],
            UsageError,
            r"config\.head \(Head\) has no 'x'\. It has classes, bias",
            id="nested",
        ),
        pytest.param(
            "Net", ["config.depth.x=1"], UsageError, r"config\.depth \(int\) has no 'x'\. Give all", id="number"
        ),
        pytest.param("Net", ["config.widths=[1]"], LoadError, "as many widths as the depth says", id="value"),
        pytest.param("Net", ["confg.depth=1"], UsageError, r"takes no --arg confg\. Nearest: config", id="argument"),
        pytest.param(
            "Net", ["config.head=1", "config.head.bias=1"], UsageError, "Keep one of them", id="part-of-given"
        ),
        pytest.param(
            "Net", ["config.head.bias=1", "config.head=1"], UsageError, "Keep one of them", id="given-of-part"
        ),
        pytest.param("Net", ["act=torch.nn:RELU"], UsageError, r"torch\.nn has no 'RELU'\. Nearest: ReLU", id="attr"),
        pytest.param("Net", ["act=no_such:X"], UsageError, "no provider or module is called 'no_such'", id="module"),
        pytest.param(
            "of_dict", ["cfg.inn=2"], UsageError, r"cfg \(dict\) has no 'inn'\. It has in", id="slip-in-a-key"
        ),
        pytest.param("of_space", ["space.parts.7=2"], UsageError, r"has no '7'\. It has 0, 1", id="place"),
        pytest.param("bare", ["cfg.a=2"], UsageError, "has no value of cfg to change", id="nothing-to-change"),
    ],
)
def test_errors(nets: str, attr: str, args: list[str], error: type[CnninspectError], message: str) -> None:
    with pytest.raises(error, match=message):
        report(f"{nets}:{attr}", args=args)


def test_an_argument_as_text_is_read_back() -> None:
    for text in ("act=torch.nn:GELU", "config.depth=2", "name='relu'", "file=nets.py:Net"):
        assert argument_text(*parse_argument(text)) == text


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("encode", Method("encode")),
        (" generate( n=4, mode='a' ) ", Method("generate", {"n": 4, "mode": "a"})),
    ],
)
def test_method(text: str, method: Method) -> None:
    assert parse_method(text) == method
    assert parse_method(str(method)) == method


@pytest.mark.parametrize("text", ["", "1x", "a.b", "a b", "f(2)", "f(n=x)", "f(**{})", "f()()", "f(n=1"])
def test_no_method(text: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a method"):
        parse_method(text)


def test_a_method_runs_in_the_place_of_the_forward(nets: str) -> None:
    found = report(f"{nets}:Net", call="encode", args=["config.depth=1"])
    assert found.total("macs").value == 3 * 8
    assert found.target["call"] == "encode"
    assert any("never ran: head" in note for note in found.notes)


def test_a_method_may_call_the_module(nets: str) -> None:
    found = report(f"{nets}:Net", call="twice(times=3)", args=["config.depth=1"])
    assert found.total("macs").value == 3 * (3 * 8 + 8 * 10)
    assert found.total("params").value == 32 + 90
    assert str(found).startswith(f"{nets}:Net.twice(times=3) (")


def test_what_a_method_is_given_is_no_input_to_ask_for() -> None:
    class Repeats(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Linear(4, 4)

        def repeat(self, x: torch.Tensor, times: int) -> torch.Tensor:
            for _ in range(times):
                x = self.part(x)
            return x

    # One input is left, and the first layer tells which; before, both were asked for.
    assert inspect_model(Repeats(), call="repeat(times=3)").total("macs").value == 3 * 4 * 4
    with pytest.raises(UsageError, match=r"\(x, times\) are not known"):
        inspect_model(Repeats(), call="repeat")


def test_the_method_runs_on_the_cpu_and_the_module_stays_as_it_was() -> None:
    class Values(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Linear(4, 2)

        def read(self, x: torch.Tensor) -> float:
            return float(self.part(x).sum())

    module = Values()
    before = copy.copy(module.__dict__)
    found = inspect_model(module, (1, 4), call="read")
    assert (found.run["device"], found.total("macs").value) == ("cpu", 8)
    assert module.__dict__ == before


class Methods(nn.Module):
    """Methods that take no module."""

    width = property(lambda self: 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @staticmethod
    def fixed(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, torch.ones(2, 4, device=x.device))

    @classmethod
    def of_class(cls, x: torch.Tensor) -> torch.Tensor:
        return cls.fixed(x)


@pytest.mark.parametrize("call", ["fixed", "of_class"])
def test_a_method_without_the_module(call: str) -> None:
    assert inspect_model(Methods, (1, 4), call=call).total("macs").value == 4 * 2


@pytest.mark.parametrize(
    ("target", "call", "message"),
    [
        (Methods(), "width", r"Methods has no method 'width'\. It has fixed, of_class\."),
        (nn.Linear(3, 3), "forwrd", r"Linear has no method 'forwrd'\. It has"),
        (nn.Linear(3, 3), "in_features", "Linear has no method 'in_features'"),
        (torch.relu, "encode", "is a function and has no method 'encode'"),
    ],
)
def test_no_such_method(target: Any, call: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        inspect_model(target, (1, 3), call=call)
