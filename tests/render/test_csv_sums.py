"""CSV for machines: what each line is, and that the sum of a column is its total."""

import csv
import re
from fractions import Fraction
from io import StringIO

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.inspection.accounts.training import Backward, Memory
from cnninspect.inspection.accounts.work import Operations, Time, Traffic
from cnninspect.render import Format, render
from cnninspect.report.selection import View
from tests.accounts.inspections import inspected
from tests.measure.test_timing import Ticks

IMAGE = (1, 3, 32, 32)


class Shared(nn.Module):
    """One convolution three times: its parameters count once, its MACs three times."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.conv(self.conv(self.conv(x)))


class Functional(nn.Module):
    """Parameters that no module of their own holds, one of them seen through a view first."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 27))
        self.bias = nn.Parameter(torch.zeros(8))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return F.conv2d(x, self.weight.view(8, 3, 3, 3), self.bias) * self.scale


class Tied(nn.Module):
    """An output layer with the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(16, 4, bias=False)
        self.head = nn.Linear(4, 16)
        self.head.weight = nn.Parameter(torch.zeros(16, 4))
        self.again = nn.Linear(4, 16)
        self.again.weight = self.head.weight

    def forward(self, x):
        return self.head(self.embed(x)) + self.again(self.embed(x))


class Blocks(nn.Module):
    """Containers three deep."""

    def __init__(self):
        super().__init__()
        inner = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8), nn.ReLU())
        self.stages = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.Sequential(inner, nn.MaxPool2d(2)))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(self.stages(x).mean((2, 3)))


class Positions(nn.Module):
    """A table of which indices pick, before it is added, and a mask that is written part by part (as in Swin)."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(5, 32))
        self.register_buffer("places", torch.tensor([0, 3, 3, 1]))

    def forward(self, x):
        mask = x.new_zeros(32, 32)
        mask[:16, 4:] = 1.0
        return x * mask + self.table[self.places].sum(0)


