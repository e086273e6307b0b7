"""The graph of a run: its edges, derived by hand from the code of each network."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.fx
from torch import nn

from cnninspect.inspection.accounts.course import Course
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.report.document import Report
from cnninspect.report.selection import Ops, View, shown_leaves, tree
from cnninspect.targets.resolve import resolve


def graph(model: Any, shape: Any, view: View | None = None) -> tuple[list[tuple[str, str]], list[str]]:
    """The edges and the sources of the outputs, by the names of the rows that a view shows; `x0` is the first input."""
    return named(tree(inspect_model(model, shape, device="meta", accounts=[Course()]), view or View()))


def named(report: Report) -> tuple[list[tuple[str, str]], list[str]]:
    flow = report.dataflow
    assert flow is not None

    def name(index: int) -> str:
        return f"x{-1 - index}" if index < 0 else report.rows[index].label

    return [(name(source), name(reader)) for source, reader in flow.edges], [name(source) for source in flow.outputs]


def within(edges: list[tuple[str, str]], path: str) -> set[tuple[str, str]]:
    """The edges that lead to a row at this path or below it, with names that start there."""
    inside = {(source, reader) for source, reader in edges if reader.startswith(path)}
    return {(source.removeprefix(path), reader.removeprefix(path)) for source, reader in inside}


@pytest.fixture(scope="module")
def resnet18() -> Report:
    return inspect_model("torchvision:resnet18", device="meta", accounts=[Course()])


def test_a_residual_block_with_a_projection(resnet18: Report) -> None:
    """torchvision.models.resnet.BasicBlock.forward, line by line; `out += identity` is Tensor.add_."""
    edges, outputs = named(tree(resnet18, View()))
    before = "layer1.1.relu use 2"
    assert within(edges, "layer2.0") == {
        (before, ".conv1"), (".conv1", ".bn1"), (".bn1", ".relu"), (".relu", ".conv2"), (".conv2", ".bn2"),
        (before, ".downsample.0"), (".downsample.0", ".downsample.1"),
        (".bn2", " Tensor.add_"), (".downsample.1", " Tensor.add_"), (" Tensor.add_", ".relu use 2"),
    }  # fmt: skip
    assert ("maxpool", "layer1.0 Tensor.add_") in edges  # the first block adds its input as it is
    assert outputs == ["fc"]


def test_fewer_rows_have_the_edges_between_them(resnet18: Report) -> None:
    edges, outputs = named(tree(resnet18, View(depth=1, ops=Ops.NONE)))
    names = ["x0", "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]
    assert edges == list(pairwise(names))  # flatten is left out: fc reads avgpool through it
    assert outputs == ["fc"]


def test_the_branches_of_an_inception_block() -> None:
    """torchvision.models.googlenet.Inception: four branches read the block's input, torch.cat reads their ends."""
    edges, _ = graph("torchvision:googlenet", None, View(depth=2))
    branches = [f"inception3a.branch{number}" for number in (1, 2, 3, 4)]
    assert {edge for edge in edges if edge[1].startswith("inception3a")} == {
        *(("maxpool2", branch) for branch in branches),
        *((branch, "inception3a torch.cat") for branch in branches),
    }


def test_the_skip_connections_of_a_u_net() -> None:
    """zoo/: each of three levels down is read by its pool, and by the torch.cat of the level up."""
    edges, outputs = graph("zoo:unet-small", None, View(depth=2))
    cats = ["torch.cat", "torch.cat use 2", "torch.cat use 3"]
    joins = {(source, reader) for source, reader in edges if reader in cats}
    assert joins == {
        ("down.2", cats[0]), ("up.0", cats[0]), ("down.1", cats[1]), ("up.1", cats[1]), ("down.0", cats[2]),
        ("up.2", cats[2]),
    }  # fmt: skip
    assert {edge for edge in edges if edge[0].startswith("pool")} == {
        ("pool", "down.1"), ("pool use 2", "down.2"), ("pool use 3", "bottom.0"),
    }  # fmt: skip
    assert outputs == ["head"]


class Shared(nn.Module):
    """One layer twice, a branch that Identity carries, and a functional sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.keep, self.drop = nn.Conv2d(3, 3, 3, padding=1), nn.Identity(), nn.Dropout()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        first = self.conv(x)
        second = self.drop(self.conv(first))
        return torch.add(self.keep(first), second), second * y


def test_a_layer_twice_and_layers_that_run_no_op() -> None:
    """Dropout in evaluation and Identity return their argument: no op runs, and both have a place all the same."""
    edges, outputs = graph(Shared(), [(1, 3, 8, 8), (1, 3, 8, 8)])
    assert set(edges) == {
        ("x0", "conv"), ("conv", "conv use 2"), ("conv use 2", "drop"), ("conv", "keep"),
        ("keep", "torch.add"), ("drop", "torch.add"), ("drop", "Tensor.mul"), ("x1", "Tensor.mul"),
    }  # fmt: skip
    assert outputs == ["torch.add", "Tensor.mul"]


class Kept(nn.Module):
    """The shortcut of torchvision's MBConv of MaxViT: Identity gets the tensor that the layers get after it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.proj, self.conv = nn.Conv2d(3, 3, 1), nn.Identity(), nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        kept = self.proj(x)
        return torch.add(kept, self.conv(x))


def test_what_reads_a_tensor_that_was_handed_on_may_read_it_from_before() -> None:
    """The argument of Identity is its result: conv and add get the same tensor, and the graph says who handed it on."""
    report = tree(inspect_model(Kept(), (1, 3, 8, 8), device="meta", accounts=[Course()]), View())
    edges, outputs = named(report)
    assert edges == [
        ("x0", "stem"), ("stem", "proj"), ("proj", "conv"), ("proj", "torch.add"), ("conv", "torch.add")
    ]  # fmt: skip
    assert report.dataflow is not None
    assert [report.rows[row].label for row in report.dataflow.passing] == ["proj"]
    assert outputs == ["torch.add"]


