"""The table of README.md: small networks with a number that is known by hand, and what four tools say of it.

    python -m pip install torchinfo==1.8.0 fvcore==0.1.5.post20221221 torchlens==2.36.1
    python tests/benchmarks/readme_table.py          # prints the table
    python -m pytest -m sweep tests/test_docs.py     # compares it with that of README.md

Each tool is used as its documentation says. fvcore's "flops" are MACs, by its documentation. Layers have no biases,
which some tools count. A tool without such a number gets a dash, one that ends with an error `refuses`, and one that
lists ops that it did not count `incomplete`.
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Functional(nn.Module):
    """A convolution written as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, padding=1)


class Attention(nn.Module):
    """Self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(64, 4, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    """An LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(10, 20, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Tied(nn.Module):
    """Embedding and head with one weight, as in language models."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 4), nn.Linear(4, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


class Residual(nn.Module):
    """A convolution, and a residual block of two."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = (nn.Conv2d(3 if each == 0 else 8, 8, 3, padding=1) for each in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return x + self.b(F.relu(self.a(x)))


class Gated(nn.Module):
    """A convolution behind a squeeze-and-excitation gate, as in EfficientNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.gate, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.last(x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1))))


class ChannelsLast(nn.Module):
    """A convolution, a layer norm over channels, and another, as in ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.last = nn.Conv2d(3, 8, 3), nn.LayerNorm(8), nn.Conv2d(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.last(x)


class Case(NamedTuple):
    """A network in words, the number, its right value, and the arithmetic."""

    words: str
    number: str
    right: int
    make: Callable[[], nn.Module]
    example: Callable[[], Tensor]
    device: str = "cpu"


IMAGE = lambda: torch.rand(1, 3, 16, 16)  # noqa: E731
CASES = [
    # 16 * 8 channels * 4 * 4 taps * 8 * 8 positions of the input
    Case("a transposed convolution", "MACs", 16 * 8 * 4 * 4 * 8 * 8,
         lambda: nn.Sequential(nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False)), lambda: torch.rand(1, 16, 8, 8)),
    Case("`F.conv2d`", "MACs", 6 * 3 * 3 * 3 * 16 * 16, Functional, IMAGE),
    # Projections to queries, keys and values, scores, weighted sums, last projection
    Case("self-attention", "MACs", 10 * 64 * 3 * 64 + 2 * 10 * 10 * 64 + 10 * 64 * 64,
         Attention, lambda: torch.rand(1, 10, 64)),
    # Five steps of four gates, from 10 inputs and 20 states to 20 states
    Case("an LSTM", "MACs", 5 * 4 * (10 + 20) * 20, Recurrent, lambda: torch.rand(1, 5, 10)),
    Case("a layer on meta, without weights", "MACs", 4000 * 3000,
         lambda: nn.Sequential(nn.Linear(4000, 3000, bias=False)), lambda: torch.rand(1, 4000), "meta"),
    Case("an embedding tied to the head", "params", 11 * 4, Tied, lambda: torch.zeros(1, 3, dtype=torch.int64)),
    # 3, and two pixels more for each of the two convolutions of the block
    Case("a conv and a residual block", "field", 3 + 2 + 2, Residual, IMAGE),
    # What papers quote: without the gate, which sees everything
    Case("a conv behind squeeze-and-excitation", "field", 3 + 2, Gated, IMAGE),
    Case("convs around a layer norm of channels", "field", 3 + 2, ChannelsLast, IMAGE),
]  # fmt: skip


class Answer(NamedTuple):
    """A tool's number, None where it has no such number, and whether it says that ops are missing in it."""

    value: int | None
    incomplete: bool = False


def cnninspect(case: Case, net: nn.Module, example: Tensor) -> Answer:
    """Its Python API."""
    from cnninspect import inspect_model
    from cnninspect.report.quantities import Status

    report = inspect_model(net, inputs=f"{'x'.join(map(str, example.shape))}:{str(example.dtype)[6:]}")
    if case.number == "field":
        field: Any = report.totals["receptive_field"]
        return Answer(field.size[0], field.status is not Status.EXACT)
    total = report.total(case.number.lower())
    return Answer(total.value, total.status is not Status.EXACT)  # type: ignore[arg-type]


def torchinfo(case: Case, net: nn.Module, example: Tensor) -> Answer:
    """`summary` with an input."""
    from torchinfo import summary

    found = summary(net, input_data=example, device=case.device, verbose=0)
    return Answer({"MACs": found.total_mult_adds, "params": found.total_params}.get(case.number))


def fvcore(case: Case, net: nn.Module, example: Tensor) -> Answer:
    """`FlopCountAnalysis` and `parameter_count`."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    if case.number == "params":
        return Answer(int(parameter_count(net)[""]))
    found = FlopCountAnalysis(net, example)
    return Answer(int(found.total()), bool(found.unsupported_ops())) if case.number == "MACs" else Answer(None)


def torchlens(case: Case, net: nn.Module, example: Tensor) -> Answer:
    """`trace`, and the field of the last layer of the log."""
    import torchlens as tl

    log = tl.trace(net, example)
    if case.number == "params":
        return Answer(int(log.num_params))
    if case.number == "MACs":
        return Answer(int(log.total_macs_forward), bool(log.unknown_flop_ops or log.macs_unknown_split_ops))
    return Answer(int(log.layer_list[-1].receptive_field.size[0]))


TOOLS = (cnninspect, torchinfo, fvcore, torchlens)


def cell(tool: Callable[[Case, nn.Module, Tensor], Answer], case: Case) -> str:
    """The tool's number, with a cross if it is wrong and not said to be incomplete."""
    torch.manual_seed(0)
    with torch.device(case.device):
        net, example = case.make().eval(), case.example()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            found = tool(case, net, example)
    except ImportError:
        raise
    except Exception as error:
        print(f"{tool.__name__}, {case.words}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        return "refuses"
    if found.value is None:
        return "–"
    if found.value == case.right:
        return f"{found.value:,}"
    return f"{found.value:,}, incomplete" if found.incomplete else f"✗ {found.value:,}"


def head(tool: Callable[..., Answer]) -> str:
    """The name with the version, without builds and dates of posts."""
    release = "" if tool is cnninspect else " " + version(tool.__name__).partition(".post")[0]
    return f"{tool.__name__}{release}"


def table() -> str:
    """The table as Markdown."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    lines = ["| | right | " + " | ".join(map(head, TOOLS)) + " |", "|---|---:|" + "---:|" * len(TOOLS)]
    for case in CASES:
        cells = [cell(tool, case) for tool in TOOLS]
        lines.append(f"| {case.number} of {case.words} | {case.right:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