NETWORKS = {
    "positions": (Positions, IMAGE),
    "shared": (Shared, IMAGE), "functional": (Functional, IMAGE), "tied": (Tied, (2, 16)), "blocks": (Blocks, IMAGE),
    "batch": (Blocks, (4, *IMAGE[1:])), "one layer": (lambda: nn.Conv2d(3, 8, 3), IMAGE),
    "attention": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (2, 5, 16)),
    "recurrent": (lambda: nn.LSTM(8, 4, num_layers=2, bidirectional=True), (5, 2, 8)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 8, 2, stride=2), nn.PReLU()), IMAGE),
}  # fmt: skip
ZOO = ("lenet5", "alexnet", "regnet_y_400mf", "unet-small", "pool-upsample", "resnet18", "mobilenet_v2", "densenet121",
       "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "efficientnet_b0")  # fmt: skip
SUMMED = ("params", "macs", "flops", "neurons")


def report_on(name):
    if name in NETWORKS:
        make, shape = NETWORKS[name]
        return inspect_model(make().eval(), shape)
    return inspect_model(name)


def lines_of(report, **view):
    return list(csv.DictReader(StringIO(render(report, Format.CSV, view=View(**view)))))


@pytest.mark.parametrize("name", [*NETWORKS, *ZOO])
def test_the_sum_of_a_column_is_its_total(name):
    report = report_on(name)
    lines = lines_of(report)
    sums = {column: sum(int(line[column]) for line in lines) for column in SUMMED}
    assert sums == {column: report.total(column).value for column in SUMMED}
    assert all(line["leaf"] == "true" for line in lines)
    assert len(lines_of(report, depth=1)) <= len(lines)
    folded = lines_of(report, depth=1)
    assert {column: sum(int(line[column]) for line in folded) for column in SUMMED} == sums


def test_bytes_of_calls_that_only_move_data_are_part_of_the_sum():
    report = inspected(Positions().eval(), Traffic(), shape=IMAGE)
    lines = list(csv.DictReader(StringIO(render(report, Format.CSV, view=View()))))
    moved = {line["kind"]: int(line["bytes_moved"]) for line in lines}
    # By hand, float32, by docs/conventions.md: what only moves data reads as much as it writes. The written number is
    # made (4 bytes) and copied to 16 rows of 28; 4 rows of 32 are picked.
    assert moved["Tensor.__setitem__"] == 4 + 2 * 4 * 16 * 28
    assert moved["Tensor.__getitem__"] == 2 * 4 * 4 * 32
    assert sum(moved.values()) == report.total("bytes_moved").value


def test_a_time_makes_no_view_a_row():
    class Views(nn.Module):
        def forward(self, x):
            return x.view(1, 2, -1).transpose(1, 2).relu()

    report = inspected(Views(), Time(0, 1, Ticks()), shape=IMAGE)
    assert all(row.extra["latency"].value for row in report.rows)
    lines = list(csv.DictReader(StringIO(render(report, Format.CSV, view=View()))))
    assert [line["kind"] for line in lines] == ["Tensor.relu"]


def test_containers_are_there_on_request():
    lines = lines_of(report_on("blocks"), containers=True)
    paths = [(line["path"], line["leaf"], line["functional"], line["depth"]) for line in lines]
    assert paths == [
        ("stages", "false", "false", "1"),
        ("stages.0", "true", "false", "2"),
        ("stages.1", "false", "false", "2"),
        ("stages.1.0", "false", "false", "3"),
        ("stages.1.0.0", "true", "false", "4"),
        ("stages.1.0.1", "true", "false", "4"),
        ("stages.1.0.2", "true", "false", "4"),
        ("stages.1.1", "true", "false", "3"),
        ("", "true", "true", "1"),
        ("fc", "true", "false", "1"),
    ]


def test_the_first_columns_say_which_row_it_is():
    lines = lines_of(report_on("shared"))
    assert list(lines[0])[:6] == ["path", "call", "kind", "depth", "leaf", "functional"]
    # 3*3*3*3 + 3 parameters once; 32*32 positions of 3 channels from 27 products each time.
    assert [(line["call"], line["params"], line["macs"]) for line in lines] == [
        ("0", "84", "82944"),
        ("1", "0", "82944"),
        ("2", "0", "82944"),
    ]


def test_every_column_of_numbers_adds_up_to_its_total():
    """With all accounts: columns are those that a spreadsheet reads as numbers; `call` and `depth` name the row."""
    network = NETWORKS["blocks"][0]().eval()
    report = inspected(network, Traffic(), Operations(), Memory(), Backward(), Time(0, 1, Ticks()), shape=IMAGE)
    lines = list(csv.DictReader(StringIO(render(report, Format.CSV))))
    sums = {
        name: sum(map(Fraction, filter(None, (line[name] for line in lines))))
        for name in lines[0]
        if name not in ("call", "depth") and all(re.fullmatch(r"(\d+(\.\d+)?(e-\d+)?)?", line[name]) for line in lines)
    }
    assert {"params", "macs", "flops", "neurons", "share_percent", "bytes_moved", "output_bytes", "element_operations",
            "backward_macs", "macs_torch", "flops_torch"} < set(sums)  # fmt: skip
    assert not {"cumulative_percent", "intensity", "flops_per_second", "latency_spread_seconds"} & set(sums)
    assert sums.pop("share_percent") == pytest.approx(100)
    # Each row is timed by itself; the ticks make every call one second long.
    assert sums.pop("latency_seconds") == len(lines)
    measured = {
        (unit, name): found for unit in ("macs", "flops") for name, found in report.total(unit).measured.items()
    }
    counters = {f"{unit}_{name}": found for (unit, name), found in measured.items()}
    assert {"macs_torch", "macs_fvcore"} < set(counters)
    assert sums == {name: counters[name] if name in counters else report.total(name).value for name in sums}