def test_a_container_passes_a_tensor_on_if_all_parts_do() -> None:
    net = nn.Sequential(nn.Sequential(nn.Identity(), nn.Dropout()), nn.Sequential(nn.ReLU(), nn.Identity()), nn.Tanh())
    deep = inspect_model(net, (1, 4), device="meta", accounts=[Course()])
    report = tree(deep, View(depth=1))
    assert report.dataflow is not None
    assert named(report)[0] == [("x0", "0"), ("0", "1"), ("1", "2")]
    assert [report.rows[row].label for row in report.dataflow.passing] == ["0"]


def views(x: torch.Tensor) -> torch.Tensor:
    """Written through views: relu_ changes the left half; the sum is that of both halves."""
    whole = torch.sigmoid(x)
    left, right = whole.chunk(2, dim=-1)
    torch.relu_(left)
    right.copy_(x[..., :4])
    return torch.cos(whole)


def test_what_is_written_in_place_is_read_from_the_writer() -> None:
    """cos reads what copy_ wrote last; copy_ wrote into what relu_ had written, and relu_ into the sigmoid."""
    edges, outputs = graph(views, (1, 8), View(ops=Ops.ALL))
    assert set(edges) == {
        ("x0", "torch.sigmoid"), ("torch.sigmoid", "Tensor.chunk"), ("Tensor.chunk", "F.relu_"),
        ("x0", "Tensor.__getitem__"), ("Tensor.__getitem__", "Tensor.copy_"), ("F.relu_", "Tensor.copy_"),
        ("Tensor.copy_", "torch.cos"),
    }  # fmt: skip
    assert outputs == ["torch.cos"]
    fewer, _ = graph(views, (1, 8))  # without rows that only move data
    assert set(fewer) == {
        ("x0", "torch.sigmoid"), ("torch.sigmoid", "F.relu_"), ("F.relu_", "torch.cos"), ("x0", "torch.cos"),
    }  # fmt: skip


class Holder(nn.Module):
    """A module of the user's own that only permutes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1)


def test_a_container_of_views_stands_for_them() -> None:
    edges, outputs = graph(nn.Sequential(nn.Conv2d(3, 4, 1), Holder(), nn.Linear(4, 2)), (1, 3, 8, 8))
    assert edges == [("x0", "0"), ("0", "1"), ("1", "2")]
    assert outputs == ["2"]


@pytest.mark.parametrize("target", ["zoo:unet-small", "zoo:lenet5", "torchvision:resnet18"])
def test_the_memory_over_the_run_peaks_at_the_reported_peak(target: str, resnet18: Report) -> None:
    """Totals take the peak from `inference_peak`; parameters, buffers and inputs are there all the time."""
    is_known = target == "torchvision:resnet18"
    report = resnet18 if is_known else inspect_model(target, device="meta", accounts=[Course()])
    alive = report.live_bytes
    assert alive is not None
    assert max(alive.activations) == report.total("peak_activation_bytes").value
    assert max(alive.activations) + alive.held == report.total("peak_memory").value
    shown = tree(report, View(depth=1)).live_bytes
    assert shown is not None
    assert shown.activations == alive.activations


def test_they_are_written_and_read(resnet18: Report) -> None:
    again = Report.from_dict(resnet18.to_dict())
    assert (again.dataflow, again.live_bytes) == (resnet18.dataflow, resnet18.live_bytes)


def by_fx(name: str, leaves: set[str]) -> set[tuple[str, str]]:
    """The edges between modules as torch.fx has them, which runs the code with placeholders for the tensors."""

    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module: nn.Module, path: str) -> bool:
            return path in leaves or super().is_leaf_module(module, path)

    sources: dict[Any, set[str]] = {}
    edges: set[tuple[str, str]] = set()
    for node in Tracer().trace(resolve(f"torchvision:{name}", {}, None).build("meta", None).eval()).nodes:
        reads = {source for each in node.all_input_nodes for source in sources[each]}
        is_end = node.op in ("call_module", "output")
        edges |= {(source, str(node.target)) for source in reads if is_end}
        own = {"placeholder": {"x0"}, "call_module": {str(node.target)}}
        sources[node] = own.get(node.op, reads)
    return edges


def assert_as_by_fx(name: str) -> None:
    report = tree(inspect_model(f"torchvision:{name}", device="meta", accounts=[Course()]), View(ops=Ops.NONE))
    edges, outputs = named(replace(report, rows=tuple(replace(row, call=0) for row in report.rows)))
    own = {*edges, *((source, "output") for source in outputs)}
    leaves = {row.path for index, row in enumerate(report.rows) if index in shown_leaves(report)}
    assert own == by_fx(name, leaves)
    assert len(own) > 20


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_the_edges_between_modules_are_those_of_torch_fx(name: str) -> None:
    assert_as_by_fx(name)


@pytest.mark.sweep
@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11", "resnet18", "googlenet", "inception_v3", "mnasnet0_5", "regnet_y_400mf", "densenet121",
     "efficientnet_b0", "convnext_tiny", "swin_t"],
)  # fmt: skip
def test_the_edges_between_modules_are_those_of_torch_fx_for_more(name: str) -> None:
    """Not of vit_b_16, whose class token has the batch size of the input: fx has an edge for that, the run none.

    And not of maxvit_t, whose blocks read a tensor that Identity has handed on before (see above).
    """
    assert_as_by_fx(name)
