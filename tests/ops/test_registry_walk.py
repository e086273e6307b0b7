"""Walk the registry of ATen ops: all of each stands in one place, with source and samples, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import cnninspect
from cnninspect.ops import catalogue
from cnninspect.ops.registry import OPS, POINTWISE, register_op
from cnninspect.ops.rules import elementwise, same
from cnninspect.receptive.knowledge import NoField, depends_on_nothing, reads_by_data
from tests.ops.aten.test_rules import SAMPLES as SHAPE_SAMPLES
from tests.receptive.test_rules import SAMPLES as FIELD_SAMPLES

catalogue.load()
PACKAGE = Path(cnninspect.__file__).parent
OWN = [packet for packet in OPS if packet != POINTWISE]


ON_OTHER_DEVICES = {
    "aten._scaled_dot_product_cudnn_attention": "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention": "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_flash_attention": "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten.cudnn_batch_norm": "aten.native_batch_norm",
    "aten.detach_": "aten.detach",
}
"""Ops that no sample can run or see on the CPU, each with the op whose rule it shares."""

FUSED_CELLS = ("aten._thnn_fused_lstm_cell", "aten._thnn_fused_gru_cell")
"""They run on CUDA only; tests/ops/test_fused_cells.py holds their rule against the equations of a step."""


def tagged_pointwise(packet: str) -> bool:
    namespace, name = packet.split(".")
    overloads = getattr(getattr(torch.ops, namespace), name, None)
    return overloads is not None and any(
        torch.Tag.pointwise in getattr(overloads, overload).tags for overload in overloads.overloads()
    )


def test_every_op_has_samples_of_its_shapes_and_multiply_accumulates() -> None:
    assert sorted(set(OWN) - {sample.packet for sample in SHAPE_SAMPLES}) == []


def test_every_field_rule_has_a_sample() -> None:
    """Values that are made or read by data have nothing to react to; pointwise ops share one rule and its samples."""
    shared = (depends_on_nothing, reads_by_data)
    for packet, like in ON_OTHER_DEVICES.items():
        assert OPS[packet].field is OPS[like].field
    own = {
        packet
        for packet in OWN
        if packet not in (*ON_OTHER_DEVICES, *FUSED_CELLS)
        and not isinstance(OPS[packet].field, NoField)
        and OPS[packet].field not in shared
        and not (OPS[packet].field is elementwise and tagged_pointwise(packet))
    }
    assert sorted(own - {packet for sample in FIELD_SAMPLES for packet in sample.packets.split()}) == []


@pytest.mark.parametrize("packet", [packet for packet in OWN if isinstance(OPS[packet].field, NoField)])
def test_an_op_without_a_field_says_why(packet: str) -> None:
    field = OPS[packet].field
    assert isinstance(field, NoField)
    assert len(field.why.split()) >= 4


def says_more_than_names(source: str) -> bool:
    """Whether a source cites a year, or says at least two words or a formula beside dotted names and titles."""
    if re.search(r"\b(19|20)\d\d\b", source):
        return True
    _, _, said = source.partition(": ")
    return len(said.split()) >= 2


@pytest.mark.parametrize("packet", OPS)
def test_a_source_says_where_the_rule_stands_and_what_it_is(packet: str) -> None:
    source = OPS[packet].source
    assert re.search(r"torch|NumPy|Python|\b(19|20)\d\d\b", source)
    assert says_more_than_names(source), source


@pytest.mark.parametrize(
    "source", ["torch.renorm", "torch.sin, torch.cos", 'torch.nn.MaxPool2d, "Shape"', "documentation of the op"]
)
def test_names_alone_are_no_source(source: str) -> None:
    assert not says_more_than_names(source)


@pytest.mark.parametrize("packet", [packet for packet in OWN if packet.startswith("aten.")])
def test_an_op_exists(packet: str) -> None:
    assert hasattr(torch.ops.aten, packet.removeprefix("aten."))


def test_an_op_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"aten\.view is registered already"):
        register_op("aten.view", output=same, field=elementwise, source="torch.Tensor.view")


STRANGERS = ("measure",)
"""Rooms that must not see the registry, and so name what they count themselves."""

TORCH_OWN_NAMES = ("trace/private_torch.py",)
"""What torch calls its own machinery: queries and reads, which are no ops of a network."""


def named_ops() -> Iterator[str]:
    """Every literal in the package, outside ops/, that names an ATen op; docstrings and messages are sentences."""
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE).as_posix()
        if inside.split("/")[0] in ("ops", *STRANGERS) or inside in TORCH_OWN_NAMES:
            continue
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "aten" in source else ():
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.fullmatch(r"aten\.\w+(\.\w+)?", text):
                yield f"{inside}:{node.lineno} {text}"


def test_no_table_elsewhere_names_an_op() -> None:
    assert list(named_ops()) == []
